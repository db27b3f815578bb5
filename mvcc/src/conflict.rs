//! Why a commit failed.

use crate::sync::{Ordering, counter};
use crate::table::TableCore;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

/// A transaction lost against another one: nothing of it happened. Run it again.
///
/// It names what was found first; there may have been more.
///
/// ```
/// use mvcc::{Conflict, ConflictCause};
///
/// let db = mvcc::Database::new();
/// let table = db.table::<u64, u64>("visits")?;
/// let (first, second) = (db.begin(), db.begin());
/// for tx in [&first, &second] {
///     let count = tx.get(&table, &1).copied().unwrap_or(0);
///     tx.insert(&table, 1, count + 1);
/// }
/// assert!(first.commit().is_ok());
/// let conflict: Conflict = second.commit().unwrap_err();
/// assert_eq!((&*conflict.table, conflict.cause), ("visits", ConflictCause::AbsentKeyAppeared));
/// println!("{conflict}");
/// # Ok::<(), mvcc::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The name of the table that it happened in.
    pub table: Arc<str>,
    /// What the other transaction did.
    pub cause: ConflictCause,
}

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
    /// The log of a durable database has stopped or is closed: durable tables are not written to any more.
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

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, cause) = (&self.table, self.cause);
        match cause {
            ConflictCause::LogStopped => write!(
                f,
                "the transaction was refused and changed nothing: in table {table:?}, {cause}; `Store::stopped` says why, and opening the store again recovers what is durable"
            ),
            ConflictCause::NoRoom => write!(
                f,
                "the transaction was refused and changed nothing: in table {table:?}, {cause}; run it again when there is room"
            ),
            _ => write!(
                f,
                "the transaction conflicts with a concurrent one and changed nothing: in table {table:?}, {cause}; run it again"
            ),
        }
    }
}

impl std::error::Error for Conflict {}

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

/// The same for those who do not show it to anybody.
#[derive(Clone, Copy)]
pub(crate) struct Lost {
    pub(crate) table: NonNull<TableCore>,
    pub(crate) cause: ConflictCause,
}

impl Lost {
    #[cold]
    pub(crate) fn new(table: NonNull<TableCore>, cause: ConflictCause) -> Self {
        Self { table, cause }
    }

    /// # Safety
    /// The database, which keeps its tables, is alive.
    pub(crate) unsafe fn describe(self) -> Conflict {
        Conflict {
            // SAFETY: the caller's promise.
            table: unsafe { self.table.as_ref() }.shared_name(),
            cause: self.cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_tells_where_and_why_and_what_to_do() {
        use ConflictCause::{AbsentKeyAppeared, RangeChanged, ReadOverwritten, WriteLocked};
        let texts = [
            ReadOverwritten,
            AbsentKeyAppeared,
            RangeChanged,
            WriteLocked,
        ]
        .map(|cause| {
            let table = "orders".into();
            let text = Conflict { table, cause }.to_string();
            assert!(
                text.contains("in table \"orders\"") && text.ends_with("run it again"),
                "{text}"
            );
            assert!(text.contains(&cause.to_string()), "{text}");
            text
        });
        assert!(
            (1..texts.len()).all(|i| !texts[..i].contains(&texts[i])),
            "{texts:?}"
        );
    }
}
