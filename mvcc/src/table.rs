//! Tables: a typed handle for users, an untyped core for the protocol.

use crate::commit::Absence;
use crate::conflict::{ConflictCause, ConflictCounts};
use crate::database::Inner;
use crate::garbage::Unlinked;
use crate::index::{Hash, HashIndex, Inserts};
use crate::protected::{Internal, Protected};
use crate::range::{Direction, RangeRead, RangeRows, walk};
use crate::read::Read;
use crate::secondary::Maintained;
use crate::shared::{Catalog, Shared};
use crate::sync::{Arc, HashState, Mutex, freed, held};
use crate::transaction::Transaction;
use crate::tree::{self, AnyTree, Tree, TreeKey, Vacancy};
use crate::tuple::{KeyedTuple, OwnedTuple, Tuple};
use crate::unordered::UnorderedRows;
use crate::version::{OwnedVersion, VersionType, bytes_of};
use std::any::{Any, TypeId, type_name};
use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash as StdHash};
use std::marker::PhantomData;
use std::ops::Bound;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

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
            .field("name", &self.core.name)
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
            .field("name", &self.core.name)
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

/// Why a table could not be opened.
///
/// ```
/// use mvcc::TableError;
///
/// let db = mvcc::Database::new();
/// let orders = db.table::<u64, u64>("orders")?;
/// assert!(matches!(db.table::<u64, String>("orders"), Err(TableError::WrongTypes { .. })));
/// assert!(matches!(db.ordered_table::<u64, u64>("orders"), Err(TableError::WrongKind { .. })));
/// # Ok::<(), mvcc::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// The name belongs to a table of other types.
    WrongTypes {
        /// The table's name.
        name: String,
        /// The table's kind.
        kind: &'static str,
        /// The key and value types that were asked for.
        wanted: (&'static str, &'static str),
        /// The key and value types that the table has.
        found: (&'static str, &'static str),
    },
    /// The name belongs to a table of the other kind.
    WrongKind {
        /// The table's name.
        name: String,
        /// The kind that was asked for.
        wanted: &'static str,
        /// The kind that the table is of.
        found: &'static str,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongTypes {
                name,
                kind,
                wanted,
                found,
            } => write!(
                f,
                "cannot open table {name:?} as {kind}<{}, {}>: it is {kind}<{}, {}>; use these types or another name",
                wanted.0, wanted.1, found.0, found.1
            ),
            Self::WrongKind {
                name,
                wanted,
                found,
            } => write!(
                f,
                "cannot open table {name:?} as {wanted}: it is of the kind {found}; open it as that or use another name"
            ),
        }
    }
}

impl std::error::Error for TableError {}

/// How a table finds its tuples.
pub(crate) enum Index {
    Hash(HashIndex),
    Tree(Box<dyn AnyTree>),
}

impl Index {
    fn kind(&self) -> &'static str {
        match self {
            Self::Hash(_) => "Table",
            Self::Tree(_) => "OrderedTable",
        }
    }

    #[inline]
    pub(crate) fn hash(&self) -> &HashIndex {
        match self {
            Self::Hash(index) => index,
            Self::Tree(_) => unreachable!("the kind was checked when the table was opened"),
        }
    }

    /// # Safety
    /// It is a hash index.
    #[inline]
    unsafe fn hash_unchecked(&self) -> &HashIndex {
        match self {
            Self::Hash(index) => index,
            // SAFETY: the caller's promise.
            Self::Tree(_) => unsafe { std::hint::unreachable_unchecked() },
        }
    }

    /// See [`HashIndex::warm`].
    pub(crate) fn warm(&self, hashes: &[Hash], bytes: usize, protected: Protected<'_>) {
        if let Self::Hash(index) = self {
            index.warm(hashes, bytes, protected);
        }
    }

    /// # Safety
    /// The table's keys are `K`.
    #[inline]
    pub(crate) unsafe fn tree<K>(&self) -> &Tree<K> {
        match self {
            // SAFETY: the caller's promise; trees are made with their table's key type.
            Self::Tree(tree) => unsafe { &*ptr::from_ref(&**tree).cast() },
            Self::Hash(_) => unreachable!("the kind was checked when the table was opened"),
        }
    }

    /// Prepares to take a tuple out of its index. `None`: it is not there any more. May run user code.
    pub(crate) fn prepare_removal<'p>(
        &'p self,
        tuple: NonNull<Tuple>,
        protected: Protected<'p>,
    ) -> Option<Removal<'p>> {
        match self {
            Self::Hash(index) => Some(Removal::Hash(index, tuple)),
            Self::Tree(tree) => tree.prepare_removal(tuple, protected).map(Removal::Tree),
        }
    }

    /// Gives memory back around a tuple that has been taken out. May run user code.
    pub(crate) fn shrink(
        &self,
        tuple: NonNull<Tuple>,
        protected: Protected<'_>,
        unlinked: &mut dyn FnMut(Unlinked),
    ) {
        if let Self::Tree(tree) = self {
            tree.shrink(tuple, protected, unlinked);
        }
    }

    fn drain(&mut self) -> Vec<NonNull<Tuple>> {
        match self {
            Self::Hash(index) => index.drain(),
            Self::Tree(tree) => tree.drain(),
        }
    }
}

