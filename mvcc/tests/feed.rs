//! Commits as a stream.

use mvcc::{Committed, ConflictCause, Database, Overflow, Read, Table};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

type Numbers = Table<u64, u64>;
type Model = BTreeMap<u64, u64>;

fn put(db: &Database, table: &Numbers, key: u64, value: u64) {
    db.run(|tx| Ok::<_, Infallible>(tx.insert(table, key, value)))
        .unwrap_or_else(|never| match never {});
}

fn rows(read: &impl Read, table: &Numbers) -> Model {
    let rows = read.iter(table).map(|(key, value)| (*key, *value));
    rows.collect()
}

/// Applies a commit to a copy of the table, which must be as the commit has found it.
fn apply(commit: &Committed<'_>, table: &Numbers, model: &mut Model) {
    for change in commit.changes(table) {
        let key = *change.key;
        assert_eq!(model.get(&key), change.before, "key {key}");
        match change.after {
            Some(value) => model.insert(key, *value),
            None => model.remove(&key),
        };
    }
}

#[test]
fn a_feed_goes_through_every_state() {
    let db = Database::new();
    let table: Numbers = db.table("numbers").expect("new");
    (0..20).for_each(|key| put(&db, &table, key, 100));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|seed| {
                let (db, table) = (&db, &table);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for _ in 0..3_000 {
                        let (from, to) = (random.u64(..20), random.u64(20..24));
                        db.run(|tx| {
                            let left = tx.get(table, &from).copied().unwrap_or(100);
                            if left == 0 {
                                tx.remove(table, &from);
                                tx.remove(table, &to);
                            } else {
                                tx.insert(table, from, left - 1);
                                tx.insert(table, to, left);
                            }
                            Ok::<_, Infallible>(())
                        })
                        .unwrap_or_else(|never| match never {});
                    }
                })
            })
            .collect();
        // Starts while they write.
        let (snapshot, mut feed) = db.on_commit(64, Overflow::Wait);
        let (db, table, done) = (&db, &table, &done);
        let reader = scope.spawn(move || {
            let mut model = rows(&snapshot, table);
            drop(snapshot);
            let mut last = None;
            loop {
                let Some(commit) = feed.recv_timeout(Duration::from_millis(5)) else {
                    if done.load(Relaxed) {
                        return model;
                    }
                    continue;
                };
                assert!(last <= Some(commit.timestamp()), "not in order");
                last = Some(commit.timestamp());
                assert_eq!(commit.missed(), 0);
                apply(&commit, table, &mut model);
            }
        });
        for writer in writers {
            writer.join().expect("it only writes");
        }
        done.store(true, Relaxed);
        let model = reader.join().expect("all fits");
        assert_eq!(model, rows(&db.snapshot(), table));
    });
    db.collect();
    let (stats, rows) = (db.stats(), db.snapshot().iter(&table).count() as u64);
    assert_eq!((stats.live_versions, stats.live_snapshots), (rows, 0));
}

#[test]
fn a_commit_is_delivered_whole_with_what_was_there_before() {
    let db = Database::new();
    let table: Numbers = db.table("numbers").expect("new");
    let names: Table<u64, &str> = db.table("names").expect("new");
    put(&db, &table, 1, 10);
    put(&db, &table, 2, 20);
    let (_, mut feed) = db.on_commit(8, Overflow::Wait);
    let tx = db.begin();
    tx.insert(&table, 1, 11);
    tx.insert(&table, 1, 12);
    tx.remove(&table, &2);
    tx.insert(&names, 7, "seven");
    tx.insert(&table, 3, 30);
    tx.remove(&table, &3);
    let timestamp = tx.commit().expect("alone");
    db.run(|tx| Ok::<_, ()>(assert_eq!(tx.get(&table, &1), Some(&12))))
        .expect("it reads only");
    put(&db, &table, 1, 13);
    db.collect();
    let commit = feed.try_recv().expect("it has happened");
    assert_eq!(commit.timestamp(), timestamp);
    let mut changes: Vec<_> = commit
        .changes(&table)
        .map(|change| (*change.key, change.before.copied(), change.after.copied()))
        .collect();
    changes.sort_unstable();
    assert_eq!(changes, [(1, Some(10), Some(12)), (2, Some(20), None)]);
    let names: Vec<_> = commit.changes(&names).map(|change| change.after).collect();
    assert_eq!(names, [Some(&"seven")]);
    drop(commit);
    let commit = feed.recv();
    let change = commit.changes(&table).next().expect("one row");
    assert_eq!((change.before, change.after), (Some(&12), Some(&13)));
    drop(commit);
    assert!(feed.try_recv().is_none(), "reading is not delivered");
}

