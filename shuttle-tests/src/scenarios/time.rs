//! Real time: who can know of a commit sees it.

use super::{STAYS, World, numbers, pair, tasks, write};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;

/// A task commits, tells another one, and that one reads, in every way.
pub(super) fn hand_over(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let told = Arc::new(AtomicBool::new(false));
    let (a, b) = ((db.clone(), table.clone(), told.clone()), (db, table, told));
    tasks!(
        move || {
            write(&a.0, &a.1, &[(0, 1)]);
            a.2.store(true, SeqCst);
        },
        move || {
            let told = b.2.load(SeqCst);
            let snapshot = b.0.snapshot();
            let seen = [
                snapshot.get(&b.1, &0).copied(),
                b.0.view(|view| {
                    // An absent key makes it take a timestamp.
                    assert_eq!(view.get(&b.1, &9), None);
                    view.get(&b.1, &0).copied()
                }),
                b.0.view(|view| view.get(&b.1, &0).copied()),
                b.0.begin().get(&b.1, &0).copied(),
            ];
            for (how, seen) in seen.into_iter().enumerate() {
                assert!(
                    !told || seen == Some(1),
                    "reader {how} began after the commit and missed it"
                );
            }
        },
    );
}

/// Two commits on disjoint keys, the second after it was told of the first: nobody sees the second
/// without the first.
pub(super) fn hand_over_of_disjoint_keys(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let told = Arc::new(AtomicBool::new(false));
    let (a, b, c) = (
        (db.clone(), table.clone(), told.clone()),
        (db.clone(), table.clone(), told),
        (db, table),
    );
    tasks!(
        move || {
            write(&a.0, &a.1, &[(0, 1)]);
            a.2.store(true, SeqCst);
        },
        move || {
            if b.2.load(SeqCst) {
                write(&b.0, &b.1, &[(1, 1)]);
            }
        },
        move || {
            let seen = pair(&c.0.snapshot(), &c.1);
            assert_ne!(seen, (0, 1), "the second commit without the first");
            let seen = c.0.view(|view| {
                let second = *view.get(&c.1, &1).expect(STAYS);
                (*view.get(&c.1, &0).expect(STAYS), second)
            });
            assert_ne!(seen, (0, 1), "the second commit without the first");
        },
    );
}

/// A snapshot after the own commit has it, and one from before does not.
pub(super) fn commit_then_snapshot(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let busy = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            for value in 1..3 {
                let before = db.snapshot();
                write(&db, &table, &[(key, value)]);
                let after = db.snapshot();
                assert_eq!(
                    before.get(&table, &key),
                    Some(&(value - 1)),
                    "the snapshot from before"
                );
                assert_eq!(
                    after.get(&table, &key),
                    Some(&value),
                    "the snapshot from after"
                );
                assert!(before.timestamp() < after.timestamp());
            }
        }
    };
    tasks!(busy(0), busy(1));
}

/// Timestamps are the serialization order: of two commits on one row, the later one has the larger
/// timestamp; and a snapshot sees exactly those below its own.
pub(super) fn timestamps_order_commits(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let log = Arc::new(Mutex::new(Vec::new()));
    let busy = || {
        let (db, table, log) = (db.clone(), table.clone(), log.clone());
        move || {
            for _ in 0..2 {
                let tx = db.begin();
                let value = *tx.get(&table, &0).expect(STAYS) + 1;
                tx.insert(&table, 0, value);
                if let Ok(timestamp) = tx.commit() {
                    log.lock().expect("not poisoned").push((value, timestamp));
                }
            }
        }
    };
    let (a, b) = ((db.clone(), table.clone()), log.clone());
    let seen = Arc::new(Mutex::new(None));
    let c = seen.clone();
    tasks!(busy(), busy(), move || {
        let snapshot = a.0.snapshot();
        let value = *snapshot.get(&a.1, &0).expect(STAYS);
        *c.lock().expect("not poisoned") = Some((value, snapshot.timestamp()));
    });
    let mut log = b.lock().expect("not poisoned").clone();
    log.sort_unstable();
    assert!(
        log.is_sorted_by(|left, right| left.0 < right.0 && left.1 < right.1),
        "{log:?}"
    );
    let (value, at) = seen.lock().expect("not poisoned").expect("it was read");
    let below = log.iter().filter(|commit| commit.1 < at).count() as u64;
    assert_eq!(value, below, "a snapshot at {at:?} of {log:?}");
}

