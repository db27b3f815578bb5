//! Every image that a crash may leave of a store, at every operation on its disk, opened again: the
//! state after a prefix of the commits, with all that was acknowledged. And so again after a crash
//! in that, and after more commits.

#![cfg(feature = "durable")]

use journal::sim::{Image, Lie, SimDisk};
use mvcc::{OrderedTable, Store, StoreError, Table, Transaction};
use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// How often each thread has committed, and in which order all have: two tables that say the same.
#[derive(Clone)]
struct Tables {
    counts: Table<u64, u64>,
    order: OrderedTable<u64, u64>,
}

/// What a closure returns that refuses nothing.
type Done = Result<(), Infallible>;

const THREADS: u64 = 3;
/// So many crashes in a row.
const DEEP: u32 = 2;

fn open(disk: &SimDisk) -> (Store, Tables) {
    let options = Store::options()
        .segment_bytes(2 << 10)
        .checkpoint_bytes(1 << 40);
    let opened = options.open_on(Arc::new(disk.clone()), |tables| Tables {
        counts: tables.table("counts"),
        order: tables.ordered_table("order"),
    });
    opened.expect("what a crash leaves is opened")
}

/// A commit of one thread: it counts itself, and adds itself at the end of the order.
#[expect(clippy::unnecessary_wraps, reason = "for the store to run")]
fn step(tx: &Transaction<'_>, tables: &Tables, thread: u64) -> Done {
    let count = tx.get(&tables.counts, &thread).copied().unwrap_or(0);
    let next = tx.last(&tables.order).map_or(0, |(last, _)| last + 1);
    tx.insert(&tables.counts, thread, count + 1);
    tx.insert(&tables.order, next, thread);
    Ok(())
}

/// What each thread was told to be durable: a byte each.
fn acknowledge(acknowledged: &AtomicU64, disk: &SimDisk, thread: u64) {
    let one = 1 << (8 * thread);
    // The disk keeps the largest that it was told of all before: others may be between the two
    // steps.
    let all = acknowledged.fetch_add(one, Ordering::SeqCst) + one;
    disk.acknowledge(all);
}

/// The commits of each thread in a recovered store, which must be the state after some commits.
fn check(store: &Store, tables: &Tables, acknowledged: u64) -> BTreeMap<u64, u64> {
    let snapshot = store.snapshot();
    let mut counts = BTreeMap::new();
    for (place, (key, thread)) in snapshot.iter(&tables.order).enumerate() {
        assert_eq!(*key, place as u64, "a commit is missing before a later one");
        *counts.entry(*thread).or_insert(0) += 1;
    }
    let found: BTreeMap<u64, u64> = snapshot
        .iter(&tables.counts)
        .map(|(k, v)| (*k, *v))
        .collect();
    assert_eq!(found, counts, "half of a commit was recovered");
    for thread in 0..THREADS {
        let told = acknowledged >> (8 * thread) & 0xff;
        let count = counts.get(&thread).copied().unwrap_or(0);
        assert!(
            count >= told,
            "thread {thread} was told of {told} commits, {count} are left"
        );
    }
    counts
}

/// Runs threads on a store that commit, and a checkpoint beside them.
fn run(disk: &SimDisk, commits: u64) {
    let (store, tables) = open(disk);
    let acknowledged = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, tables, acknowledged) = (&store, &tables, &acknowledged);
            scope.spawn(move || {
                for _ in 0..commits {
                    store
                        .run(|tx| step(tx, tables, thread))
                        .expect("nothing fails");
                    acknowledge(acknowledged, disk, thread);
                }
                if thread == 0 {
                    store.checkpoint().expect("there is room");
                }
            });
        }
    });
    store.close().expect("nothing failed");
}

/// What was enumerated.
#[derive(Debug, Default)]
struct Count {
    operations: u64,
    built: u64,
    images: u64,
    opened: u64,
    nested: u64,
}