/// A removal that is ready to be done.
pub(crate) enum Removal<'p> {
    Hash(&'p HashIndex, NonNull<Tuple>),
    Tree(Box<dyn tree::Removal + 'p>),
}

impl Removal<'_> {
    /// Takes the tuple out, and returns what that replaced. `None`: prepare again. For whoever has the tuple locked; runs no user code.
    #[expect(
        clippy::option_option,
        reason = "whether it was done, and what it replaced"
    )]
    pub(crate) fn apply(&mut self) -> Option<Option<Unlinked>> {
        match self {
            Self::Hash(index, tuple) => Some(index.remove(*tuple).map(Unlinked::Array)),
            Self::Tree(removal) => removal.apply().map(Some),
        }
    }
}

/// What a table is to the protocol: an index of tuples, and how to free what it holds.
pub struct TableCore {
    /// Dense within the database.
    pub(crate) id: usize,
    /// The database that it belongs to.
    pub(crate) database: u64,
    database_name: Arc<str>,
    name: Arc<str>,
    types: (TypeId, TypeId),
    type_names: (&'static str, &'static str),
    pub(crate) index: Index,
    hasher: HashState,
    /// Of a tuple with its key, without what the key points to.
    pub(crate) tuple_bytes: i64,
    pub(crate) versions: &'static VersionType,
    free_tuple: unsafe fn(NonNull<Tuple>),
    /// The secondary indexes: [`Maintained`], with the table's types.
    indexes: OnceLock<Box<dyn Any + Send + Sync>>,
    /// The catalog when the last of them was added.
    indexed_at: Mutex<Option<Catalog>>,
    /// Commits that failed because of this table, by cause.
    pub(crate) conflicts: ConflictCounts,
    /// How its rows get into the log, if they do.
    #[cfg(feature = "durable")]
    pub(crate) logged: OnceLock<crate::durable::RowCodec>,
}

impl TableCore {
    pub(crate) fn new<K: 'static, V: 'static>(
        id: usize,
        database: &Inner,
        name: &str,
        index: Index,
    ) -> Self {
        Self {
            id,
            database: database.id,
            database_name: database.shared.name.clone(),
            name: name.into(),
            types: (TypeId::of::<K>(), TypeId::of::<V>()),
            type_names: (type_name::<K>(), type_name::<V>()),
            index,
            hasher: HashState::default(),
            tuple_bytes: bytes_of::<KeyedTuple<K>>(),
            versions: const { &VersionType::of::<V>() },
            free_tuple: |tuple| {
                // SAFETY: made by `KeyedTuple::boxed` with the same key type; the caller gives it up.
                drop(unsafe { Box::from_raw(tuple.cast::<KeyedTuple<K>>().as_ptr()) });
            },
            indexes: OnceLock::new(),
            indexed_at: Mutex::default(),
            conflicts: ConflictCounts::default(),
            #[cfg(feature = "durable")]
            logged: OnceLock::new(),
        }
    }

    /// The hash of a key, which is user code.
    #[inline]
    fn hash<Q: StdHash + ?Sized>(&self, key: &Q) -> Hash {
        held::nothing();
        Hash::new(self.hasher.hash_one(key))
    }

    /// As [`Index::warm`].
    pub(crate) fn warm(&self, hashes: &[Hash], protected: Protected<'_>) {
        let bytes = usize::try_from(self.versions.bytes).expect("a size");
        self.index.warm(hashes, bytes, protected);
    }

    /// Whether there is more to do for a write than to write.
    #[inline]
    pub(crate) fn is_indexed(&self) -> bool {
        self.indexes.get().is_some()
    }

    /// The first of the secondary indexes of a table with these types.
    pub(crate) fn indexes<K: 'static, V: 'static>(&self) -> Option<&Maintained<K, V>> {
        let first = self.indexes.get()?;
        Some(first.downcast_ref().expect("the table's types"))
    }

    /// Adds an index, of which all who begin from now on know. For those inside the gate.
    pub(crate) fn add_index<K: 'static, V: 'static>(
        &self,
        index: Maintained<K, V>,
        shared: &Shared,
    ) {
        match self.indexes::<K, V>() {
            None => drop(self.indexes.set(Box::new(index))),
            Some(first) => first.append(index),
        }
        shared.add_index(|catalog| *self.indexed_at.lock() = Some(catalog));
    }

