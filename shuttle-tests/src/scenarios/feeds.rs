//! Feeds: every commit, whole and in order.

use super::{Numbers, World, add, numbers, remove, tasks, write};
use mvcc_shuttle::{Committed, Database, Feed, Overflow, Read};
use shuttle::sync::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

type Model = BTreeMap<u32, u64>;

fn rows(read: &impl Read, table: &Numbers) -> Model {
    let rows = read.iter(table).map(|(key, value)| (*key, *value));
    rows.collect()
}

/// Applies a commit to a copy of the table, which must be as the commit has found it.
fn apply(commit: &Committed<'_>, table: &Numbers, model: &mut Model) {
    for change in commit.changes(table) {
        assert_eq!(model.get(change.key), change.before, "out of order");
        match change.after {
            Some(value) => model.insert(*change.key, *value),
            None => model.remove(change.key),
        };
    }
}

/// Applies all that is there, when nobody writes any more.
fn drain(db: &Database, feed: &mut Feed, table: &Numbers, model: &mut Model) {
    while let Some(commit) = feed.try_recv() {
        apply(&commit, table, model);
    }
    assert_eq!(
        *model,
        rows(&db.snapshot(), table),
        "the copy and the table"
    );
}

/// Writers of the same and of other rows, and one who follows them. What is written depends on what
/// was there.
pub(super) fn feed_in_order(world: World) {
    let (db, table) = numbers(world, &[(0, 10), (1, 10)]);
    let (snapshot, mut feed) = db.on_commit(16, Overflow::Wait);
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
    );
    tasks!(
        move || {
            add(&a.0, &a.1, 0, 1);
            add(&a.0, &a.1, 1, 1);
        },
        move || {
            add(&b.0, &b.1, 1, 1);
            add(&b.0, &b.1, 2, 1);
            remove(&b.0, &b.1, 0);
        },
        move || {
            let mut model = rows(&snapshot, &c.1);
            for _ in 0..5 {
                apply(&feed.recv(), &c.1, &mut model);
            }
            drain(&c.0, &mut feed, &c.1, &mut model);
        },
    );
}

/// The first feed starts while others commit.
pub(super) fn feed_starts_beside_commits(world: World) {
    let (db, table) = numbers(world, &[(0, 10), (1, 10)]);
    let adder = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || (0..2).for_each(|_| add(&db, &table, key, 1))
    };
    let (a, b) = (db.clone(), table.clone());
    let started = Arc::new(Mutex::new(None));
    let hand_over = started.clone();
    tasks!(adder(0), adder(1), move || {
        let (snapshot, mut feed) = a.on_commit(16, Overflow::Wait);
        let mut model = rows(&snapshot, &b);
        if let Some(commit) = feed.try_recv() {
            apply(&commit, &b, &mut model);
        }
        *hand_over.lock().expect("not poisoned") = Some((feed, model));
    });
    let started = started.lock().expect("not poisoned").take();
    let (mut feed, mut model) = started.expect("it was started");
    drain(&db, &mut feed, &table, &mut model);
}

/// What is being looked at stays, whatever is written and collected meanwhile.
pub(super) fn feed_keeps_what_it_delivers(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 1)]);
    let (_, mut feed) = db.on_commit(16, Overflow::DropOldest);
    write(&db, &table, &[(0, 2), (5, 2)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            for value in 3..6 {
                write(&a.0, &a.1, &[(0, value)]);
                remove(&a.0, &a.1, 5);
                a.0.collect();
            }
        },
        move || {
            let commit = feed.recv();
            b.0.collect();
            let mut changes: Vec<_> = commit.changes(&b.1).collect();
            changes.sort_unstable_by_key(|change| *change.key);
            let first = (changes[0].key, changes[0].before, changes[0].after);
            let second = (changes[1].key, changes[1].before, changes[1].after);
            assert_eq!(first, (&0, Some(&1), Some(&2)));
            assert_eq!(second, (&5, None, Some(&2)));
            drop(commit);
            drop(feed);
        },
    );
    super::check_clean(&db, 2);
}

/// A queue that is always full: writers wait, and who receives writes as well. The feed stays when
/// nobody receives any more; the last writer has its commit delivered by then, so it does not wait,
/// whatever fills the queue.
pub(super) fn full_feed(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let (_, mut feed) = db.on_commit(1, Overflow::Wait);
    let kept = Arc::new(Mutex::new(None));
    let adder = || {
        let (db, table) = (db.clone(), table.clone());
        move || (0..3).for_each(|_| add(&db, &table, 0, 1))
    };
    let (a, b, keep) = (db.clone(), table.clone(), kept.clone());
    tasks!(adder(), adder(), move || {
        let mut seen = 0;
        while seen < 6 {
            let commit = feed.recv();
            let first = commit.changes(&b).find(|change| *change.key == 0);
            if let Some(change) = first {
                seen += 1;
                assert_eq!(change.after, Some(&seen));
                drop(commit);
                write(&a, &b, &[(1, seen)]);
            }
        }
        *keep.lock().expect("not poisoned") = Some(feed);
    });
    assert_eq!(db.view(|view| view.get(&table, &1).copied()), Some(6));
}

/// Commits that have nothing to do with each other, and snapshots between them: each is what the
/// commits before it make of the table.
pub(super) fn feed_agrees_with_snapshots(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (start, mut feed) = db.on_commit(16, Overflow::Wait);
    let snapshots = Arc::new(Mutex::new(Vec::new()));
    let states = Arc::new(Mutex::new(vec![(start.timestamp(), rows(&start, &table))]));
    let adder = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || (0..2).for_each(|_| add(&db, &table, key, 1))
    };
    let (looks, looked) = (db.clone(), snapshots.clone());
    let (received, model_of) = (states.clone(), table.clone());
    tasks!(
        adder(0),
        adder(1),
        move || {
            for _ in 0..3 {
                let snapshot = looks.snapshot();
                looked.lock().expect("not poisoned").push(snapshot);
            }
        },
        move || {
            let mut states = received.lock().expect("not poisoned");
            for _ in 0..4 {
                let commit = feed.recv();
                let (before, mut model) = states.last().cloned().expect("the start");
                assert!(before <= commit.timestamp(), "out of order");
                apply(&commit, &model_of, &mut model);
                states.push((commit.timestamp(), model));
            }
        },
    );
    let states = states.lock().expect("not poisoned");
    for snapshot in &*snapshots.lock().expect("not poisoned") {
        let seen = states[1..]
            .iter()
            .take_while(|(timestamp, _)| *timestamp < snapshot.timestamp());
        let (_, state) = &states[seen.count()];
        assert_eq!(*state, rows(snapshot, &table), "a prefix and the snapshot");
    }
}
