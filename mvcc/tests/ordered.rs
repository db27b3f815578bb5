//! Ordered tables: ranges, phantoms, own writes under a scan, and what stays in memory.

use mvcc::{Database, OrderedTable, Read, Snapshot, TableError, Transaction};
use std::collections::BTreeMap;
use std::ops::Bound;

fn filled(keys: impl IntoIterator<Item = u64>) -> (Database, OrderedTable<u64, u64>) {
    let db = Database::new();
    let table = db.ordered_table("t").expect("new");
    for key in keys {
        put(&db, &table, key);
    }
    (db, table)
}

fn put(db: &Database, table: &OrderedTable<u64, u64>, key: u64) {
    db.run(|tx| Ok::<_, ()>(tx.insert(table, key, key)))
        .expect("no error");
}

fn delete(db: &Database, table: &OrderedTable<u64, u64>, key: u64) {
    db.run(|tx| Ok::<_, ()>(tx.remove(table, &key)))
        .expect("no error");
}

fn keys<'r>(rows: impl Iterator<Item = (&'r u64, &'r u64)>) -> Vec<u64> {
    rows.map(|(key, _)| *key).collect()
}

fn both<R: Read>(
    read: &R,
    table: &OrderedTable<u64, u64>,
    start: Bound<u64>,
    end: Bound<u64>,
) -> (Vec<u64>, Vec<u64>) {
    (
        keys(read.range(table, (start, end))),
        keys(read.range(table, (start, end)).rev()),
    )
}

#[test]
fn ranges_from_both_ends_have_every_key_in_order() {
    let (db, table) = filled((0..500).map(|i| i * 2));
    let all: Vec<_> = (0..500).map(|i| i * 2).collect();
    let check = |read: &dyn Fn(Bound<u64>, Bound<u64>) -> (Vec<u64>, Vec<u64>)| {
        for (start, end) in [
            (0, 1000),
            (7, 8),
            (100, 100),
            (101, 303),
            (990, 2000),
            (50, 20),
        ] {
            let expected: Vec<_> = all
                .iter()
                .copied()
                .filter(|key| (start..end).contains(key))
                .collect();
            let (up, mut down) = read(Bound::Included(start), Bound::Excluded(end));
            down.reverse();
            assert_eq!((&up, &down), (&expected, &expected));
        }
        let (up, _) = read(Bound::Excluded(4), Bound::Included(10));
        assert_eq!(up, [6, 8, 10]);
    };
    let snapshot = db.snapshot();
    check(&|start, end| both(&snapshot, &table, start, end));
    check(&|start, end| db.view(|view| both(view, &table, start, end)));
    let tx = db.begin();
    check(&|start, end| both(&tx, &table, start, end));
    assert_eq!(keys(tx.iter(&table)), all);
    assert_eq!(
        (tx.first(&table), tx.last(&table)),
        (Some((&0, &0)), Some((&998, &998)))
    );
    assert_eq!(keys(snapshot.range(&table, 20..)).len(), 490);
    assert_eq!(keys(snapshot.range(&table, ..=20)).len(), 11);
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
    let db = Database::new();
    let table: OrderedTable<String, u32> = db.ordered_table("names").expect("new");
    db.run(|tx| {
        for (number, name) in (0..).zip(["ada", "bob", "cleo", "dora"]) {
            tx.insert(&table, name.to_owned(), number);
        }
        Ok::<_, ()>(tx.remove(&table, "bob"))
    })
    .expect("no error");
    let tx = db.begin();
    assert_eq!(
        (tx.get(&table, "cleo"), tx.get(&table, "bob")),
        (Some(&2), None)
    );
    let names = |rows: &mut dyn Iterator<Item = (&String, &u32)>| -> Vec<String> {
        rows.map(|(name, _)| name.clone()).collect()
    };
    let some = (Bound::Included("b"), Bound::<&str>::Unbounded);
    assert_eq!(
        names(&mut tx.range::<_, _, str>(&table, some)),
        ["cleo", "dora"]
    );
    assert_eq!(
        names(&mut tx.range(&table, "b".to_owned()..="cleo".to_owned())),
        ["cleo"]
    );
}

#[test]
fn a_scan_sees_the_transactions_own_writes() {
    let (db, table) = filled([10, 20, 30]);
    let tx = db.begin();
    tx.insert(&table, 15, 1);
    tx.insert(&table, 20, 2);
    tx.remove(&table, &10);
    tx.insert(&table, 40, 4);
    tx.remove(&table, &40);
    let rows: Vec<_> = tx
        .range(&table, 0..100)
        .map(|(key, value)| (*key, *value))
        .collect();
    assert_eq!(rows, [(15, 1), (20, 2), (30, 30)]);
    assert_eq!(tx.first(&table), Some((&15, &1)));
    assert!(tx.commit().is_ok());
    assert_eq!(keys(db.snapshot().iter(&table)), [15, 20, 30]);
}

