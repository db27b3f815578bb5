//! Bytes on the heap, by a counting allocator. One test at a time, for the counter is the
//! process's.

#[path = "../../mvcc/tests/counting/mod.rs"]
mod counting;

use counting::heap_bytes;
use std::sync::{Mutex, PoisonError};
use tplock::{Database, Lookup};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const ROWS: u64 = if cfg!(debug_assertions) {
    20_000
} else {
    200_000
};

/// What the test itself and the shards of an empty map may take.
const SLACK: i64 = 64 << 10;

fn put<T: Lookup<u64, Key = u64, Value = V>, V>(
    db: &Database,
    table: &T,
    key: u64,
    value: impl Fn() -> V,
) {
    db.run(|tx| Ok::<_, ()>(tx.insert(table, key, value())))
        .expect("no error");
}

fn remove<T: Lookup<u64, Key = u64>>(db: &Database, table: &T, key: u64) {
    db.run(|tx| Ok::<_, ()>(tx.remove(table, &key)))
        .expect("no error");
}

fn assert_empty(db: &Database) {
    assert_eq!((db.stats().tuples, db.stats().locks), (0, 0));
}

/// Loads, updates, misses, scans and removes many keys, and looks at the heap in between.
fn life_of_a_table<T: Lookup<u64, Key = u64, Value = [u8; 100]>>(
    open: impl Fn(&Database) -> T,
    bytes_per_row: i64,
) {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let db = Database::new();
    let table = open(&db);
    let empty = heap_bytes();
    let rows = i64::try_from(ROWS).expect("fewer than 2^63");
    // An order without pattern: the multiplier has no common factor with the number of rows.
    let scattered = || (0..ROWS).map(|i| i * 618_033_989 % ROWS);
    let is_at_most = |state: &str, bytes: i64| {
        let used = heap_bytes() - empty;
        println!("{state}: {:.1} bytes per row", used as f64 / rows as f64);
        assert!(
            used <= bytes + SLACK,
            "{state}: {used} bytes instead of {bytes}"
        );
    };
    for key in scattered() {
        assert!(!db.view(|view| view.contains_key(&table, &key)));
        remove(&db, &table, key);
    }
    is_at_most("only missed", 0);
    scattered().for_each(|key| put(&db, &table, key, || [0; 100]));
    is_at_most("loaded", bytes_per_row * rows);
    for round in 1..=3 {
        scattered().for_each(|key| put(&db, &table, key, || [round; 100]));
        assert_eq!(db.view(|view| view.iter(&table).count() as u64), ROWS);
        let missed =
            scattered().filter(|key| db.view(|view| view.contains_key(&table, &(key + ROWS))));
        assert_eq!(missed.count(), 0);
    }
    is_at_most("updated, scanned and missed", bytes_per_row * rows);
    scattered().for_each(|key| remove(&db, &table, key));
    assert_empty(&db);
    is_at_most("removed", 0);
}

#[test]
fn a_table_takes_what_its_rows_take() {
    // Key and value have 108. The rest is the locks, the counts, the way to the index, and a
    // half-full slot in the index.
    life_of_a_table(|db| db.table("t").expect("new"), 300);
}

#[test]
fn an_ordered_table_takes_what_its_rows_take() {
    life_of_a_table(|db| db.ordered_table("t").expect("new"), 300);
}
