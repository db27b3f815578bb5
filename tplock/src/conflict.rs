//! When a transaction must die.

use crate::age::Age;
use crate::locks::Part;
use crate::tuple::Locked;
use std::fmt;
use std::sync::Arc;

/// An older transaction is in the way of this one, which must give up its locks: wait-die.
///
/// Nothing happened. [`Database::begin_again`](crate::Database::begin_again) waits until the other is out of the way and begins anew with the same
/// age, so that a transaction that keeps losing becomes the oldest one in the end, which never loses.
#[derive(Clone)]
pub struct Conflict {
    pub(crate) age: Age,
    elder: Age,
    at: Arc<dyn Locked>,
    part: Part,
}

impl Conflict {
    pub(crate) fn new(age: Age, elder: Age, at: Arc<dyn Locked>, part: Part) -> Self {
        Self {
            age,
            elder,
            at,
            part,
        }
    }

    /// Waits until the older one is out of the way. It cannot be part of a deadlock, for the caller holds no lock any more.
    pub(crate) fn wait(&self) {
        self.at.locks().wait_for_end_of(self.elder, self.part);
    }
}

impl fmt::Debug for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflict")
            .field("age", &self.age)
            .field("elder", &self.elder)
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an older transaction is in the way; nothing happened, begin again")
    }
}

impl std::error::Error for Conflict {}
