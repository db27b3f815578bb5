//! Reading, whatever from.

use crate::core::TableCore;
use crate::protected::{Internal, Protected};
use crate::range::{Ranges, Row, Rows, last_key, walk};
use crate::reads::{Seen, read_at};
use crate::sync::{bug, freed};
use crate::table::{AnyTable, Lookup, OrderedTable};
use crate::timestamp::Timestamp;
use crate::tree::{Direction, TreeKey};
use crate::tuple::{Removed, Tuple, key_of};
use crate::version::{ValueVersion, Version};
use crate::{Snapshot, Transaction, View};
use std::borrow::Borrow;
use std::ops::{Bound, RangeBounds};
use std::ptr::NonNull;

/// The reads that a [`Transaction`], a [`View`] and a [`Snapshot`] have in common.
///
/// The same methods exist on each of them, so this is only needed by functions that take any of the three:
///
/// ```
/// use mvcc::{Database, Read, Table};
///
/// fn total(read: &impl Read, balances: &Table<u64, i64>) -> i64 {
///     read.iter(balances).map(|(_, balance)| balance).sum()
/// }
///
/// let db = Database::new();
/// let balances = db.table("balances")?;
/// db.run(|tx| {
///     tx.insert(&balances, 1, 10);
///     tx.insert(&balances, 2, 20);
///     Ok::<_, ()>(assert_eq!(total(tx, &balances), 30))
/// }).unwrap();
/// assert_eq!(db.view(|view| total(view, &balances)), 30);
/// assert_eq!(total(&db.snapshot(), &balances), 30);
/// # Ok::<(), mvcc::TableError>(())
/// ```
pub trait Read: sealed::Sealed {
    /// The value of a key.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// use mvcc::{OrderedTable, Read};
    ///
    /// fn length(read: &impl Read, names: &OrderedTable<u64, &'static str>, key: u64) -> usize {
    ///     read.get(names, &key).map_or(0, |name| name.len())
    /// }
    /// # let db = mvcc::Database::new();
    /// # let table = db.ordered_table::<u64, &str>("t")?;
    /// # db.run(|tx| {
    /// #     tx.insert(&table, 1, "one");
    /// #     tx.insert(&table, 2, "two");
    /// #     Ok::<_, ()>(tx.insert(&table, 3, "three"))
    /// # }).unwrap();
    /// assert_eq!(length(&db.snapshot(), &table, 3), 5);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    fn get<'r, T: Lookup<Q>, Q: ?Sized>(&'r self, table: &T, key: &Q) -> Option<&'r T::Value>;