/// Reads with `read`, lets `other` commit, and tells whether a commit with a write of its own then
/// succeeds.
fn commits(
    initial: impl IntoIterator<Item = u64>,
    read: impl FnOnce(&Transaction<'_>, &OrderedTable<u64, u64>),
    other: impl FnOnce(&Database, &OrderedTable<u64, u64>),
) -> bool {
    let (db, table) = filled(initial);
    let tx = db.begin();
    read(&tx, &table);
    other(&db, &table);
    tx.insert(&table, 1_000_000, 1);
    tx.commit().is_ok()
}

#[test]
fn a_phantom_is_a_conflict() {
    let tens = || (0..20).map(|i| i * 10);
    let scan = |tx: &Transaction<'_>, table: &OrderedTable<u64, u64>| {
        assert_eq!(keys(tx.range(table, 20..60)), [20, 30, 40, 50]);
    };
    assert!(commits(tens(), scan, |_, _| ()));
    assert!(
        !commits(tens(), scan, |db, table| put(db, table, 35)),
        "insert"
    );
    assert!(
        !commits(tens(), scan, |db, table| put(db, table, 59)),
        "insert behind the last row"
    );
    assert!(
        !commits(tens(), scan, |db, table| put(db, table, 40)),
        "overwrite"
    );
    assert!(
        !commits(tens(), scan, |db, table| delete(db, table, 40)),
        "delete"
    );
    assert!(
        !commits(tens(), scan, |db, table| {
            delete(db, table, 40);
            db.collect();
            put(db, table, 40);
        }),
        "delete and re-insert"
    );
    for outside in [19, 60, 61, 10, 5, 1000] {
        assert!(
            commits(tens(), scan, |db, table| put(db, table, outside)),
            "{outside} is outside"
        );
    }
    let empty = |tx: &Transaction<'_>, table: &OrderedTable<u64, u64>| {
        assert_eq!(keys(tx.range(table, 21..29)), []);
    };
    assert!(!commits(tens(), empty, |db, table| put(db, table, 25)));
    assert!(commits(tens(), empty, |db, table| put(db, table, 20)));
    assert!(commits(tens(), empty, |db, table| put(db, table, 29)));
}

#[test]
fn a_limited_scan_is_protected_as_far_as_it_went() {
    let tens = || (0..40).map(|i| i * 10);
    let three = |tx: &Transaction<'_>, table: &OrderedTable<u64, u64>| {
        assert_eq!(keys(tx.range(table, 20..300).take(3)), [20, 30, 40]);
    };
    for (key, allowed) in [
        (25, false),
        (39, false),
        (20, false),
        (41, true),
        (45, true),
        (50, true),
        (290, true),
        (15, true),
    ] {
        assert_eq!(
            commits(tens(), three, |db, table| put(db, table, key)),
            allowed,
            "{key}"
        );
    }
    assert!(commits(tens(), three, |db, table| delete(db, table, 50)));
    assert!(!commits(tens(), three, |db, table| delete(db, table, 40)));
    let back = |tx: &Transaction<'_>, table: &OrderedTable<u64, u64>| {
        assert_eq!(
            keys(tx.range(table, 20..300).rev().take(3)),
            [290, 280, 270]
        );
    };
    for (key, allowed) in [
        (295, false),
        (275, false),
        (270, false),
        (269, true),
        (260, true),
        (20, true),
        (300, true),
    ] {
        assert_eq!(
            commits(tens(), back, |db, table| put(db, table, key)),
            allowed,
            "{key}"
        );
    }
    let first = |tx: &Transaction<'_>, table: &OrderedTable<u64, u64>| {
        assert_eq!(tx.first(table), Some((&0, &0)));
    };
    assert!(commits(tens(), first, |db, table| put(db, table, 5)));
    assert!(!commits(tens(), first, |db, table| delete(db, table, 0)));
    let last = |tx: &Transaction<'_>, table: &OrderedTable<u64, u64>| {
        assert_eq!(tx.last(table), Some((&390, &390)));
    };
    assert!(!commits(tens(), last, |db, table| put(db, table, 391)));
    assert!(commits(tens(), last, |db, table| put(db, table, 385)));
}

#[test]
fn an_absent_key_that_appears_is_a_conflict() {
    let tens = || (0..20).map(|i| i * 10);
    let absent =
        |tx: &Transaction<'_>, table: &OrderedTable<u64, u64>| assert_eq!(tx.get(table, &25), None);
    assert!(!commits(tens(), absent, |db, table| put(db, table, 25)));
    assert!(commits(tens(), absent, |db, table| put(db, table, 24)));
    assert!(commits(tens(), absent, |db, table| {
        put(db, table, 26);
        delete(db, table, 20);
    }));
    // A key that was there once and is only a tombstone.
    let (db, table) = filled(tens());
    let keep = db.snapshot();
    delete(&db, &table, 20);
    let tx = db.begin();
    assert_eq!(tx.get(&table, &20), None);
    put(&db, &table, 20);
    tx.insert(&table, 7, 7);
    assert!(tx.commit().is_err());
    assert_eq!(keep.get(&table, &20), Some(&20));
}

#[test]
fn inserting_what_was_found_missing_commits() {
    let (db, table) = filled([]);
    for key in 0..100 {
        let tx = db.begin();
        assert_eq!(tx.get(&table, &key), None);
        assert_eq!(keys(tx.range(&table, key..)), []);
        tx.insert(&table, key, key);
        assert_eq!(keys(tx.range(&table, key..)), [key]);
        assert!(tx.commit().is_ok());
    }
}

