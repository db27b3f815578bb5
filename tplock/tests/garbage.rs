//! Nothing is left behind: tuples, locks, values.

use std::sync::{Arc, Barrier};
use tplock::{Database, Lookup, OrderedTable, Table};

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

#[test]
fn aborted_inserts_leave_nothing() {
    let db = Database::new();
    let (points, ranges): (Table<u64, u64>, OrderedTable<u64, u64>) = (
        db.table("p").expect("new"),
        db.ordered_table("r").expect("new"),
    );
    let refused = db.run(|tx| {
        for key in 0..1000 {
            tx.insert(&points, key, key);
            tx.insert(&ranges, key, key);
        }
        Err::<(), _>("no")
    });
    assert_eq!(refused, Err("no"));
    assert_empty(&db);
}

/// Several threads insert, remove and miss the same few keys: whoever is the last one there takes
/// the tuple out.
#[test]
fn keys_that_come_and_go_leave_nothing() {
    let db = Database::new();
    let (points, ranges): (Table<u64, u64>, OrderedTable<u64, u64>) = (
        db.table("p").expect("new"),
        db.ordered_table("r").expect("new"),
    );
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (db, points, ranges) = (&db, &points, &ranges);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread);
                for _ in 0..3_000 {
                    let key = random.u64(..4);
                    match random.u8(..4) {
                        0 => put(db, points, key, || 1),
                        1 => put(db, ranges, key, || 1),
                        2 => {
                            let missed = db.view(|view| {
                                (
                                    view.contains_key(points, &key),
                                    view.contains_key(ranges, &key),
                                )
                            });
                            let _ = std::hint::black_box(missed);
                        }
                        _ => db
                            .run(|tx| {
                                tx.remove(points, &key);
                                Ok::<_, ()>(tx.remove(ranges, &key))
                            })
                            .expect("no error"),
                    }
                }
            });
        }
    });
    for key in 0..4 {
        remove(&db, &points, key);
        remove(&db, &ranges, key);
    }
    assert_empty(&db);
}

#[test]
fn every_value_is_dropped_exactly_once() {
    let value = Arc::new(());
    let db = Database::new();
    let table = db.table("t").expect("new");
    let ordered = db.ordered_table("o").expect("new");
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (db, table, ordered, value) = (&db, &table, &ordered, &value);
            scope.spawn(move || {
                for i in 0..2_000u64 {
                    let _ = db.run(|tx| {
                        tx.insert(table, i % 7, value.clone());
                        tx.insert(table, i % 7, value.clone());
                        if i % 5 == thread {
                            tx.remove(table, &(i % 11));
                            tx.remove(ordered, &(i % 50));
                        }
                        tx.insert(ordered, i % 50 + 100 * thread, value.clone());
                        if i % 3 == 0 { Err(()) } else { Ok(()) }
                    });
                }
            });
        }
    });
    let live = db.view(|view| view.iter(&table).count() + view.iter(&ordered).count());
    assert_eq!(Arc::strong_count(&value), 1 + live);
    drop((db, table, ordered));
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_database_is_freed_although_threads_that_used_it_live_on() {
    let value = Arc::new(());
    let db = Database::new();
    let table = db.table("t").expect("new");
    let (done, wait) = (Barrier::new(2), Barrier::new(2));
    std::thread::scope(|scope| {
        let (worker_db, worker_table, value_ref, done, wait) =
            (db.clone(), table.clone(), &value, &done, &wait);
        scope.spawn(move || {
            for i in 0..500 {
                put(&worker_db, &worker_table, i % 3, || value_ref.clone());
                remove(&worker_db, &worker_table, i % 5);
            }
            drop((worker_db, worker_table));
            done.wait();
            wait.wait();
        });
        done.wait();
        drop((db, table));
        assert_eq!(Arc::strong_count(&value), 1);
        wait.wait();
    });
}

/// A transaction may outlive the handles of its database and its tables.
#[test]
fn a_transaction_keeps_what_it_has_locked() {
    let db = Database::new();
    let table: OrderedTable<u64, String> = db.ordered_table("t").expect("new");
    put(&db, &table, 1, || "one".to_owned());
    let tx = db.begin();
    tx.insert(&table, 2, "two".to_owned()).expect("alone");
    let one = tx.get(&table, &1).expect("alone").expect("committed");
    drop((db, table));
    assert_eq!(one, "one");
    tx.commit().expect("it has its locks");
}
