//! The database in memory. Nothing fails here, and what is read is a reference.

use super::{Declare, Engine, Key, Read, Value, Write};
use crate::api::database::Database;
use crate::api::snapshot::Snapshot;
use crate::api::table::{OrderedTable, Table};
use crate::api::transaction::Transaction;
use crate::api::view::View;
use crate::rows::core::TableError;
use std::convert::Infallible;
use std::ops::RangeBounds;

impl Engine for Database {
    type Error = Infallible;
    type Table<K: Key, V: Value> = Table<K, V>;
    type OrderedTable<K: Key, V: Value> = OrderedTable<K, V>;
    type Ref<'r, T: Send + Sync + 'static> = &'r T;
    type Transaction<'t> = Transaction<'t>;
    type View<'v> = View<'v>;
    type Snapshot = Snapshot;

    #[inline]
    fn run<T, E: From<Infallible>>(
        &self,
        transaction: impl FnMut(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        Self::run(self, transaction)
    }

    #[inline]
    fn view<T, E: From<Infallible>>(
        &self,
        read: impl FnMut(&View<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        Self::view(self, read)
    }

    fn snapshot(&self) -> Result<Snapshot, Infallible> {
        Ok(Self::snapshot(self))
    }
}

impl Declare<Database> for Database {
    type Error = TableError;

    fn table<K: Key, V: Value>(&mut self, name: &str) -> Result<Table<K, V>, TableError> {
        Self::table(self, name)
    }

    fn ordered_table<K: Key, V: Value>(
        &mut self,
        name: &str,
    ) -> Result<OrderedTable<K, V>, TableError> {
        Self::ordered_table(self, name)
    }
}

/// Reading and writing for engines whose tables and readers are those of this crate: no read fails.
macro_rules! reads_and_writes {
    ($engine:ty) => {
        impl<R: crate::Read> Read<$engine> for R {
            #[inline]
            fn get<'r, K: Key, V: Value>(
                &'r self,
                table: &Table<K, V>,
                key: &K,
            ) -> Result<Option<&'r V>, <$engine as Engine>::Error> {
                Ok(crate::Read::get(self, table, key))
            }

            #[inline]
            fn get_many<'r, K: Key, V: Value>(
                &'r self,
                table: &'r Table<K, V>,
                keys: &'r [K],
            ) -> impl Iterator<Item = Result<Option<&'r V>, <$engine as Engine>::Error>> {
                crate::Read::get_many(self, table, keys).map(Ok)
            }

            #[inline]
            fn get_ordered<'r, K: Key, V: Value>(
                &'r self,
                table: &OrderedTable<K, V>,
                key: &K,
            ) -> Result<Option<&'r V>, <$engine as Engine>::Error> {
                Ok(crate::Read::get(self, table, key))
            }

            #[inline]
            fn range<'r, K: Key, V: Value>(
                &'r self,
                table: &'r OrderedTable<K, V>,
                range: impl RangeBounds<K>,
            ) -> impl DoubleEndedIterator<Item = Result<(&'r K, &'r V), <$engine as Engine>::Error>>
            {
                crate::Read::range(self, table, range).map(Ok)
            }
        }

        impl Write<$engine> for Transaction<'_> {
            #[inline]
            fn insert<K: Key, V: Value>(&self, table: &Table<K, V>, key: K, value: V) {
                self.insert(table, key, value);
            }

            #[inline]
            fn remove<K: Key, V: Value>(&self, table: &Table<K, V>, key: &K) {
                self.remove(table, key);
            }

            #[inline]
            fn insert_ordered<K: Key, V: Value>(
                &self,
                table: &OrderedTable<K, V>,
                key: K,
                value: V,
            ) {
                self.insert(table, key, value);
            }

            #[inline]
            fn remove_ordered<K: Key, V: Value>(&self, table: &OrderedTable<K, V>, key: &K) {
                self.remove(table, key);
            }
        }
    };
}
pub(super) use reads_and_writes;

reads_and_writes!(Database);
