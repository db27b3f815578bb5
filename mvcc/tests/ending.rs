//! A thread that ends uses the library from the destructors of its thread-locals: before the
//! library's own thread-local has gone, and after it.
//!
//! Once it has, each use made a state of its own. So whoever had entered the gate did not know it
//! any more within, and waited for it for ever, and so did every other thread.

use mvcc::{Database, Feed, Overflow, RetryPolicy, Snapshot, Table};
use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_mins(1);

struct AtEnd(Option<Box<dyn FnOnce()>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(run) = self.0.take() {
            run();
        }
    }
}

thread_local! {
    static FIRST: RefCell<AtEnd> = const { RefCell::new(AtEnd(None)) };
}

fn put(db: &Database, table: &Table<u64, u64>, key: u64) {
    db.run(|tx| Ok::<_, ()>(tx.insert(table, key, key)))
        .expect("no error");
}

/// Runs it while a thread ends, with the library's thread-local made before the test's own and
/// after it: they go in one order or the other. Then another thread commits.
fn while_a_thread_ends(run: fn(&Database, &Table<u64, u64>)) {
    for library_first in [true, false] {
        let db = Database::new();
        let table = db.table("t").expect("new");
        let (done, is_done) = mpsc::channel();
        let (own, rows) = (db.clone(), table.clone());
        thread::spawn(move || {
            if library_first {
                put(&own, &rows, 0);
            }
            let at_end = (own.clone(), rows.clone());
            let end: Box<dyn FnOnce()> = Box::new(move || {
                run(&at_end.0, &at_end.1);
                done.send(()).expect("the test waits");
            });
            FIRST.with_borrow_mut(|first| first.0 = Some(end));
            put(&own, &rows, 0);
        });
        let ended = is_done.recv_timeout(PATIENCE);
        assert!(ended.is_ok(), "it waits; library first: {library_first}");
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            put(&db, &table, 1);
            db.collect();
            done.send(db.stats()).expect("the test waits");
        });
        let stats = is_done.recv_timeout(PATIENCE);
        let stats = stats.expect("other threads' commits wait");
        assert_eq!((stats.live_snapshots, stats.retired), (0, 0), "{stats:?}");
    }
}

#[test]
fn it_commits() {
    while_a_thread_ends(|db, table| {
        put(db, table, 2);
        let tx = db.begin();
        tx.insert(table, 3, 3);
        tx.commit().expect("alone");
        let tx = db.begin();
        tx.insert(table, 4, 4);
        tx.abort();
        assert_eq!(db.view(|view| view.get(table, &3).copied()), Some(3));
        assert_eq!(db.view(|view| view.get(table, &4).copied()), None);
    });
}

#[test]
fn it_runs_inside_the_gate() {
    while_a_thread_ends(|db, table| {
        let policy = RetryPolicy::new().exclusive_after(1);
        let run = db.run_with(&policy, |tx| {
            let before = tx.get(table, &0).copied();
            // The first attempt loses, and the second one is inside; so is what is nested in it.
            if tx.attempt() == 1 {
                put(db, table, 0);
            } else {
                put(db, table, 5);
                let index = db.index(table, "by_value", |_, value| Some(*value));
                assert!(index.is_ok());
                let (_snapshot, feed) = db.on_commit(1, Overflow::Wait);
                drop(feed);
                db.collect();
            }
            Ok::<_, ()>(tx.insert(table, 2, before.map_or(0, |before| before + 1)))
        });
        assert_eq!(run, Ok(()));
        assert_eq!(db.stats().exclusive_runs, 1);
    });
}

#[test]
fn it_nests_transactions_of_two_databases() {
    while_a_thread_ends(|db, table| {
        let other = Database::new();
        let rows = other.table("rows").expect("new");
        let policy = RetryPolicy::new().exclusive_after(1);
        let run = db.run_with(&policy, |tx| {
            tx.get(table, &0);
            put(&other, &rows, 1);
            put(db, table, 0);
            other.view(|view| assert!(view.contains_key(&rows, &1)));
            tx.insert(table, 1, 1);
            if tx.attempt() < 3 { Ok(()) } else { Err(()) }
        });
        // Its own nested commits make it lose; it gives up.
        assert_eq!(run, Err(mvcc::RunError::Aborted(())));
    });
}

#[test]
fn it_receives_and_commits() {
    while_a_thread_ends(|db, table| {
        let (snapshot, mut feed): (Snapshot, Feed) = db.on_commit(1, Overflow::Wait);
        assert!(feed.try_recv().is_none());
        for key in 0..4 {
            put(db, table, key);
        }
        for _ in 0..4 {
            assert_eq!(feed.recv().changes(table).count(), 1);
        }
        drop(snapshot);
    });
}

#[test]
fn it_reserves_twice() {
    while_a_thread_ends(|db, table| {
        let tx = db.begin();
        tx.reserve(table, &0);
        // Its own reservation is no reason to wait, in whatever transaction.
        db.run(|tx| {
            tx.reserve(table, &0);
            Ok::<_, ()>(tx.insert(table, 0, 9))
        })
        .expect("no error");
        drop(tx);
    });
}

#[test]
fn it_keeps_snapshots_and_indexes() {
    while_a_thread_ends(|db, table| {
        let snapshot = db.snapshot();
        let index = db
            .index(table, "by_value", |_, value| Some(*value))
            .expect("new");
        put(db, table, 7);
        db.collect();
        assert_eq!(snapshot.get(table, &7), None);
        assert_eq!(db.view(|view| index.rows(view, &7).count()), 1);
        assert_eq!(db.view(|view| view.iter(table).count()), 2);
    });
}