    /// The values of many keys, in the order of the keys.
    ///
    /// In a [`Table`](crate::Table), the lookups of several keys wait for memory at the same time, so that keys that are not in the
    /// processor's caches cost a fraction of what one [`get`](Self::get) after the other costs.
    ///
    /// # Panics
    /// If the table belongs to another database.
    fn get_many<'r, T: Lookup<Q>, Q>(
        &'r self,
        table: &'r T,
        keys: &'r [Q],
    ) -> impl Iterator<Item = Option<&'r T::Value>>;

    /// Whether a key has a value.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// use mvcc::{OrderedTable, Read};
    ///
    /// fn has(read: &impl Read, names: &OrderedTable<u64, &'static str>, key: u64) -> bool {
    ///     read.contains_key(names, &key)
    /// }
    /// # let db = mvcc::Database::new();
    /// # let table = db.ordered_table::<u64, &str>("t")?;
    /// # db.run(|tx| {
    /// #     tx.insert(&table, 1, "one");
    /// #     tx.insert(&table, 2, "two");
    /// #     Ok::<_, ()>(tx.insert(&table, 3, "three"))
    /// # }).unwrap();
    /// assert!(has(&db.snapshot(), &table, 3) && !has(&db.snapshot(), &table, 4));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    fn contains_key<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> bool {
        self.get(table, key).is_some()
    }

    /// All keys with their values: in no particular order, or in the order of keys where the table has one. Then it can be reversed with `rev`.
    ///
    /// Of a read-write transaction it yields the state when the iterator was made, and so do all iterators: what is written meanwhile is not among the rows.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// use mvcc::{OrderedTable, Read};
    ///
    /// fn count(read: &impl Read, names: &OrderedTable<u64, &'static str>) -> usize {
    ///     read.iter(names).count()
    /// }
    /// # let db = mvcc::Database::new();
    /// # let table = db.ordered_table::<u64, &str>("t")?;
    /// # db.run(|tx| {
    /// #     tx.insert(&table, 1, "one");
    /// #     tx.insert(&table, 2, "two");
    /// #     Ok::<_, ()>(tx.insert(&table, 3, "three"))
    /// # }).unwrap();
    /// assert_eq!(count(&db.snapshot(), &table), 3);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    fn iter<'r, T: AnyTable>(&'r self, table: &'r T) -> T::Rows<'r, Self>
    where
        Self: Sized;

    /// The rows whose keys are in a range, ascending; from both ends.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// use mvcc::{OrderedTable, Read};
    ///
    /// fn last_two(read: &impl Read, names: &OrderedTable<u64, &'static str>) -> Vec<u64> {
    ///     read.range(names, ..).rev().take(2).map(|(key, _)| *key).collect()
    /// }
    /// # let db = mvcc::Database::new();
    /// # let table = db.ordered_table::<u64, &str>("t")?;
    /// # db.run(|tx| {
    /// #     tx.insert(&table, 1, "one");
    /// #     tx.insert(&table, 2, "two");
    /// #     Ok::<_, ()>(tx.insert(&table, 3, "three"))
    /// # }).unwrap();
    /// assert_eq!(last_two(&db.snapshot(), &table), [3, 2]);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    fn range<'r, K, V, Q>(
        &'r self,
        table: &'r OrderedTable<K, V>,
        range: impl RangeBounds<Q>,
    ) -> impl DoubleEndedIterator<Item = (&'r K, &'r V)>
    where
        K: Borrow<Q> + Ord + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
        Q: ToOwned<Owned: Into<K>> + ?Sized;

    /// The row with the smallest key.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// use mvcc::{OrderedTable, Read};
    ///
    /// fn smallest(read: &impl Read, names: &OrderedTable<u64, &'static str>) -> Option<u64> {
    ///     read.first(names).map(|(key, _)| *key)
    /// }
    /// # let db = mvcc::Database::new();
    /// # let table = db.ordered_table::<u64, &str>("t")?;
    /// # db.run(|tx| {
    /// #     tx.insert(&table, 1, "one");
    /// #     tx.insert(&table, 2, "two");
    /// #     Ok::<_, ()>(tx.insert(&table, 3, "three"))
    /// # }).unwrap();
    /// assert_eq!(smallest(&db.snapshot(), &table), Some(1));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    fn first<'r, K, V>(&'r self, table: &'r OrderedTable<K, V>) -> Option<(&'r K, &'r V)>
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
    /// use mvcc::{OrderedTable, Read};
    ///
    /// fn largest(read: &impl Read, names: &OrderedTable<u64, &'static str>) -> Option<u64> {
    ///     read.last(names).map(|(key, _)| *key)
    /// }
    /// # let db = mvcc::Database::new();
    /// # let table = db.ordered_table::<u64, &str>("t")?;
    /// # db.run(|tx| {
    /// #     tx.insert(&table, 1, "one");
    /// #     tx.insert(&table, 2, "two");
    /// #     Ok::<_, ()>(tx.insert(&table, 3, "three"))
    /// # }).unwrap();
    /// assert_eq!(largest(&db.snapshot(), &table), Some(3));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    fn last<'r, K, V>(&'r self, table: &'r OrderedTable<K, V>) -> Option<(&'r K, &'r V)>
    where
        K: Ord + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        self.range::<K, V, K>(table, ..).next_back()
    }

    /// Whether it finds all rows of a table through the entries of an index of it that was built by this commit.
    #[doc(hidden)]
    fn sees_entries(&self, built: Timestamp, table: &TableCore, internal: Internal) -> bool;
}

mod sealed {
    pub trait Sealed: super::RowReader {}
    impl Sealed for crate::Transaction<'_> {}
    impl Sealed for crate::View<'_> {}
    impl Sealed for crate::Snapshot {}
}

