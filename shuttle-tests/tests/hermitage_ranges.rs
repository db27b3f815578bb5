//! The anomalies of Kleppmann's Hermitage that have predicates, with ranges of keys for these,
//! stepped by hand on one thread.
//!
//! Each test shows its schedule, one line for a step, a column for a transaction.

use mvcc::{Database, OrderedTable, Read};
use std::ops::Range;

type Numbers = OrderedTable<u64, i64>;

/// Rows 10, 20, ... 60 of an ordered table, each with its key as its value.
fn six_rows() -> (Database, Numbers) {
    let db = Database::new();
    let table = db.ordered_table("numbers").expect("a new table");
    let tx = db.begin();
    for (key, value) in (10..70).step_by(10).zip((10..70).step_by(10)) {
        tx.insert(&table, key, value);
    }
    tx.commit().expect("alone");
    (db, table)
}

fn keys(read: &impl Read, table: &Numbers, range: Range<u64>) -> Vec<u64> {
    read.range(table, range).map(|(key, _)| *key).collect()
}

/// The predicate is a range of keys.
///
/// ```text
/// T1: 15 to 35 are 20, 30
///                 T2: 25 := 25
///                 T2: commit
/// T1: 15 to 35 are 20, 30
/// T1: 99 := 2
/// T1: commit fails
/// ```
#[test]
fn pmp_in_a_range() {
    let (db, table) = six_rows();
    let (t1, t2) = (db.begin(), db.begin());
    assert_eq!(keys(&t1, &table, 15..35), [20, 30]);
    t2.insert(&table, 25, 25);
    t2.commit().expect("it has read nothing");
    assert_eq!(keys(&t1, &table, 15..35), [20, 30]);
    t1.insert(&table, 99, 2);
    t1.commit().expect_err("there are three rows now");
    assert_eq!(
        keys(&db.snapshot(), &table, 0..100),
        [10, 20, 25, 30, 40, 50, 60]
    );
}

/// A range that is empty is read as well.
///
/// ```text
/// T1: 31 to 39 are none
///                 T2: 41 to 49 are none
/// T1: 45 := 1
///                 T2: 35 := 1
/// T1: commit
///                 T2: commit fails
/// ```
#[test]
fn g2_in_two_ranges() {
    let (db, table) = six_rows();
    let (t1, t2) = (db.begin(), db.begin());
    assert_eq!(keys(&t1, &table, 31..39), []);
    assert_eq!(keys(&t2, &table, 41..49), []);
    t1.insert(&table, 45, 1);
    t2.insert(&table, 35, 1);
    t1.commit().expect("nobody has committed in between");
    t2.commit().expect_err("it would be before T1 and after");
    assert_eq!(keys(&db.snapshot(), &table, 31..49), [40, 45]);
}

/// What a scan stopped before, it has not read; and what it came by, it has.
///
/// ```text
/// T1: the first two are 10, 20
/// T1: the last one is 60
///                 T2: delete 40
///                 T2: commit
/// T1: 1 := 1
/// T1: commit
///                                 T3: the first one is 1
///                                 T4: 0 := 0
///                                 T4: commit
///                                 T3: 2 := 2
///                                 T3: commit fails
/// ```
#[test]
fn g2_in_ranges_with_a_limit() {
    let (db, table) = six_rows();
    let (t1, t2) = (db.begin(), db.begin());
    let first: Vec<_> = t1.range(&table, ..).map(|(key, _)| *key).take(2).collect();
    assert_eq!(first, [10, 20]);
    assert_eq!(t1.last(&table), Some((&60, &60)));
    t2.remove(&table, &40);
    t2.commit().expect("it has read nothing");
    t1.insert(&table, 1, 1);
    t1.commit().expect("it has not come by row 40");
    let (t3, t4) = (db.begin(), db.begin());
    assert_eq!(t3.first(&table), Some((&1, &1)));
    t4.insert(&table, 0, 0);
    t4.commit().expect("it has read nothing");
    t3.insert(&table, 2, 2);
    t3.commit().expect_err("another row is the first now");
    assert_eq!(
        keys(&db.snapshot(), &table, 0..70),
        [0, 1, 10, 20, 30, 50, 60]
    );
}

/// Read-modify-write of all rows of a range, against a removal in it.
///
/// ```text
/// T1: 15 to 45 := + 1
///                 T2: delete 30
///                 T2: commit
/// T1: commit fails
/// ```
#[test]
fn pmp_for_writes_in_a_range() {
    let (db, table) = six_rows();
    let (t1, t2) = (db.begin(), db.begin());
    for key in keys(&t1, &table, 15..45) {
        assert!(t1.update(&table, &key, |value| value + 1));
    }
    t2.remove(&table, &30);
    t2.commit().expect("it has read nothing");
    t1.commit().expect_err("row 30 is gone");
    let left: Vec<_> = db
        .snapshot()
        .iter(&table)
        .map(|(_, value)| *value)
        .collect();
    assert_eq!(left, [10, 20, 40, 50, 60]);
}
