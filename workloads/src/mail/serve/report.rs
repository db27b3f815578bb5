//! What a server has done.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters that all sessions add to. They are read once no session is left.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) smtp: AtomicU64,
    pub(super) pop3: AtomicU64,
    pub(super) turned_away: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) pickups: AtomicU64,
    pub(super) retrieved: AtomicU64,
    pub(super) deleted: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// The outcome of a server. Displays as the command's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// SMTP sessions.
    pub smtp_sessions: u64,
    /// POP3 sessions.
    pub pop3_sessions: u64,
    /// Connections that were one too many.
    pub turned_away: u64,
    /// Messages that were accepted.
    pub messages: u64,
    /// Their deliveries, one for each recipient.
    pub delivered: u64,
    /// Mailboxes that were opened.
    pub pickups: u64,
    /// Messages that were retrieved.
    pub retrieved: u64,
    /// Messages that were deleted.
    pub deleted: u64,
    /// Commands and messages that were refused for good.
    pub refused: u64,
}

impl Tally {
    pub(super) fn report(&self) -> Report {
        Report {
            smtp_sessions: self.smtp.load(Relaxed),
            pop3_sessions: self.pop3.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
            messages: self.messages.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            pickups: self.pickups.load(Relaxed),
            retrieved: self.retrieved.load(Relaxed),
            deleted: self.deleted.load(Relaxed),
            refused: self.refused.load(Relaxed),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("smtp", self.smtp_sessions, "sessions"),
            ("pop3", self.pop3_sessions, "sessions"),
            (
                "turned away",
                self.turned_away,
                "connections, one too many each",
            ),
            ("accepted", self.messages, "messages"),
            (
                "delivered",
                self.delivered,
                "copies, one for each recipient",
            ),
            ("picked up", self.pickups, "times"),
            ("retrieved", self.retrieved, "messages"),
            ("deleted", self.deleted, "messages"),
            ("refused", self.refused, "commands and messages"),
        ];
        write!(f, "mail serve")?;
        for (name, value, of) in lines {
            write!(f, "\n{name:<14}{value:>16} {of}")?;
        }
        Ok(())
    }
}
