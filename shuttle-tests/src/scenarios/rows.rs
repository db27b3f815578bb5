//! Tables of numbers, for one library after the other: it is what `super::library` names.

#![allow(dead_code, reason = "not each library has scenarios for all of it")]

use super::World;
use super::library::{Database, OrderedTable, Read, Table};

/// What a missing row is that nobody removes.
pub(crate) const STAYS: &str = "a row that nobody removes is missing";

pub(crate) type Numbers = Table<u32, u64>;

/// A database with rows of numbers.
pub(crate) fn numbers(world: World, rows: &[(u32, u64)]) -> (Database, Numbers) {
    let db = world.database();
    let table = db.table("numbers").expect("new");
    write(&db, &table, rows);
    (db, table)
}

/// Writes rows in one transaction.
pub(crate) fn write(db: &Database, table: &Numbers, rows: &[(u32, u64)]) {
    db.run(|tx| {
        for &(key, value) in rows {
            tx.insert(table, key, value);
        }
        Ok::<_, ()>(())
    })
    .expect("no error");
}

pub(crate) fn remove(db: &Database, table: &Numbers, key: u32) {
    db.run(|tx| Ok::<_, ()>(tx.remove(table, &key)))
        .expect("no error");
}

/// Adds to a row.
pub(crate) fn add(db: &Database, table: &Numbers, key: u32, amount: u64) {
    db.run(|tx| {
        let value = tx.get(table, &key).copied().unwrap_or(0);
        Ok::<_, ()>(tx.insert(table, key, value + amount))
    })
    .expect("no error");
}

pub(crate) fn pair(read: &impl Read, table: &Numbers) -> (u64, u64) {
    let first = *read.get(table, &0).expect(STAYS);
    (first, *read.get(table, &1).expect(STAYS))
}

pub(crate) type Rows = OrderedTable<u32, u64>;

pub(crate) fn rows(world: World, keys: impl IntoIterator<Item = u32>) -> (Database, Rows) {
    let db = world.database();
    let table: Rows = db.ordered_table("rows").expect("new");
    for key in keys {
        put(&db, &table, key);
    }
    (db, table)
}

pub(crate) fn put(db: &Database, table: &Rows, key: u32) {
    db.run(|tx| Ok::<_, ()>(tx.insert(table, key, key.into())))
        .expect("no error");
}

pub(crate) fn delete(db: &Database, table: &Rows, key: u32) {
    db.run(|tx| Ok::<_, ()>(tx.remove(table, &key)))
        .expect("no error");
}

pub(crate) fn keys(read: &impl Read, table: &Rows) -> Vec<u32> {
    read.range(table, 0..1000).map(|(key, _)| *key).collect()
}
