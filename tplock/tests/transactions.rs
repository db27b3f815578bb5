//! Transactions as a user sees them, hand-stepped: the older first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;
use tplock::{Conflict, Database, Read, Table, TableError};

type Numbers = Table<u64, i64>;

fn numbers(rows: &[(u64, i64)]) -> (Database, Numbers) {
    let db = Database::new();
    let table = db.table("numbers").expect("a new table");
    db.run(|tx| {
        for &(key, value) in rows {
            tx.insert(&table, key, value);
        }
        Ok::<_, ()>(())
    })
    .expect("no error");
    (db, table)
}

fn value(db: &Database, table: &Numbers, key: u64) -> Option<i64> {
    db.view(|view| view.get(table, &key).copied())
}

fn assert_clean(db: &Database, rows: usize) {
    let stats = db.stats();
    assert_eq!((stats.tuples, stats.locks), (rows, 0));
}

#[test]
fn a_payment_is_made_or_refused() {
    #[derive(Debug, PartialEq)]
    struct Refused;
    let (db, accounts) = numbers(&[(1, 15), (2, 0)]);
    let pay = || {
        db.run(|tx| {
            let from = tx.get(&accounts, &1).ok_or(Refused)?;
            let to = tx.get(&accounts, &2).ok_or(Refused)?;
            if *from < 10 {
                return Err(Refused);
            }
            tx.insert(&accounts, 1, from - 10);
            tx.insert(&accounts, 2, to + 10);
            Ok(10)
        })
    };
    assert_eq!(pay(), Ok(10));
    assert_eq!(pay(), Err(Refused));
    assert_eq!(value(&db, &accounts, 1), Some(5));
    assert_eq!(value(&db, &accounts, 2), Some(10));
}

#[test]
fn own_writes_are_seen_and_references_outlive_them() -> Result<(), Conflict> {
    let (db, table) = numbers(&[(1, 10)]);
    let tx = db.begin();
    let first = tx.get(&table, &1)?.expect("committed");
    tx.insert(&table, 1, 11)?;
    let second = tx.get(&table, &1)?.expect("own write");
    assert!(tx.update(&table, &1, |value| value + 1)?);
    tx.insert(&table, 2, 20)?;
    assert!(!tx.update(&table, &3, |value| value + 1)?);
    tx.remove(&table, &1)?;
    assert_eq!(tx.get(&table, &1)?, None);
    assert!(!tx.contains_key(&table, &1)?);
    tx.insert(&table, 1, 13)?;
    assert_eq!((first, second, tx.get(&table, &1)?), (&10, &11, Some(&13)));
    let rows: Result<Vec<_>, _> = tx.iter(&table).collect();
    let mut rows = rows?;
    rows.sort();
    assert_eq!(rows, [(&1, &13), (&2, &20)]);
    tx.commit()?;
    assert_eq!(value(&db, &table, 1), Some(13));
    assert_clean(&db, 2);
    Ok(())
}

#[test]
fn the_younger_dies_for_the_older_and_comes_after_it() -> Result<(), Conflict> {
    let (db, table) = numbers(&[(1, 0)]);
    let (a, b) = (db.begin(), db.begin());
    a.update(&table, &1, |value| value + 1)?;
    assert!(matches!(b.get(&table, &1), Err(Conflict { .. })));
    // From then on it is lost, whatever it asks for.
    assert!(b.get(&table, &2).is_err() && b.insert(&table, 3, 3).is_err());
    assert!(b.iter(&table).all(|row| row.is_err()) && b.iter(&table).count() == 1);
    a.commit()?;
    let b = b.again();
    assert_eq!(b.get(&table, &1)?, Some(&1));
    b.insert(&table, 1, 2)?;
    b.commit()?;
    assert_eq!(value(&db, &table, 1), Some(2));
    assert_clean(&db, 1);
    Ok(())
}

#[test]
fn a_lost_attempt_does_not_commit() -> Result<(), Conflict> {
    let (db, table) = numbers(&[(1, 1), (2, 2)]);
    let (a, b) = (db.begin(), db.begin());
    b.insert(&table, 2, 20)?;
    a.get(&table, &1)?;
    assert!(b.insert(&table, 1, 10).is_err());
    assert!(b.commit().is_err());
    a.commit()?;
    assert_eq!(
        (value(&db, &table, 1), value(&db, &table, 2)),
        (Some(1), Some(2))
    );
    assert_clean(&db, 2);
    Ok(())
}

