//! Tables: the handles that users have, and what these do with keys.

use crate::cause::ConflictCause;
use crate::commit::Absence;
use crate::core::TableCore;
use crate::index::{Hash, Inserts};
use crate::protected::{Internal, Protected};
use crate::range::{RangeRead, RangeRows, walk};
use crate::read::Read;
use crate::sync::Arc;
use crate::tree::{Direction, Tree, TreeKey, Vacancy};
use crate::tuple::{KeyedTuple, OwnedTuple, Tuple, key_of};
use crate::unlinked::Unlinked;
use crate::unordered::UnorderedRows;
use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash as StdHash;
use std::marker::PhantomData;
use std::ops::Bound;
use std::ptr::NonNull;

/// A table for point access: keys are hashed, iteration has no order.
///
/// A cheap handle; clones stand for the same table. It is opened by [`Database::table`](crate::Database::table) and used
/// through a transaction, a view or a snapshot of the same database.
///
/// Keys are hashed with a fast keyed hash that differs from process to process. A table has room for some
/// four billion keys before its lookups slow down.
///
/// ```
/// let db = mvcc::Database::new();
/// let table = db.table::<u64, &str>("t")?;
/// let same = table.clone();
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "one"))).unwrap();
/// assert_eq!(db.view(|view| view.get(&same, &1).copied()), Some("one"));
/// # Ok::<(), mvcc::TableError>(())
/// ```
pub struct Table<K, V> {
    pub(crate) core: Arc<TableCore>,
    types: PhantomData<Invariant<K, V>>,
}

/// A handle both takes and gives keys and values, so neither type may be exchanged for a sub- or supertype.
type Invariant<K, V> = fn((K, V)) -> (K, V);

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self::from_core(self.core.clone())
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.core.name())
            .finish_non_exhaustive()
    }
}

impl<K, V> Table<K, V> {
    /// The name that it was opened by.
    ///
    /// ```
    /// let table = mvcc::Database::new().table::<u64, u64>("orders")?;
    /// assert_eq!(table.name(), "orders");
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn name(&self) -> &str {
        self.core.name()
    }

    pub(crate) fn from_core(core: Arc<TableCore>) -> Self {
        Self {
            core,
            types: PhantomData,
        }
    }
}

/// A table that is ordered by its keys: point access, ranges in both directions, first and last.
///
/// A cheap handle; clones stand for the same table. It is opened by [`Database::ordered_table`](crate::Database::ordered_table) and used
/// through a transaction, a view or a snapshot of the same database. Point access to a [`Table`] is faster.
///
/// ```
/// let db = mvcc::Database::new();
/// let orders = db.ordered_table::<(u32, u64), &str>("orders")?;
/// db.run(|tx| {
///     for (number, item) in [(1, "nuts"), (2, "bolts"), (3, "screws")] {
///         tx.insert(&orders, (7, number), item);
///     }
///     Ok::<_, ()>(tx.insert(&orders, (8, 1), "nails"))
/// }).unwrap();
/// let latest: Vec<_> = db.view(|view| {
///     view.range(&orders, (7, 0)..(8, 0)).rev().take(2).map(|(_, item)| *item).collect()
/// });
/// assert_eq!(latest, ["screws", "bolts"]);
/// # Ok::<(), mvcc::TableError>(())
/// ```
pub struct OrderedTable<K, V> {
    pub(crate) core: Arc<TableCore>,
    types: PhantomData<Invariant<K, V>>,
}

impl<K, V> Clone for OrderedTable<K, V> {
    fn clone(&self) -> Self {
        Self::from_core(self.core.clone())
    }
}

impl<K, V> fmt::Debug for OrderedTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderedTable")
            .field("name", &self.core.name())
            .finish_non_exhaustive()
    }
}

impl<K, V> OrderedTable<K, V> {
    /// The name that it was opened by.
    ///
    /// ```
    /// let table = mvcc::Database::new().ordered_table::<u64, u64>("orders")?;
    /// assert_eq!(table.name(), "orders");
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn name(&self) -> &str {
        self.core.name()
    }

