//! Collection against everything that may still read.

use super::{STAYS, World, add, check_clean, numbers, pair, remove, tasks, write};

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

/// Versions that nobody sees are unlinked while an old snapshot walks past them.
pub(super) fn walk_beside_unlinking(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let old = db.snapshot();
    for value in 1..4 {
        write(&db, &table, &[(0, value)]);
    }
    let (a, b) = (db.clone(), table.clone());
    tasks!(move || a.collect(), move || {
        for _ in 0..2 {
            assert_eq!(old.get(&b, &0), Some(&0), "a snapshot that moved");
        }
    });
    check_clean(&db, 1);
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

/// An insert that is aborted takes its empty tuple with it, but not the one of another who writes
/// the same key.
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

/// Rows that stay are found while their neighbours in the index go and come back.
pub(super) fn neighbours_come_and_go(world: World) {
    let rows: Vec<_> = (0..10).map(|key| (key, 1)).collect();
    let (db, table) = numbers(world, &rows);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            let odd = [1, 3, 5, 7, 9];
            a.0.run(|tx| Ok::<_, ()>(odd.map(|key| tx.remove(&a.1, &key))))
                .expect("no error");
            a.0.collect();
            write(&a.0, &a.1, &[(5, 1)]);
        },
        move || {
            b.0.collect();
            for key in [0, 2, 4, 6, 8] {
                b.0.view(|view| assert!(view.contains_key(&b.1, &key), "{STAYS}"));
            }
        },
    );
    let rows = db.view(|view| view.iter(&table).count());
    assert_eq!(rows, 6, "{STAYS}");
    check_clean(&db, 6);
}

/// An insert that is aborted while another one is about to write to the same empty tuple, and a
/// third would remove it.
pub(super) fn empty_tuple_is_taken_over(world: World) {
    let (db, table) = numbers(world, &[]);
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
        db.clone(),
    );
    tasks!(
        move || {
            for _ in 0..2 {
                let tx = a.0.begin();
                tx.insert(&a.1, 0, 1);
                tx.abort();
                a.0.collect();
            }
        },
        move || write(&b.0, &b.1, &[(0, 2)]),
        move || c.collect(),
    );
    assert_eq!(
        db.view(|view| view.get(&table, &0).copied()),
        Some(2),
        "a committed insert is gone"
    );
    check_clean(&db, 1);
}

/// Threads that run one transaction and end leave nothing behind, and what they have used is used
/// by one thread at a time again.
pub(super) fn threads_come_and_go(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    for _ in 0..2 {
        let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
        tasks!(move || add(&a.0, &a.1, 0, 1), move || add(&b.0, &b.1, 0, 1));
    }
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(move || add(&a.0, &a.1, 0, 1), move || {
        let snapshot = b.0.snapshot();
        let before = snapshot.get(&b.1, &0).copied();
        b.0.collect();
        assert_eq!(
            snapshot.get(&b.1, &0).copied(),
            before,
            "a snapshot that moved"
        );
    });
    assert_eq!(db.view(|view| view.get(&table, &0).copied()), Some(5));
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

/// A key that was removed is missed by one, and comes back by another.
pub(super) fn tombstone_that_comes_back(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 0)]);
    let keep = db.snapshot();
    remove(&db, &table, 0);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        // Each writes what the other one has read.
        move || {
            a.0.run(|tx| {
                let missing = tx.get(&a.1, &0).is_none();
                Ok::<_, ()>(tx.insert(&a.1, 1, u64::from(missing)))
            })
            .expect("no error");
        },
        move || {
            b.0.run(|tx| {
                let value = *tx.get(&b.1, &1).expect(STAYS);
                Ok::<_, ()>(tx.insert(&b.1, 0, value))
            })
            .expect("no error");
        },
    );
    let seen = db.view(|view| pair(view, &table));
    // First the reader of the missing key: it writes 1, which the other one copies. Or the other
    // one first: 0 and 0.
    assert!(
        matches!(seen, (1, 1) | (0, 0)),
        "{seen:?} comes of no order of the two"
    );
    assert_eq!(keep.get(&table, &0), Some(&1), "the old snapshot");
    drop(keep);
    write(&db, &table, &[(0, 5)]);
    check_clean(&db, 2);
}
