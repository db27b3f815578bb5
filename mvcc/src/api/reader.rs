//! What views, snapshots and transactions share as readers.

use crate::api::read::Lookup;
use crate::commit::reads::{Seen, read_at, tuple_at};
use crate::rows::core::TableCore;
use crate::rows::protected::Protected;
use crate::rows::ranges::{Row, Rows};
use crate::rows::tree::{Direction, TreeKey, last_key, walk};
use crate::rows::tuple::{Removed, key_of};
use crate::rows::version::value_of;
use std::ops::{Bound, RangeBounds};

/// The inherent methods that are the same for all three. They need `get` and `check`, and that the
/// reader is a [`RowReader`](crate::api::read::RowReader).
macro_rules! inherent_reads {
    () => {
        /// The values of many keys, in the order of the keys.
        ///
        /// In a [`Table`](crate::Table), the lookups of several keys wait for memory at the same
        /// time, so that keys that are not in the processor's caches cost a fraction of what one
        /// [`get`](Self::get) after the other costs. As [`iter`](Self::iter) does, it yields what a
        /// read-write transaction saw when the iterator was made.
        ///
        /// # Panics
        /// If the table belongs to another database.
        ///
        /// ```
        /// let db = mvcc::Database::new();
        /// let names = db.table::<u32, &str>("names")?;
        /// db.run(|tx| {
        ///     tx.insert(&names, 1, "ann");
        ///     Ok::<_, ()>(tx.insert(&names, 3, "bob"))
        /// }).unwrap();
        /// let found: Vec<_> = db.view(|view| {
        ///     view.get_many(&names, &[1, 2, 3]).map(|name| name.copied()).collect()
        /// });
        /// assert_eq!(found, [Some("ann"), None, Some("bob")]);
        /// # Ok::<(), mvcc::TableError>(())
        /// ```
        pub fn get_many<'r, T: Lookup<Q>, Q>(
            &'r self,
            table: &'r T,
            keys: &'r [Q],
        ) -> impl Iterator<Item = Option<&'r T::Value>> {
            self.check(table.core());
            let internal = $crate::rows::protected::Internal::new();
            let moment = self.moment(internal);
            keys.chunks($crate::rows::hash::WARM).flat_map(move |keys| {
                self.warm(table, keys);
                keys.iter()
                    .map(move |key| self.get_as_of(table, key, moment, internal))
            })
        }

        /// Brings what a lookup of so many keys is going to read towards the processor; `WARM` of
        /// them at most.
        fn warm<'k, T: Lookup<Q>, Q: 'k>(&self, table: &T, keys: impl IntoIterator<Item = &'k Q>) {
            let hashes = keys
                .into_iter()
                .map_while(|key| table.hash(key, $crate::rows::protected::Internal::new()));
            let hashes: arrayvec::ArrayVec<_, { $crate::rows::hash::WARM }> = hashes.collect();
            self.protected_for(|protected| table.core().warm(&hashes, protected));
        }

        /// Whether a key has a value.
        ///
        /// # Panics
        /// If the table belongs to another database.
        ///
        /// ```
        /// let db = mvcc::Database::new();
        /// let table = db.ordered_table::<u64, &str>("t")?;
        /// db.run(|tx| {
        ///     tx.insert(&table, 1, "one");
        ///     tx.insert(&table, 2, "two");
        ///     Ok::<_, ()>(tx.insert(&table, 3, "three"))
        /// }).unwrap();
        /// assert!(db.view(|view| view.contains_key(&table, &1) && !view.contains_key(&table, &4)));
        /// # Ok::<(), mvcc::TableError>(())
        /// ```
        pub fn contains_key<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> bool {
            self.get(table, key).is_some()
        }

        /// All keys with their values: in no particular order, or in the order of keys where the
        /// table has one.
        ///
        /// In a read-write transaction, what the iteration has reached is protected against changes
        /// until the commit, new keys included. It yields what the transaction saw when the
        /// iterator was made: what the transaction writes or rolls back meanwhile neither adds
        /// rows, nor takes any away, nor changes their values. So a loop may write to the table
        /// that it goes through.
        ///
        /// The rows of an ordered table can be taken from both ends, so `iter(&table).rev()` is the
        /// whole of it in descending order.
        ///
        /// # Panics
        /// If the table belongs to another database.
        ///
        /// ```
        /// let db = mvcc::Database::new();
        /// let table = db.ordered_table::<u64, &str>("t")?;
        /// db.run(|tx| {
        ///     tx.insert(&table, 1, "one");
        ///     tx.insert(&table, 2, "two");
        ///     Ok::<_, ()>(tx.insert(&table, 3, "three"))
        /// }).unwrap();
        /// let keys = db.run(|tx| Ok::<_, ()>(tx.iter(&table).map(|(key, _)| *key).collect::<Vec<_>>()));
        /// assert_eq!(keys, Ok(vec![1, 2, 3]));
        /// # Ok::<(), mvcc::TableError>(())
        /// ```
        pub fn iter<'r, T: AnyTable>(&'r self, table: &'r T) -> T::Rows<'r, Self> {
            self.check(table.core());
            // It was checked just now.
            table.rows(self, $crate::rows::protected::Internal::new())
        }

        /// The rows whose keys are in a range, ascending; from both ends. A range whose end is
        /// below its start is empty.
        ///
        /// In a read-write transaction, the range is protected against changes until the commit,
        /// new keys included, as far as the iteration has gone. It may read some rows ahead. As
        /// [`iter`](Self::iter) does, it yields what the transaction saw when the iterator was
        /// made.
        ///
        /// # Panics
        /// If the table belongs to another database.
        ///
        /// ```
        /// let db = mvcc::Database::new();
        /// let table = db.ordered_table::<u64, &str>("t")?;
        /// db.run(|tx| {
        ///     tx.insert(&table, 1, "one");
        ///     tx.insert(&table, 2, "two");
        ///     Ok::<_, ()>(tx.insert(&table, 3, "three"))
        /// }).unwrap();
        /// let snapshot = db.snapshot();
        /// let mut rows = snapshot.range(&table, 2..);
        /// assert_eq!(rows.next_back(), Some((&3, &"three")));
        /// assert_eq!(rows.next(), Some((&2, &"two")));
        /// assert_eq!(rows.next(), None);
        /// # Ok::<(), mvcc::TableError>(())
        /// ```
        pub fn range<'r, K, V, Q>(
            &'r self,
            table: &'r $crate::OrderedTable<K, V>,
            range: impl std::ops::RangeBounds<Q>,
        ) -> impl DoubleEndedIterator<Item = (&'r K, &'r V)>
        where
            K: std::borrow::Borrow<Q> + Ord + Clone + Send + Sync + 'static,
            V: Send + Sync + 'static,
            Q: ToOwned<Owned: Into<K>> + ?Sized,
        {
            self.check(table.core());
            // SAFETY: the table's kind and types.
            unsafe {
                $crate::api::scan::RangeRows::new(
                    self,
                    &table.core,
                    $crate::api::reader::owned_bounds(range),
                )
            }
        }

        /// The row with the smallest key.
        ///
        /// # Panics
        /// If the table belongs to another database.
        ///
        /// ```
        /// let db = mvcc::Database::new();
        /// let table = db.ordered_table::<u64, &str>("t")?;
        /// db.run(|tx| {
        ///     tx.insert(&table, 1, "one");
        ///     tx.insert(&table, 2, "two");
        ///     Ok::<_, ()>(tx.insert(&table, 3, "three"))
        /// }).unwrap();
        /// assert_eq!(db.snapshot().first(&table), Some((&1, &"one")));
        /// # Ok::<(), mvcc::TableError>(())
        /// ```
        pub fn first<'r, K, V>(
            &'r self,
            table: &'r $crate::OrderedTable<K, V>,
        ) -> Option<(&'r K, &'r V)>
        where
            K: Ord + Clone + Send + Sync + 'static,
            V: Send + Sync + 'static,
        {
            self.range::<K, V, K>(table, ..).next()
        }

        /// The row with the largest key.
        ///
        /// # Panics
        /// If the table belongs to another database.
        ///
        /// ```
        /// let db = mvcc::Database::new();
        /// let table = db.ordered_table::<u64, &str>("t")?;
        /// db.run(|tx| {
        ///     tx.insert(&table, 1, "one");
        ///     tx.insert(&table, 2, "two");
        ///     Ok::<_, ()>(tx.insert(&table, 3, "three"))
        /// }).unwrap();
        /// assert_eq!(db.snapshot().last(&table), Some((&3, &"three")));
        /// # Ok::<(), mvcc::TableError>(())
        /// ```
        pub fn last<'r, K, V>(
            &'r self,
            table: &'r $crate::OrderedTable<K, V>,
        ) -> Option<(&'r K, &'r V)>
        where
            K: Ord + Clone + Send + Sync + 'static,
            V: Send + Sync + 'static,
        {
            self.range::<K, V, K>(table, ..).next_back()
        }
    };
}
pub(crate) use inherent_reads;