    pub(crate) fn from_core(core: Arc<TableCore>) -> Self {
        Self {
            core,
            types: PhantomData,
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl<K, V> Sealed for super::Table<K, V> {}
    impl<K, V> Sealed for super::OrderedTable<K, V> {}
}

/// The kinds of table that the methods of a transaction take. Sealed: this crate implements it for its own tables.
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
pub trait AnyTable: sealed::Sealed {
    /// The type of the keys.
    type Key: Send + Sync + 'static;
    /// The type of the values.
    type Value: Send + Sync + 'static;

    /// What `iter` returns. For an [`OrderedTable`] it is also a [`DoubleEndedIterator`], so that it can be reversed with `rev`.
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

    /// Adds a tuple for a key, held once, unless the vacancy is out of date. `added` is told of the tuple, and with it has
    /// the hold, before user code runs that may panic.
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

    /// What a reader sees of a key of the table's own type.
    #[doc(hidden)]
    fn current<'r>(
        &self,
        read: &'r impl Read,
        key: &Self::Key,
        internal: Internal,
    ) -> Option<&'r Self::Value>;
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

    /// What a commit needs to know to tell whether a key is still absent, or `None` if it has another tuple than `found`. Looks the key up again.
    #[doc(hidden)]
    fn absence(
        &self,
        key: &Q,
        found: Option<NonNull<Tuple>>,
        protected: Protected<'_>,
    ) -> Option<Absence>;
}

impl<K, V> AnyTable for Table<K, V>
where
    K: StdHash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    type Key = K;
    type Value = V;
    type Rows<'r, R: Read + 'r> = UnorderedRows<'r, R, K, V>;
    type Vacancy<'p> = (Hash, Inserts);

    #[inline]
    fn core(&self) -> &TableCore {
        &self.core
    }

    fn locate(&self, key: &K, protected: Protected<'_>) -> Result<NonNull<Tuple>, (Hash, Inserts)> {
        let hash = self.core.hash(key);
        let index = self.core.index.hash();
        let inserts = index.inserts(hash.position());
        // SAFETY: found in this table by a protected thread.
        let is_it = |tuple| unsafe { key_of::<K>(tuple) } == key;
        index.find(hash, protected, is_it).ok_or((hash, inserts))
    }

    fn add(
        &self,
        (hash, inserts): (Hash, Inserts),
        key: K,
        _protected: Protected<'_>,
        mut unlinked: impl FnMut(Unlinked),
        added: impl FnOnce(NonNull<Tuple>),
    ) -> Result<(), K> {
        let tuple = KeyedTuple::boxed(key, hash.position());
        let index = self.core.index.hash();
        let Ok(replaced) = index.insert(hash, tuple.as_ptr(), inserts) else {
            return Err(tuple.into_key());
        };
        added(tuple.into_raw());
        if let Some(replaced) = replaced {
            unlinked(Unlinked::Array(replaced));
        }
        Ok(())
    }

    fn rows<'r, R: Read>(&'r self, reader: &'r R, _: Internal) -> UnorderedRows<'r, R, K, V> {
        // SAFETY: the table's kind and types.
        unsafe { UnorderedRows::new(reader, &self.core) }
    }

    fn current<'r>(&self, read: &'r impl Read, key: &K, _: Internal) -> Option<&'r V> {
        read.get(self, key)
    }
}