/// The inherent methods that are the same for all three. They need `get` and `check`, and that the reader is a [`RowReader`].
macro_rules! inherent_reads {
    () => {
        /// The values of many keys, in the order of the keys.
        ///
        /// In a [`Table`](crate::Table), the lookups of several keys wait for memory at the same time, so that keys that are not in the
        /// processor's caches cost a fraction of what one [`get`](Self::get) after the other costs. As [`iter`](Self::iter) does, it yields what a read-write
        /// transaction saw when the iterator was made.
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
            let internal = $crate::protected::Internal::new();
            let moment = self.moment(internal);
            keys.chunks($crate::index::WARM).flat_map(move |keys| {
                self.warm(table, keys);
                keys.iter()
                    .map(move |key| self.get_as_of(table, key, moment, internal))
            })
        }

        /// Brings what a lookup of so many keys is going to read towards the processor; `WARM` of them at most.
        fn warm<'k, T: Lookup<Q>, Q: 'k>(&self, table: &T, keys: impl IntoIterator<Item = &'k Q>) {
            let hashes = keys
                .into_iter()
                .map_while(|key| table.hash(key, $crate::protected::Internal::new()));
            let hashes: arrayvec::ArrayVec<_, { $crate::index::WARM }> = hashes.collect();
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

        /// All keys with their values: in no particular order, or in the order of keys where the table has one.
        ///
        /// In a read-write transaction, what the iteration has reached is protected against changes until the commit, new keys included. It yields what the
        /// transaction saw when the iterator was made: what the transaction writes or rolls back meanwhile neither adds rows, nor takes any away, nor changes their
        /// values. So a loop may write to the table that it goes through.
        ///
        /// The rows of an ordered table can be taken from both ends, so `iter(&table).rev()` is the whole of it in descending order.
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
            table.rows(self, $crate::protected::Internal::new())
        }

        /// The rows whose keys are in a range, ascending; from both ends. A range whose end is below its start is empty.
        ///
        /// In a read-write transaction, the range is protected against changes until the commit, new keys included, as far as the iteration has
        /// gone. It may read some rows ahead. As [`iter`](Self::iter) does, it yields what the transaction saw when the iterator was made.
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
            $crate::range::RangeRows::new(self, table, $crate::read::owned_bounds(range))
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
        impl Read for $reader {
            #[inline]
            fn get<'r, T: Lookup<Q>, Q: ?Sized>(
                &'r self,
                table: &T,
                key: &Q,
            ) -> Option<&'r T::Value> {
                self.get(table, key)
            }

            fn get_many<'r, T: Lookup<Q>, Q>(
                &'r self,
                table: &'r T,
                keys: &'r [Q],
            ) -> impl Iterator<Item = Option<&'r T::Value>> {
                self.get_many(table, keys)
            }

            fn iter<'r, T: AnyTable>(&'r self, table: &'r T) -> T::Rows<'r, Self> {
                self.iter(table)
            }

            fn range<'r, K, V, Q>(
                &'r self,
                table: &'r OrderedTable<K, V>,
                range: impl RangeBounds<Q>,
            ) -> impl DoubleEndedIterator<Item = (&'r K, &'r V)>
            where
                K: Borrow<Q> + Ord + Clone + Send + Sync + 'static,
                V: Send + Sync + 'static,
                Q: ToOwned<Owned: Into<K>> + ?Sized,
            {
                self.range(table, range)
            }

            fn sees_entries(
                &self,
                built: Timestamp,
                table: &TableCore,
                internal: Internal,
            ) -> bool {
                self.fix_timestamp() > built.ticks() && !self.has_unindexed_writes(table, internal)
            }
        }
    };
}

