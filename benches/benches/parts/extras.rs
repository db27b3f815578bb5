//! What a commit costs with a feed, and after a reservation; and a row that two threads increment,
//! with and without one.

use crate::tables::{SIZES, hashed};
use criterion::Criterion;
use mvcc::{Overflow, Transaction};
use std::convert::Infallible;
use std::hint::spin_loop;
use std::sync::Barrier;
use std::time::{Duration, Instant};

pub(crate) fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    let (db, table) = hashed(SIZES[0]);
    let mut random = fastrand::Rng::with_seed(6);
    let mut update = |reserve: bool| {
        let key = random.u64(..SIZES[0]);
        let Ok(updated) = db.run(|tx| {
            if reserve {
                tx.reserve(&table, &key);
            }
            Ok::<_, Infallible>(tx.update(&table, &key, |value| *value))
        });
        updated
    };
    group.bench_function("plain", |bencher| bencher.iter(|| update(false)));
    group.bench_function("reserved", |bencher| bencher.iter(|| update(true)));
    let (_, mut feed) = db.on_commit(1_024, Overflow::Wait);
    group.bench_function("with a feed, received", |bencher| {
        bencher.iter(|| {
            update(false);
            let commit = feed.recv();
            commit.timestamp()
        });
    });
    drop(feed);
    let (_, _feed) = db.on_commit(1_024, Overflow::DropOldest);
    group.bench_function("with a feed, dropped", |bencher| {
        bencher.iter(|| update(false));
    });
}

/// Threads that increment one row, with some work between reading and writing it.
pub(crate) fn one_row(criterion: &mut Criterion) {
    const THREADS: u32 = 4;
    let mut group = criterion.benchmark_group("one row");
    for work in [0, 2, 20, 200].map(Duration::from_micros) {
        let (db, table) = hashed(1);
        let busy = |tx: &Transaction<'_>| {
            let mut value = *tx.get(&table, &0).expect("loaded");
            let start = Instant::now();
            while start.elapsed() < work {
                spin_loop();
            }
            value[0] = value[0].wrapping_add(1);
            tx.insert(&table, 0, value);
        };
        for reserve in [false, true] {
            let increments = |times: u64| {
                let begin = Barrier::new(THREADS as usize);
                let all = || {
                    begin.wait();
                    let start = Instant::now();
                    for _ in 0..times {
                        let Ok(()) = db.run(|tx| {
                            if reserve {
                                tx.reserve(&table, &0);
                            }
                            Ok::<_, Infallible>(busy(tx))
                        });
                    }
                    start.elapsed()
                };
                std::thread::scope(|scope| {
                    let threads = [(); THREADS as usize].map(|()| scope.spawn(all));
                    let times = threads.map(|thread| thread.join().expect("it only increments"));
                    times.into_iter().max().unwrap_or_default() / THREADS
                })
            };
            let how = if reserve { "reserved" } else { "plain" };
            group.bench_function(format!("{work:?} of work, {how}"), |bencher| {
                bencher.iter_custom(increments);
            });
        }
    }
}
