//! Several threads against invariants: those that `mvcc` is held to, and that nobody waits or loses
//! for ever.

#[path = "../../mvcc/tests/invariants/mod.rs"]
mod invariants;

/// What [`invariants`] needs.
mod library {
    pub(crate) use tplock::{Database, Read, Table};

    pub(crate) fn databases() -> impl Iterator<Item = Database> {
        std::iter::once(Database::new())
    }

    /// A transaction is not committed: it must see a consistent state even if it is going to fail.
    macro_rules! each_reader {
        ($db:expr, |$read:ident| $check:expr) => {{
            $db.view(|$read| $check);
            let aborted = $db.run(|$read| {
                $check;
                Err::<(), _>(())
            });
            assert_eq!(aborted, Err(()));
        }};
    }
    pub(crate) use each_reader;

    pub(crate) fn assert_clean(db: &Database, rows: u64) {
        let stats = db.stats();
        assert_eq!((stats.tuples as u64, stats.locks), (rows, 0), "{stats:?}");
    }
}

use invariants::{deadline, on_threads};
use library::assert_clean;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tplock::{Database, OrderedTable, Table};

/// Runs a test that might never end, and fails if it does not.
fn ends(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    let patience = deadline() - Instant::now() + Duration::from_mins(1);
    let ended = wait.recv_timeout(patience);
    assert_ne!(
        ended,
        Err(mpsc::RecvTimeoutError::Timeout),
        "somebody waits for ever"
    );
    thread.join().expect("the test panicked");
}

/// Locks in random order, shared first and then exclusively, keys that are there and keys that are
/// not, points and ranges.
#[test]
fn nobody_waits_for_ever() {
    ends(|| {
        let db = Database::new();
        let points: Table<u64, u64> = db.table("points").expect("new");
        let ranges: OrderedTable<u64, u64> = db.ordered_table("ranges").expect("new");
        on_threads(4, |_, random| {
            let mut seed = random.fork();
            let _ = db.run(|tx| {
                let mut random = seed.fork();
                for _ in 0..random.usize(1..8) {
                    let key = random.u64(..8);
                    match random.u8(..9) {
                        0 => drop(tx.get(&points, &key)),
                        1 => tx.insert(&points, key, 1),
                        2 => tx.remove(&points, &key),
                        3 => drop(tx.get(&ranges, &key)),
                        4 => tx.insert(&ranges, key, 1),
                        5 => tx.remove(&ranges, &key),
                        6 => drop(tx.range(&ranges, key..key + 3).count()),
                        7 => drop(tx.range(&ranges, ..key).rev().take(2).count()),
                        _ => drop(tx.iter(&points).count()),
                    }
                }
                if random.u8(..4) == 0 { Err(()) } else { Ok(()) }
            });
        });
        let rows = db.view(|view| view.iter(&points).count() + view.iter(&ranges).count());
        assert_clean(&db, rows as u64);
    });
}

/// Transactions that read everything commit, one after the other, beside others that never stop
/// writing to what they read.
#[test]
fn nobody_loses_for_ever() {
    ends(|| {
        let db = Database::new();
        let table = db.table::<u64, u64>("t").expect("new");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (db, table, stop) = (&db, &table, &stop);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(thread);
                    while !stop.load(Relaxed) {
                        let key = random.u64(..50);
                        db.run(|tx| {
                            let value = tx.get(table, &key).copied().unwrap_or(0);
                            Ok::<_, ()>(tx.insert(table, key, value + 1))
                        })
                        .expect("no error");
                    }
                });
            }
            let end = deadline();
            while Instant::now() < end {
                db.run(|tx| {
                    let sum: u64 = (0..50).filter_map(|key| tx.get(&table, &key)).sum();
                    Ok::<_, ()>(tx.insert(&table, 0, sum))
                })
                .expect("no error");
                db.view(|view| view.iter(&table).count());
            }
            stop.store(true, Relaxed);
        });
        let rows = db.view(|view| view.iter(&table).count() as u64);
        assert_clean(&db, rows);
    });
}
