//! The nodes of the ordered index, split and merged beside those who use it.

use super::rows::{delete, keys, put, rows};
use super::{World, tasks};

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
