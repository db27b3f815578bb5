//! What makes a commit fail.

use crate::sync::{Ordering, counter};
use std::fmt;

/// What a concurrent transaction did to one that lost.
///
/// ```
/// let db = mvcc::Database::new();
/// let table = db.table::<u64, &str>("t")?;
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "one"))).unwrap();
/// let tx = db.begin();
/// let one = tx.get(&table, &1).copied();
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "another"))).unwrap();
/// tx.insert(&table, 2, one.unwrap());
/// assert_eq!(tx.commit().unwrap_err().cause, mvcc::ConflictCause::ReadOverwritten);
/// # Ok::<(), mvcc::TableError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConflictCause {
    /// It has written a key that this one has read, or is about to.
    ReadOverwritten,
    /// It has given a value to a key that this one has found absent, or is about to.
    AbsentKeyAppeared,
    /// It has added, changed or removed a row in a range that this one has read, or is about to.
    RangeChanged,
    /// It was at work on a key that this one was going to write, and did not finish.
    WriteLocked,
    /// The table got an index after this transaction had begun.
    IndexAdded,
    /// The database got its first feed after this transaction had begun.
    FeedStarted,
    /// The log of a durable database has no room for it now, on its disk or within its limit.
    NoRoom,
    /// The log of a durable database has stopped or is closed: durable tables are not written to
    /// any more.
    LogStopped,
}

impl fmt::Display for ConflictCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ReadOverwritten => "a row that it has read was overwritten",
            Self::AbsentKeyAppeared => "a key that it has found absent appeared",
            Self::RangeChanged => "a range that it has read changed",
            Self::WriteLocked => "a row that it was going to write was locked",
            Self::IndexAdded => "an index was added that it has not kept up to date",
            Self::FeedStarted => "a write would be missing from a feed that was started",
            Self::NoRoom => "a write has no room in the log",
            Self::LogStopped => "a write cannot be logged, for the log has stopped",
        })
    }
}

impl ConflictCause {
    /// All of them, as they are declared.
    pub(crate) const ALL: [Self; 8] = [
        Self::ReadOverwritten,
        Self::AbsentKeyAppeared,
        Self::RangeChanged,
        Self::WriteLocked,
        Self::IndexAdded,
        Self::FeedStarted,
        Self::NoRoom,
        Self::LogStopped,
    ];

    /// Whether no other transaction is to blame, but the log.
    pub(crate) fn is_of_log(self) -> bool {
        matches!(self, Self::NoRoom | Self::LogStopped)
    }

    /// A name for labels of metrics and fields of events.
    ///
    /// ```
    /// assert_eq!(mvcc::ConflictCause::ReadOverwritten.name(), "read_overwritten");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOverwritten => "read_overwritten",
            Self::AbsentKeyAppeared => "absent_key_appeared",
            Self::RangeChanged => "range_changed",
            Self::WriteLocked => "write_locked",
            Self::IndexAdded => "index_added",
            Self::FeedStarted => "feed_started",
            Self::NoRoom => "no_room",
            Self::LogStopped => "log_stopped",
        }
    }
}

/// How often there was each cause.
#[derive(Default)]
pub(crate) struct ConflictCounts([counter::AtomicU64; ConflictCause::ALL.len()]);

impl ConflictCounts {
    pub(crate) fn add(&self, cause: ConflictCause) {
        self.0[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Those causes that there were.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (ConflictCause, u64)> {
        let counts = ConflictCause::ALL.into_iter().zip(&self.0);
        counts
            .map(|(cause, count)| (cause, count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}