    /// Whether an index was added after the catalog was this one.
    pub(crate) fn is_indexed_since(&self, catalog: Catalog) -> bool {
        *self.indexed_at.lock() > Some(catalog)
    }

    /// Checks that the table has these types and is of this kind.
    pub(crate) fn check<K: 'static, V: 'static>(
        &self,
        kind: &'static str,
    ) -> Result<(), TableError> {
        if self.index.kind() != kind {
            return Err(TableError::WrongKind {
                name: self.name.to_string(),
                wanted: kind,
                found: self.index.kind(),
            });
        }
        if self.types == (TypeId::of::<K>(), TypeId::of::<V>()) {
            return Ok(());
        }
        Err(TableError::WrongTypes {
            name: self.name.to_string(),
            kind,
            wanted: (type_name::<K>(), type_name::<V>()),
            found: self.type_names,
        })
    }

    /// Panics if the table belongs to another database than the transaction.
    #[inline]
    pub(crate) fn check_database(&self, database: u64, shared: &Shared) {
        if self.database != database {
            self.refuse(shared);
        }
    }

    #[cold]
    fn refuse(&self, shared: &Shared) -> ! {
        panic!(
            "table {:?} belongs to another database than the transaction that uses it: to {}, not to {}; open it with Database::table of that one",
            self.name, self.database_name, shared.name
        );
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// Frees a tuple and its newest version; older ones belong to the retire lists.
    ///
    /// # Safety
    /// The tuple is of this table's types, and nobody else reaches it from now on.
    pub(crate) unsafe fn free(
        mut tuple: NonNull<Tuple>,
        versions: &'static VersionType,
        free_tuple: unsafe fn(NonNull<Tuple>),
    ) {
        // SAFETY: ours alone.
        let newest = NonNull::new(unsafe { tuple.as_mut() }.newest_mut());
        // SAFETY: the newest version belongs to its tuple.
        let newest = newest.map(|version| unsafe { OwnedVersion::new(version, versions) });
        // SAFETY: the caller's promise.
        unsafe { free_tuple(tuple) };
        drop(newest);
    }

    /// A tuple that has left the index, with what is needed to free it.
    pub(crate) fn dead(&self, tuple: NonNull<Tuple>) -> DeadTuple {
        DeadTuple {
            tuple,
            versions: self.versions,
            free_tuple: self.free_tuple,
        }
    }
}

/// A tuple that is in no index any more. To be dropped, which frees it, once nobody reaches it.
#[must_use = "readers may still use it"]
pub struct DeadTuple {
    tuple: NonNull<Tuple>,
    versions: &'static VersionType,
    free_tuple: unsafe fn(NonNull<Tuple>),
}

// SAFETY: keys and values are `Send`, and whoever drops it has it to itself.
unsafe impl Send for DeadTuple {}

impl Drop for DeadTuple {
    fn drop(&mut self) {
        held::nothing();
        let (tuple, versions, free_tuple) = (self.tuple, self.versions, self.free_tuple);
        // SAFETY: whoever drops it knows that nobody reaches the tuple.
        freed::free(tuple, move || unsafe {
            TableCore::free(tuple, versions, free_tuple);
        });
    }
}

impl Drop for TableCore {
    fn drop(&mut self) {
        let tuples = self.index.drain().into_iter();
        // No transaction is alive, for each borrows the database, which keeps the table. All of
        // them are dropped, also if dropping one panics.
        drop(tuples.map(|tuple| self.dead(tuple)).collect::<Vec<_>>());
    }
}

/// # Safety
/// `tuple` is a tuple of a table with keys `K` and stays allocated for `'a`.
#[inline]
pub(crate) unsafe fn key_of<'a, K>(tuple: NonNull<Tuple>) -> &'a K {
    // SAFETY: the caller's promise. A key never changes.
    unsafe { &(*tuple.cast::<KeyedTuple<K>>().as_ptr()).key }
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

    /// What a transaction sees of one of its own keys.
    #[doc(hidden)]
    fn current<'t>(
        &self,
        tx: &'t Transaction<'_>,
        key: &Self::Key,
        internal: Internal,
    ) -> Option<&'t Self::Value>;
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

    fn current<'t>(&self, tx: &'t Transaction<'_>, key: &K, _: Internal) -> Option<&'t V> {
        tx.get(self, key)
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

    fn current<'t>(&self, tx: &'t Transaction<'_>, key: &K, _: Internal) -> Option<&'t V> {
        tx.get(self, key)
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
