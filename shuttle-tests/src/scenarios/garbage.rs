//! Collection against everything that may still read.

use super::{World, add, check_clean, numbers, pair, remove, tasks, write};
use shuttle::thread;

/// A snapshot sees its state, however much is overwritten and collected meanwhile.
pub(super) fn old_snapshot(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            for i in 1..5 {
                write(&a.0, &a.1, &[(0, i), (1, i)]);
            }
            a.0.collect();
        },
        move || {
            let snapshot = b.0.snapshot();
            let seen = pair(&snapshot, &b.1);
            assert_eq!(seen.0, seen.1, "two states");
            b.0.collect();
            assert_eq!(pair(&snapshot, &b.1), seen, "a snapshot that moved");
        },
    );
    check_clean(&db, 2);
}

/// Versions between two snapshots go, those that one of them sees stay.
pub(super) fn two_old_snapshots(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            for i in 1..7 {
                write(&a.0, &a.1, &[(0, i), (1, i)]);
            }
        },
        move || {
            let first = b.0.snapshot();
            let old = pair(&first, &b.1);
            write(&b.0, &b.1, &[(0, 10), (1, 10)]);
            write(&b.0, &b.1, &[(0, 11), (1, 11)]);
            let second = b.0.snapshot();
            let new = pair(&second, &b.1);
            b.0.collect();
            assert_eq!(
                (pair(&first, &b.1), pair(&second, &b.1)),
                (old, new),
                "a snapshot that moved"
            );
            drop(first);
            b.0.collect();
            assert_eq!(pair(&second, &b.1), new, "a snapshot that moved");
        },
    );
    check_clean(&db, 2);
}

/// A snapshot that begins while others collect.
pub(super) fn snapshot_begins_beside_collection(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b, c) = (
        (db.clone(), table.clone()),
        db.clone(),
        (db.clone(), table.clone()),
    );
    tasks!(
        move || {
            for i in 1..4 {
                write(&a.0, &a.1, &[(0, i), (1, i)]);
            }
        },
        move || {
            b.collect();
            b.collect();
        },
        move || {
            let snapshot = c.0.snapshot();
            let seen = pair(&snapshot, &c.1);
            assert_eq!(seen.0, seen.1, "two states");
            assert_eq!(pair(&snapshot, &c.1), seen, "a snapshot that moved");
        },
    );
}

/// A view that begins while others collect; its references stay as they are.
pub(super) fn view_beside_collection(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b, c) = (
        (db.clone(), table.clone()),
        db.clone(),
        (db.clone(), table.clone()),
    );
    tasks!(
        move || {
            for i in 1..4 {
                write(&a.0, &a.1, &[(0, i), (1, i)]);
            }
        },
        move || {
            b.collect();
            b.collect();
        },
        move || {
            c.0.view(|view| {
                let first = view.get(&c.1, &0).expect("it stays");
                let before = *first;
                let second = view.get(&c.1, &1).expect("it stays");
                thread::yield_now();
                assert_eq!(
                    (*first, *second),
                    (before, before),
                    "a reference that changed"
                );
                assert_eq!(view.get(&c.1, &7), None);
                assert_eq!(view.get(&c.1, &0), Some(&before), "a view that moved");
            });
        },
    );
}

/// One key is inserted, removed and inserted again by two tasks, and collected in between.
pub(super) fn insert_delete_reinsert(world: World) {
    let (db, table) = numbers(world, &[]);
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
    );
    tasks!(
        move || {
            write(&a.0, &a.1, &[(0, 1)]);
            remove(&a.0, &a.1, 0);
            a.0.collect();
            write(&a.0, &a.1, &[(0, 2)]);
        },
        move || {
            remove(&b.0, &b.1, 0);
            b.0.collect();
            add(&b.0, &b.1, 1, 1);
        },
        move || {
            let seen = c.0.view(|view| view.get(&c.1, &0).copied());
            assert!(
                matches!(seen, None | Some(1 | 2)),
                "{seen:?} was never written"
            );
        },
    );
    let left = db.view(|view| u64::from(view.get(&table, &0).is_some()));
    assert_eq!(db.view(|view| view.get(&table, &1).copied()), Some(1));
    check_clean(&db, 1 + left);
}

/// An insert that is aborted takes its empty tuple with it, but not the one of another who writes the same key.
pub(super) fn aborted_insert(world: World) {
    let (db, table) = numbers(world, &[]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            let tx = a.0.begin();
            tx.insert(&a.1, 0, 1);
            tx.insert(&a.1, 1, 1);
            tx.abort();
            a.0.collect();
        },
        move || write(&b.0, &b.1, &[(0, 2)]),
    );
    assert_eq!(
        db.view(|view| view.get(&table, &0).copied()),
        Some(2),
        "a committed insert is gone"
    );
    assert_eq!(db.view(|view| view.get(&table, &1).copied()), None);
    check_clean(&db, 1);
}

