//! The transactions that [`Database::run`](crate::Database::run) and its like hand out.

use crate::core::Core;
use crate::table::{AnyTable, Lookup};
use crate::unwind::live;

/// A read-write transaction, for the closure of [`Database::run`](crate::Database::run).
///
/// An operation either succeeds or, when an older transaction is in the way, does not return: the
/// closure is left and run again. What the transaction reads stays locked, so references are valid
/// and values unchanged as long as it lives.
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
        live(&self.core, self.core.insert(table, key, value));
    }

    /// Removes a key, whether or not it has a value. Locks the key exclusively.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn remove<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) {
        live(&self.core, self.core.remove(table, key));
    }

    /// Replaces a key's value by a function of it; false if it has none. The function may use the
    /// transaction.
    ///
    /// It locks the key exclusively from the start. A `get` followed by an `insert` shares the key
    /// first, and of two transactions that do so at the same time one must die.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn update<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        update: impl FnOnce(&T::Value) -> T::Value,
    ) -> bool {
        live(&self.core, self.core.update(table, key, update))
    }
}

/// A read-only transaction, for the closure of [`Database::view`](crate::Database::view). It locks
/// what it reads.
#[derive(Debug)]
pub struct View {
    pub(crate) core: Core,
}
