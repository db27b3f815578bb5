//! Both checkers on one history.

use crate::history::History;
use crate::verdict::Verdict;
use crate::{blackbox, exact};
use std::fmt;

/// What both checkers say of a history.
///
/// The order of the timestamps is one of the orders that the black-box checker may find, so it must
/// accept what the exact one accepts. The exact one may reject more: timestamps that contradict a
/// history that could be explained without them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// The answer that trusts timestamps.
    pub exact: Verdict,
    /// The answer that does not.
    pub blackbox: Verdict,
}

impl Report {
    /// Checks a history.
    pub fn of(history: &History) -> Self {
        Self {
            exact: exact::check(history),
            blackbox: blackbox::check(history),
        }
    }

    /// Whether one of them rejects it.
    pub fn is_rejected(&self) -> bool {
        self.exact.is_rejected() || self.blackbox.is_rejected()
    }

    /// Whether one accepts what the other's answer forbids to accept: then a checker is wrong.
    pub fn is_contradictory(&self) -> bool {
        self.exact.is_accepted() && self.blackbox.is_rejected()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exact checker: {}", self.exact)?;
        write!(f, "black-box checker: {}", self.blackbox)?;
        if self.is_contradictory() {
            f.write_str("\nthe checkers contradict each other: one of them is wrong")?;
        }
        Ok(())
    }
}