/// A tuple is removed while others are about to use it.
pub(super) fn removal_against_stale_tuples(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 1)]);
    remove(&db, &table, 0);
    let (a, b, c) = (
        db.clone(),
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
    );
    tasks!(
        move || a.collect(),
        move || add(&b.0, &b.1, 0, 5),
        move || {
            let seen = c.0.view(|view| view.get(&c.1, &0).copied());
            assert!(matches!(seen, None | Some(5)), "{seen:?}");
        },
    );
    assert_eq!(
        db.view(|view| view.get(&table, &0).copied()),
        Some(5),
        "a committed insert is gone"
    );
    check_clean(&db, 2);
}

/// A new tuple takes the place in the index that another one had, while its key is looked up.
pub(super) fn reuse_of_a_place_in_the_index(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 1), (2, 1), (3, 1)]);
    remove(&db, &table, 0);
    db.collect();
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(move || write(&a.0, &a.1, &[(0, 5)]), move || {
        let seen = b.0.view(|view| view.get(&b.1, &0).copied());
        assert!(matches!(seen, None | Some(5)), "{seen:?}");
    },);
    check_clean(&db, 4);
}

/// A tombstone is overwritten by one while another one reads, and a third would collect it.
pub(super) fn tombstone_reuse(world: World) {
    let (db, table) = numbers(world, &[(0, 1)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            remove(&a.0, &a.1, 0);
            write(&a.0, &a.1, &[(0, 2)]);
            remove(&a.0, &a.1, 0);
            a.0.collect();
        },
        move || {
            let snapshot = b.0.snapshot();
            let seen = snapshot.get(&b.1, &0).copied();
            b.0.collect();
            assert_eq!(
                snapshot.get(&b.1, &0).copied(),
                seen,
                "a snapshot that moved"
            );
        },
    );
    check_clean(&db, 0);
}

/// Threads that run one transaction and end leave nothing behind.
pub(super) fn threads_come_and_go(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    for _ in 0..2 {
        let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
        tasks!(move || add(&a.0, &a.1, 0, 1), move || add(&b.0, &b.1, 0, 1));
    }
    assert_eq!(db.view(|view| view.get(&table, &0).copied()), Some(4));
    check_clean(&db, 1);
}

/// When all is quiet, one call collects everything that two tasks have left.
pub(super) fn everything_is_collected(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let busy = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            write(&db, &table, &[(key, 1), (0, 1)]);
            let snapshot = db.snapshot();
            remove(&db, &table, key);
            assert_eq!(snapshot.get(&table, &key), Some(&1));
        }
    };
    tasks!(busy(1), busy(2));
    check_clean(&db, 1);
}

/// Two collectors at once, both with garbage of their own.
pub(super) fn collectors_collide(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let old = db.snapshot();
    let busy = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            for i in 1..4 {
                write(&db, &table, &[(key, i)]);
            }
            db.collect();
        }
    };
    tasks!(busy(0), busy(1), busy(0));
    assert_eq!(pair(&old, &table), (0, 0), "a snapshot that moved");
    drop(old);
    check_clean(&db, 2);
}

/// Removal from an ordered table beside inserts around it.
pub(super) fn ordered_removal(world: World) {
    let db = world.database();
    let table = db.ordered_table::<u32, u64>("rows").expect("new");
    let put = |keys: &[u32]| {
        let (db, table, keys) = (db.clone(), table.clone(), keys.to_vec());
        move || {
            for key in keys {
                db.run(|tx| Ok::<_, ()>(tx.insert(&table, key, 1)))
                    .expect("no error");
            }
        }
    };
    put(&[1, 2, 3, 4, 5, 6])();
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            for key in [2, 3, 4] {
                a.0.run(|tx| Ok::<_, ()>(tx.remove(&a.1, &key)))
                    .expect("no error");
            }
            a.0.collect();
        },
        put(&[3, 7]),
        move || {
            let seen: Vec<_> =
                b.0.view(|view| view.range(&b.1, ..).map(|(key, _)| *key).collect());
            assert!(
                seen.starts_with(&[1]) && seen.contains(&5) && seen.contains(&6),
                "{seen:?}"
            );
            assert!(seen.is_sorted_by(|left, right| left < right), "{seen:?}");
        },
    );
    let left = db.view(|view| view.iter(&table).count() as u64);
    check_clean(&db, left);
}