/// The trait's methods through the inherent ones of the same names.
macro_rules! impl_read {
    ($reader:ty) => {
        impl $crate::api::read::sealed::Reader for $reader {}

        impl $crate::api::read::Read for $reader {
            #[inline]
            fn get<'r, T: $crate::Lookup<Q>, Q: ?Sized>(
                &'r self,
                table: &T,
                key: &Q,
            ) -> Option<&'r T::Value> {
                self.get(table, key)
            }

            fn get_many<'r, T: $crate::Lookup<Q>, Q>(
                &'r self,
                table: &'r T,
                keys: &'r [Q],
            ) -> impl Iterator<Item = Option<&'r T::Value>> {
                self.get_many(table, keys)
            }

            fn iter<'r, T: $crate::AnyTable>(&'r self, table: &'r T) -> T::Rows<'r, Self> {
                self.iter(table)
            }

            fn range<'r, K, V, Q>(
                &'r self,
                table: &'r $crate::OrderedTable<K, V>,
                range: impl std::ops::RangeBounds<Q>,
            ) -> impl DoubleEndedIterator<Item = (&'r K, &'r V)>
            where
                K: std::borrow::Borrow<Q> + Ord + Clone + Send + Sync + 'static,
                V: Send + Sync + 'static,
                Q: ToOwned<Owned: Into<K>> + ?Sized,
            {
                self.range(table, range)
            }

            fn sees_entries(
                &self,
                built: $crate::Timestamp,
                table: &$crate::rows::core::TableCore,
                internal: $crate::rows::protected::Internal,
            ) -> bool {
                self.fix_timestamp() > built.ticks() && !self.has_unindexed_writes(table, internal)
            }
        }
    };
}
pub(crate) use impl_read;

