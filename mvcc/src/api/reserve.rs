//! Transactions on a key that many write take turns; see [`crate::commit::reservations`].

use crate::api::read::Lookup;
use crate::api::transaction::Transaction;
use std::ptr;

impl Transaction<'_> {
    /// The value of a key that many transactions are known to write, after waiting until none of
    /// the others that have reserved it is left.
    ///
    /// Transactions that all begin by reserving the same key run one after the other, so that none
    /// of them loses because of it. Use it where [`Stats::conflicts`](crate::Stats::conflicts) is a
    /// good part of the commits and a transaction does much between its read and its commit; for
    /// the hottest key, before anything else is read. It costs about a hundred nanoseconds, and
    /// short transactions are faster without. The reservation ends with the transaction.
    ///
    /// It is advice among those who reserve: others read and write the key as if nothing were, and
    /// what is read here is checked by the commit like any other read. A thread waits for its first
    /// reservation only, and takes further ones if they are free, so there are no deadlocks; and it
    /// waits ten milliseconds at most. The keys that a table does not have are reserved together.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let counters = db.table::<&str, u64>("counters")?;
    /// std::thread::scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|| for _ in 0..100 {
    ///             db.run(|tx| {
    ///                 let count = tx.reserve(&counters, "visits").copied().unwrap_or(0);
    ///                 Ok::<_, ()>(tx.insert(&counters, "visits", count + 1))
    ///             }).unwrap();
    ///         });
    ///     }
    /// });
    /// assert_eq!(db.view(|view| view.get(&counters, "visits").copied()), Some(400));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn reserve<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
        let core = self.core(table);
        let place = || match table.find(key, self.protected()) {
            Some(tuple) => tuple.as_ptr().addr(),
            None => ptr::from_ref(core).addr(),
        };
        let wanted = place();
        if self.reserve_place(wanted) {
            // Whoever was waited for may have added the key.
            let now = place();
            if now != wanted {
                self.reserve_place(now);
            }
        }
        self.get(table, key)
    }
}
