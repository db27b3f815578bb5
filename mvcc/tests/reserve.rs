//! Transactions that take turns.

use mvcc::{Database, Table};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn numbers() -> (Database, Table<u64, u64>) {
    let db = Database::new();
    let table = db.table("numbers").expect("new");
    db.run(|tx| {
        (0..4).for_each(|key| tx.insert(&table, key, 0));
        Ok::<_, ()>(())
    })
    .expect("no error");
    (db, table)
}

/// Does something on another thread, and says how long it took there.
fn elsewhere(work: impl FnOnce() + Send) -> Duration {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let start = Instant::now();
            work();
            start.elapsed()
        });
        thread.join().expect("it does not panic")
    })
}

/// Without reservations, the first one loses each time. A thread may be preempted for longer than
/// anybody waits, but not half of the time.
#[test]
fn who_reserves_first_is_waited_for() {
    const ROUNDS: u64 = 50;
    let (db, table) = numbers();
    let add = |key: u64, reserved: &dyn Fn()| {
        db.run(|tx| {
            let value = tx.reserve(&table, &key).copied().expect("it is there");
            reserved();
            Ok::<_, ()>(tx.insert(&table, key, value + 1))
        })
        .expect("no error");
    };
    for _ in 0..ROUNDS {
        let (reserved, is_reserved) = mpsc::channel();
        std::thread::scope(|scope| {
            let add = &add;
            scope.spawn(move || {
                add(1, &|| {
                    let _ = reserved.send(());
                    std::thread::sleep(Duration::from_millis(1));
                });
            });
            is_reserved.recv().expect("it is reserved");
            add(1, &|| ());
        });
    }
    let value = db.view(|view| view.get(&table, &1).copied());
    assert_eq!(value, Some(2 * ROUNDS));
    let lost = db.stats().conflicts;
    assert!(lost < ROUNDS / 2, "{lost} of {ROUNDS} have lost");
}

#[test]
fn nobody_waits_for_another_key_or_for_one_without_a_reservation() {
    let (db, table) = numbers();
    let mut waited = Duration::ZERO;
    for round in 0..100 {
        let tx = db.begin();
        assert_eq!(tx.reserve(&table, &1), Some(&round));
        waited += elsewhere(|| {
            let other = db.begin();
            assert_eq!(other.reserve(&table, &2), Some(&0));
            assert_eq!(other.reserve(&table, &7), None);
            // The second one is taken only if it is free.
            assert_eq!(other.reserve(&table, &1), Some(&round));
            other.insert(&table, 1, round + 1);
            other.commit().expect("it is only advice");
        });
        tx.insert(&table, 1, 0);
        tx.commit().expect_err("it was overwritten");
    }
    // It would be a second.
    assert!(waited < Duration::from_millis(500), "{waited:?}");
}

#[test]
fn a_thread_does_not_wait_for_itself_and_a_forgotten_reservation_is_given_up_on() {
    let (db, table) = numbers();
    let outer = db.begin();
    assert_eq!(outer.reserve(&table, &1), Some(&0));
    assert_eq!(outer.reserve(&table, &1), Some(&0));
    let inner = db.begin();
    assert_eq!(inner.reserve(&table, &1), Some(&0));
    drop(inner);
    std::mem::forget(outer);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let tx = db.begin();
            assert_eq!(tx.reserve(&table, &1), Some(&0), "after some time");
            tx.insert(&table, 1, 1);
            tx.commit().expect("nobody else writes");
        });
    });
}

#[test]
fn a_reservation_ends_with_its_transaction_also_by_a_panic() {
    let (db, table) = numbers();
    let mut waited = Duration::ZERO;
    for _ in 0..100 {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            db.run(|tx| -> Result<(), ()> {
                tx.reserve(&table, &1);
                resume_unwind(Box::new("in the middle"));
            })
        }));
        assert!(panicked.is_err());
        let tx = db.begin();
        tx.reserve(&table, &2);
        tx.abort();
        waited += elsewhere(|| {
            for key in [1, 2] {
                let tx = db.begin();
                tx.reserve(&table, &key);
            }
        });
    }
    // It would be two seconds.
    assert!(waited < Duration::from_millis(500), "{waited:?}");
}
