//! Transactions that stay open, whose slots are narrowed to their timestamps between their reads.

use super::{World, add, check_clean, numbers, pair, remove, tasks, write};
use shuttle::thread;

/// It reads at its timestamp while what is newer is unlinked, and its memory is used again.
pub(super) fn open_beside_updates(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table));
    tasks!(
        move || {
            for i in 1..6 {
                write(&a.0, &a.1, &[(0, i), (1, i)]);
            }
            a.0.collect();
            write(&a.0, &a.1, &[(0, 6), (1, 6)]);
        },
        move || {
            let tx = b.0.begin();
            assert_eq!(tx.get(&b.1, &9), None);
            let first = pair(&tx, &b.1);
            assert_eq!(first.0, first.1, "half a transaction");
            for _ in 0..3 {
                assert_eq!(pair(&tx, &b.1), first, "a transaction that moved");
            }
        },
    );
    check_clean(&db, 2);
}

/// It has found a row with a value that it does not see, and so writes to it without a hold. The row is removed, for nobody else sees it.
pub(super) fn open_writes_to_a_removed_row(world: World) {
    let (db, table) = numbers(world, &[]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table));
    tasks!(
        move || {
            add(&a.0, &a.1, 0, 1);
            remove(&a.0, &a.1, 0);
            a.0.collect();
            a.0.collect();
        },
        move || {
            let tx = b.0.begin();
            assert_eq!(tx.get(&b.1, &9), None);
            tx.insert(&b.1, 0, 7);
            b.0.collect();
            // It may lose its lock to the other one.
            if tx.commit().is_err() {
                write(&b.0, &b.1, &[(0, 7)]);
            }
            remove(&b.0, &b.1, 0);
        },
    );
    check_clean(&db, 0);
}

/// It moves on to a later timestamp. What it has peeked at may be visible at the earlier one only.
pub(super) fn open_moves_on(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table));
    tasks!(
        move || {
            for i in 1..4 {
                write(&a.0, &a.1, &[(0, i), (1, i)]);
            }
            a.0.collect();
            write(&a.0, &a.1, &[(0, 4), (1, 4)]);
        },
        move || {
            let tx = b.0.begin();
            assert_eq!(tx.get(&b.1, &9), None);
            let (peeked, value) = (tx.peek(&b.1, &0), tx.peek(&b.1, &0).copied());
            assert!(tx.contains_key(&b.1, &1));
            b.0.collect();
            write(&b.0, &b.1, &[(2, 0), (3, 0)]);
            b.0.collect();
            assert_eq!(
                peeked.copied(),
                value,
                "a value that was handed out has changed"
            );
        },
    );
    check_clean(&db, 4);
}

/// It walks along a chain while versions in the middle are unlinked, by a collector that may have looked before it began to
/// read again. Snapshots have kept them until now.
pub(super) fn open_walks_beside_unlinking(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let tx = db.begin();
    assert_eq!(tx.get(&table, &9), None);
    let first = pair(&tx, &table);
    let mut snapshots = Vec::new();
    for i in 1..6 {
        write(&db, &table, &[(0, i), (1, i)]);
        snapshots.push(db.snapshot());
    }
    drop(snapshots);
    let collector = thread::spawn({
        let db = db.clone();
        move || db.collect()
    });
    assert_eq!(pair(&tx, &table), first, "a transaction that moved");
    assert_eq!(pair(&tx, &table), first, "a transaction that moved");
    collector.join().expect("no panic");
    drop(tx);
    check_clean(&db, 2);
}
