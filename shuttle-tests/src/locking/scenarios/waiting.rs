//! Where wait-die and next-key locking can go wrong, and other scenarios hardly ever get to.

use super::library::Database;
use super::rows::{STAYS, add, keys, numbers, put, rows};
use super::{World, tasks};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn check_unlocked(db: &Database) {
    assert_eq!(db.stats().locks, 0, "locks are left behind");
}

/// An old writer waits for two readers, the older of which wants to write too: it need not wait for
/// who waits for it.
pub(super) fn raised_locks_beside_a_waiting_writer(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let [a, b, c] = [(); 3].map(|()| (db.clone(), table.clone()));
    tasks!(
        move || {
            a.0.run(|tx| {
                // So it is old when it comes to write.
                assert_eq!(tx.get(&a.1, &1), Some(&0));
                Ok::<_, ()>(tx.insert(&a.1, 0, 100))
            })
            .expect("no error");
        },
        move || add(&b.0, &b.1, 0, 1),
        move || add(&c.0, &c.1, 0, 1),
    );
    let value = db.view(|view| view.get(&table, &0).copied());
    assert!(matches!(value, Some(100..=102)), "{value:?}");
    check_unlocked(&db);
}

/// Only the older can be in a transaction's way, and each of them once: who comes later is younger,
/// however often it dies.
pub(super) fn losers_keep_their_age(world: World) {
    /// A thread takes two ages at a time.
    const OLDER: usize = 2;
    let (db, table) = numbers(world, &[(0, 0)]);
    let attempts = Arc::new(AtomicUsize::new(0));
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    let counted = attempts.clone();
    tasks!(
        move || (0..8).for_each(|_| add(&a.0, &a.1, 0, 1)),
        move || {
            b.0.run(|tx| {
                counted.fetch_add(1, Relaxed);
                let value = *tx.get(&b.1, &0).expect(STAYS);
                Ok::<_, ()>(tx.insert(&b.1, 0, value + 100))
            })
            .expect("no error");
        },
    );
    let value = db.view(|view| view.get(&table, &0).copied());
    assert_eq!(value, Some(108), "an update was lost");
    let attempts = attempts.load(Relaxed);
    assert!(attempts <= 1 + OLDER, "it took {attempts} attempts");
    check_unlocked(&db);
}

/// A scan looks some rows up ahead. One that comes in between before it gets there belongs to it.
pub(super) fn scan_beside_an_insert(world: World) {
    let (db, table) = rows(world, [10, 20, 30]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(move || put(&a.0, &a.1, 25), move || {
        b.0.view(|view| {
            assert_eq!(
                keys(view, &b.1),
                keys(view, &b.1),
                "a scan that missed a row"
            );
        });
    },);
    assert_eq!(db.view(|view| keys(view, &table)).len(), 4);
    check_unlocked(&db);
}
