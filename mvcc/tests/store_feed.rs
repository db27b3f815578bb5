//! The feed of a store: whole transactions, in order, none twice, none lost, over restarts.

#![cfg(feature = "durable")]

use journal::sim::{Fault, SimDisk};
use mvcc::durable::DurableChange;
use mvcc::{DurableFeed, FeedError, FeedPosition, Store, StoreOptions, Table};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

type Numbers = Table<u64, u64>;
/// What a transaction has written.
type Writes = Vec<(u64, Option<u64>)>;

fn options() -> StoreOptions {
    Store::options()
        .segment_bytes(16 << 10)
        .checkpoint_bytes(1 << 40)
}

fn open(disk: &Arc<SimDisk>) -> (Store, Numbers) {
    options()
        .open_on(disk.clone(), |tables| tables.table("numbers"))
        .expect("it opens")
}

fn put(store: &Store, numbers: &Numbers, key: u64, value: u64) {
    let put = |tx: &mvcc::Transaction<'_>| {
        tx.insert(numbers, key, value);
        Ok::<_, Infallible>(tx.insert(numbers, key + 1000, value))
    };
    store.run(put).expect("it is durable");
}

/// All that is durable now, with the positions.
fn drain(feed: &mut DurableFeed, numbers: &Numbers) -> Vec<(FeedPosition, Writes)> {
    let mut found = Vec::new();
    while let Some(commit) = feed.try_recv().expect("it goes on") {
        let changes = commit.changes(numbers).expect("they are numbers");
        let writes = changes.into_iter().map(|change| (change.key, change.after));
        found.push((commit.position(), writes.collect()));
    }
    found
}

fn expected(from: u64, to: u64) -> Vec<(FeedPosition, Writes)> {
    let of = |number| {
        let writes = vec![(number, Some(number)), (number + 1000, Some(number))];
        (FeedPosition::new(number), writes)
    };
    (from + 1..=to).map(of).collect()
}

#[test]
fn each_position_is_gone_on_from_after_a_restart() {
    let disk = Arc::new(SimDisk::new());
    let (store, numbers) = open(&disk);
    for number in 1..=100 {
        put(&store, &numbers, number, number);
    }
    store.close().expect("nothing failed");
    let (store, numbers) = open(&disk);
    for number in 101..=150 {
        put(&store, &numbers, number, number);
    }
    for from in 0..=150 {
        let mut feed = store
            .on_commit_from(FeedPosition::new(from))
            .expect("it is there");
        assert_eq!(drain(&mut feed, &numbers), expected(from, 150), "{from}");
        assert_eq!(feed.position().number(), 150);
    }
    let beyond = store.on_commit_from(FeedPosition::new(151));
    let error = beyond.map(drop).expect_err("there is none");
    assert!(matches!(error, FeedError::Beyond { newest, .. } if newest.number() == 150));
}

#[test]
fn a_position_that_was_pruned_is_an_error_that_says_so() {
    let disk = Arc::new(SimDisk::new());
    let (store, numbers) = open(&disk);
    let (_, mut slow) = store.on_commit().expect("it is open");
    for number in 1..=2000 {
        put(&store, &numbers, number, number);
    }
    let (_, mut feed) = store.on_commit().expect("it is open");
    store.checkpoint().expect("there is room");
    assert!(drain(&mut feed, &numbers).is_empty());
    put(&store, &numbers, 2001, 2001);
    assert_eq!(drain(&mut feed, &numbers), expected(2000, 2001));
    for from in [0, 1, 1999] {
        let pruned = store.on_commit_from(FeedPosition::new(from));
        let error = pruned.map(drop).expect_err("it was pruned");
        assert!(matches!(error, FeedError::Pruned { oldest, .. } if oldest.number() == 2000));
        assert!(error.to_string().contains("2000"), "{error}");
    }
    let oldest = store.on_commit_from(FeedPosition::new(2000));
    assert_eq!(drain(&mut oldest.expect("it is there"), &numbers).len(), 1);
    // One that was on its way.
    let error = loop {
        match slow.try_recv() {
            Ok(found) => assert!(found.is_some(), "it does not come so far"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, FeedError::Pruned { .. }), "{error}");
}

#[test]
fn followers_see_every_commit_once_and_in_order() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 200;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let declare = |tables: &mut mvcc::Schema| -> (Numbers, Numbers) {
        (tables.table("numbers"), tables.table("others"))
    };
    let (store, (numbers, others)) = options().open(directory.path(), declare).expect("new");
    let (before, feed) = store.on_commit().expect("it is open");
    assert_eq!(before.iter(&numbers).count(), 0);
    let follow = |mut feed: DurableFeed| {
        let (mut state, mut last) = (BTreeMap::new(), 0);
        for _ in 0..WRITERS * EACH {
            let commit = feed.recv().expect("it goes on");
            assert_eq!(commit.position().number(), last + 1);
            last += 1;
            assert_eq!(commit.tables(), ["numbers", "others"]);
            let changes = commit.changes(&numbers).expect("they are numbers");
            for DurableChange { key, after, .. } in changes {
                state.insert(key, after);
            }
        }
        assert!(
            feed.recv_timeout(Duration::from_millis(1))
                .expect("it goes on")
                .is_none()
        );
        state
    };
    let second = store
        .on_commit_from(FeedPosition::START)
        .expect("it is there");
    thread::scope(|scope| {
        let followers = [feed, second].map(|feed| scope.spawn(|| follow(feed)));
        for writer in 0..WRITERS {
            let (store, numbers, others) = (&store, &numbers, &others);
            scope.spawn(move || {
                for number in 0..EACH {
                    let write = |tx: &mvcc::Transaction<'_>| {
                        let key = number % 7;
                        let sum = tx.get(numbers, &key).copied().unwrap_or(0);
                        if sum % 5 == 4 {
                            tx.remove(numbers, &key);
                        } else {
                            tx.insert(numbers, key, sum + 1);
                        }
                        Ok::<_, Infallible>(tx.insert(others, writer, number))
                    };
                    let ((), ticket) = store.submit(write).expect("it is visible");
                    drop(ticket);
                }
            });
        }
        for follower in followers {
            let state = follower.join().expect("it follows");
            store.sync().expect("nothing failed");
            let rows = state
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)));
            let snapshot = store.snapshot();
            let mut now: Vec<_> = snapshot.iter(&numbers).map(|(k, v)| (*k, *v)).collect();
            now.sort_unstable();
            assert_eq!(rows.collect::<Vec<_>>(), now);
        }
    });
}