/// Opens each image that a crash may leave of what the disk has recorded, `deep` crashes in a row.
fn crash(disk: &SimDisk, deep: u32, count: &mut Count) {
    let mut seen = HashSet::new();
    let mut acknowledged = None;
    for moment in disk.moments() {
        if acknowledged != Some(moment.acknowledged) {
            seen.clear();
            acknowledged = Some(moment.acknowledged);
        }
        let mut images: Vec<Image> = Vec::new();
        let coverage = moment.images(&mut seen, moment.operations, |image| images.push(image));
        if deep == DEEP {
            count.operations += 1;
            count.built += coverage.built;
            count.images += coverage.different;
        }
        // Some of each moment: all of them are the journal's own tests.
        let stride = images.len() / 24 + 1;
        for image in images.into_iter().step_by(stride) {
            count.opened += 1;
            count.nested += u64::from(deep < DEEP);
            let after = SimDisk::after(&image);
            after.acknowledge(moment.acknowledged);
            if deep > 1 {
                after.record();
            }
            let (store, tables) = open(&after);
            let counts = check(&store, &tables, moment.acknowledged);
            if count.opened.is_multiple_of(16) {
                store.run(|tx| step(tx, &tables, 0)).expect("it goes on");
                let acknowledged = moment.acknowledged;
                drop((store, tables));
                let (store, tables) = open(&after);
                let after = check(&store, &tables, acknowledged);
                let sum = |counts: &BTreeMap<u64, u64>| counts.values().sum::<u64>();
                assert_eq!(sum(&after), sum(&counts) + 1);
            } else {
                drop((store, tables));
            }
            if deep > 1 && count.opened.is_multiple_of(64) {
                crash(&after, deep - 1, count);
            }
        }
    }
}

#[test]
fn every_crash_leaves_a_prefix_with_all_that_was_acknowledged() {
    let disk = SimDisk::new();
    disk.record();
    run(&disk, 4);
    let mut count = Count::default();
    crash(&disk, DEEP, &mut count);
    println!("store, {count:?}");
    assert!(count.opened > 200, "{count:?}");
}

#[test]
fn a_disk_that_does_not_sync_is_caught_by_a_store() {
    for lie in [Lie::SyncData, Lie::SyncDir] {
        let disk = SimDisk::new();
        disk.lie(Some(lie));
        disk.record();
        run(&disk, 4);
        let crash = || crash(&disk, 1, &mut Count::default());
        let crashed = catch_unwind(AssertUnwindSafe(crash));
        assert!(crashed.is_err(), "{lie:?} was not noticed");
    }
}

/// The n-th operation on the disk fails, for all n: each commit is in the recovered prefix, if its
/// outcome was success, and is not, if it was that nothing happened.
#[test]
fn each_outcome_is_true_whichever_operation_fails() {
    for fault in journal::sim::Fault::ALL {
        let mut operation = 0;
        loop {
            let disk = SimDisk::new();
            let options = || {
                Store::options()
                    .segment_bytes(2 << 10)
                    .checkpoint_bytes(1 << 40)
            };
            let declare = |tables: &mut mvcc::Schema| tables.table("t");
            let (store, table): (Store, Table<u64, u64>) = options()
                .open_on(Arc::new(disk.clone()), declare)
                .expect("nothing fails yet");
            let first = disk.operations();
            disk.fail(first + operation, fault);
            let outcomes: Vec<_> = (0..12u64)
                .map(|key| {
                    if key == 6 {
                        // It fails or not; no commit may suffer from it but by a log that stops.
                        let _ = store.checkpoint();
                    }
                    store.run(|tx| Ok::<_, Infallible>(tx.insert(&table, key, key)))
                })
                .collect();
            let reached = disk.operations() > first + operation;
            drop((store, table));
            disk.mend();
            let opened = options().open_on(Arc::new(SimDisk::after(&disk.image())), declare);
            let (store, table): (Store, Table<u64, u64>) = opened.unwrap_or_else(|error| {
                panic!("{fault:?} at operation {operation} left what cannot be opened: {error}")
            });
            for (key, outcome) in (0..).zip(&outcomes) {
                let found = store.view(|view| view.get(&table, &key).is_some());
                let is_true = match outcome {
                    Ok(()) => found,
                    Err(StoreError::Unknown) => true,
                    Err(_) => !found,
                };
                assert!(
                    is_true,
                    "{fault:?} at {operation}: key {key} has {outcome:?}, is there: {found}"
                );
            }
            if !reached {
                break;
            }
            operation += 1;
        }
        assert!(operation > 20, "{fault:?}: only {operation} operations");
    }
}