/// Who begins again is as old as before, so in the end nobody is older.
#[test]
fn an_attempt_keeps_its_age() -> Result<(), Conflict> {
    let (db, table) = numbers(&[(1, 0)]);
    let (a, b) = (db.begin(), db.begin());
    a.insert(&table, 1, 1)?;
    assert!(b.get(&table, &1).is_err());
    a.commit()?;
    let newcomer = db.begin();
    let b = b.again();
    b.get(&table, &1)?;
    assert!(newcomer.insert(&table, 1, 3).is_err());
    b.insert(&table, 1, 2)?;
    b.commit()?;
    assert_eq!(value(&db, &table, 1), Some(2));
    Ok(())
}

#[test]
fn readers_share_and_keep_writers_out() -> Result<(), Conflict> {
    let (db, table) = numbers(&[(1, 0)]);
    let (a, b, writer) = (db.begin(), db.begin(), db.begin());
    assert_eq!(
        (a.get(&table, &1)?, b.get(&table, &1)?),
        (Some(&0), Some(&0))
    );
    assert!(writer.insert(&table, 1, 1).is_err());
    // To upgrade, the younger of the two would have to wait for the older.
    assert!(b.insert(&table, 1, 1).is_err());
    b.abort();
    a.insert(&table, 1, 2)?;
    a.commit()?;
    writer.abort();
    assert_eq!(value(&db, &table, 1), Some(2));
    assert_clean(&db, 1);
    Ok(())
}

#[test]
fn write_skew_does_not_happen() -> Result<(), Conflict> {
    let (db, table) = numbers(&[(1, 1), (2, 1)]);
    let (a, b) = (db.begin(), db.begin());
    assert_eq!(a.get(&table, &2)?, Some(&1));
    assert_eq!(b.get(&table, &1)?, Some(&1));
    assert!(b.insert(&table, 2, 0).is_err());
    drop(b);
    a.insert(&table, 1, 0)?;
    a.commit()
}

#[test]
fn absent_reads_are_protected() -> Result<(), Conflict> {
    let (db, table) = numbers(&[]);
    let (a, b, c) = (db.begin(), db.begin(), db.begin());
    assert_eq!(a.get(&table, &2)?, None);
    assert!(b.insert(&table, 2, 1).is_err());
    // Removing what is not there reads its absence.
    a.remove(&table, &7)?;
    assert!(c.insert(&table, 7, 7).is_err());
    a.insert(&table, 2, 2)?;
    a.commit()?;
    let b = b.again();
    assert_eq!(b.get(&table, &2)?, Some(&2));
    drop((b, c));
    assert_clean(&db, 1);
    Ok(())
}

#[test]
fn a_scan_is_protected_against_inserts_deletes_and_updates() -> Result<(), Conflict> {
    for change in ["insert", "remove", "update", "elsewhere"] {
        let (db, table) = numbers(&[(1, 1), (2, 2)]);
        let (a, b) = (db.begin(), db.begin());
        assert_eq!(a.iter(&table).flatten().count(), 2);
        let changed = match change {
            "insert" => b.insert(&table, 3, 3),
            "remove" => b.remove(&table, &1),
            "update" => b.insert(&table, 2, 5),
            _ => b.insert(&db.table("other").expect("new"), 3u64, 3i64),
        };
        assert_eq!(changed.is_ok(), change == "elsewhere", "{change}");
        drop(b);
        // It may insert itself, and sees that.
        a.insert(&table, 100, 3)?;
        assert_eq!(a.iter(&table).flatten().count(), 3);
        a.commit()?;
    }
    Ok(())
}

/// One that inserts is not kept out by an iteration that is over, nor are two that insert by each
/// other.
#[test]
fn inserts_are_in_the_way_of_iterations_only() -> Result<(), Conflict> {
    let (db, table) = numbers(&[(1, 1)]);
    let (a, b, c) = (db.begin(), db.begin(), db.begin());
    assert_eq!(a.iter(&table).flatten().count(), 1);
    a.commit()?;
    b.insert(&table, 2, 2)?;
    c.insert(&table, 3, 3)?;
    let d = db.begin();
    assert!(d.iter(&table).any(|row| row.is_err()));
    drop(d);
    b.commit()?;
    c.commit()?;
    assert_clean(&db, 3);
    Ok(())
}

