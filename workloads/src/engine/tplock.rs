//! The engine `tplock`: strict two-phase locking.

use super::{Engine, Key, Read, Row, Write};
use std::ops::RangeBounds;
use tplock::{Database, OrderedTable, Table, Transaction, View};

impl Engine for Database {
    const NAME: &'static str = "tplock";
    type Table<K: Key, V: Row> = Table<K, V>;
    type OrderedTable<K: Key, V: Row> = OrderedTable<K, V>;
    type Transaction<'t> = Transaction;
    type View<'v> = View;
    /// A view like any other. It locks what it reads, also if that is much and takes long.
    type Snapshot = View;

    fn table<K: Key, V: Row>(&self, name: &str) -> Result<Table<K, V>, String> {
        Database::table(self, name).map_err(|error| error.to_string())
    }

    fn ordered_table<K: Key, V: Row>(&self, name: &str) -> Result<OrderedTable<K, V>, String> {
        Database::ordered_table(self, name).map_err(|error| error.to_string())
    }

    fn run<T, E>(&self, body: impl FnMut(&Transaction) -> Result<T, E>) -> Result<T, E> {
        Database::run(self, body)
    }

    fn view<T>(&self, body: impl FnMut(&View) -> T) -> T {
        Database::view(self, body)
    }

    fn snapshot<T>(&self, body: impl FnMut(&View) -> T) -> T {
        Database::view(self, body)
    }

    fn clock(&self) -> String {
        "none".to_owned()
    }
}

/// All of `tplock`'s readers read through `tplock::Read`.
impl<R: tplock::Read> Read<Database> for R {
    #[inline]
    fn get<'r, K: Key, V: Row>(&'r self, table: &Table<K, V>, key: &K) -> Option<&'r V> {
        tplock::Read::get(self, table, key)
    }

    #[inline]
    fn get_ordered<'r, K: Key, V: Row>(
        &'r self,
        table: &OrderedTable<K, V>,
        key: &K,
    ) -> Option<&'r V> {
        tplock::Read::get(self, table, key)
    }

    fn range<'r, K: Key, V: Row>(
        &'r self,
        table: &'r OrderedTable<K, V>,
        range: impl RangeBounds<K> + 'r,
    ) -> impl DoubleEndedIterator<Item = (&'r K, &'r V)> {
        tplock::Read::range(self, table, range)
    }
}

impl Write<Database> for Transaction {
    #[inline]
    fn insert<K: Key, V: Row>(&self, table: &Table<K, V>, key: K, row: V) {
        self.insert(table, key, row);
    }

    fn remove<K: Key, V: Row>(&self, table: &Table<K, V>, key: &K) {
        self.remove(table, key);
    }

    fn insert_ordered<K: Key, V: Row>(&self, table: &OrderedTable<K, V>, key: K, row: V) {
        self.insert(table, key, row);
    }

    fn remove_ordered<K: Key, V: Row>(&self, table: &OrderedTable<K, V>, key: &K) {
        self.remove(table, key);
    }
}
