//! Rows that are not written because of another one.

use std::fmt;
use std::sync::Arc;

/// A row was not written, because another one has its key. Nothing has changed in the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicate {
    /// The name of the table.
    pub table: Arc<str>,
    /// The name of the unique index whose key both rows have. `None`: the row's own key is taken.
    pub index: Option<Arc<str>>,
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.index {
            Some(index) => write!(
                f,
                "cannot write to table {:?}: another row has the same key of unique index {index:?}; remove that row first, or choose another key",
                self.table
            ),
            None => write!(
                f,
                "cannot add a row to table {:?}: it has a row with this key; update that row, or choose another key",
                self.table
            ),
        }
    }
}

impl std::error::Error for Duplicate {}

impl Duplicate {
    #[cold]
    pub(crate) fn refuse<T>(self) -> T {
        panic!("{self} (try_insert and try_update return this as an error)")
    }
}
