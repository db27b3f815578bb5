//! What a transaction remembers of its reads and writes, and what it leaves behind.

use super::*;
use crate::{Database, Table};

/// Keys 0 to 9, each with itself as its value.
fn database() -> (Database, Table<u64, u64>) {
    let db = Database::new();
    let table = db.table("t").expect("a new database");
    for key in 0..10 {
        put(&db, &table, key, key);
    }
    (db, table)
}

fn put(db: &Database, table: &Table<u64, u64>, key: u64, value: u64) {
    db.run(|tx| Ok::<_, ()>(tx.insert(table, key, value)))
        .expect("it commits");
}

impl Transaction<'_> {
    /// For the tests of the parts of a transaction.
    pub(crate) fn footprint_mut(&self) -> std::cell::RefMut<'_, Footprint> {
        self.footprint.borrow_mut()
    }
}

fn timestamp(tx: &Transaction<'_>) -> Option<u64> {
    tx.footprint.borrow().reads.timestamp()
}

#[test]
fn a_key_that_is_read_again_is_remembered_once() {
    let (db, table) = database();
    let tx = db.begin();
    for key in [1, 2, 1, 2] {
        assert_eq!(tx.get(&table, &key), Some(&key));
    }
    assert_eq!(tx.footprint.borrow().reads.entries.len(), 2);
    assert_eq!(timestamp(&tx), None);
}

#[test]
fn an_own_write_is_not_remembered_as_a_read() {
    let (db, table) = database();
    let tx = db.begin();
    tx.insert(&table, 1, 100);
    assert_eq!(tx.get(&table, &1), Some(&100));
    let footprint = tx.footprint.borrow();
    assert!(footprint.reads.entries.is_empty() && footprint.timed.is_empty());
}

#[test]
fn a_missing_key_is_an_absent_read_at_a_timestamp() {
    let (db, table) = database();
    let tx = db.begin();
    assert_eq!(tx.get(&table, &99), None);
    assert_eq!(tx.footprint.borrow().absent.len(), 1);
    assert!(timestamp(&tx).is_some());
}

#[test]
fn the_timestamp_moves_on_while_all_that_was_read_is_current() {
    let (db, table) = database();
    let tx = db.begin();
    assert_eq!((tx.get(&table, &1), tx.get(&table, &99)), (Some(&1), None));
    let before = timestamp(&tx);
    put(&db, &table, 2, 200);
    assert_eq!(tx.get(&table, &2), Some(&200));
    assert!(timestamp(&tx) > before && !tx.doomed.get());
}

#[test]
fn a_transaction_that_cannot_commit_any_more_goes_on_in_its_own_state() {
    let (db, table) = database();
    let tx = db.begin();
    assert_eq!((tx.get(&table, &1), tx.get(&table, &99)), (Some(&1), None));
    put(&db, &table, 1, 100);
    put(&db, &table, 2, 200);
    assert_eq!(tx.get(&table, &2), Some(&2), "as it was when 1 was 1");
    assert!(tx.doomed.get());
    tx.insert(&table, 3, 300);
    assert!(tx.commit().is_err());
}

#[test]
fn only_a_write_to_a_key_without_a_value_holds_its_tuple() {
    let (db, table) = database();
    let tx = db.begin();
    tx.insert(&table, 1, 100);
    tx.insert(&table, 99, 100);
    let held: Vec<_> = (tx.footprint.borrow().writes.entries().iter())
        .map(|write| write.held)
        .collect();
    assert_eq!(held, [false, true]);
    assert_eq!(db.stats().live_tuples, 11);
    tx.abort();
    db.collect();
    assert_eq!(
        db.stats().live_tuples,
        10,
        "the tuple was added for nothing"
    );
}

#[test]
fn a_transaction_gives_its_slot_back_however_it_ends() {
    let (db, table) = database();
    let ends: [fn(Transaction<'_>); 3] = [
        |tx| drop(tx),
        |tx| tx.abort(),
        |tx| assert!(tx.commit().is_ok()),
    ];
    for end in ends {
        let tx = db.begin();
        tx.insert(&table, 1, 100);
        assert_eq!(db.stats().live_snapshots, 1);
        end(tx);
        assert_eq!(db.stats().live_snapshots, 0);
    }
}