impl<K, V, Q> Lookup<Q> for Table<K, V>
where
    K: StdHash + Eq + Borrow<Q> + Send + Sync + 'static,
    V: Send + Sync + 'static,
    Q: StdHash + Eq + ?Sized,
{
    fn hash(&self, key: &Q, _: Internal) -> Option<Hash> {
        Some(self.core.hash(key))
    }

    #[inline]
    fn find(&self, key: &Q, protected: Protected<'_>) -> Option<NonNull<Tuple>> {
        let hash = self.core.hash(key);
        self.core.index.hash().find(hash, protected, |tuple| {
            // SAFETY: found in this table by a protected thread.
            unsafe { key_of::<K>(tuple) }.borrow() == key
        })
    }

    #[inline]
    fn find_at_once(&self, key: &Q, protected: Protected<'_>) -> Option<NonNull<Tuple>> {
        let hash = self.core.hash(key);
        // SAFETY: the kind was checked when the table was opened.
        let index = unsafe { self.core.index.hash_unchecked() };
        index.find_at_once(hash, protected, |&tuple| {
            // SAFETY: found in this table by a protected thread.
            unsafe { key_of::<K>(tuple) }.borrow() == key
        })
    }

    fn absence(
        &self,
        key: &Q,
        found: Option<NonNull<Tuple>>,
        protected: Protected<'_>,
    ) -> Option<Absence> {
        let hash = self.core.hash(key);
        let mut others = Vec::new();
        let is_other = |tuple| {
            // SAFETY: found in this table by a protected thread.
            let is_other = unsafe { key_of::<K>(tuple) }.borrow() != key;
            if is_other {
                others.push(tuple);
            }
            is_other || Some(tuple) == found
        };
        let index = self.core.index.hash();
        index
            .all_match(hash, protected, is_other)
            .then_some(Absence::Hash { hash, others })
    }
}

impl<K, V> AnyTable for OrderedTable<K, V>
where
    K: TreeKey,
    V: Send + Sync + 'static,
{
    type Key = K;
    type Value = V;
    type Rows<'r, R: Read + 'r> = RangeRows<'r, R, K, V>;
    type Vacancy<'p> = Vacancy<'p, K>;

    #[inline]
    fn core(&self) -> &TableCore {
        &self.core
    }

    fn locate<'p>(
        &'p self,
        key: &K,
        protected: Protected<'p>,
    ) -> Result<NonNull<Tuple>, Vacancy<'p, K>> {
        self.tree().locate(key, protected)
    }

    fn add(
        &self,
        vacancy: Vacancy<'_, K>,
        key: K,
        protected: Protected<'_>,
        unlinked: impl FnMut(Unlinked),
        added: impl FnOnce(NonNull<Tuple>),
    ) -> Result<(), K> {
        let tuple = KeyedTuple::boxed(key, 0);
        self.tree()
            .add(&vacancy, tuple, protected, unlinked, added)
            .map_err(OwnedTuple::into_key)
    }

    fn rows<'r, R: Read>(&'r self, reader: &'r R, _: Internal) -> RangeRows<'r, R, K, V> {
        RangeRows::new(reader, self, (Bound::Unbounded, Bound::Unbounded))
    }

    fn current<'r>(&self, read: &'r impl Read, key: &K, _: Internal) -> Option<&'r V> {
        read.get(self, key)
    }
}

impl<K: TreeKey, V> OrderedTable<K, V> {
    #[inline]
    pub(crate) fn tree(&self) -> &Tree<K> {
        // SAFETY: the table's key type.
        unsafe { self.core.index.tree() }
    }
}

impl<K, V, Q> Lookup<Q> for OrderedTable<K, V>
where
    K: TreeKey + Borrow<Q>,
    V: Send + Sync + 'static,
    Q: Ord + ToOwned<Owned: Into<K>> + ?Sized,
{
    fn hash(&self, _: &Q, _: Internal) -> Option<Hash> {
        None
    }

    #[inline]
    fn find(&self, key: &Q, protected: Protected<'_>) -> Option<NonNull<Tuple>> {
        self.tree().find(protected, |other| other.borrow().cmp(key))
    }

    fn absence(
        &self,
        key: &Q,
        found: Option<NonNull<Tuple>>,
        protected: Protected<'_>,
    ) -> Option<Absence> {
        let owned = || key.to_owned().into();
        let bounds = (Bound::Included(owned()), Bound::Included(owned()));
        let walked = walk(
            self.tree(),
            (&bounds.0, &bounds.1),
            Direction::Up,
            usize::MAX,
            protected,
        );
        let same = walked.tuples().all(|tuple| Some(tuple) == found);
        let cause = ConflictCause::AbsentKeyAppeared;
        let read = RangeRead::new(&self.core, Direction::Up, walked.nodes, bounds, cause);
        same.then_some(Absence::Range(read))
    }
}

#[cfg(test)]
mod tests;
