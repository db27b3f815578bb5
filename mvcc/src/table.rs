//! Tables: a typed handle for users, an untyped core for the protocol.

use crate::index::HashIndex;
use crate::sync::Arc;
use crate::tuple::{KeyedTuple, Tuple};
use crate::version::{OwnedVersion, VersionType};
use std::any::{TypeId, type_name};
use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash as StdHash};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A table for point access: keys are hashed, iteration has no order.
///
/// A cheap handle; clones stand for the same table. It is opened by [`Database::table`](crate::Database::table) and used
/// through a transaction, a view or a snapshot of the same database.
///
/// Keys are hashed with a fast keyed hash that differs from process to process. A table has room for some
/// four billion keys before its lookups slow down.
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
    pub fn name(&self) -> &str {
        &self.core.name
    }

    pub(crate) fn from_core(core: Arc<TableCore>) -> Self {
        Self {
            core,
            types: PhantomData,
        }
    }
}

/// Why a table could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// The name belongs to a table of other types.
    WrongTypes {
        /// The table's name.
        name: String,
        /// The key and value types that were asked for.
        wanted: (&'static str, &'static str),
        /// The key and value types that the table has.
        found: (&'static str, &'static str),
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::WrongTypes {
            name,
            wanted,
            found,
        } = self;
        write!(
            f,
            "cannot open table {name:?} as Table<{}, {}>: it is a Table<{}, {}>; use these types or another name",
            wanted.0, wanted.1, found.0, found.1
        )
    }
}

impl std::error::Error for TableError {}

/// What a table is to the protocol: an index of tuples, and how to free what it holds.
pub(crate) struct TableCore {
    /// Dense within the database.
    pub(crate) id: usize,
    /// The database that it belongs to.
    pub(crate) database: u64,
    name: String,
    types: (TypeId, TypeId),
    type_names: (&'static str, &'static str),
    pub(crate) index: HashIndex,
    hasher: foldhash::fast::RandomState,
    pub(crate) versions: &'static VersionType,
    free_tuple: unsafe fn(NonNull<Tuple>),
}

impl TableCore {
    pub(crate) fn new<K: 'static, V: 'static>(id: usize, database: u64, name: &str) -> Self {
        Self {
            id,
            database,
            name: name.to_owned(),
            types: (TypeId::of::<K>(), TypeId::of::<V>()),
            type_names: (type_name::<K>(), type_name::<V>()),
            index: HashIndex::new(),
            hasher: foldhash::fast::RandomState::default(),
            versions: const { &VersionType::of::<V>() },
            free_tuple: |tuple| {
                // SAFETY: made by `KeyedTuple::boxed` with the same key type; the caller gives it up.
                drop(unsafe { Box::from_raw(tuple.cast::<KeyedTuple<K>>().as_ptr()) });
            },
        }
    }

    /// Checks that the table has these types.
    pub(crate) fn check<K: 'static, V: 'static>(&self) -> Result<(), TableError> {
        if self.types == (TypeId::of::<K>(), TypeId::of::<V>()) {
            return Ok(());
        }
        Err(TableError::WrongTypes {
            name: self.name.clone(),
            wanted: (type_name::<K>(), type_name::<V>()),
            found: self.type_names,
        })
    }

    /// Panics if the table belongs to another database than the transaction.
    #[inline]
    pub(crate) fn check_database(&self, database: u64) {
        assert!(
            self.database == database,
            "table {:?} belongs to another database than the transaction that uses it; open it with Database::table of the same database",
            self.name
        );
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
pub(crate) struct DeadTuple {
    tuple: NonNull<Tuple>,
    versions: &'static VersionType,
    free_tuple: unsafe fn(NonNull<Tuple>),
}

// SAFETY: keys and values are `Send`, and whoever drops it has it to itself.
unsafe impl Send for DeadTuple {}

impl Drop for DeadTuple {
    fn drop(&mut self) {
        // SAFETY: whoever drops it knows that nobody reaches the tuple.
        unsafe { TableCore::free(self.tuple, self.versions, self.free_tuple) };
    }
}

impl Drop for TableCore {
    fn drop(&mut self) {
        for tuple in self.index.drain() {
            // SAFETY: no transaction is alive, for each borrows the database, which keeps the table.
            unsafe { Self::free(tuple, self.versions, self.free_tuple) };
        }
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
}

/// The kinds of table that the methods of a transaction take. Sealed: this crate implements it for its own tables.
pub trait AnyTable: sealed::Sealed {
    /// The type of the keys.
    type Key: Send + Sync + 'static;
    /// The type of the values.
    type Value: Send + Sync + 'static;

    #[doc(hidden)]
    fn typed(&self) -> &Table<Self::Key, Self::Value>;

    #[doc(hidden)]
    fn hash_key(&self, key: &Self::Key) -> u64;

    #[doc(hidden)]
    fn equal(left: &Self::Key, right: &Self::Key) -> bool;
}

/// The tables in which a `Q` can be looked up. Sealed, as [`AnyTable`] is.
pub trait Lookup<Q: ?Sized>: AnyTable {
    #[doc(hidden)]
    fn hash_lookup(&self, key: &Q) -> u64;

    #[doc(hidden)]
    fn matches(key: &Self::Key, wanted: &Q) -> bool;
}

impl<K, V> AnyTable for Table<K, V>
where
    K: StdHash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    type Key = K;
    type Value = V;

    #[inline]
    fn typed(&self) -> &Table<K, V> {
        self
    }

    #[inline]
    fn hash_key(&self, key: &K) -> u64 {
        self.core.hasher.hash_one(key)
    }

    #[inline]
    fn equal(left: &K, right: &K) -> bool {
        left == right
    }
}

impl<K, V, Q> Lookup<Q> for Table<K, V>
where
    K: StdHash + Eq + Borrow<Q> + Send + Sync + 'static,
    V: Send + Sync + 'static,
    Q: StdHash + Eq + ?Sized,
{
    #[inline]
    fn hash_lookup(&self, key: &Q) -> u64 {
        self.core.hasher.hash_one(key)
    }

    #[inline]
    fn matches(key: &K, wanted: &Q) -> bool {
        key.borrow() == wanted
    }
}
