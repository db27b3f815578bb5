//! Ranges and what appears in them.

use super::{STAYS, World, numbers, tasks, write};
use mvcc_shuttle::{Database, OrderedTable, Read};

type Rows = OrderedTable<u32, u64>;

fn rows(world: World, keys: impl IntoIterator<Item = u32>) -> (Database, Rows) {
    let db = world.database();
    let table: Rows = db.ordered_table("rows").expect("new");
    for key in keys {
        put(&db, &table, key);
    }
    (db, table)
}

fn put(db: &Database, table: &Rows, key: u32) {
    db.run(|tx| Ok::<_, ()>(tx.insert(table, key, key.into())))
        .expect("no error");
}

fn delete(db: &Database, table: &Rows, key: u32) {
    db.run(|tx| Ok::<_, ()>(tx.remove(table, &key)))
        .expect("no error");
}

fn keys(read: &impl Read, table: &Rows) -> Vec<u32> {
    read.range(table, 0..1000).map(|(key, _)| *key).collect()
}

/// Each of two counts the rows and adds one that says how many: they must not count the same.
pub(super) fn phantom_by_insert(world: World) {
    let (db, table) = rows(world, [10, 20]);
    let counter = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let count = tx.range(&table, 0..1000).count() as u64;
                Ok::<_, ()>(tx.insert(&table, key, count))
            })
            .expect("no error");
        }
    };
    tasks!(counter(15), counter(30));
    db.view(|view| {
        let (first, second) = (view.get(&table, &15), view.get(&table, &30));
        assert_ne!(first, second, "both have counted the same rows");
    });
}

/// Each of two removes a row only if both are there.
pub(super) fn phantom_by_delete(world: World) {
    let (db, table) = rows(world, [10, 20]);
    let remover = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                if tx.range(&table, 5..25).rev().count() == 2 {
                    tx.remove(&table, &key);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
        }
    };
    tasks!(remover(10), remover(20));
    assert_eq!(
        db.view(|view| keys(view, &table)).len(),
        1,
        "both were removed"
    );
}

/// Each of two adds a key only if the other's is missing.
pub(super) fn phantom_by_absent_key(world: World) {
    let (db, table) = rows(world, [10]);
    let adder = |key: u32, other: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                if tx.get(&table, &other).is_none() {
                    tx.insert(&table, key, 1);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
        }
    };
    tasks!(adder(12, 14), adder(14, 12));
    assert_eq!(
        db.view(|view| keys(view, &table)).len(),
        2,
        "both were added"
    );
}

/// A predicate that is read twice in one transaction gives the same rows.
pub(super) fn predicate_many_preceders(world: World) {
    let (db, table) = rows(world, [10, 20]);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(move || put(&a.0, &a.1, 15), move || {
        b.0.run(|tx| {
            let first = keys(tx, &b.1);
            let second: Vec<_> = tx.range(&b.1, 0..1000).rev().map(|(key, _)| *key).collect();
            assert!(first.iter().rev().eq(&second), "{first:?}, then {second:?}");
            Ok::<_, ()>(tx.insert(&b.1, 500, first.len() as u64))
        })
        .expect("no error");
    },);
}

/// The same as by insert, in a table without order.
pub(super) fn phantom_in_a_hashed_table(world: World) {
    let (db, table) = numbers(world, &[(1, 1)]);
    let counter = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let count = tx.iter(&table).count() as u64;
                let missing = tx.get(&table, &(100 + key)).is_none();
                assert!(missing);
                Ok::<_, ()>(tx.insert(&table, key, count))
            })
            .expect("no error");
        }
    };
    tasks!(counter(2), counter(3));
    db.view(|view| {
        assert_ne!(
            view.get(&table, &2),
            view.get(&table, &3),
            "both have counted the same rows"
        );
    });
}

