//! The transactions that [`Database::run`](crate::Database::run) and its like hand out.

use crate::age::Age;
use crate::conflict::Conflict;
use crate::core::Core;
use crate::database::Database;
use crate::table::{AnyTable, Lookup};
use crate::unwind;

/// A read-write transaction, for the closure of [`Database::run`](crate::Database::run).
///
/// An operation either succeeds or, when an older transaction is in the way, does not return: the closure is left and run again. What the transaction reads stays
/// locked, so references are valid and values unchanged as long as it lives.
#[derive(Debug)]
pub struct Transaction {
    pub(crate) core: Core,
}

impl Transaction {
    /// Gives a key a value, whether or not it has one (an upsert). Locks the key exclusively.
    ///
    /// # Panics
    /// If the table belongs to another database.
    #[inline]
    pub fn insert<T: AnyTable>(&self, table: &T, key: T::Key, value: T::Value) {
        self.live(self.core.insert(table, key, value));
    }

    /// Removes a key, whether or not it has a value. Locks the key exclusively.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn remove<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) {
        self.live(self.core.remove(table, key));
    }

    /// Replaces a key's value by a function of it; false if it has none. The function may use the transaction.
    ///
    /// It locks the key exclusively from the start. A `get` followed by an `insert` shares the key first, and of two transactions that do
    /// so at the same time one must die.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn update<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        update: impl FnOnce(&T::Value) -> T::Value,
    ) -> bool {
        self.live(self.core.update(table, key, update))
    }

    #[inline]
    pub(crate) fn live<T>(&self, result: Result<T, Conflict>) -> T {
        result.unwrap_or_else(|_| unwind::die(&self.core))
    }
}

/// A read-only transaction, for the closure of [`Database::view`](crate::Database::view). It locks what it reads.
#[derive(Debug)]
pub struct View {
    pub(crate) core: Core,
}

impl View {
    #[inline]
    pub(crate) fn live<T>(&self, result: Result<T, Conflict>) -> T {
        result.unwrap_or_else(|_| unwind::die(&self.core))
    }
}

/// A read-only transaction that may be kept, from [`Database::snapshot`](crate::Database::snapshot).
///
/// It is older than every transaction that can write, so it waits for those that are at work on what it reads, and never dies. What it has read
/// stays locked, so writers of it wait until the snapshot is dropped; what it has not read yet may still change. It is thus the state
/// at the time of its last read.
///
/// A thread that has read a key from a snapshot and writes to that key while it keeps the snapshot waits for itself, for ever.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) core: Core,
}

impl Snapshot {
    pub(crate) fn new(database: &Database) -> Self {
        Self {
            core: Core::new(database.id(), Age::of_snapshot()),
        }
    }

    #[inline]
    #[expect(clippy::unused_self, reason = "as for the other readers")]
    pub(crate) fn live<T>(&self, result: Result<T, Conflict>) -> T {
        result.unwrap_or_else(|_| unreachable!("nobody in its way is older than a snapshot"))
    }
}
