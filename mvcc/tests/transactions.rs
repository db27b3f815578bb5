//! Transactions as a user sees them, hand-stepped on one thread.

use mvcc::{Conflict, Database, Read, Table, TableError};
use std::panic::{AssertUnwindSafe, catch_unwind};

type Numbers = Table<u64, i64>;

fn numbers(rows: &[(u64, i64)]) -> (Database, Numbers) {
    let db = Database::new();
    let table = db.table("numbers").expect("a new table");
    let tx = db.begin();
    for &(key, value) in rows {
        tx.insert(&table, key, value);
    }
    tx.commit().expect("alone");
    (db, table)
}

fn value(db: &Database, table: &Numbers, key: u64) -> Option<i64> {
    let short = db.view(|view| view.get(table, &key).copied());
    assert_eq!(short, db.snapshot().get(table, &key).copied());
    short
}

#[test]
fn the_example_of_the_design_works() {
    #[derive(Debug, PartialEq)]
    struct Account {
        balance: i64,
    }
    #[derive(Debug, PartialEq)]
    struct Refused;
    let db = Database::new();
    let accounts: Table<u64, Account> = db.table("accounts").expect("a new table");
    db.run(|tx| {
        tx.insert(&accounts, 1, Account { balance: 15 });
        tx.insert(&accounts, 2, Account { balance: 0 });
        Ok::<_, Refused>(())
    })
    .expect("not refused");
    let pay = || {
        db.run(|tx| {
            let from = tx.get(&accounts, &1).ok_or(Refused)?;
            let to = tx.get(&accounts, &2).ok_or(Refused)?;
            if from.balance < 10 {
                return Err(Refused);
            }
            tx.insert(
                &accounts,
                1,
                Account {
                    balance: from.balance - 10,
                },
            );
            tx.insert(
                &accounts,
                2,
                Account {
                    balance: to.balance + 10,
                },
            );
            Ok(10)
        })
    };
    assert_eq!(pay(), Ok(10));
    assert_eq!(pay(), Err(Refused));
    let balance = db.view(|view| view.get(&accounts, &1).map(|account| account.balance));
    assert_eq!(balance, Some(5));
}

#[test]
fn own_writes_are_seen_and_references_outlive_them() {
    let (db, table) = numbers(&[(1, 10)]);
    let tx = db.begin();
    let first = tx.get(&table, &1).expect("committed");
    tx.insert(&table, 1, 11);
    let second = tx.get(&table, &1).expect("own write");
    assert!(tx.update(&table, &1, |value| value + 1));
    tx.insert(&table, 2, 20);
    assert!(!tx.update(&table, &3, |value| value + 1));
    tx.remove(&table, &1);
    assert_eq!(tx.get(&table, &1), None);
    assert!(!tx.contains_key(&table, &1));
    tx.insert(&table, 1, 13);
    assert_eq!((first, second, tx.get(&table, &1)), (&10, &11, Some(&13)));
    let mut rows: Vec<_> = tx.iter(&table).collect();
    rows.sort();
    assert_eq!(rows, [(&1, &13), (&2, &20)]);
    assert_eq!(value(&db, &table, 1), Some(10));
    tx.commit().expect("alone");
    assert_eq!(value(&db, &table, 1), Some(13));
}

#[test]
fn lost_update_is_a_conflict() {
    let (db, table) = numbers(&[(1, 0)]);
    let (a, b) = (db.begin(), db.begin());
    for tx in [&a, &b] {
        assert!(tx.update(&table, &1, |value| value + 1));
    }
    assert!(a.commit().is_ok());
    assert!(matches!(b.commit(), Err(Conflict { .. })));
    assert_eq!(value(&db, &table, 1), Some(1));
    assert_eq!(db.stats().conflicts, 1);
}

#[test]
fn write_skew_is_a_conflict() {
    let (db, table) = numbers(&[(1, 1), (2, 1)]);
    let (a, b) = (db.begin(), db.begin());
    assert_eq!(a.get(&table, &2), Some(&1));
    assert_eq!(b.get(&table, &1), Some(&1));
    a.insert(&table, 1, 0);
    b.insert(&table, 2, 0);
    assert!(a.commit().is_ok());
    assert!(b.commit().is_err());
}