#[test]
fn a_full_queue_drops_the_oldest_and_says_so() {
    let db = Database::new();
    let table: Numbers = db.table("numbers").expect("new");
    let (_, mut feed) = db.on_commit(3, Overflow::DropOldest);
    (0..10).for_each(|i| put(&db, &table, 1, i));
    let seen: Vec<_> = (0..3)
        .map(|_| {
            let commit = feed.recv();
            let change = commit.changes(&table).next().expect("one row");
            (commit.missed(), *change.after.expect("it was written"))
        })
        .collect();
    assert_eq!(seen, [(7, 7), (0, 8), (0, 9)]);
    // A receiver that is away costs no more memory than its queue.
    (0..10_000).for_each(|i| put(&db, &table, i % 7, i));
    db.collect();
    let stats = db.stats();
    assert!(stats.live_versions < 200, "{stats:?}");
    assert_eq!(feed.recv().missed(), 9_997);
}

#[test]
fn a_full_queue_holds_writers_back() {
    let db = Database::new();
    let table: Numbers = db.table("numbers").expect("new");
    let (_, mut feed) = db.on_commit(2, Overflow::Wait);
    let written = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..100 {
                put(&db, &table, 1, i);
                written.fetch_add(1, Relaxed);
            }
        });
        while written.load(Relaxed) < 2 {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(written.load(Relaxed), 2, "the third has to wait");
        for i in 0..100 {
            let commit = feed.recv();
            let change = commit.changes(&table).next().expect("one row");
            assert_eq!(change.after, Some(&i));
        }
    });
}

#[test]
fn who_receives_may_write() {
    let db = Database::new();
    let table: Numbers = db.table("numbers").expect("new");
    let (_, mut feed) = db.on_commit(1, Overflow::Wait);
    std::thread::scope(|scope| {
        scope.spawn(|| (1..200).for_each(|i| put(&db, &table, 1, i)));
        let mut total = 0;
        for _ in 1..200 {
            loop {
                let commit = feed.recv();
                let first = commit.changes(&table).find(|change| *change.key == 1);
                if let Some(change) = first {
                    total += change.after.copied().unwrap_or(0);
                    break;
                }
            }
            put(&db, &table, 2, total);
        }
    });
    assert_eq!(
        db.view(|view| view.get(&table, &2).copied()),
        Some(199 * 100)
    );
}

#[test]
fn who_does_not_know_of_a_feed_does_not_commit() {
    let db = Database::new();
    let table: Numbers = db.table("numbers").expect("new");
    let (early, reader) = (db.begin(), db.begin());
    early.insert(&table, 1, 1);
    let (snapshot, mut feed) = db.on_commit(8, Overflow::Wait);
    let conflict = early.commit().expect_err("it would be missing");
    assert_eq!(conflict.cause, ConflictCause::FeedStarted);
    assert!(reader.commit().is_ok());
    let (between, _second) = (db.begin(), db.on_commit(8, Overflow::Wait));
    between.insert(&table, 2, 2);
    between.commit().expect("it knows that there are feeds");
    assert_eq!(rows(&snapshot, &table), Model::new());
    let commit = feed.recv();
    let keys: Vec<_> = commit.changes(&table).map(|change| *change.key).collect();
    assert_eq!(keys, [2]);
}

#[test]
fn a_feed_that_is_dropped_leaves_nothing() {
    let db = Database::new();
    let table: Numbers = db.table("numbers").expect("new");
    for _ in 0..3 {
        let (_, mut feed) = db.on_commit(100, Overflow::Wait);
        (0..50).for_each(|i| put(&db, &table, 1, i));
        drop(feed.recv());
        drop(feed);
        (0..500).for_each(|i| put(&db, &table, 1, i));
        db.collect();
        let stats = db.stats();
        assert_eq!((stats.live_versions, stats.live_snapshots), (1, 0));
    }
}

/// The deadline was computed with `+`, which panics where the sum is no instant.
#[test]
fn any_time_and_any_capacity_will_do() {
    for capacity in [1, usize::MAX] {
        for overflow in [Overflow::Wait, Overflow::DropOldest] {
            let db = Database::new();
            let table: Numbers = db.table("numbers").expect("new");
            let (_, mut feed) = db.on_commit(capacity, overflow);
            for timeout in [Duration::ZERO, Duration::from_nanos(1)] {
                assert!(feed.recv_timeout(timeout).is_none());
            }
            put(&db, &table, 1, 1);
            let commit = feed.recv_timeout(Duration::MAX).expect("there is one");
            assert_eq!(commit.changes(&table).count(), 1);
        }
    }
}

/// What the docs of `Overflow::Wait` advise.
#[test]
fn who_has_received_once_does_not_wait_for_room() {
    let db = Database::new();
    let table: Numbers = db.table("numbers").expect("new");
    let (_, mut feed) = db.on_commit(1, Overflow::Wait);
    assert!(feed.try_recv().is_none());
    (0..4).for_each(|key| put(&db, &table, key, key));
    assert!((0..4).all(|_| feed.recv().changes(&table).count() == 1));
}
