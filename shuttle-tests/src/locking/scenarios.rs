//! Where wait-die and next-key locking can go wrong and random programs hardly ever get to.

use super::Scenario;
use shuttle::thread;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tplock_shuttle::{Database, OrderedTable, Read, Table};

macro_rules! scenarios {
    ($($name:ident,)+) => {
        /// All scenarios.
        pub const SCENARIOS: &[Scenario] = &[$(Scenario { name: stringify!($name), run: $name },)+];
    };
}

scenarios! {
    raised_locks_beside_a_waiting_writer,
    losers_keep_their_age,
    scan_beside_an_insert,
}

type Numbers = Table<u32, u64>;

/// A database with some rows, all 0.
fn numbers(keys: u32) -> (Database, Numbers) {
    let db = Database::new();
    let table: Numbers = db.table("numbers").expect("new");
    for key in 0..keys {
        let Ok(()) = db.run(|tx| Ok::<_, Infallible>(tx.insert(&table, key, 0)));
    }
    (db, table)
}

/// Adds to a row: with a lock that is shared first, and raised then.
fn add(db: &Database, table: &Numbers, key: u32, amount: u64) {
    let Ok(()) = db.run(|tx| {
        let value = *tx.get(table, &key).expect("it stays");
        Ok::<_, Infallible>(tx.insert(table, key, value + amount))
    });
}

fn side_by_side(tasks: Vec<Box<dyn FnOnce() + Send>>) {
    let tasks: Vec<_> = tasks.into_iter().map(thread::spawn).collect();
    for task in tasks {
        task.join().expect("a task panicked");
    }
}

fn assert_unlocked(db: &Database) {
    assert_eq!(db.stats().locks, 0, "locks are left behind");
}

/// An old writer waits for two readers, the older of which wants to write too: it need not wait for who waits for it.
fn raised_locks_beside_a_waiting_writer() {
    let (db, table) = numbers(2);
    let [a, b, c] = [(); 3].map(|()| (db.clone(), table.clone()));
    side_by_side(vec![
        Box::new(move || {
            let Ok(()) = a.0.run(|tx| {
                // Its age is what counts, and that it comes late.
                assert_eq!(tx.get(&a.1, &1), Some(&0));
                Ok::<_, Infallible>(tx.insert(&a.1, 0, 100))
            });
        }),
        Box::new(move || add(&b.0, &b.1, 0, 1)),
        Box::new(move || add(&c.0, &c.1, 0, 1)),
    ]);
    let value = db.view(|view| view.get(&table, &0).copied());
    assert!(matches!(value, Some(100..=102)), "{value:?}");
    assert_unlocked(&db);
}

/// Only the older can be in a transaction's way, and each of them once: who comes later is younger, however often it dies.
fn losers_keep_their_age() {
    /// A thread takes two ages at a time.
    const OLDER: usize = 2;
    let (db, table) = numbers(1);
    let attempts = Arc::new(AtomicUsize::new(0));
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    let counted = attempts.clone();
    side_by_side(vec![
        Box::new(move || (0..8).for_each(|_| add(&a.0, &a.1, 0, 1))),
        Box::new(move || {
            let Ok(()) = b.0.run(|tx| {
                counted.fetch_add(1, Relaxed);
                let value = *tx.get(&b.1, &0).expect("it stays");
                Ok::<_, Infallible>(tx.insert(&b.1, 0, value + 100))
            });
        }),
    ]);
    let value = db.view(|view| view.get(&table, &0).copied());
    assert_eq!(value, Some(108), "an update was lost");
    let attempts = attempts.load(Relaxed);
    assert!(attempts <= 1 + OLDER, "it took {attempts} attempts");
    assert_unlocked(&db);
}

/// A scan looks some rows up ahead. One that comes in between before it gets there belongs to it.
fn scan_beside_an_insert() {
    let db = Database::new();
    let table: OrderedTable<u32, u64> = db.ordered_table("rows").expect("new");
    let put = |db: &Database, table: &OrderedTable<u32, u64>, key| {
        let Ok(()) = db.run(|tx| Ok::<_, Infallible>(tx.insert(table, key, 0)));
    };
    for key in [10, 20, 30] {
        put(&db, &table, key);
    }
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    side_by_side(vec![
        Box::new(move || put(&a.0, &a.1, 25)),
        Box::new(move || {
            let keys = |read: &tplock_shuttle::View| -> Vec<u32> {
                let rows = read.range::<u32, u64, u32>(&b.1, ..);
                rows.map(|(key, _)| *key).collect()
            };
            b.0.view(|view| assert_eq!(keys(view), keys(view), "a scan that missed a row"));
        }),
    ]);
    let rows = db.view(|view| Read::iter(view, &table).count());
    assert_eq!(rows, 4);
    assert_unlocked(&db);
}