/// The value of a key at a timestamp.
///
/// # Safety
/// The caller's slot protects `timestamp` for `'r`.
pub(crate) unsafe fn get_at<'r, T: Lookup<Q>, Q: ?Sized>(
    table: &T,
    key: &Q,
    timestamp: u64,
    protected: Protected<'_>,
) -> Option<&'r T::Value> {
    let mut removed = Removed::default();
    loop {
        let tuple = table.find(key, protected)?;
        // SAFETY: we are protected; the caller's promise.
        match unsafe { read_at(tuple, timestamp) } {
            // SAFETY: visible at a timestamp that the slot protects.
            Seen::Version(version, _) => return unsafe { value_of(version) },
            Seen::Dead => removed.note(tuple),
        }
    }
}

/// The bounds of a range of borrowed keys.
pub(crate) fn owned_bounds<K, Q: ToOwned<Owned: Into<K>> + ?Sized>(
    range: impl RangeBounds<Q>,
) -> (Bound<K>, Bound<K>) {
    let owned = |bound: Bound<&Q>| bound.map(|key| key.to_owned().into());
    (owned(range.start_bound()), owned(range.end_bound()))
}

/// The rows of one shard at a timestamp.
///
/// # Safety
/// The caller's slot protects `timestamp` for `'r`, and the table has these types. The slot
/// protects the keys as well: a tuple whose visible version has a value is not removed, for the
/// tombstone that would allow it is not below the watermark.
pub(crate) unsafe fn shard_at<'r, K, V>(
    table: &TableCore,
    shard: usize,
    timestamp: u64,
    protected: Protected<'_>,
) -> Vec<(&'r K, &'r V)> {
    let (_, tuples) = table.index.hash().walk(shard, protected);
    let row = |tuple| {
        // SAFETY: we are protected; the caller's promise.
        let value = unsafe { tuple_at::<V>(tuple, timestamp) };
        // SAFETY: see above.
        value.map(|value| (unsafe { key_of(tuple) }, value))
    };
    tuples.filter_map(row).collect()
}

/// Rows of an ordered table at a timestamp.
///
/// # Safety
/// As for [`shard_at`].
pub(crate) unsafe fn range_at<K: TreeKey, V>(
    table: &TableCore,
    bounds: (&Bound<K>, &Bound<K>),
    direction: Direction,
    limit: usize,
    room: Vec<Row>,
    timestamp: u64,
    protected: Protected<'_>,
) -> Rows<K> {
    // SAFETY: the caller's promise.
    let tree = unsafe { table.index.tree::<K>() };
    let walked = walk(tree, bounds, direction, limit, protected);
    let last = last_key(&walked);
    Rows::new(&walked, room, last, None, |tuple| {
        // SAFETY: we are protected; the caller's promise.
        unsafe { tuple_at::<V>(tuple, timestamp) }
    })
}

#[cfg(test)]
mod tests;
