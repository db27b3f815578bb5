//! What a table is to the protocol: a core without types.

use crate::rows::cause::ConflictCounts;
use crate::rows::hash::{Hash, HashIndex};
use crate::rows::protected::Protected;
use crate::rows::schema_version::SchemaVersion;
use crate::rows::tree::{self, AnyTree, Tree};
use crate::rows::tuple::{KeyedTuple, Tuple};
use crate::rows::unlinked::{DeadTuple, Unlinked};
#[cfg(feature = "durable")]
use crate::rows::version::Version;
use crate::rows::version::{VersionType, bytes_of};
use crate::sync::{Arc, HashState, Mutex, held};
use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::hash::{BuildHasher, Hash as StdHash};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

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
    pub(crate) unsafe fn hash_unchecked(&self) -> &HashIndex {
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

    /// Prepares to take a tuple out of its index. `None`: it is not there any more. May run user
    /// code.
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
    /// Takes the tuple out, and returns what that replaced. `None`: prepare again. For whoever has
    /// the tuple locked; runs no user code.
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

/// How rows of a table get into the log.
#[cfg(feature = "durable")]
#[derive(Clone, Copy)]
pub(crate) struct RowCodec {
    /// The table's number there.
    pub(crate) table: u32,
    /// Adds a tuple's key and a version's value, which are of the table's types.
    pub(crate) encode: unsafe fn(NonNull<Tuple>, NonNull<Version>, &mut Vec<u8>),
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
    /// The first of the secondary indexes, with the table's types.
    pub(crate) indexes: OnceLock<Box<dyn Any + Send + Sync>>,
    /// The schema version when the last of them was added.
    pub(crate) indexed_at: Mutex<Option<SchemaVersion>>,
    /// Commits that failed because of this table, by cause.
    pub(crate) conflicts: ConflictCounts,
    /// How its rows get into the log, if they do.
    #[cfg(feature = "durable")]
    pub(crate) logged: OnceLock<RowCodec>,
}

impl TableCore {
    pub(crate) fn new<K: 'static, V: 'static>(
        id: usize,
        (database, database_name): (u64, Arc<str>),
        name: &str,
        index: Index,
    ) -> Self {
        Self {
            id,
            database,
            database_name,
            name: name.into(),
            types: (TypeId::of::<K>(), TypeId::of::<V>()),
            type_names: (type_name::<K>(), type_name::<V>()),
            index,
            hasher: HashState::default(),
            tuple_bytes: bytes_of::<KeyedTuple<K>>(),
            versions: const { &VersionType::of::<V>() },
            free_tuple: |tuple| {
                // SAFETY: made by `KeyedTuple::boxed` with the same key type; the caller gives it
                // up.
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
    pub(crate) fn hash<Q: StdHash + ?Sized>(&self, key: &Q) -> Hash {
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

    /// Whether an index was added after the schema version was this one.
    pub(crate) fn is_indexed_since(&self, schema: SchemaVersion) -> bool {
        *self.indexed_at.lock() > Some(schema)
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
    pub(crate) fn check_database(&self, database: u64, name: &str) {
        if self.database != database {
            self.refuse(name);
        }
    }

    #[cold]
    fn refuse(&self, used_by: &str) -> ! {
        panic!(
            "table {:?} belongs to another database than the transaction that uses it: to {}, not to {}; open it with Database::table of that one",
            self.name, self.database_name, used_by
        );
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.name.clone()
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

impl Drop for TableCore {
    fn drop(&mut self) {
        let tuples = self.index.drain().into_iter();
        // No transaction is alive, for each borrows the database, which keeps the table. All of
        // them are dropped, also if dropping one panics.
        drop(tuples.map(|tuple| self.dead(tuple)).collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests;
