//! Reading, whatever from: what readers are to tables, and tables to readers.

use crate::api::table::OrderedTable;
use crate::clock::timestamp::Timestamp;
use crate::commit::evidence::Absence;
use crate::rows::core::TableCore;
use crate::rows::hash::Hash;
use crate::rows::protected::{Internal, Protected};
use crate::rows::ranges::{Ranges, Row, Rows};
use crate::rows::tree::{Direction, TreeKey};
use crate::rows::tuple::Tuple;
use crate::rows::unlinked::Unlinked;
use std::borrow::Borrow;
use std::ops::{Bound, RangeBounds};
use std::ptr::NonNull;

/// The reads that a [`Transaction`](crate::Transaction), a [`View`](crate::View) and a
/// [`Snapshot`](crate::Snapshot) have in common.
///
/// The same methods exist on each of them, so this is only needed by functions that take any of the
/// three:
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
pub trait Read: sealed::Reader {
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
    /// In a [`Table`](crate::Table), the lookups of several keys wait for memory at the same time,
    /// so that keys that are not in the processor's caches cost a fraction of what one
    /// [`get`](Self::get) after the other costs.
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

    /// All keys with their values: in no particular order, or in the order of keys where the table
    /// has one. Then it can be reversed with `rev`.
    ///
    /// Of a read-write transaction it yields the state when the iterator was made, and so do all
    /// iterators: what is written meanwhile is not among the rows.
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

    /// Whether it finds all rows of a table through the entries of an index of it that was built by
    /// this commit.
    #[doc(hidden)]
    fn sees_entries(&self, built: Timestamp, table: &TableCore, internal: Internal) -> bool;
}

/// The kinds of table that the methods of a transaction take. Sealed: this crate implements it for
/// its own tables.
///
/// ```
/// use mvcc::{AnyTable, Read};
///
/// fn count(read: &impl Read, table: &impl AnyTable) -> usize {
///     read.iter(table).count()
/// }
/// # let db = mvcc::Database::new();
/// # let table = db.table::<String, u64>("t")?;
/// assert_eq!(count(&db.snapshot(), &table), 0);
/// # Ok::<(), mvcc::TableError>(())
/// ```
pub trait AnyTable: sealed::Table {
    /// The type of the keys.
    type Key: Send + Sync + 'static;
    /// The type of the values.
    type Value: Send + Sync + 'static;

    /// What `iter` returns. For an [`OrderedTable`] it is also a [`DoubleEndedIterator`], so that
    /// it can be reversed with `rev`.
    type Rows<'r, R: Read + 'r>: Iterator<Item = (&'r Self::Key, &'r Self::Value)>
    where
        Self: 'r;

    #[doc(hidden)]
    type Vacancy<'p>;

    #[doc(hidden)]
    fn core(&self) -> &TableCore;

    /// The tuple of a key, or what is needed to add it.
    #[doc(hidden)]
    fn locate<'p>(
        &'p self,
        key: &Self::Key,
        protected: Protected<'p>,
    ) -> Result<NonNull<Tuple>, Self::Vacancy<'p>>;

    /// Adds a tuple for a key, held once, unless the vacancy is out of date. `added` is told of the
    /// tuple, and with it has the hold, before user code runs that may panic.
    #[doc(hidden)]
    fn add(
        &self,
        vacancy: Self::Vacancy<'_>,
        key: Self::Key,
        protected: Protected<'_>,
        unlinked: impl FnMut(Unlinked),
        added: impl FnOnce(NonNull<Tuple>),
    ) -> Result<(), Self::Key>;

    /// All rows as a reader sees them.
    #[doc(hidden)]
    fn rows<'r, R: Read>(&'r self, reader: &'r R, internal: Internal) -> Self::Rows<'r, R>;

    /// Some rows, for who reads a table in pieces, each as of another time: those that begin where
    /// the last piece has ended, which is noted in `from`. `None`: there is nothing left.
    #[doc(hidden)]
    #[cfg(feature = "durable")]
    fn piece<'r, R: Read>(
        &'r self,
        reader: &'r R,
        from: &mut Piece<Self::Key>,
        internal: Internal,
    ) -> Option<Vec<(&'r Self::Key, &'r Self::Value)>>;

    /// What a reader sees of a key of the table's own type.
    #[doc(hidden)]
    fn current<'r>(
        &self,
        read: &'r impl Read,
        key: &Self::Key,
        internal: Internal,
    ) -> Option<&'r Self::Value>;
}

/// How far a table was read in pieces.
#[cfg(feature = "durable")]
pub enum Piece<K> {
    /// Nothing was.
    Start,
    /// So many shards of a hashed table.
    Shards(usize),
    /// Up to this key of an ordered one.
    Key(K),
}

/// The tables in which a `Q` can be looked up. Sealed, as [`AnyTable`] is.
///
/// ```
/// use mvcc::{Lookup, Read};
///
/// fn has(read: &impl Read, table: &impl Lookup<str>, key: &str) -> bool {
///     read.contains_key(table, key)
/// }
/// # let db = mvcc::Database::new();
/// # let table = db.table::<String, u64>("t")?;
/// assert!(!has(&db.snapshot(), &table, "one"));
/// # Ok::<(), mvcc::TableError>(())
/// ```
pub trait Lookup<Q: ?Sized>: AnyTable {
    /// The key's hash, if the table finds its tuples by that.
    #[doc(hidden)]
    fn hash(&self, key: &Q, internal: Internal) -> Option<Hash>;

    /// The tuple of a key.
    #[doc(hidden)]
    fn find(&self, key: &Q, protected: Protected<'_>) -> Option<NonNull<Tuple>>;

    /// The tuple of a key, if it is where it is as a rule.
    #[doc(hidden)]
    #[inline]
    fn find_at_once(&self, key: &Q, protected: Protected<'_>) -> Option<NonNull<Tuple>> {
        self.find(key, protected)
    }

    /// What a commit needs to know to tell whether a key is still absent, or `None` if it has
    /// another tuple than `found`. Looks the key up again.
    #[doc(hidden)]
    fn absence(
        &self,
        key: &Q,
        found: Option<NonNull<Tuple>>,
        protected: Protected<'_>,
    ) -> Option<Absence>;
}

pub(crate) mod sealed {
    pub trait Reader: super::RowReader {}

    pub trait Table {}
    impl<K, V> Table for crate::api::table::Table<K, V> {}
    impl<K, V> Table for crate::api::table::OrderedTable<K, V> {}
}

/// What the kinds of table need of a reader to let it see all their rows. It has no name outside,
/// but its methods do, for whoever has a type parameter that is a [`Read`]: so they are unsafe, or
/// take a token.
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

    /// Whether it has written to a table before one of the table's indexes was made, so that the
    /// index lacks entries.
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
    /// When an iterator was made: it goes on in the reader's state as it was then. Nothing, for
    /// readers that do not write.
    type Moment: Copy;

    /// The moment of an iterator that is made now.
    fn moment(&self, internal: Internal) -> Self::Moment;

    /// Rows of an ordered table between two bounds as of a moment, of so many tuples at most from
    /// the end where it begins. They are put into `room`, which is empty.
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
