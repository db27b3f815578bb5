//! Whatever produces garbage has somebody who collects it, also where nobody commits.
//!
//! Only commits with writes used to collect: after 200,000 aborted inserts of fresh keys, beside
//! views only, there were 200,000 tuples.

use mvcc::{Database, OrderedTable, Overflow, RetryPolicy, Stats, Table};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const TIMES: u64 = 5_000;
/// More than a few collections' entries, and far less than what so many times leave.
const FEW: u64 = 400;

const ON_PURPOSE: &str = "on purpose";

struct World {
    db: Database,
    hashed: Table<u64, String>,
    ordered: OrderedTable<u64, String>,
}

impl World {
    fn new() -> Self {
        let db = Database::new();
        let hashed = db.table("hashed").expect("new");
        let ordered = db.ordered_table("ordered").expect("new");
        Self {
            db,
            hashed,
            ordered,
        }
    }

    /// Buffers fresh keys.
    fn add(&self, tx: &mvcc::Transaction<'_>, key: u64) {
        tx.insert(&self.hashed, key, key.to_string());
        tx.insert(&self.ordered, key, key.to_string());
    }

    fn view(&self, key: u64) {
        let found = self.db.view(|view| view.contains_key(&self.hashed, &key));
        assert!(!found);
    }
}

/// Runs a producer many times, beside views, and looks at what there is.
fn stays_small(mut producer: impl FnMut(&World, u64)) {
    let world = World::new();
    for key in 0..TIMES {
        producer(&world, key);
        world.view(key);
        if key % 100 == 99 {
            check(&world.db.stats());
        }
    }
}

fn check(stats: &Stats) {
    let most = [stats.live_tuples, stats.live_versions, stats.retired];
    assert!(most.iter().all(|count| *count <= FEW), "{stats:?}");
}

#[test]
fn aborted_transactions() {
    stays_small(|world, key| {
        let tx = world.db.begin();
        world.add(&tx, key);
        tx.abort();
    });
}

#[test]
fn closures_that_return_errors() {
    stays_small(|world, key| {
        let result = world.db.run(|tx| {
            world.add(tx, key);
            Err::<(), _>(key)
        });
        assert_eq!(result, Err(key));
    });
}

#[test]
fn closures_that_panic() {
    // Those on purpose print nothing; the others' tests run in this process as well.
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref() != Some(&ON_PURPOSE) {
            print(panic);
        }
    }));
    stays_small(|world, key| {
        let result = catch_unwind(AssertUnwindSafe(|| {
            world.db.run(|tx| {
                world.add(tx, key);
                assert!(key >= TIMES, "{ON_PURPOSE}");
                Ok::<_, ()>(())
            })
        }));
        assert!(result.is_err());
    });
}

#[test]
fn savepoints_that_are_rolled_back() {
    stays_small(|world, key| {
        let done = world.db.run(|tx| {
            let savepoint = tx.savepoint();
            world.add(tx, key);
            savepoint.roll_back();
            Ok::<_, ()>(())
        });
        assert_eq!(done, Ok(()));
    });
}

#[test]
fn those_who_lose() {
    let world = World::new();
    let commit = |key: u64, value: &str| {
        let value = value.to_owned();
        let done = world
            .db
            .run(|tx| Ok::<_, ()>(tx.insert(&world.hashed, key, value.clone())));
        assert_eq!(done, Ok(()));
    };
    for key in 0..TIMES {
        // A loser beside one commit: that collects as well, so it must not be the only one.
        let tx = world.db.begin();
        assert!(!tx.contains_key(&world.hashed, &u64::MAX) || key > 0);
        world.add(&tx, key);
        commit(u64::MAX, "theirs");
        assert!(tx.commit().is_err());
    }
    check(&world.db.stats());
}

/// They do not collect before others may commit again.
#[test]
fn those_who_commit_inside_the_gate() {
    let policy = RetryPolicy::new().exclusive_after(1);
    stays_small(|world, key| {
        let run = world.db.run_with(&policy, |tx| {
            tx.get(&world.hashed, &u64::MAX);
            if tx.attempt() == 1 {
                let other = world.db.begin();
                world.add(&other, u64::MAX);
                other
                    .commit()
                    .expect("the other one has written nothing yet");
            }
            world.add(tx, u64::MAX);
            Ok::<_, ()>(tx.attempt())
        });
        assert_eq!(run, Ok(2), "{key}");
    });
}