#[test]
fn absent_reads_are_protected() {
    let (db, table) = numbers(&[]);
    let (a, b) = (db.begin(), db.begin());
    assert_eq!(a.get(&table, &2), None);
    assert_eq!(b.get(&table, &1), None);
    a.insert(&table, 1, 1);
    b.insert(&table, 2, 1);
    assert!(a.commit().is_ok());
    assert!(b.commit().is_err());
    // Removing what is not there reads its absence.
    let (a, b) = (db.begin(), db.begin());
    a.remove(&table, &7);
    a.insert(&table, 8, 8);
    b.insert(&table, 7, 7);
    assert!(b.commit().is_ok());
    assert!(a.commit().is_err());
}

#[test]
fn an_absent_read_and_a_write_of_the_same_key_commit() {
    let (db, table) = numbers(&[]);
    let tx = db.begin();
    assert_eq!(tx.get(&table, &1), None);
    tx.insert(&table, 1, 1);
    assert!(tx.commit().is_ok());
    let tx = db.begin();
    tx.remove(&table, &1);
    assert!(tx.commit().is_ok());
    let tx = db.begin();
    assert_eq!(tx.get(&table, &1), None);
    tx.insert(&table, 1, 2);
    assert!(tx.commit().is_ok());
    assert_eq!(value(&db, &table, 1), Some(2));
}

#[test]
fn a_scan_is_protected_against_inserts_deletes_and_updates() {
    for change in ["insert", "remove", "update", "elsewhere"] {
        let (db, table) = numbers(&[(1, 1), (2, 2)]);
        let tx = db.begin();
        let sum: i64 = tx.iter(&table).map(|(_, value)| value).sum();
        tx.insert(&table, 100, sum);
        let other = db.begin();
        match change {
            "insert" => other.insert(&table, 3, 3),
            "remove" => other.remove(&table, &1),
            "update" => other.insert(&table, 2, 5),
            _ => other.insert(&db.table("other").expect("new"), 3u64, 3i64),
        }
        other.commit().expect("it writes blindly");
        assert_eq!(tx.commit().is_ok(), change == "elsewhere", "{change}");
    }
}

#[test]
fn reads_stay_consistent_while_others_commit() {
    let (db, table) = numbers(&[(1, 1), (2, 1)]);
    let tx = db.begin();
    let before = *tx.get(&table, &1).expect("there");
    db.run(|tx| {
        tx.insert(&table, 1, 2);
        tx.insert(&table, 2, 2);
        Ok::<_, ()>(())
    })
    .expect("no error");
    assert_eq!(tx.get(&table, &2), Some(&before), "read skew");
    assert_eq!(tx.get(&table, &1), Some(&before));
    // It read one state, so it commits if it writes nothing.
    assert!(tx.commit().is_ok());

    db.view(|view| {
        assert_eq!(view.get(&table, &1), Some(&2));
        db.run(|tx| {
            tx.insert(&table, 1, 3);
            tx.insert(&table, 2, 3);
            tx.insert(&table, 3, 3);
            Ok::<_, ()>(())
        })
        .expect("no error");
        assert_eq!(view.get(&table, &2), Some(&2));
        assert_eq!(view.get(&table, &3), None);
        let mut rows: Vec<_> = view.iter(&table).collect();
        rows.sort();
        assert_eq!(rows, [(&1, &2), (&2, &2)]);
    });
}

#[test]
fn a_transaction_moves_on_to_newer_values_when_all_it_read_is_current() {
    let (db, table) = numbers(&(0..20).map(|key| (key, 0)).collect::<Vec<_>>());
    let tx = db.begin();
    for key in 0..10 {
        assert_eq!(tx.get(&table, &key), Some(&0));
    }
    db.run(|tx| Ok::<_, ()>(tx.insert(&table, 15, 1)))
        .expect("no error");
    assert_eq!(tx.get(&table, &15), Some(&1));
    tx.insert(&table, 16, 1);
    assert!(tx.commit().is_ok());
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let (db, table) = numbers(&[(1, 1), (2, 2)]);
    let snapshot = db.snapshot();
    for i in 0..1000 {
        db.run(|tx| {
            tx.insert(&table, 1, i);
            tx.remove(&table, &2);
            tx.insert(&table, 3, i);
            Ok::<_, ()>(())
        })
        .expect("no error");
    }
    assert_eq!(snapshot.get(&table, &1), Some(&1));
    assert_eq!(snapshot.get(&table, &2), Some(&2));
    assert_eq!(snapshot.get(&table, &3), None);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(snapshot.iter(&table).count(), 2));
        }
    });
    assert_eq!(db.snapshot().iter(&table).count(), 2);
    assert!(db.snapshot().timestamp() > snapshot.timestamp());
}

