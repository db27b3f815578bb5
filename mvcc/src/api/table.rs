//! Tables: the handles that users have.

use crate::rows::core::TableCore;
use crate::rows::tree::{Tree, TreeKey};
use crate::sync::Arc;
use std::fmt;
use std::marker::PhantomData;

/// A table for point access: keys are hashed, iteration has no order.
///
/// A cheap handle; clones stand for the same table. It is opened by
/// [`Database::table`](crate::Database::table) and used through a transaction, a view or a snapshot
/// of the same database.
///
/// Keys are hashed with a fast keyed hash that differs from process to process. A table has room
/// for some four billion keys before its lookups slow down.
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

/// A handle both takes and gives keys and values, so neither type may be exchanged for a sub- or
/// supertype.
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
/// A cheap handle; clones stand for the same table. It is opened by
/// [`Database::ordered_table`](crate::Database::ordered_table) and used through a transaction, a
/// view or a snapshot of the same database. Point access to a [`Table`] is faster.
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

impl<K: TreeKey, V> OrderedTable<K, V> {
    #[inline]
    pub(crate) fn tree(&self) -> &Tree<K> {
        // SAFETY: the table's key type.
        unsafe { self.core.index.tree() }
    }
}
