//! Why a commit failed.

use crate::rows::cause::ConflictCause;
use crate::rows::core::TableCore;
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
