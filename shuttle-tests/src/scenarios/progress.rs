//! Locks, losing, and not losing for ever.

use super::{STAYS, World, add, numbers, pair, tasks, write};
use mvcc_shuttle::RetryPolicy;
use shuttle::sync::{Barrier, Mutex};
use shuttle::thread;
use std::sync::Arc;

/// Transactions that write the same rows in opposite orders, and one that reads them.
pub(super) fn opposite_lock_orders(world: World) {
    let (db, table) = numbers(world, &[(0, 10), (1, 10)]);
    let transfer = |from: u32, to: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let (left, right) = (
                    *tx.get(&table, &from).expect(STAYS),
                    *tx.get(&table, &to).expect(STAYS),
                );
                tx.insert(&table, from, left - 1);
                Ok::<_, ()>(tx.insert(&table, to, right + 1))
            })
            .expect("no error");
        }
    };
    tasks!(transfer(0, 1), transfer(1, 0), transfer(0, 1));
    assert_eq!(db.view(|view| pair(view, &table)), (9, 11));
}

/// Transactions that read two rows and write one, among two that keep writing what they read. One
/// that has lost is run inside the gate: nobody else commits then, so what it has read stays the
/// newest, and only locks can be in its way.
pub(super) fn the_long_transaction_wins(world: World) {
    /// Losses after which it is run inside the gate.
    const LOSSES: u32 = 1;
    /// Rows that it reads, each with a writer of its own.
    const ROWS: u32 = 2;
    // Inside the gate, a row that it reads can only be locked, which costs the attempt that comes
    // by then; the next one waits for it when it reads. A writer locks its row once before it sees
    // the gate closed, and then waits. Before that it may have committed, and may still collect
    // garbage: its own and a neighbour's, which locks each row at most once, as a row's old
    // versions are all in one list. Nobody else locks the row that is written: it had no version
    // before that somebody could collect.
    const ATTEMPTS: u32 = LOSSES + 1 + ROWS * (1 + ROWS);
    const ROUNDS: u32 = 3;

    let policy = RetryPolicy::new().exclusive_after(LOSSES);
    let rows: Vec<_> = (0..ROWS + ROUNDS).map(|key| (key, 0)).collect();
    let (db, table) = numbers(world, &rows);
    let writer = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || (0..4).for_each(|_| add(&db, &table, key, 1))
    };
    let (a, b) = (db.clone(), table.clone());
    let long = move |round: u32| {
        let mut inside = None;
        a.run_with(&policy, |tx| {
            let seen = pair(tx, &b);
            if tx.attempt() > LOSSES {
                thread::yield_now();
                let newest = a.view(|view| pair(view, &b));
                let first = *inside.get_or_insert(seen);
                assert_eq!((seen, newest), (first, first), "a commit inside the gate");
            }
            assert!(tx.attempt() <= ATTEMPTS, "losses inside the gate");
            Ok::<_, ()>(tx.insert(&b, ROWS + round, seen.0 + seen.1))
        })
        .expect("no error");
    };
    tasks!(writer(0), writer(1), move || (0..ROUNDS).for_each(long));
    assert_eq!(
        db.view(|view| pair(view, &table)),
        (4, 4),
        "an update was lost"
    );
}

/// Transactions within transactions are on their own.
pub(super) fn nested_transactions(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            a.0.run(|tx| {
                let outer = *tx.get(&a.1, &0).expect(STAYS);
                add(&a.0, &a.1, 1, 1);
                let inner = a.0.view(|view| *view.get(&a.1, &1).expect(STAYS));
                assert!(inner >= 1, "the inner commit");
                Ok::<_, ()>(tx.insert(&a.1, 0, outer + 1))
            })
            .expect("no error");
        },
        move || add(&b.0, &b.1, 0, 1),
    );
    assert_eq!(
        db.view(|view| *view.get(&table, &0).expect(STAYS)),
        2,
        "an update was lost"
    );
    super::check_clean(&db, 2);
}

/// Three writers of overlapping pairs: whoever gets only one of its locks gives it back.
pub(super) fn partial_acquisition(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0), (2, 0)]);
    // It only writes, so only a lock can be in its way.
    let probe = db.begin();
    (0..3).for_each(|key| probe.insert(&table, key, 9));
    let buffered = Arc::new(Barrier::new(3));
    let committed = Arc::new(Mutex::new(Vec::new()));
    let writer = |value: u64, rows: [u32; 2]| {
        let (db, table) = (db.clone(), table.clone());
        let (buffered, committed) = (buffered.clone(), committed.clone());
        move || {
            let tx = db.begin();
            for key in rows {
                tx.insert(&table, key, value);
            }
            buffered.wait();
            if let Ok(timestamp) = tx.commit() {
                let mut committed = committed.lock().expect("not poisoned");
                committed.push((timestamp, value, rows));
            }
        }
    };
    tasks!(writer(1, [0, 1]), writer(2, [1, 2]), writer(3, [2, 0]));
    let after = db.snapshot();
    assert!(probe.commit().is_ok(), "a row is still locked");
    let mut committed = committed.lock().expect("not poisoned").clone();
    committed.sort_unstable();
    let mut expected = [0; 3];
    for &(_, value, rows) in &committed {
        for key in rows {
            expected[key as usize] = value;
        }
    }
    let seen = [0, 1, 2].map(|key| *after.get(&table, &key).expect(STAYS));
    assert_eq!(seen, expected, "after {committed:?}");
}

/// A commit that fails leaves its rows free.
pub(super) fn conflict_leaves_no_lock(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0), (2, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(
        move || {
            // It only writes, so only a lock can be in its way.
            let probe = a.0.begin();
            probe.insert(&a.1, 1, 9);
            let tx = a.0.begin();
            let seen = *tx.get(&a.1, &0).expect(STAYS);
            tx.insert(&a.1, 1, seen + 1);
            write(&a.0, &a.1, &[(0, 7)]);
            assert!(tx.commit().is_err(), "what it read has changed");
            assert!(probe.commit().is_ok(), "a row is still locked");
            assert_eq!(a.0.view(|view| pair(view, &a.1)), (7, 9));
        },
        move || add(&b.0, &b.1, 2, 1),
    );
}

/// Those who all reserve a row before they read it never lose.
pub(super) fn reserved_row(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let adder = || {
        let (db, table) = (db.clone(), table.clone());
        move || {
            for _ in 0..2 {
                let tx = db.begin();
                let value = *tx.reserve(&table, &0).expect("it stays");
                tx.insert(&table, 0, value + 1);
                tx.commit().expect("nobody else is at work on it");
            }
        }
    };
    tasks!(adder(), adder(), adder());
    assert_eq!(db.view(|view| view.get(&table, &0).copied()), Some(6));
    super::check_clean(&db, 1);
}

/// Reservations in opposite orders, of a row that comes and goes, and in a transaction within one
/// that has the same: nobody waits for ever.
pub(super) fn crossing_reservations(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let adder = |first: u32, second: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let rows = [first, second].map(|key| {
                    let value = tx.reserve(&table, &key).copied();
                    (key, value.unwrap_or(0))
                });
                for (key, value) in rows {
                    tx.insert(&table, key, value + 1);
                }
                if second == 2 {
                    let inner = db.begin();
                    inner.reserve(&table, &first);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
        }
    };
    tasks!(adder(0, 1), adder(1, 0), adder(2, 0), adder(1, 2));
    let row = |key: u32| db.view(|view| view.get(&table, &key).copied());
    assert_eq!([0, 1, 2].map(row), [Some(3), Some(3), Some(2)]);
}