#[test]
fn a_feed_begins_exactly_where_its_snapshot_ends() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (store, numbers): (Store, Numbers) = options()
        .open(directory.path(), |tables| tables.table("numbers"))
        .expect("new");
    thread::scope(|scope| {
        let (store, numbers) = (&store, &numbers);
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                scope.spawn(move || {
                    for number in 0..500 {
                        let count = |tx: &mvcc::Transaction<'_>| {
                            let count = tx.get(numbers, &writer).copied().unwrap_or(0);
                            Ok::<_, Infallible>(tx.insert(numbers, writer, count + 1))
                        };
                        let ((), ticket) = store.submit(count).expect("it is visible");
                        drop((number, ticket));
                    }
                })
            })
            .collect();
        for _ in 0..20 {
            let (before, mut feed) = store.on_commit().expect("it is open");
            let mut counts = [0, 1].map(|key| before.get(numbers, &key).copied().unwrap_or(0));
            store.sync().expect("nothing failed");
            while let Some(commit) = feed.try_recv().expect("it goes on") {
                for change in commit.changes(numbers).expect("they are numbers") {
                    let count = &mut counts[usize::from(change.key == 1)];
                    assert_eq!(change.after, Some(*count + 1), "none twice, none lost");
                    *count += 1;
                }
            }
        }
        for writer in writers {
            writer.join().expect("it commits");
        }
    });
}

#[test]
fn a_stopped_log_ends_the_feed_after_what_is_durable() {
    let disk = Arc::new(SimDisk::new());
    let (store, numbers) = open(&disk);
    let (_, mut feed) = store.on_commit().expect("it is open");
    put(&store, &numbers, 1, 1);
    put(&store, &numbers, 2, 2);
    // The next frame's sync fails.
    disk.fail(disk.operations() + 1, Fault::Forever);
    let write = |tx: &mvcc::Transaction<'_>| Ok::<_, Infallible>(tx.insert(&numbers, 3, 3));
    store.run(write).expect_err("the disk fails");
    assert_eq!(feed.recv().expect("it is durable").position().number(), 1);
    assert_eq!(feed.recv().expect("it is durable").position().number(), 2);
    assert!(matches!(feed.recv(), Err(FeedError::Ended)));
}

#[test]
fn closing_ends_a_feed_that_waits() {
    let disk = Arc::new(SimDisk::new());
    let (store, _) = open(&disk);
    let (_, mut feed) = store.on_commit().expect("it is open");
    let waiting = thread::spawn(move || feed.recv().map(drop));
    thread::sleep(Duration::from_millis(20));
    store.close().expect("nothing failed");
    let ended = waiting.join().expect("it does not panic");
    assert!(matches!(ended, Err(FeedError::Ended)));
}

#[test]
fn changes_of_earlier_versions_are_migrated() {
    let disk = Arc::new(SimDisk::new());
    let (store, numbers) = open(&disk);
    put(&store, &numbers, 1, 1);
    store.close().expect("nothing failed");
    let (store, texts): (Store, Table<u64, String>) = options()
        .open_on(disk.clone(), |tables| {
            let migrated = tables
                .version(2)
                .from(1, |old: u64| format!("{old} of old"));
            migrated.table("numbers")
        })
        .expect("it migrates");
    // The migration's checkpoint has taken the place of the old commits.
    let pruned = store.on_commit_from(FeedPosition::START).map(drop);
    assert!(matches!(pruned, Err(FeedError::Pruned { .. })));
    let (before, mut feed) = store.on_commit().expect("it is open");
    assert_eq!(before.get(&texts, &1).map(String::as_str), Some("1 of old"));
    let write =
        |tx: &mvcc::Transaction<'_>| Ok::<_, Infallible>(tx.insert(&texts, 2, "new".into()));
    store.run(write).expect("it is durable");
    let changes = feed
        .recv()
        .expect("it is durable")
        .changes(&texts)
        .expect("texts");
    assert_eq!(
        (changes[0].key, changes[0].after.as_deref()),
        (2, Some("new"))
    );
}