impl_read!(Transaction<'_>);
impl_read!(View<'_>);
impl_read!(Snapshot);

/// The value of a version, if it is one and not a tombstone.
///
/// # Safety
/// The version is null or of a table with values `V`, and stays allocated for `'r`.
#[inline]
pub(crate) unsafe fn value_of<'r, V>(version: *mut Version) -> Option<&'r V> {
    NonNull::new(version).inspect(|&version| freed::check(version));
    // SAFETY: the caller's promise.
    let version = unsafe { version.cast::<ValueVersion<V>>().as_ref() };
    version.and_then(|version| version.value.as_ref())
}

/// The value of a version that is not a tombstone.
///
/// # Safety
/// The version has a value, its table has values `V`, and it stays allocated for `'r`.
#[inline]
pub(crate) unsafe fn live_value<'r, V>(version: NonNull<Version>) -> &'r V {
    freed::check(version);
    // SAFETY: the caller's promise.
    let value = &unsafe { version.cast::<ValueVersion<V>>().as_ref() }.value;
    debug_assert!(value.is_some(), "the word says so");
    // SAFETY: the caller's promise. Not looked at, so that nobody waits for the memory who does not need the value itself.
    unsafe { value.as_ref().unwrap_unchecked() }
}

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

/// What the kinds of table need of a reader to let it see all their rows. It has no name outside, but its methods do, for
/// whoever has a type parameter that is a [`Read`]: so they are unsafe, or take a token.
pub trait RowReader: RangeReader {
    /// The rows of one shard of a hashed table, as of a moment.
    ///
    /// # Safety
    /// The table has these types.
    unsafe fn read_shard<'r, K, V>(
        &'r self,
        table: &TableCore,
        moment: Self::Moment,
        shard: usize,
    ) -> Vec<(&'r K, &'r V)>;

    /// Whether it has written to a table before one of the table's indexes was made, so that the index lacks entries.
    fn has_unindexed_writes(&self, table: &TableCore, _: Internal) -> bool {
        let _ = table;
        false
    }

    /// The value of a key as of a moment.
    fn get_as_of<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        moment: Self::Moment,
        internal: Internal,
    ) -> Option<&T::Value>;
}

/// What a range needs of a reader to let it see its rows; see [`RowReader`].
pub trait RangeReader {
    /// When an iterator was made: it goes on in the reader's state as it was then. Nothing, for readers that do not write.
    type Moment: Copy;

    /// The moment of an iterator that is made now.
    fn moment(&self, internal: Internal) -> Self::Moment;

    /// Rows of an ordered table between two bounds as of a moment, of so many tuples at most from the end where it begins. They are put into `room`, which is empty.
    ///
    /// # Safety
    /// The table has these types.
    unsafe fn read_range<K: TreeKey, V>(
        &self,
        table: &TableCore,
        moment: Self::Moment,
        bounds: (&Bound<K>, &Bound<K>),
        direction: Direction,
        limit: usize,
        room: Vec<Row>,
    ) -> Rows<K>;

    /// Shows what the thread keeps from one range to the next.
    fn with_ranges<R>(&self, internal: Internal, see: impl FnOnce(&Ranges) -> R) -> R;

    /// Tells that of what `read_range` returned, only the rows up to this tuple were made use of.
    ///
    /// # Safety
    /// The table's keys are `K`.
    unsafe fn stop_range<K: TreeKey>(
        &self,
        read: usize,
        direction: Direction,
        last: NonNull<Tuple>,
    ) {
        let _ = (read, direction, last);
    }
}

/// The rows of one shard at a timestamp.
///
/// # Safety
/// The caller's slot protects `timestamp` for `'r`, and the table has these types. The slot protects the keys as well: a tuple whose visible version has
/// a value is not removed, for the tombstone that would allow it is not below the watermark.
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

/// The value of a tuple at a timestamp.
///
/// # Safety
/// As for [`shard_at`].
#[inline]
pub(crate) unsafe fn tuple_at<'r, V>(tuple: NonNull<Tuple>, timestamp: u64) -> Option<&'r V> {
    // SAFETY: the caller's promise.
    if let Some(live) = unsafe { tuple.as_ref() }.word().at_rest()
        // SAFETY: as above.
        && (unsafe { Version::head(live) }.is_before(timestamp) || bug!("scan-reads-newest"))
    {
        // SAFETY: as above; the word says that it has a value.
        return Some(unsafe { live_value(live) });
    }
    // SAFETY: as above.
    unsafe { tuple_otherwise_at(tuple, timestamp) }
}

/// The same if somebody holds the tuple, or its newest version is none to be seen.
///
/// # Safety
/// As for [`shard_at`].
#[cold]
unsafe fn tuple_otherwise_at<'r, V>(tuple: NonNull<Tuple>, timestamp: u64) -> Option<&'r V> {
    // SAFETY: the caller's promise.
    match unsafe { read_at(tuple, timestamp) } {
        // SAFETY: as above.
        Seen::Version(version, _) => unsafe { value_of(version) },
        Seen::Dead => None,
    }
}

#[cfg(test)]
mod tests;