#[test]
fn threads_that_end() {
    let world = World::new();
    for key in 0..TIMES / 10 {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let tx = world.db.begin();
                (0..10).for_each(|i| world.add(&tx, 10 * key + i));
            });
            // A scope does not wait for the destructors of thread-locals; this does. Each thread
            // that has not ended yet has a few entries of its own, so more threads would have more.
            thread.join().expect("no panic");
        });
        world.view(key);
    }
    check(&world.db.stats());
}

#[test]
fn threads_that_panic_and_end() {
    let world = World::new();
    for key in 0..TIMES / 10 {
        let panicked = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let tx = world.db.begin();
                (0..10).for_each(|i| world.add(&tx, 10 * key + i));
                std::panic::resume_unwind(Box::new(()));
            });
            thread.join().is_err()
        });
        assert!(panicked);
    }
    check(&world.db.stats());
}

#[test]
fn many_databases_on_one_thread() {
    // The state of one is not that of another.
    let worlds = [World::new(), World::new()];
    for key in 0..TIMES {
        for world in &worlds {
            let tx = world.db.begin();
            world.add(&tx, key);
        }
    }
    for world in &worlds {
        check(&world.db.stats());
    }
}

#[test]
fn nested_transactions() {
    stays_small(|world, key| {
        let outer = world.db.begin();
        world.add(&outer, 2 * key);
        let inner = world.db.begin();
        world.add(&inner, 2 * key + 1);
    });
}

#[test]
fn missed_keys_and_removals_of_absent_ones() {
    stays_small(|world, key| {
        let done = world.db.run(|tx| {
            tx.remove(&world.hashed, &key);
            tx.remove(&world.ordered, &key);
            assert!(!tx.update(&world.ordered, &key, Clone::clone));
            assert_eq!(tx.reserve(&world.hashed, &key), None);
            Ok::<_, ()>(())
        });
        assert_eq!(done, Ok(()));
    });
}

#[test]
fn rows_of_indexed_tables() {
    let world = World::new();
    let index = world
        .db
        .index(&world.ordered, "by_value", |_, value| Some(value.clone()));
    index.expect("new");
    for key in 0..TIMES {
        let tx = world.db.begin();
        world.add(&tx, key);
        drop(tx);
        world.view(key);
    }
    check(&world.db.stats());
}

#[test]
fn limited_snapshots_of_those_who_abort() {
    let db = Database::builder().snapshot_limit(Duration::ZERO).build();
    let db = db.expect("it has a clock");
    let hashed: Table<u64, String> = db.table("hashed").expect("new");
    let mut snapshots = Vec::new();
    for key in 0..TIMES {
        if key % 100 == 0 {
            snapshots.push(db.limited_snapshot());
        }
        db.begin().insert(&hashed, key, key.to_string());
    }
    check(&db.stats());
    assert!(db.stats().expired_snapshots > 0);
}

#[test]
fn a_feed_beside_those_who_abort() {
    let world = World::new();
    let (snapshot, mut feed) = world.db.on_commit(1, Overflow::DropOldest);
    drop(snapshot);
    for key in 0..TIMES {
        let tx = world.db.begin();
        world.add(&tx, key);
        drop(tx);
        assert!(feed.try_recv().is_none());
    }
    check(&world.db.stats());
}

#[test]
fn only_reads_follow() {
    // A read never collects, but it leaves nothing either: what the last commits left is as much as
    // a few of them leave.
    let world = World::new();
    for key in 0..TIMES {
        let done = world.db.run(|tx| {
            tx.insert(&world.hashed, key, String::new());
            Ok::<_, ()>(tx.insert(&world.ordered, key, String::new()))
        });
        assert_eq!(done, Ok(()));
    }
    let before = world.db.stats();
    for key in TIMES..2 * TIMES {
        world.view(key);
        assert_eq!(world.db.snapshot().iter(&world.hashed).take(1).count(), 1);
    }
    let after = world.db.stats();
    assert!(after.retired <= before.retired, "{before:?}, {after:?}");
    assert!(after.retired <= FEW, "{after:?}");
}