/// The same for reads: a transaction has read what was committed before its timestamp, and nothing
/// else.
pub(super) fn timestamps_order_reads(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let written = Arc::new(Mutex::new(Vec::new()));
    let read = Arc::new(Mutex::new(Vec::new()));
    let (a, b) = (
        (db.clone(), table.clone(), written.clone()),
        (db, table, read.clone()),
    );
    tasks!(
        move || {
            for value in 1..3 {
                let tx = a.0.begin();
                tx.insert(&a.1, 0, value);
                let timestamp = tx.commit().expect("it only writes, and alone");
                a.2.lock().expect("not poisoned").push(timestamp);
            }
        },
        move || {
            for _ in 0..2 {
                let tx = b.0.begin();
                let seen = *tx.get(&b.1, &0).expect(STAYS);
                tx.insert(&b.1, 1, seen);
                if let Ok(timestamp) = tx.commit() {
                    b.2.lock().expect("not poisoned").push((seen, timestamp));
                }
            }
        },
    );
    let written = written.lock().expect("not poisoned");
    for &(seen, timestamp) in &*read.lock().expect("not poisoned") {
        let before = written.iter().filter(|&&at| at < timestamp).count();
        assert_eq!(
            seen, before as u64,
            "read at {timestamp:?} of what was written at {written:?}"
        );
    }
}

/// A transaction with a timestamp reads something newer: it moves on, or it is lost, but it sees
/// one state.
pub(super) fn extension(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0), (2, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            write(&a.0, &a.1, &[(2, 1)]);
            write(&a.0, &a.1, &[(0, 1), (1, 1)]);
        },
        move || {
            b.0.run(|tx| {
                // Takes a timestamp.
                assert_eq!(tx.get(&b.1, &9), None);
                let (first, second) = pair(tx, &b.1);
                let third = *tx.get(&b.1, &2).expect(STAYS);
                assert_eq!(first, second, "two states");
                assert!(third >= first, "two states");
                Ok::<_, ()>(tx.insert(&b.1, 3, first + second))
            })
            .expect("no error");
        },
    );
    let seen = db.view(|view| view.get(&table, &3).copied());
    assert!(matches!(seen, Some(0 | 2)), "{seen:?}");
}

/// Commits and snapshots whose readings may be equal.
pub(super) fn clock_ties(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
        (db, table),
    );
    tasks!(
        move || write(&a.0, &a.1, &[(0, 1), (1, 1)]),
        move || {
            let first = b.0.snapshot();
            let before = pair(&first, &b.1);
            let second = b.0.snapshot();
            let after = pair(&second, &b.1);
            assert!(before.0 == before.1 && after.0 == after.1, "two states");
            assert!(before <= after, "time went backwards");
        },
        move || {
            let before = c.0.view(|view| pair(view, &c.1));
            let after = pair(&c.0.snapshot(), &c.1);
            assert!(before.0 == before.1 && after.0 == after.1, "two states");
            assert!(before <= after, "time went backwards");
        },
    );
}

/// Two rows that are always written together are read from a snapshot, which reads at a timestamp.
pub(super) fn read_skew_of_a_snapshot(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(
        move || (1..3).for_each(|i| write(&a.0, &a.1, &[(0, i), (1, i)])),
        move || {
            let snapshot = b.0.snapshot();
            let seen = pair(&snapshot, &b.1);
            assert_eq!(seen.0, seen.1, "a snapshot of two states");
            assert_eq!(pair(&snapshot, &b.1), seen, "a snapshot that moved");
        },
    );
}
