//! `mvcc::OrderedTable`, each operation a transaction of its own.

use super::{Key, OrderedIndex};
use mvcc::{Database, OrderedTable};
use std::convert::Infallible;

pub(super) struct Index {
    database: Database,
    table: OrderedTable<Key, usize>,
}

impl OrderedIndex for Index {
    const NAME: &'static str = "mvcc, transactions";
    const KEYS: &'static str = "(u32, u64)";

    fn new() -> Self {
        let database = Database::new();
        let table = database.ordered_table("keys").expect("a new database");
        Self { database, table }
    }

    fn insert(&self, key: Key, value: usize) {
        let Ok(()) = self
            .database
            .run(|tx| Ok::<_, Infallible>(tx.insert(&self.table, key, value)));
    }

    fn get(&self, key: Key) -> Option<usize> {
        self.database
            .view(|view| view.get(&self.table, &key).copied())
    }

    fn remove(&self, key: Key) -> bool {
        let Ok(found) = self.database.run(|tx| {
            let found = tx.contains_key(&self.table, &key);
            tx.remove(&self.table, &key);
            Ok::<_, Infallible>(found)
        });
        found
    }

    fn scan(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        self.database.view(|view| {
            for (&key, &value) in view.range(&self.table, from..).take(n) {
                f(key, value);
            }
        });
    }

    fn scan_back(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        self.database.view(|view| {
            for (&key, &value) in view.range(&self.table, ..=from).rev().take(n) {
                f(key, value);
            }
        });
    }
}
