//! Nothing is left behind: versions, tuples, slots, values.

use mvcc::{Database, Table};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

fn put<V: Send + Sync + 'static>(db: &Database, table: &Table<u64, V>, key: u64, value: V) {
    let tx = db.begin();
    tx.insert(table, key, value);
    tx.commit().expect("a blind write meets no one here");
}

fn remove<V: Send + Sync + 'static>(db: &Database, table: &Table<u64, V>, key: u64) {
    let tx = db.begin();
    tx.remove(table, &key);
    tx.commit().expect("a blind write meets no one here");
}

#[test]
fn overwritten_versions_are_collected_along_the_way() {
    let db = Database::new();
    let table = db.table("t").expect("new");
    for i in 0..100_000 {
        put(&db, &table, i % 10, i);
    }
    let stats = db.stats();
    assert!(stats.live_versions < 10_000, "{stats:?}");
    db.collect();
    let stats = db.stats();
    assert_eq!(
        (stats.live_versions, stats.live_tuples, stats.retired),
        (10, 10, 0)
    );
}

#[test]
fn deleted_keys_leave_neither_tuples_nor_versions() {
    let db = Database::new();
    let table = db.table("t").expect("new");
    for key in 0..5_000 {
        put(&db, &table, key, key);
    }
    for key in 0..5_000 {
        remove(&db, &table, key);
    }
    db.collect();
    let stats = db.stats();
    assert_eq!(
        (stats.live_versions, stats.live_tuples, stats.retired),
        (0, 0, 0)
    );
    put(&db, &table, 7, 7);
    assert_eq!(db.view(|view| view.get(&table, &7).copied()), Some(7));
}

#[test]
fn missed_keys_leave_nothing() {
    let db = Database::new();
    let table = db.table::<u64, u64>("t").expect("new");
    for key in 0..100_000 {
        assert!(!db.view(|view| view.contains_key(&table, &key)));
        let missed = db.run(|tx| Ok::<_, ()>(tx.get(&table, &key).is_none()));
        assert_eq!(missed, Ok(true));
    }
    let stats = db.stats();
    assert_eq!(
        (stats.live_versions, stats.live_tuples, stats.retired),
        (0, 0, 0)
    );
}

#[test]
fn snapshots_keep_only_what_they_see() {
    let db = Database::new();
    let table = db.table("t").expect("new");
    let mut snapshots = Vec::new();
    for round in 0..5u64 {
        for i in 0..2_000 {
            put(&db, &table, i % 4, round * 10_000 + i);
        }
        snapshots.push((round, db.snapshot()));
    }
    for i in 0..2_000 {
        put(&db, &table, i % 4, 90_000 + i);
    }
    db.collect();
    let stats = db.stats();
    assert_eq!(stats.live_snapshots, 5);
    assert_eq!(stats.live_versions, 4 * 6, "{stats:?}");
    for (round, snapshot) in &snapshots {
        for key in 0..4 {
            let expected = round * 10_000 + 1_996 + key;
            assert_eq!(snapshot.get(&table, &key), Some(&expected));
        }
    }
    // Those in the middle go first.
    for gone in [2, 1, 1, 1, 0] {
        snapshots.remove(gone);
        db.collect();
        assert_eq!(db.stats().live_versions, 4 * (snapshots.len() as u64 + 1));
    }
    assert_eq!(db.stats().retired, 0);
}

#[test]
fn a_snapshot_outlives_the_removal_of_what_it_sees() {
    let db = Database::new();
    let table = db.table("t").expect("new");
    put(&db, &table, 1, "one".to_owned());
    let snapshot = db.snapshot();
    let one = snapshot.get(&table, &1).expect("there");
    remove(&db, &table, 1);
    db.collect();
    assert_eq!((one.as_str(), snapshot.iter(&table).count()), ("one", 1));
    drop(snapshot);
    db.collect();
    let stats = db.stats();
    assert_eq!(
        (stats.live_versions, stats.live_tuples, stats.retired),
        (0, 0, 0)
    );
}

#[test]
fn a_panic_leaves_nothing_locked_and_holds_nothing_back() {
    let db = Database::new();
    let table = db.table("t").expect("new");
    put(&db, &table, 1, 1);
    for _ in 0..3 {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            db.run::<(), ()>(|tx| {
                tx.insert(&table, 1, 2);
                tx.insert(&table, 2, 2);
                panic!("in a closure");
            })
        }));
        assert!(panicked.is_err());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            db.view(|view| {
                assert_eq!(view.get(&table, &1), Some(&1));
                panic!("in a view");
            });
        }));
        assert!(panicked.is_err());
    }
    for i in 0..100 {
        put(&db, &table, 1, i);
    }
    db.collect();
    let stats = db.stats();
    assert_eq!((stats.live_versions, stats.live_tuples), (1, 1));
    assert_eq!((stats.retired, stats.live_snapshots), (0, 0));
}

#[test]
fn every_value_is_dropped_exactly_once() {
    let value = Arc::new(());
    let db = Database::new();
    let table = db.table("t").expect("new");
    let other = db.table("other").expect("new");
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (db, table, other, value) = (&db, &table, &other, &value);
            scope.spawn(move || {
                for i in 0..2_000u64 {
                    let _ = db.run(|tx| {
                        tx.insert(table, i % 7, value.clone());
                        tx.insert(table, i % 7, value.clone());
                        if i % 5 == thread {
                            tx.remove(table, &(i % 11));
                        }
                        tx.insert(other, i % 50 + 100 * thread, value.clone());
                        if i % 3 == 0 { Err(()) } else { Ok(()) }
                    });
                }
            });
        }
    });
    let live = db.snapshot().iter(&table).count() + db.snapshot().iter(&other).count();
    db.collect();
    assert_eq!(Arc::strong_count(&value), 1 + live);
    let snapshot = db.snapshot();
    drop((db, table, other));
    assert_eq!(Arc::strong_count(&value), 1 + live);
    drop(snapshot);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_database_is_freed_although_threads_that_used_it_live_on() {
    let value = Arc::new(());
    let db = Database::new();
    let table = db.table("t").expect("new");
    let (done, wait) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        let (worker_db, worker_table, value_ref, done, wait) =
            (db.clone(), table.clone(), &value, &done, &wait);
        scope.spawn(move || {
            for i in 0..500 {
                put(&worker_db, &worker_table, i % 3, value_ref.clone());
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

#[test]
fn finished_threads_leave_nothing_behind() {
    let db = Database::new();
    let table = db.table("t").expect("new");
    for _ in 0..50 {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (db, table) = (&db, &table);
                scope.spawn(move || put(db, table, thread, thread));
            }
        });
    }
    db.collect();
    let stats = db.stats();
    assert_eq!((stats.live_versions, stats.live_tuples), (4, 4));
    assert_eq!(
        (stats.retired, stats.live_snapshots, stats.commits),
        (0, 0, 200)
    );
}

#[test]
fn a_panicking_drop_of_a_value_does_no_lasting_harm() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "a value that cannot be dropped in peace");
        }
    }
    let db = Database::new();
    let table = db.table("t").expect("new");
    let _ = catch_unwind(AssertUnwindSafe(|| {
        for i in 0..200 {
            put(&db, &table, i % 3, Bomb(i == 50));
        }
    }));
    for i in 0..200 {
        put(&db, &table, i % 3, Bomb(false));
    }
    db.collect();
    let stats = db.stats();
    assert_eq!((stats.live_tuples, stats.live_versions), (3, 3));
    assert_eq!((stats.live_snapshots, stats.retired), (0, 0));
}
