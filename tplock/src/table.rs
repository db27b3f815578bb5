//! Tables: typed handles, and what a transaction does with either kind.

use crate::conflict::Conflict;
use crate::core::{Core, Key};
use crate::hashed::HashIndex;
use crate::lock::Mode;
use crate::ordered::OrderedIndex;
use crate::rows::Rows;
use crate::tuple::Row;
use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::ops::Bound;
use std::sync::Arc;

/// A key that was locked, unless the table has no such key and keeps it so.
pub(crate) type Found<'c, T> =
    Result<Option<Key<'c, <T as AnyTable>::Key, <T as AnyTable>::Value>>, Conflict>;

/// A table for point access: keys are hashed, iteration has no order.
///
/// A cheap handle; clones stand for the same table. It is opened by
/// [`Database::table`](crate::Database::table) and used through a transaction, a view or a snapshot
/// of the same database.
pub struct Table<K, V> {
    name: Arc<str>,
    database: u64,
    index: Arc<HashIndex<K, V>>,
}

/// A table that is ordered by its keys, for point access and ranges.
///
/// A cheap handle, as a [`Table`] is. It is opened by
/// [`Database::ordered_table`](crate::Database::ordered_table).
pub struct OrderedTable<K, V> {
    name: Arc<str>,
    database: u64,
    index: Arc<OrderedIndex<K, V>>,
}

/// What all handles have in common, whatever their bounds.
macro_rules! handle {
    ($table:ident) => {
        impl<K, V> $table<K, V> {
            /// The name that it was opened by.
            pub fn name(&self) -> &str {
                &self.name
            }
        }

        impl<K, V> Clone for $table<K, V> {
            fn clone(&self) -> Self {
                Self {
                    name: self.name.clone(),
                    database: self.database,
                    index: self.index.clone(),
                }
            }
        }

        impl<K, V> fmt::Debug for $table<K, V> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($table))
                    .field("name", &self.name)
                    .finish_non_exhaustive()
            }
        }
    };
}

handle!(Table);
handle!(OrderedTable);

/// Why a table could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// The name belongs to a table of other types.
    WrongTypes {
        /// The table's name.
        name: String,
        /// The table type that was asked for.
        wanted: &'static str,
        /// The type that the table has.
        found: &'static str,
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
                wanted,
                found,
            } => write!(
                f,
                "cannot open table {name:?} as {wanted}: it is a {found}; use these types or another name"
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

mod sealed {
    pub trait Sealed {}
    impl<K, V> Sealed for super::Table<K, V> {}
    impl<K, V> Sealed for super::OrderedTable<K, V> {}
}

/// The kinds of table that the methods of a transaction take. Sealed: this crate implements it for
/// its own tables.
pub trait AnyTable: sealed::Sealed {
    /// The type of the keys.
    type Key: Send + Sync + 'static;
    /// The type of the values.
    type Value: Send + Sync + 'static;

    #[doc(hidden)]
    const KIND: &'static str;

    #[doc(hidden)]
    fn open(name: &str, database: u64) -> Self;

    #[doc(hidden)]
    fn label(&self) -> &str;

    #[doc(hidden)]
    fn database(&self) -> u64;

    #[doc(hidden)]
    fn lock_to_insert<'c>(
        &self,
        core: &'c Core,
        key: Self::Key,
    ) -> Result<Key<'c, Self::Key, Self::Value>, Conflict>;

    #[doc(hidden)]
    fn rows<'c>(
        &'c self,
        core: &'c Core,
    ) -> impl Iterator<Item = Result<Row<'c, Self::Key, Self::Value>, Conflict>>;

    /// The tuples and the locks on them.
    #[doc(hidden)]
    fn count(&self) -> (usize, usize);
}

/// The tables in which a `Q` can be looked up. Sealed, as [`AnyTable`] is.
pub trait Lookup<Q: ?Sized>: AnyTable {
    #[doc(hidden)]
    fn lock<'c>(&self, core: &'c Core, key: &Q, mode: Mode) -> Found<'c, Self>;
}

impl<K, V> AnyTable for Table<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    type Key = K;
    type Value = V;
    const KIND: &'static str = "Table";

    fn open(name: &str, database: u64) -> Self {
        Self {
            name: name.into(),
            database,
            index: HashIndex::new(),
        }
    }

    fn label(&self) -> &str {
        &self.name
    }

    #[inline]
    fn database(&self) -> u64 {
        self.database
    }

    #[inline]
    fn lock_to_insert<'c>(&self, core: &'c Core, key: K) -> Result<Key<'c, K, V>, Conflict> {
        self.index.lock_to_insert(core, &key)
    }

    fn rows<'c>(&'c self, core: &'c Core) -> impl Iterator<Item = Result<Row<'c, K, V>, Conflict>> {
        self.index.rows(core)
    }

    fn count(&self) -> (usize, usize) {
        self.index.count()
    }
}

/// A lookup of an absent key locks it, so it must be possible to make a key from what is looked up:
/// a `Box<str>` from a `str`.
impl<K, V, Q> Lookup<Q> for Table<K, V>
where
    K: Hash + Eq + Clone + Borrow<Q> + Send + Sync + 'static,
    V: Send + Sync + 'static,
    Q: Hash + Eq + ToOwned<Owned: Into<K>> + ?Sized,
{
    #[inline]
    fn lock<'c>(&self, core: &'c Core, key: &Q, mode: Mode) -> Found<'c, Self> {
        let key = self.index.lock(core, key, || key.to_owned().into(), mode)?;
        Ok(Some(key))
    }
}

impl<K, V> AnyTable for OrderedTable<K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    type Key = K;
    type Value = V;
    const KIND: &'static str = "OrderedTable";

    fn open(name: &str, database: u64) -> Self {
        Self {
            name: name.into(),
            database,
            index: OrderedIndex::new(),
        }
    }

    fn label(&self) -> &str {
        &self.name
    }

    #[inline]
    fn database(&self) -> u64 {
        self.database
    }

    #[inline]
    fn lock_to_insert<'c>(&self, core: &'c Core, key: K) -> Result<Key<'c, K, V>, Conflict> {
        self.index.lock_to_insert(core, key)
    }

    fn rows<'c>(&'c self, core: &'c Core) -> impl Iterator<Item = Result<Row<'c, K, V>, Conflict>> {
        self.range(core, (Bound::Unbounded, Bound::Unbounded))
    }

    fn count(&self) -> (usize, usize) {
        self.index.count()
    }
}

impl<K, V, Q> Lookup<Q> for OrderedTable<K, V>
where
    K: Ord + Clone + Borrow<Q> + Send + Sync + 'static,
    V: Send + Sync + 'static,
    Q: Ord + ?Sized,
{
    #[inline]
    fn lock<'c>(&self, core: &'c Core, key: &Q, mode: Mode) -> Found<'c, Self> {
        self.index.lock(core, key, mode)
    }
}

impl<K, V> OrderedTable<K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn range<'c>(
        &'c self,
        core: &'c Core,
        range: (Bound<K>, Bound<K>),
    ) -> impl DoubleEndedIterator<Item = Result<Row<'c, K, V>, Conflict>> + use<'c, K, V> {
        Rows::new(&self.index, core, range)
    }
}