/// The older one waits: for a writer, for a reader that it wants to upgrade beside, and for an
/// insert.
#[test]
fn the_older_waits_for_the_younger() {
    for step in ["read", "upgrade", "scan"] {
        let (db, table) = numbers(&[(1, 0)]);
        let older = db.begin();
        if step == "upgrade" {
            older.get(&table, &1).expect("nobody else is there");
        }
        let (locked, wait_until_it_is_locked) = mpsc::channel();
        let committed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let younger = db.begin();
                match step {
                    "read" => younger.insert(&table, 1, 5).expect("free"),
                    "upgrade" => drop(younger.get(&table, &1).expect("shared")),
                    _ => younger.insert(&table, 2, 5).expect("free"),
                }
                locked.send(()).expect("the other thread waits");
                // Long enough for the older to fall asleep.
                std::thread::sleep(Duration::from_millis(20));
                committed.store(true, SeqCst);
                younger.commit().expect("nothing was in its way");
            });
            wait_until_it_is_locked.recv().expect("it sends");
            let seen = match step {
                "read" => older.get(&table, &1).map(Option::<&_>::copied),
                "upgrade" => older.insert(&table, 1, 7).map(|()| None),
                _ => {
                    let values = older.iter(&table).map(|row| row.map(|(_, value)| *value));
                    values.sum::<Result<i64, _>>().map(Some)
                }
            };
            assert!(committed.load(SeqCst), "{step}");
            let expected = (step != "upgrade").then_some(5);
            assert_eq!(seen.expect("nobody is older"), expected, "{step}");
        });
        older.commit().expect("it has all its locks");
        assert_clean(&db, if step == "scan" { 2 } else { 1 });
    }
}

#[test]
fn an_abort_leaves_nothing() {
    let (db, table) = numbers(&[(1, 1)]);
    let tx = db.begin();
    tx.insert(&table, 1, 2).expect("alone");
    tx.insert(&table, 2, 2).expect("alone");
    tx.abort();
    drop(db.begin());
    let refused = db.run(|tx| {
        tx.insert(&table, 3, 3);
        Err::<(), _>("no")
    });
    assert_eq!(refused, Err("no"));
    assert_eq!(value(&db, &table, 1), Some(1));
    assert_eq!(value(&db, &table, 2), None);
    assert_clean(&db, 1);
}

#[test]
fn nested_transactions_on_different_keys_are_independent() {
    let (db, table) = numbers(&[(1, 1)]);
    let outer = db.begin();
    outer.insert(&table, 1, 5).expect("alone");
    db.run(|inner| {
        assert_eq!(inner.get(&table, &3), None);
        inner.insert(&table, 2, 2);
        Ok::<_, ()>(())
    })
    .expect("no error");
    outer.commit().expect("they touch different keys");
    assert_eq!(value(&db, &table, 1), Some(5));
    assert_eq!(value(&db, &table, 2), Some(2));
}

/// Runs transactions on another thread, while an older one has a key that is about to be free
/// again: the first attempt dies.
fn while_one_dies<T: Send>(
    db: &Database,
    table: &Numbers,
    test: impl FnOnce(&AtomicUsize) -> T + Send,
) -> T {
    let attempts = AtomicUsize::new(0);
    let older = db.begin();
    older.insert(table, 1, 1).expect("free");
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| test(&attempts));
        while attempts.load(Relaxed) == 0 && !thread.is_finished() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(5));
        older.commit().expect("it has its lock");
        thread.join().expect("no panic")
    })
}

