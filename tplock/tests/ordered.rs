//! Ordered tables: ranges, phantoms and own writes under a scan.

use std::ops::Bound;
use tplock::{Attempt, Conflict, Database, OrderedTable, Read, Transaction};

type Rows = OrderedTable<u64, u64>;

fn filled(keys: impl IntoIterator<Item = u64>) -> (Database, Rows) {
    let db = Database::new();
    let table = db.ordered_table("t").expect("new");
    for key in keys {
        db.run(|tx| Ok::<_, ()>(tx.insert(&table, key, key)))
            .expect("no error");
    }
    (db, table)
}

fn keys<'r>(rows: impl Iterator<Item = (&'r u64, &'r u64)>) -> Vec<u64> {
    rows.map(|(key, _)| *key).collect()
}

fn assert_clean(db: &Database, rows: usize) {
    let stats = db.stats();
    assert_eq!((stats.tuples, stats.locks), (rows, 0));
}

#[test]
fn ranges_from_both_ends_have_every_key_in_order() {
    fn check<R: Read>(read: &R, table: &Rows, all: &[u64]) {
        let mut ranges: Vec<_> = [
            (0, 1000),
            (7, 8),
            (100, 100),
            (101, 303),
            (990, 2000),
            (50, 20),
        ]
        .map(|(start, end)| (Bound::Included(start), Bound::Excluded(end)))
        .to_vec();
        ranges.push((Bound::Excluded(4), Bound::Included(10)));
        ranges.push((Bound::Excluded(4), Bound::Excluded(10)));
        ranges.push((Bound::Included(20), Bound::Unbounded));
        ranges.push((Bound::Unbounded, Bound::Included(20)));
        for range in ranges {
            use std::ops::RangeBounds;
            let inside = all.iter().copied().filter(|key| range.contains(key));
            let expected: Vec<_> = inside.collect();
            let (up, mut down) = (
                keys(read.range(table, range)),
                keys(read.range(table, range).rev()),
            );
            down.reverse();
            assert_eq!((&up, &down), (&expected, &expected), "{range:?}");
        }
    }
    let (db, table) = filled((0..500).map(|i| i * 2));
    let all: Vec<_> = (0..500).map(|i| i * 2).collect();
    db.view(|view| check(view, &table, &all));
    db.run(|tx| Ok::<_, ()>(check(tx, &table, &all)))
        .expect("no error");
    db.view(|view| {
        assert_eq!(keys(view.iter(&table)), all);
        let ends = (view.first(&table), view.last(&table));
        assert_eq!(ends, (Some((&0, &0)), Some((&998, &998))));
    });
    assert_clean(&db, 500);
}

#[test]
fn a_range_taken_from_both_ends_at_once_meets_in_the_middle() {
    let (db, table) = filled(0..300);
    db.view(|view| {
        let mut rows = view.range(&table, 0..300);
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for i in 0.. {
            let row = if i % 3 == 0 {
                rows.next_back()
            } else {
                rows.next()
            };
            let Some((key, _)) = row else { break };
            if i % 3 == 0 {
                down.push(*key);
            } else {
                up.push(*key);
            }
        }
        assert!(rows.next().is_none() && rows.next_back().is_none());
        down.reverse();
        up.extend(down);
        assert_eq!(up, (0..300).collect::<Vec<_>>());
    });
}

#[test]
fn keys_that_own_memory_are_looked_up_by_what_they_borrow() {
    fn names<'r>(rows: impl Iterator<Item = (&'r String, &'r u32)>) -> Vec<String> {
        rows.map(|(name, _)| name.clone()).collect()
    }
    let db = Database::new();
    let table: OrderedTable<String, u32> = db.ordered_table("names").expect("new");
    db.run(|tx| {
        for (number, name) in (0..).zip(["ada", "bob", "cleo", "dora"]) {
            tx.insert(&table, name.to_owned(), number);
        }
        Ok::<_, ()>(tx.remove(&table, "bob"))
    })
    .expect("no error");
    db.view(|view| {
        let found = (view.get(&table, "cleo"), view.get(&table, "bob"));
        assert_eq!(found, (Some(&2), None));
        let from_b = (Bound::Included("b"), Bound::<&str>::Unbounded);
        assert_eq!(
            names(view.range::<_, _, str>(&table, from_b)),
            ["cleo", "dora"]
        );
        let to_cleo = "b".to_owned()..="cleo".to_owned();
        assert_eq!(names(view.range(&table, to_cleo)), ["cleo"]);
    });
    assert_clean(&db, 3);
}