#[test]
fn an_abort_leaves_nothing() {
    let (db, table) = numbers(&[(1, 1)]);
    let before = db.stats();
    let tx = db.begin();
    tx.insert(&table, 1, 2);
    tx.insert(&table, 2, 2);
    tx.abort();
    drop(db.begin());
    let refused = db.run(|tx| {
        tx.insert(&table, 3, 3);
        Err::<(), _>("no")
    });
    assert_eq!(refused, Err("no"));
    assert_eq!(value(&db, &table, 1), Some(1));
    assert_eq!(value(&db, &table, 2), None);
    db.collect();
    let after = db.stats();
    assert_eq!(after.live_tuples, before.live_tuples);
    assert_eq!(after.live_versions, before.live_versions);
    assert_eq!((after.retired, after.live_snapshots), (0, 0));
}

#[test]
fn a_blind_insert_survives_the_abort_of_another_insert_of_the_same_key() {
    let (db, table) = numbers(&[]);
    let (a, b) = (db.begin(), db.begin());
    a.insert(&table, 1, 1);
    b.insert(&table, 1, 2);
    a.abort();
    assert_eq!(b.get(&table, &1), Some(&2));
    b.commit().expect("nobody else wrote");
    assert_eq!(value(&db, &table, 1), Some(2));
}

#[test]
fn an_insert_over_a_tombstone_survives_its_collection() {
    let (db, table) = numbers(&[(1, 1)]);
    db.run(|tx| Ok::<_, ()>(tx.remove(&table, &1)))
        .expect("no error");
    let tx = db.begin();
    tx.insert(&table, 1, 2);
    db.collect();
    assert_eq!(tx.get(&table, &1), Some(&2));
    tx.commit().expect("nobody else wrote");
    assert_eq!(value(&db, &table, 1), Some(2));
}

#[test]
fn nested_transactions_are_independent() {
    let (db, table) = numbers(&[(1, 1)]);
    let outer = db.begin();
    outer.insert(&table, 1, 5);
    assert_eq!(value(&db, &table, 1), Some(1));
    db.run(|inner| {
        assert_eq!(inner.get(&table, &1), Some(&1));
        inner.insert(&table, 2, 2);
        Ok::<_, ()>(())
    })
    .expect("no error");
    outer.commit().expect("they touch different keys");
    assert_eq!(value(&db, &table, 1), Some(5));
    assert_eq!(value(&db, &table, 2), Some(2));
}

#[test]
fn borrowed_lookups_and_unusual_keys_work() {
    let db = Database::new();
    let names = db.table::<String, Vec<u8>>("names").expect("new");
    let boxes = db.table::<Box<str>, ()>("boxes").expect("new");
    db.run(|tx| {
        tx.insert(&names, "a".to_owned(), vec![1]);
        tx.insert(&boxes, "b".into(), ());
        Ok::<_, ()>(())
    })
    .expect("no error");
    let snapshot = db.snapshot();
    assert_eq!(snapshot.get(&names, "a"), Some(&vec![1]));
    assert!(snapshot.contains_key(&boxes, "b"));
    assert!(Read::contains_key(&snapshot, &names, "a"));
}

#[test]
fn the_same_name_with_other_types_is_an_error() {
    let db = Database::new();
    db.table::<u64, u64>("t").expect("new");
    assert!(db.table::<u64, u64>("t").is_ok());
    let error = db.table::<u64, String>("t").expect_err("other types");
    assert!(matches!(error, TableError::WrongTypes { .. }));
    assert!(error.to_string().contains("Table<u64, u64>"), "{error}");
}

#[test]
fn a_table_of_another_database_is_refused_with_both_names() {
    let named = |name| Database::builder().name(name).build().expect("any machine");
    let (shop, archive) = (named("shop"), named("archive"));
    let table: Numbers = shop.table("orders").expect("new");
    let tx = archive.begin();
    let uses: [&dyn Fn(); 5] = [
        &|| archive.view(|view| assert!(!view.contains_key(&table, &1))),
        &|| assert!(!archive.snapshot().contains_key(&table, &1)),
        &|| tx.insert(&table, 1, 1),
        &|| tx.remove(&table, &1),
        &|| drop(archive.index(&table, "by_value", |_, value| [*value])),
    ];
    for (i, used) in uses.iter().enumerate() {
        let refused = catch_unwind(AssertUnwindSafe(used)).expect_err("it is another's");
        let message = refused.downcast::<String>().expect("a message");
        for part in ["orders", "shop", "archive", "Database::table"] {
            assert!(message.contains(part), "{i}: {message}");
        }
    }
}