#[test]
fn two_scanners_that_insert_into_each_others_range_do_not_both_commit() {
    let (db, table) = filled([1, 2, 3]);
    let (left, right) = (db.begin(), db.begin());
    for (tx, key) in [(&left, 10), (&right, 11)] {
        let sum: u64 = tx.range(&table, ..).map(|(_, value)| value).sum();
        tx.insert(&table, key, sum);
    }
    assert!(left.commit().is_ok());
    assert!(right.commit().is_err());
}

#[test]
fn snapshots_scan_their_own_state_whatever_happens_meanwhile() {
    let (db, table) = filled(0..200);
    let snapshot: Snapshot = db.snapshot();
    let mut rows = snapshot.range(&table, 0..1000);
    let mut seen: Vec<u64> = rows.by_ref().take(50).map(|(key, _)| *key).collect();
    for key in 0..200 {
        delete(&db, &table, key);
        put(&db, &table, key + 500);
    }
    db.collect();
    seen.extend(rows.map(|(key, _)| *key));
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
    assert_eq!(keys(snapshot.range(&table, ..).rev()).len(), 200);
    drop(snapshot);
    db.collect();
    let stats = db.stats();
    assert_eq!(
        (stats.live_tuples, stats.live_versions, stats.retired),
        (200, 200, 0)
    );
}

#[test]
fn removed_and_aborted_keys_leave_nothing_behind() {
    let (db, table) = filled(0..1000);
    for key in 0..1000 {
        delete(&db, &table, key);
    }
    let tx = db.begin();
    for key in 2000..3000 {
        tx.insert(&table, key, key);
    }
    tx.abort();
    for key in 0..1000 {
        assert_eq!(db.view(|view| view.get(&table, &key).copied()), None);
    }
    db.collect();
    let stats = db.stats();
    assert_eq!(
        (stats.live_tuples, stats.live_versions, stats.retired),
        (0, 0, 0)
    );
    assert_eq!(db.snapshot().iter(&table).count(), 0);
}

#[test]
fn the_kind_of_a_table_is_part_of_its_type() {
    let db = Database::new();
    db.ordered_table::<u64, u64>("o").expect("new");
    db.table::<u64, u64>("h").expect("new");
    let error = db.table::<u64, u64>("o").expect_err("it is ordered");
    assert!(matches!(error, TableError::WrongKind { .. }));
    assert!(error.to_string().contains("OrderedTable"), "{error}");
    assert!(db.ordered_table::<u64, u64>("h").is_err());
    assert!(matches!(
        db.ordered_table::<u64, u32>("o"),
        Err(TableError::WrongTypes { .. })
    ));
}

#[test]
#[should_panic(expected = "belongs to another database")]
fn a_range_of_another_databases_table_is_refused() {
    let (_, table) = filled([1]);
    Database::new().view(|view| view.range(&table, ..5).count());
}

/// Random transactions on an ordered table and on a map.
#[test]
fn an_ordered_table_is_a_sorted_map() {
    let (db, table) = filled([]);
    let mut model: BTreeMap<u64, u64> = BTreeMap::new();
    let mut random = fastrand::Rng::with_seed(7);
    let mut snapshots: Vec<(Snapshot, BTreeMap<u64, u64>)> = Vec::new();
    for round in 0..2000 {
        let mut next = model.clone();
        let tx = db.begin();
        for _ in 0..random.usize(1..12) {
            let (key, other) = (random.u64(..150), random.u64(..150));
            match random.u8(..6) {
                0 | 1 => {
                    tx.insert(&table, key, round);
                    next.insert(key, round);
                }
                2 => {
                    tx.remove(&table, &key);
                    next.remove(&key);
                }
                3 => assert_eq!(tx.get(&table, &key), next.get(&key)),
                4 => {
                    let (start, end) = (key.min(other), key.max(other));
                    assert!(tx.range(&table, start..end).eq(next.range(start..end)));
                }
                _ => {
                    let (start, end) = (key.min(other), key.max(other));
                    let rows = tx.range(&table, start..=end).rev().take(3);
                    assert!(rows.eq(next.range(start..=end).rev().take(3)));
                }
            }
        }
        if random.u8(..5) == 0 {
            tx.abort();
        } else {
            tx.commit().expect("nobody else is there");
            model = next;
        }
        if random.u8(..10) == 0 {
            snapshots.push((db.snapshot(), model.clone()));
        }
        if snapshots.len() > 5 {
            let (snapshot, state) = snapshots.swap_remove(random.usize(..5));
            assert!(snapshot.iter(&table).eq(&state));
            assert!(snapshot.range(&table, ..).rev().eq(state.iter().rev()));
        }
        if random.u8(..20) == 0 {
            db.collect();
        }
        assert!(db.view(|view| view.range(&table, ..).eq(&model)));
    }
    drop(snapshots);
    db.collect();
    assert_eq!(db.stats().live_tuples, model.len() as u64);
}