#[test]
fn a_scan_sees_the_transactions_own_writes() {
    fn check(tx: &Transaction, table: &Rows) {
        tx.insert(table, 15, 1);
        tx.insert(table, 20, 2);
        tx.remove(table, &10);
        tx.insert(table, 40, 4);
        tx.remove(table, &40);
        let rows = tx.range(table, 0..100).map(|(key, value)| (*key, *value));
        assert_eq!(rows.collect::<Vec<_>>(), [(15, 1), (20, 2), (30, 30)]);
        assert_eq!(tx.first(table), Some((&15, &1)));
    }
    let (db, table) = filled([10, 20, 30]);
    db.run(|tx| Ok::<_, ()>(check(tx, &table)))
        .expect("no error");
    assert_eq!(db.view(|view| keys(view.iter(&table))), [15, 20, 30]);
    assert_clean(&db, 3);
}

/// Rows that a transaction inserts or removes ahead of its own iteration.
#[test]
fn an_iteration_comes_to_what_its_transaction_writes_ahead_of_it() {
    let (db, table) = filled([10, 20, 30, 40, 50, 60]);
    let seen = db.run(|tx| {
        let mut rows = tx.range(&table, ..);
        let mut seen = keys(rows.by_ref().take(3));
        tx.insert(&table, 35, 35);
        tx.remove(&table, &40);
        tx.insert(&table, 5, 5);
        tx.insert(&table, 55, 55);
        seen.extend(keys(rows));
        Ok::<_, ()>(seen)
    });
    assert_eq!(seen, Ok(vec![10, 20, 30, 35, 50, 55, 60]));
    assert_clean(&db, 8);
}

/// Reads with `read` in an older transaction, and tells whether a younger one may then do `other`.
fn allows(
    initial: impl IntoIterator<Item = u64>,
    read: impl FnOnce(&Attempt, &Rows) -> Result<(), Conflict>,
    other: impl FnOnce(&Attempt, &Rows) -> Result<(), Conflict>,
) -> bool {
    let (db, table) = filled(initial);
    let (older, younger) = (db.begin(), db.begin());
    read(&older, &table).expect("nobody is older");
    let done = other(&younger, &table);
    assert_eq!(younger.commit().is_ok(), done.is_ok());
    older.insert(&table, 1_000_000, 1).expect("nobody is older");
    older.commit().expect("it has all its locks");
    let rows = db.view(|view| view.iter(&table).count());
    assert_clean(&db, rows);
    done.is_ok()
}

fn found<'r>(
    rows: impl Iterator<Item = Result<(&'r u64, &'r u64), Conflict>>,
) -> Result<Vec<u64>, Conflict> {
    rows.map(|row| Ok(*row?.0)).collect()
}

fn put(key: u64) -> impl FnOnce(&Attempt, &Rows) -> Result<(), Conflict> {
    move |tx, table| tx.insert(table, key, key)
}

fn delete(key: u64) -> impl FnOnce(&Attempt, &Rows) -> Result<(), Conflict> {
    move |tx, table| tx.remove(table, &key)
}

/// What lies between the range and its neighbours is locked as well: 11 to 19 and 51 to 59.
#[test]
fn nothing_appears_in_a_range_or_leaves_it() {
    let tens = || (0..20).map(|i| i * 10);
    let scan = |tx: &Attempt, table: &Rows| {
        Ok(assert_eq!(
            found(tx.range(table, 20..56))?,
            [20, 30, 40, 50]
        ))
    };
    for key in [35, 51, 55, 40, 20, 50, 21] {
        assert!(!allows(tens(), scan, put(key)), "{key} is inside");
    }
    assert!(!allows(tens(), scan, delete(40)));
    assert!(!allows(tens(), scan, |tx, table| {
        tx.remove(table, &40)?;
        tx.insert(table, 40, 4)
    }));
    for key in [60, 61, 10, 5, 1000] {
        assert!(allows(tens(), scan, put(key)), "{key} is outside");
    }
    assert!(allows(tens(), scan, delete(60)));
    let empty = |tx: &Attempt, table: &Rows| Ok(assert_eq!(found(tx.range(table, 21..29))?, []));
    assert!(!allows(tens(), empty, put(25)));
    assert!(allows(tens(), empty, put(20)));
    assert!(allows(tens(), empty, put(31)));
}

