//! Locks, losing, and not losing for ever.

use super::{World, add, numbers, pair, tasks, write};
use shuttle::sync::Mutex;
use std::sync::Arc;

/// Transactions that write the same rows in opposite orders, and one that reads them.
pub(super) fn opposite_lock_orders(world: World) {
    let (db, table) = numbers(world, &[(0, 10), (1, 10)]);
    let transfer = |from: u32, to: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let (left, right) = (
                    *tx.get(&table, &from).expect("it stays"),
                    *tx.get(&table, &to).expect("it stays"),
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

/// A transaction that reads everything and writes one row, among two that keep writing what it reads.
pub(super) fn the_long_transaction_wins(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0), (2, 0)]);
    let attempts = Arc::new(Mutex::new(0));
    let writer = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || (0..4).for_each(|_| add(&db, &table, key, 1))
    };
    let (a, b) = ((db.clone(), table.clone()), attempts.clone());
    tasks!(writer(0), writer(1), move || {
        a.0.run(|tx| {
            *b.lock().expect("not poisoned") += 1;
            let (first, second) = pair(tx, &a.1);
            Ok::<_, ()>(tx.insert(&a.1, 2, first + second))
        })
        .expect("no error");
    });
    assert_eq!(
        db.view(|view| pair(view, &table)),
        (4, 4),
        "an update was lost"
    );
    // Two that it may lose, one inside the gate. Each of the two others can cost one more, by the locks that it held before the gate was closed.
    let attempts = *attempts.lock().expect("not poisoned");
    assert!(attempts <= 5, "it took {attempts} attempts");
}

/// Transactions within transactions are on their own.
pub(super) fn nested_transactions(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            a.0.run(|tx| {
                let outer = *tx.get(&a.1, &0).expect("it stays");
                add(&a.0, &a.1, 1, 1);
                let inner = a.0.view(|view| *view.get(&a.1, &1).expect("it stays"));
                assert!(inner >= 1, "the inner commit");
                Ok::<_, ()>(tx.insert(&a.1, 0, outer + 1))
            })
            .expect("no error");
        },
        move || add(&b.0, &b.1, 0, 1),
    );
    assert_eq!(
        db.view(|view| *view.get(&table, &0).expect("it stays")),
        2,
        "an update was lost"
    );
    super::check_clean(&db, 2);
}

/// Three writers of overlapping pairs: whoever gets only one of its locks gives it back.
pub(super) fn partial_acquisition(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0), (2, 0)]);
    let writer = |value: u64, rows: [u32; 2]| {
        let (db, table) = (db.clone(), table.clone());
        move || write(&db, &table, &rows.map(|key| (key, value)))
    };
    tasks!(writer(1, [0, 1]), writer(2, [1, 2]), writer(3, [2, 0]));
    let row = |key: u32| db.view(|view| *view.get(&table, &key).expect("it stays"));
    let seen = [row(0), row(1), row(2)];
    // Whoever was last has both of its rows.
    let whole = [
        seen[0] == 1 && seen[1] == 1,
        seen[1] == 2 && seen[2] == 2,
        seen[2] == 3 && seen[0] == 3,
    ];
    assert!(whole.contains(&true), "{seen:?} comes of no order");
}

/// A commit that fails leaves its rows free.
pub(super) fn conflict_leaves_no_lock(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0), (2, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(
        move || {
            let tx = a.0.begin();
            let seen = *tx.get(&a.1, &0).expect("it stays");
            tx.insert(&a.1, 1, seen + 1);
            write(&a.0, &a.1, &[(0, 7)]);
            assert!(tx.commit().is_err(), "what it read has changed");
            let tx = a.0.begin();
            tx.insert(&a.1, 1, 9);
            assert!(tx.commit().is_ok(), "a row is still locked");
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

/// Reservations in opposite orders, of a row that comes and goes, and in a transaction within one that has the same: nobody waits for ever.
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
