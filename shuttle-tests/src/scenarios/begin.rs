//! Transactions that begin while others collect.

use super::{STAYS, World, numbers, pair, tasks, write};
use shuttle::thread;

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
                let first = view.get(&c.1, &0).expect(STAYS);
                let before = *first;
                let second = view.get(&c.1, &1).expect(STAYS);
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

/// A view against one who computes the watermark: as small as can be, so that every place to stop
/// is tried.
pub(super) fn view_against_watermark(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let (a, b, c) = (db.clone(), (db.clone(), table.clone()), (db, table));
    tasks!(
        move || a.collect(),
        move || (1..3).for_each(|value| write(&b.0, &b.1, &[(0, value)])),
        move || c.0.view(|view| {
            let before = view.get(&c.1, &0).copied();
            thread::yield_now();
            assert_eq!(view.get(&c.1, &0).copied(), before, "a view that moved");
        }),
    );
}

/// The same for a snapshot; who commits computes the watermark as well.
pub(super) fn snapshot_against_watermark(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(
        move || (1..5).for_each(|value| write(&a.0, &a.1, &[(0, value)])),
        move || {
            let snapshot = b.0.snapshot();
            let before = snapshot.get(&b.1, &0).copied();
            thread::yield_now();
            assert_eq!(
                snapshot.get(&b.1, &0).copied(),
                before,
                "a snapshot that moved"
            );
        },
    );
}