#[test]
fn a_bad_hash_costs_time_only() {
    #[derive(PartialEq, Eq, Clone, Copy)]
    struct Same(u32);
    impl std::hash::Hash for Same {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            state.write_u32(0);
        }
    }
    let db = Database::new();
    let table = db.table::<Same, u32>("t").expect("new");
    for i in 0..200 {
        db.run(|tx| {
            assert!(tx.get(&table, &Same(i)).is_none());
            tx.insert(&table, Same(i), i);
            Ok::<_, ()>(())
        })
        .expect("no error");
    }
    for i in 0..200 {
        assert_eq!(db.view(|view| view.get(&table, &Same(i)).copied()), Some(i));
    }
    assert_eq!(db.stats().conflicts, 0);
}

#[test]
fn a_write_set_of_50_000_keys_commits() {
    let (db, table) = numbers(&[]);
    let tx = db.begin();
    for key in 0..50_000 {
        assert!(!tx.contains_key(&table, &key));
        tx.insert(&table, key, 1);
    }
    for key in 0..50_000 {
        assert!(tx.update(&table, &key, |value| value + 1));
    }
    tx.commit().expect("alone");
    let sum: i64 = db.snapshot().iter(&table).map(|(_, value)| value).sum();
    assert_eq!(sum, 100_000);
}

#[test]
fn many_keys_are_read_as_one_after_the_other() {
    let db = Database::new();
    let table = db.table::<u64, u64>("t").expect("new");
    let ordered = db.ordered_table::<u64, u64>("o").expect("new");
    db.run(|tx| {
        for key in (0..1000).step_by(3) {
            tx.insert(&table, key, key + 1);
            tx.insert(&ordered, key, key + 1);
        }
        Ok::<_, ()>(())
    })
    .expect("no error");
    let keys: Vec<u64> = (0..100).map(|i| i * 37 % 1000).collect();
    let expected: Vec<_> = keys
        .iter()
        .map(|key| (key % 3 == 0).then_some(key + 1))
        .collect();
    let check = |found: Vec<Option<u64>>| assert_eq!(found, expected);
    check(db.view(|view| {
        view.get_many(&table, &keys)
            .map(Option::<&u64>::copied)
            .collect()
    }));
    check(db.view(|view| {
        view.get_many(&ordered, &keys)
            .map(Option::<&u64>::copied)
            .collect()
    }));
    let snapshot = db.snapshot();
    check(
        snapshot
            .get_many(&table, &keys)
            .map(Option::<&u64>::copied)
            .collect(),
    );
    let tx = db.begin();
    check(
        tx.get_many(&table, &keys)
            .map(Option::<&u64>::copied)
            .collect(),
    );
    tx.insert(&table, 1, 7);
    let found: Vec<_> = tx.get_many(&table, &[1, 3]).collect();
    assert_eq!(found, [Some(&7), Some(&4)], "own writes are seen");
    drop(found);
    db.run(|tx| Ok::<_, ()>(tx.insert(&table, 3, 0)))
        .expect("no error");
    assert!(tx.commit().is_err(), "what it read has changed");
    assert_eq!(
        snapshot.get_many(&table, &[3]).collect::<Vec<_>>(),
        [Some(&4)]
    );
}

#[test]
fn many_inserts_are_one_after_the_other() {
    let (db, table) = numbers(&[(3, -3)]);
    let ordered = db.ordered_table::<u64, i64>("o").expect("new");
    // More than are looked up at a time; the last row of a key counts, and what was there is
    // overwritten.
    let rows = || (0..100).map(|key| (key % 50, i64::try_from(key).expect("small")));
    db.run(|tx| {
        tx.insert_many(&table, rows());
        tx.insert_many(&table, []);
        tx.insert_many(&ordered, rows());
        assert_eq!(tx.get(&table, &7), Some(&57), "own writes are seen");
        Ok::<_, ()>(())
    })
    .expect("no error");
    let snapshot = db.snapshot();
    let expected: Vec<_> = (0..50).zip(50..).collect();
    let mut found: Vec<_> = snapshot.iter(&table).map(|(k, v)| (*k, *v)).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert!(snapshot.iter(&ordered).map(|(k, v)| (*k, *v)).eq(expected));
}