/// Two consumers each take the second row, a producer adds at the end.
pub(super) fn limited_range(world: World) {
    let (db, table) = rows(world, [1, 2, 3, 4, 5]);
    let taker = || {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let second = tx.range(&table, 0..1000).nth(1).map(|(key, _)| *key);
                Ok::<_, ()>(tx.remove(&table, &second.expect("there are enough")))
            })
            .expect("no error");
        }
    };
    let (a, b) = (db.clone(), table.clone());
    tasks!(taker(), taker(), move || put(&a, &b, 9));
    assert_eq!(
        db.view(|view| keys(view, &table)),
        [1, 4, 5, 9],
        "a row was taken twice"
    );
}

/// A scan finds every row that stays, in order and once, while nodes are split and merged beside it.
pub(super) fn scans_beside_splits_and_merges(world: World) {
    let (db, table) = rows(world, (0..6).map(|i| i * 10));
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(
        move || {
            for key in [11, 12, 13, 14] {
                put(&a.0, &a.1, key);
            }
            for key in [11, 12, 13, 14] {
                delete(&a.0, &a.1, key);
            }
            a.0.collect();
        },
        move || {
            for _ in 0..2 {
                let snapshot = b.0.snapshot();
                let seen = keys(&snapshot, &b.1);
                let stayed: Vec<_> = seen.iter().filter(|key| *key % 10 == 0).collect();
                assert_eq!(stayed.len(), 6, "{seen:?}");
                assert!(seen.is_sorted_by(|left, right| left < right), "{seen:?}");
                let down: Vec<_> = snapshot
                    .range(&b.1, ..)
                    .rev()
                    .map(|(key, _)| *key)
                    .collect();
                assert!(
                    seen.iter().rev().eq(&down),
                    "{seen:?} upwards, {down:?} downwards"
                );
            }
        },
    );
}

/// Rows are added where nodes are being merged.
pub(super) fn inserts_beside_a_merge(world: World) {
    // The leaves have 0 to 30, and 40 to 50.
    let (db, table) = rows(world, (0..6).map(|i| i * 10));
    for key in [10, 20, 30, 40] {
        delete(&db, &table, key);
    }
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            delete(&a.0, &a.1, 50);
            a.0.collect();
        },
        move || {
            put(&b.0, &b.1, 45);
            put(&b.0, &b.1, 5);
        },
    );
    assert_eq!(
        db.view(|view| keys(view, &table)),
        [0, 5, 45],
        "a committed insert is gone"
    );
}

/// A scan sees the transaction's own writes among the others' rows.
pub(super) fn own_writes_under_a_scan(world: World) {
    let (db, table) = rows(world, [10, 20, 30]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            a.0.run(|tx| {
                tx.remove(&a.1, &20);
                tx.insert(&a.1, 25, 1);
                let seen = keys(tx, &a.1);
                assert!(seen.contains(&25) && !seen.contains(&20), "{seen:?}");
                Ok::<_, ()>(())
            })
            .expect("no error");
        },
        move || put(&b.0, &b.1, 22),
    );
    assert_eq!(db.view(|view| keys(view, &table)), [10, 22, 25, 30]);
}

/// A limit on the number of rows holds, although nobody writes what another one has read.
pub(super) fn counted_range(world: World) {
    let (db, table) = rows(world, [1, 2, 3]);
    let adder = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                if tx.range(&table, ..).count() < 4 {
                    tx.insert(&table, key, 1);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
            db.view(|view| assert!(view.range(&table, ..).count() <= 4, "one too many"));
        }
    };
    tasks!(adder(5), adder(6));
}

/// A key that was removed is missed by one, and comes back by another.
pub(super) fn tombstone_that_comes_back(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 0)]);
    let keep = db.snapshot();
    super::remove(&db, &table, 0);
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
    let seen = db.view(|view| super::pair(view, &table));
    // First the reader of the missing key: it writes 1, which the other one copies. Or the other one first: 0 and 0.
    assert!(
        matches!(seen, (1, 1) | (0, 0)),
        "{seen:?} comes of no order of the two"
    );
    assert_eq!(keep.get(&table, &0), Some(&1), "the old snapshot");
    drop(keep);
    write(&db, &table, &[(0, 5)]);
    super::check_clean(&db, 2);
}
