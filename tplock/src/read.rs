//! Reading, whatever from.

use crate::table::{AnyTable, Lookup, OrderedTable};
use crate::tuple::Row;
use crate::unwind::live;
use crate::{Transaction, View};
use std::borrow::Borrow;
use std::ops::RangeBounds;

/// The reads that a [`Transaction`] and a [`View`] have in common.
///
/// The same methods exist on both, so this is only needed by functions that take either:
///
/// ```
/// use tplock::{Database, Read, Table};
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
/// # Ok::<(), tplock::TableError>(())
/// ```
pub trait Read: sealed::Sealed {
    /// The value of a key.
    ///
    /// # Panics
    /// If the table belongs to another database.
    fn get<'r, T: Lookup<Q>, Q: ?Sized>(&'r self, table: &T, key: &Q) -> Option<&'r T::Value>;

    /// Whether a key has a value.
    ///
    /// # Panics
    /// If the table belongs to another database.
    fn contains_key<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> bool {
        self.get(table, key).is_some()
    }

    /// All keys with their values; ascending in an ordered table, else in no particular order.
    ///
    /// # Panics
    /// If the table belongs to another database.
    fn iter<'r, T: AnyTable>(
        &'r self,
        table: &'r T,
    ) -> impl Iterator<Item = Row<'r, T::Key, T::Value>>;

    /// The keys of a range with their values, ascending; from both ends.
    ///
    /// # Panics
    /// If the table belongs to another database.
    fn range<'r, K, V, Q>(
        &'r self,
        table: &'r OrderedTable<K, V>,
        range: impl RangeBounds<Q>,
    ) -> impl DoubleEndedIterator<Item = Row<'r, K, V>>
    where
        K: Borrow<Q> + Ord + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
        Q: ToOwned<Owned: Into<K>> + ?Sized;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Transaction {}
    impl Sealed for crate::View {}
}

/// The reads of a type with a `core`. Inherent, and through the trait.
macro_rules! impl_read {
    ($reader:ty) => {
        impl $reader {
            /// The value of a key. Locks the key, or its absence, shared.
            ///
            /// # Panics
            /// If the table belongs to another database.
            #[inline]
            pub fn get<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
                live(&self.core, self.core.get(table, key))
            }

            /// Whether a key has a value. Locks as `get` does.
            ///
            /// # Panics
            /// If the table belongs to another database.
            pub fn contains_key<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> bool {
                self.get(table, key).is_some()
            }

            /// All keys with their values; ascending in an ordered table, else in no particular
            /// order.
            ///
            /// Rows are locked as they are reached. New keys are kept out: of all of a
            /// [`Table`](crate::Table), of the part of an ordered table that was reached.
            ///
            /// # Panics
            /// If the table belongs to another database.
            pub fn iter<'r, T: AnyTable>(
                &'r self,
                table: &'r T,
            ) -> impl Iterator<Item = Row<'r, T::Key, T::Value>> {
                let rows = self.core.rows(table);
                rows.map(|row| live(&self.core, row))
            }

            /// The keys of a range with their values, ascending; from both ends. A range that is
            /// empty or inverted has none.
            ///
            /// Rows, and the gaps before them, are locked as they are reached.
            ///
            /// # Panics
            /// If the table belongs to another database.
            pub fn range<'r, K, V, Q>(
                &'r self,
                table: &'r OrderedTable<K, V>,
                range: impl RangeBounds<Q>,
            ) -> impl DoubleEndedIterator<Item = Row<'r, K, V>>
            where
                K: Borrow<Q> + Ord + Clone + Send + Sync + 'static,
                V: Send + Sync + 'static,
                Q: ToOwned<Owned: Into<K>> + ?Sized,
            {
                let rows = self.core.range(table, range);
                rows.map(|row| live(&self.core, row))
            }

            /// The smallest key with its value.
            ///
            /// # Panics
            /// If the table belongs to another database.
            pub fn first<'r, K, V>(&'r self, table: &'r OrderedTable<K, V>) -> Option<Row<'r, K, V>>
            where
                K: Ord + Clone + Send + Sync + 'static,
                V: Send + Sync + 'static,
            {
                self.range::<K, V, K>(table, ..).next()
            }

            /// The largest key with its value.
            ///
            /// # Panics
            /// If the table belongs to another database.
            pub fn last<'r, K, V>(&'r self, table: &'r OrderedTable<K, V>) -> Option<Row<'r, K, V>>
            where
                K: Ord + Clone + Send + Sync + 'static,
                V: Send + Sync + 'static,
            {
                self.range::<K, V, K>(table, ..).next_back()
            }
        }

        impl Read for $reader {
            #[inline]
            fn get<'r, T: Lookup<Q>, Q: ?Sized>(
                &'r self,
                table: &T,
                key: &Q,
            ) -> Option<&'r T::Value> {
                self.get(table, key)
            }

            fn iter<'r, T: AnyTable>(
                &'r self,
                table: &'r T,
            ) -> impl Iterator<Item = Row<'r, T::Key, T::Value>> {
                self.iter(table)
            }

            fn range<'r, K, V, Q>(
                &'r self,
                table: &'r OrderedTable<K, V>,
                range: impl RangeBounds<Q>,
            ) -> impl DoubleEndedIterator<Item = Row<'r, K, V>>
            where
                K: Borrow<Q> + Ord + Clone + Send + Sync + 'static,
                V: Send + Sync + 'static,
                Q: ToOwned<Owned: Into<K>> + ?Sized,
            {
                self.range(table, range)
            }
        }
    };
}

impl_read!(Transaction);
impl_read!(View);
