//! The nodes of the ordered index, split and merged, and its root, which comes and goes, beside
//! those who use it.

use super::library::Database;
use super::rows::{Rows, delete, keys, put, rows};
use super::{World, check_clean, tasks};

/// A scan finds every row that stays, in order and once, while nodes are split and merged beside
/// it.
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
                let within: Vec<_> = snapshot.range(&b.1, 10..=20).map(|(key, _)| *key).collect();
                let expected = seen.iter().filter(|key| (10..=20).contains(*key));
                assert!(within.iter().eq(expected), "{within:?} of {seen:?}");
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

/// A scan finds a row once that its leaf has while the next leaf is merged into that.
pub(super) fn scans_beside_a_merge(world: World) {
    // The leaves have 0 to 30, and 40 to 50.
    let (db, table) = rows(world, (0..6).map(|i| i * 10));
    for key in [10, 20, 30, 40] {
        delete(&db, &table, key);
    }
    db.collect();
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(
        move || {
            delete(&a.0, &a.1, 50);
            a.0.collect();
        },
        move || {
            for _ in 0..3 {
                let seen = b.0.view(|view| keys(view, &b.1));
                assert!(seen == [0] || seen == [0, 50], "{seen:?}");
            }
        },
    );
}

/// A row leaves its leaf, one of two, while others come there: so the leaf changes once its content
/// without the row is made. That has the key which ends the leaf, and keys that own something are
/// dropped without a lock: the library says so where it drops them.
pub(super) fn removal_beside_inserts(world: World) {
    let db = world.database();
    let table = db.ordered_table::<String, u64>("names").expect("new");
    let key = |number: u32| format!("{number:02}");
    db.run(|tx| Ok::<_, ()>((0..6).for_each(|i| tx.insert(&table, key(10 * i), 1))))
        .expect("no error");
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            a.0.run(|tx| Ok::<_, ()>(tx.remove(&a.1, &key(20))))
                .expect("no error");
            a.0.collect();
        },
        move || {
            for number in [15, 12] {
                b.0.run(|tx| Ok::<_, ()>(tx.insert(&b.1, key(number), 1)))
                    .expect("no error");
            }
        },
    );
    check_clean(&db, 7);
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

/// Rows in leaves of four, `0..40`, `40..80` and so on; then only some are left. A leaf with one
/// row is not merged with another one that has any.
fn thinned(world: World, leaves: u32, left: &[u32]) -> (Database, Rows) {
    let (db, table) = rows(world, []);
    let all = || (0..4 * leaves).map(|i| i * 10);
    let done = db.run(|tx| Ok::<_, ()>(all().for_each(|key| tx.insert(&table, key, key.into()))));
    done.expect("no error");
    let gone: Vec<_> = all().filter(|key| !left.contains(key)).collect();
    delete_all(&db, &table, &gone);
    db.collect();
    (db, table)
}

/// Removes rows in one transaction.
fn delete_all(db: &Database, table: &Rows, keys: &[u32]) {
    let done = db.run(|tx| Ok::<_, ()>(keys.iter().for_each(|key| tx.remove(table, key))));
    done.expect("no error");
}

/// A tree is emptied down to its leaves, and grows again beside that. One task removes rows, from
/// the last to the first, one adds rows behind them, and one finds what there is.
fn emptied_beside_inserts_and_reads(world: World, leaves: u32) {
    let old: Vec<_> = (0..leaves).map(|leaf| leaf * 40).collect();
    let (db, table) = thinned(world, leaves, &old);
    let new = [500, 501, 502, 503, 504];
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
    );
    let there = old.clone();
    tasks!(
        move || {
            for key in old.into_iter().rev() {
                delete(&a.0, &a.1, key);
            }
            a.0.collect();
        },
        move || {
            for key in new {
                put(&b.0, &b.1, key);
            }
        },
        move || {
            let snapshot = c.0.snapshot();
            let found = |key: &u32| snapshot.get(&c.1, key).is_some();
            let mut expected: Vec<_> = there.into_iter().take_while(found).collect();
            expected.extend(new.into_iter().take_while(found));
            let up = keys(&snapshot, &c.1);
            assert_eq!(up, expected, "by range and by key");
            let rows = snapshot.range(&c.1, ..).rev();
            let down: Vec<_> = rows.map(|(key, _)| *key).collect();
            assert!(
                up.iter().rev().eq(&down),
                "{up:?} upwards, {down:?} downwards"
            );
        },
    );
    assert_eq!(db.view(|view| keys(view, &table)), new, "when all is done");
    check_clean(&db, 5);
}

/// A tree of two levels is emptied.
pub(super) fn root_beside_inserts_and_reads(world: World) {
    emptied_beside_inserts_and_reads(world, 2);
}

/// A tree of three levels is.
pub(super) fn roots_beside_inserts_and_reads(world: World) {
    emptied_beside_inserts_and_reads(world, 6);
}

/// Of two who remove rows, and both merge, one takes the root away.
pub(super) fn removals_beside_a_collapse(world: World) {
    let (db, table) = thinned(world, 2, &[0, 10, 40]);
    let remove = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            delete(&db, &table, key);
            db.collect();
        }
    };
    tasks!(remove(0), remove(10));
    assert_eq!(db.view(|view| keys(view, &table)), [40]);
    check_clean(&db, 1);
}

/// The root is split, and merges leave only one child in its left half before another root is put
/// above the two.
pub(super) fn split_beside_a_collapse(world: World) {
    let (db, table) = thinned(world, 5, &[0, 40, 80, 120, 130, 140, 150, 160]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(move || put(&a.0, &a.1, 125), move || {
        delete(&b.0, &b.1, 40);
        delete(&b.0, &b.1, 80);
        b.0.collect();
    },);
    let left = [0, 120, 125, 130, 140, 150, 160];
    assert_eq!(db.view(|view| keys(view, &table)), left);
    delete_all(&db, &table, &left);
    check_clean(&db, 0);
}