#[test]
fn a_limited_scan_is_protected_as_far_as_it_went() {
    let tens = || (0..40).map(|i| i * 10);
    let three = |tx: &Attempt, table: &Rows| {
        Ok(assert_eq!(
            found(tx.range(table, 20..300).take(3))?,
            [20, 30, 40]
        ))
    };
    let allowed = |key| [41, 45, 50, 290, 5].contains(&key);
    for key in [25, 39, 20, 40, 41, 45, 50, 290, 5] {
        assert_eq!(allows(tens(), three, put(key)), allowed(key), "{key}");
    }
    assert!(allows(tens(), three, delete(50)));
    assert!(!allows(tens(), three, delete(40)));
    let back = |tx: &Attempt, table: &Rows| {
        let rows = tx.range(table, 20..300).rev();
        Ok(assert_eq!(found(rows.take(3))?, [290, 280, 270]))
    };
    let allowed = |key| [269, 260, 20, 300, 305].contains(&key);
    for key in [295, 275, 270, 290, 269, 260, 20, 300, 305] {
        assert_eq!(allows(tens(), back, put(key)), allowed(key), "{key}");
    }
    let first = |tx: &Attempt, table: &Rows| Ok(assert_eq!(found(tx.iter(table).take(1))?, [0]));
    assert!(allows(tens(), first, put(5)));
    assert!(!allows(tens(), first, delete(0)));
    let last = |tx: &Attempt, table: &Rows| {
        Ok(assert_eq!(
            found(tx.range::<_, _, u64>(table, ..).rev().take(1))?,
            [390]
        ))
    };
    assert!(!allows(tens(), last, put(391)));
    assert!(allows(tens(), last, put(385)));
}

#[test]
fn an_absent_key_does_not_appear() {
    let tens = || (0..20).map(|i| i * 10);
    let absent = |tx: &Attempt, table: &Rows| Ok(assert_eq!(tx.get(table, &25)?, None));
    assert!(!allows(tens(), absent, put(25)));
    assert!(allows(tens(), absent, put(35)));
    assert!(allows(tens(), absent, delete(20)));
    let behind = |tx: &Attempt, table: &Rows| Ok(assert_eq!(tx.get(table, &999)?, None));
    assert!(!allows(tens(), behind, put(999)));
    assert!(!allows([], behind, put(999)));
    // A key that is about to be removed by the reader itself is absent for it.
    let removed = |tx: &Attempt, table: &Rows| {
        tx.remove(table, &20)?;
        Ok(assert_eq!(found(tx.range(table, 15..25))?, []))
    };
    assert!(!allows(tens(), removed, put(20)));
    assert!(!allows(tens(), removed, put(22)));
    assert!(allows(tens(), removed, put(35)));
}

/// An insert divides the gap that its transaction has read; it has read both halves.
#[test]
fn both_halves_of_a_gap_stay_shared() {
    let read_and_divide = |tx: &Attempt, table: &Rows| {
        assert_eq!(found(tx.range(table, 11..19))?, []);
        tx.insert(table, 15, 15)
    };
    for key in [13, 17] {
        assert!(!allows([10, 20], read_and_divide, put(key)), "{key}");
    }
    // Who has not read it has no part of it once the key is in.
    assert!(allows([10, 20], put(15), put(13)));
    assert!(allows([10, 20], put(15), put(17)));
}

#[test]
fn inserting_what_was_found_missing_commits() {
    let (db, table) = filled([]);
    for key in 0..100 {
        db.run(|tx| {
            assert_eq!(tx.get(&table, &key), None);
            assert_eq!(keys(tx.range(&table, key..)), []);
            tx.insert(&table, key, key);
            Ok::<_, ()>(assert_eq!(keys(tx.range(&table, key..)), [key]))
        })
        .expect("no error");
    }
    assert_clean(&db, 100);
}

#[test]
fn two_scanners_that_insert_into_each_others_range_come_one_after_the_other() -> Result<(), Conflict>
{
    let (db, table) = filled([1, 2, 3]);
    let (older, younger) = (db.begin(), db.begin());
    for tx in [&older, &younger] {
        assert_eq!(found(tx.range::<_, _, u64>(&table, ..))?.len(), 3);
    }
    assert!(younger.insert(&table, 11, 3).is_err());
    drop(younger);
    older.insert(&table, 10, 3)?;
    older.commit()
}

#[test]
#[should_panic(expected = "belongs to another database")]
fn a_range_of_another_databases_table_is_refused() {
    let (_, table) = filled([1]);
    Database::new().view(|view| view.range(&table, ..5).count());
}
