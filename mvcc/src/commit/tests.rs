//! Locking a write set, and letting go of it.

use super::*;
use crate::{Database, Table, Transaction};

fn database() -> (Database, Table<u64, u64>) {
    let db = Database::new();
    let table = db.table("t").expect("a new database");
    db.run(|tx| Ok::<_, ()>((0..5).for_each(|key| tx.insert(&table, key, key))))
        .expect("it commits");
    (db, table)
}

/// A transaction that writes to these keys.
fn writer<'db>(db: &'db Database, table: &Table<u64, u64>, keys: &[u64]) -> Transaction<'db> {
    let tx = db.begin();
    for key in keys {
        tx.insert(table, *key, 100);
    }
    tx
}

fn locked(writes: &[Write]) -> Vec<bool> {
    let is_locked = |write: &Write| {
        // SAFETY: the transaction is open.
        unsafe { write.tuple.as_ref() }.word().is_locked()
    };
    writes.iter().map(is_locked).collect()
}

#[test]
fn a_write_set_is_locked_whole_or_not_at_all() {
    let (db, table) = database();
    let (first, second) = (
        writer(&db, &table, &[2]),
        writer(&db, &table, &[0, 1, 2, 3, 4]),
    );
    let (mut first, mut second) = (first.footprint_mut(), second.footprint_mut());
    assert!(lock(first.writes.sort()).is_ok());
    let lost = lock(second.writes.sort()).expect_err("one of them is locked");
    assert_eq!(lost.cause, ConflictCause::WriteLocked);
    assert_eq!(
        locked(second.writes.entries())
            .iter()
            .filter(|it| **it)
            .count(),
        1
    );
    unlock(first.writes.sort());
    assert!(lock(second.writes.sort()).is_ok());
    assert_eq!(locked(second.writes.entries()), [true; 5]);
    unlock(second.writes.sort());
    assert_eq!(locked(second.writes.entries()), [false; 5]);
    drop((first, second));
    assert_eq!(
        db.view(|view| view.get(&table, &2).copied()),
        Some(2),
        "nothing was installed"
    );
}

#[test]
fn the_order_of_locking_is_the_same_whatever_the_order_of_writing() {
    let (db, table) = database();
    let tuples = |keys: &[u64]| -> Vec<_> {
        let tx = writer(&db, &table, keys);
        let mut footprint = tx.footprint_mut();
        footprint
            .writes
            .sort()
            .iter()
            .map(|write| write.tuple)
            .collect()
    };
    assert_eq!(tuples(&[0, 1, 2, 3, 4]), tuples(&[3, 1, 4, 0, 2]));
}

#[test]
fn a_conflict_leaves_nothing_locked_and_nothing_installed() {
    let (db, table) = database();
    let tx = writer(&db, &table, &[1, 2]);
    tx.get(&table, &0);
    db.run(|tx| Ok::<_, ()>(tx.insert(&table, 0, 7)))
        .expect("it commits");
    let shared = &db.inner().shared;
    let mut footprint = tx.footprint_mut();
    // SAFETY: the transaction's slot is open.
    let committed = footprint.commit(shared, tx.local.worker(), false, &mut Unwatched, unsafe {
        Protected::open()
    });
    assert!(committed.is_err_and(|lost| lost.cause == ConflictCause::ReadOverwritten));
    assert_eq!(locked(footprint.writes.entries()), [false; 2]);
    drop(footprint);
    assert_eq!(db.snapshot().get(&table, &1), Some(&1));
}

#[test]
fn a_commit_is_later_than_the_clock_before_and_earlier_than_the_clock_after() {
    let (db, table) = database();
    let shared = &db.inner().shared;
    let tx = writer(&db, &table, &[1]);
    let before = shared.memory.clock.now();
    // SAFETY: the transaction's slot is open.
    let protected = unsafe { Protected::open() };
    let worker = tx.local.worker();
    let committed = tx
        .footprint_mut()
        .commit(shared, worker, false, &mut Unwatched, protected);
    let Ok(Committed { timestamp, .. }) = committed else {
        panic!("nobody else is there")
    };
    assert!(before < timestamp && timestamp < shared.memory.clock.now());
}