#[test]
fn a_closure_is_left_and_run_again() {
    struct Left<'c>(&'c AtomicUsize);
    impl Drop for Left<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let (db, table) = numbers(&[(2, 2)]);
    let left = AtomicUsize::new(0);
    let seen = while_one_dies(&db, &table, |attempts| {
        db.run(|tx| {
            let _left = Left(&left);
            attempts.fetch_add(1, Relaxed);
            tx.insert(&table, 2, 3);
            let seen = tx.get(&table, &1).copied();
            assert_eq!(left.load(Relaxed) + 1, attempts.load(Relaxed));
            Ok::<_, ()>((seen, attempts.load(Relaxed)))
        })
    });
    assert_eq!(seen, Ok((Some(1), 2)));
    let seen = while_one_dies(&db, &table, |attempts| {
        db.view(|view| {
            attempts.fetch_add(1, Relaxed);
            (view.get(&table, &1).copied(), attempts.load(Relaxed))
        })
    });
    assert_eq!(seen, (Some(1), 2));
    assert_clean(&db, 2);
}

/// A closure that does not let itself be left gains nothing.
#[test]
fn what_a_lost_closure_returns_does_not_count() {
    let (db, table) = numbers(&[(2, 2)]);
    let result = while_one_dies(&db, &table, |attempts| {
        db.run(|tx| {
            attempts.fetch_add(1, Relaxed);
            tx.insert(&table, 2, 20);
            let read = catch_unwind(AssertUnwindSafe(|| tx.get(&table, &1).copied()));
            let again = catch_unwind(AssertUnwindSafe(|| tx.contains_key(&table, &2)));
            assert_eq!(read.is_err(), again.is_err(), "lost is lost");
            match read {
                Ok(value) => Ok(value),
                Err(_) => Err("a lost attempt has returned"),
            }
        })
    });
    assert_eq!(result, Ok(Some(1)));
    assert_clean(&db, 2);
}

/// A transaction that dies within the closure of another one leaves both closures, if it is the
/// outer one.
#[test]
fn the_outer_transaction_dies_in_the_inner_closure() {
    let (db, table) = numbers(&[(2, 2)]);
    let result = while_one_dies(&db, &table, |attempts| {
        db.run(|outer| {
            db.run(|inner| {
                attempts.fetch_add(1, Relaxed);
                inner.insert(&table, 5, 5);
                Ok(outer.get(&table, &1).copied())
            })
        })
    });
    assert_eq!(result, Ok::<_, ()>(Some(1)));
    assert_eq!(value(&db, &table, 5), Some(5));
    assert_clean(&db, 3);
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
    db.view(|view| {
        assert_eq!(view.get(&names, "a"), Some(&vec![1]));
        assert!(view.contains_key(&boxes, "b") && !view.contains_key(&boxes, "c"));
        assert!(Read::contains_key(view, &names, "a"));
    });
    assert_clean(&db, 2);
}

#[test]
fn the_same_name_with_other_types_or_of_the_other_kind_is_an_error() {
    let db = Database::new();
    db.table::<u64, u64>("t").expect("new");
    assert!(db.table::<u64, u64>("t").is_ok());
    let error = db.table::<u64, String>("t").expect_err("other types");
    assert!(matches!(error, TableError::WrongTypes { .. }));
    assert!(error.to_string().contains("Table<u64, u64>"), "{error}");
    let error = db
        .ordered_table::<u64, u64>("t")
        .expect_err("it has no order");
    assert!(matches!(error, TableError::WrongKind { .. }));
    assert!(error.to_string().contains("OrderedTable"), "{error}");
}

#[test]
#[should_panic(expected = "belongs to another database")]
fn a_table_of_another_database_is_refused() {
    let (_, table) = numbers(&[(1, 1)]);
    Database::new().view(|view| view.contains_key(&table, &1));
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
    assert_clean(&db, 200);
}

#[test]
fn a_write_set_of_50_000_keys_commits() {
    let (db, table) = numbers(&[]);
    let sum = db.run(|tx| {
        for key in 0..50_000 {
            assert!(!tx.contains_key(&table, &key));
            tx.insert(&table, key, 1);
        }
        for key in 0..50_000 {
            assert!(tx.update(&table, &key, |value| value + 1));
        }
        Ok::<i64, ()>(tx.iter(&table).map(|(_, value)| value).sum())
    });
    assert_eq!(sum, Ok(100_000));
    let sum: i64 = db.view(|view| view.iter(&table).map(|(_, value)| value).sum());
    assert_eq!(sum, 100_000);
    assert_clean(&db, 50_000);
}
