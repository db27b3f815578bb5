//! One engine under one row.

use super::peer::Peer;
use super::rows::{Action, Op, Plan, SCAN};
use std::cell::Cell;
use std::hint::black_box;
use std::process::exit;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use workloads::interruption::interrupted;
use workloads::{output, team};

/// Transactions between two looks at the time. A look keeps the cache misses of the transactions
/// before it and after it from overlapping, which costs as much as several of the shortest
/// transactions.
const BATCH: u64 = 512;

/// What the threads do, and for how long.
pub(super) struct Job<'a> {
    /// One for each thread.
    pub(super) plans: &'a [Plan],
    /// A key that is read from a snapshot, which is held from before the threads begin until they
    /// are done.
    pub(super) held: Option<u64>,
    pub(super) duration: Duration,
}

/// What came of it.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    /// Transactions per second, all threads together.
    pub(super) tps: f64,
    /// Attempts that failed, for each transaction that committed.
    pub(super) retries: f64,
}

impl Job<'_> {
    pub(super) fn run<P: Peer>(&self, peer: &P) -> Sample {
        let counts = match self.held {
            Some(key) => peer.hold(key, || self.threads(peer), |_, value| touch(value)),
            None => self.threads(peer),
        };
        let (committed, retries) = counts.iter().fold((0, 0), |(committed, retries), count| {
            (committed + count.committed, retries + count.retries)
        });
        Sample {
            tps: counts.iter().map(Count::per_second).sum(),
            retries: retries as f64 / committed as f64,
        }
    }

    fn threads<P: Peer>(&self, peer: &P) -> Vec<Count> {
        let start = Barrier::new(self.plans.len());
        let thread = |plan: &Plan| {
            start.wait();
            self.thread(peer, plan)
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = self
                .plans
                .iter()
                .map(|plan| {
                    team::spawn(scope, || thread(plan)).unwrap_or_else(|error| {
                        // The threads that there are wait for this one.
                        output::note(format_args!("error: {error}"));
                        exit(1)
                    })
                })
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().expect("a thread of a measurement"))
                .collect()
        })
    }

    fn thread<P: Peer>(&self, peer: &P, plan: &Plan) -> Count {
        match plan {
            Plan::Circle(ops, size) => self.transactions(peer, ops, *size, true),
            Plan::Scans(ranges) => {
                let mut ranges = ranges.iter().cycle();
                self.warm_up_and_count(|| {
                    let range = ranges.next()?;
                    let seen = Cell::new(0);
                    peer.scan(range.clone(), |key, value| {
                        black_box(key);
                        touch(value);
                        seen.set(seen.get() + 1);
                    });
                    assert_eq!(seen.get() % SCAN, 0, "a scan finds all keys of its range");
                    Some(0)
                })
            }
            Plan::Once(ops) => self.transactions(peer, ops, 1, false),
        }
    }

    /// Runs transactions of `size` operations each. From one place only: so the compiler puts what
    /// an engine does into this loop, as it does where a program calls the engine.
    fn transactions<P: Peer>(&self, peer: &P, ops: &[Op], size: usize, circle: bool) -> Count {
        let mut left = ops.chunks_exact(size);
        let mut transact = || {
            let next = left.next().or_else(|| {
                left = ops.chunks_exact(size);
                left.next().filter(|_| circle)
            })?;
            if next.iter().all(|op| op.action == Action::Read) {
                peer.read(next, |_, value| touch(value));
                Some(0)
            } else {
                Some(peer.write(next, |_, value| touch(value)))
            }
        };
        if circle {
            self.warm_up_and_count(transact)
        } else {
            Count::of(self.duration, &mut transact)
        }
    }

    fn warm_up_and_count(&self, mut transact: impl FnMut() -> Option<u64>) -> Count {
        let phases = [self.duration / 10, self.duration];
        let counts = phases.map(|duration| Count::of(duration, &mut transact));
        counts.into_iter().next_back().expect("two phases")
    }
}

/// What one thread has done.
struct Count {
    committed: u64,
    retries: u64,
    elapsed: Duration,
}

impl Count {
    /// Runs transactions until the time is over, there are no more, or a signal comes. Each returns
    /// how many attempts failed.
    fn of(duration: Duration, mut transact: impl FnMut() -> Option<u64>) -> Self {
        let begun = Instant::now();
        let mut count = Self {
            committed: 0,
            retries: 0,
            elapsed: Duration::ZERO,
        };
        while count.elapsed < duration && interrupted().is_none() {
            let before = count.committed;
            for retries in (0..BATCH).map_while(|_| transact()) {
                count.committed += 1;
                count.retries += retries;
            }
            count.elapsed = begun.elapsed();
            if count.committed < before + BATCH {
                break;
            }
        }
        count
    }

    fn per_second(&self) -> f64 {
        self.committed as f64 / self.elapsed.as_secs_f64()
    }
}

/// Reads from every cache line of a value.
#[inline]
fn touch(value: &[u8]) {
    let lines = value.iter().step_by(64).chain(value.last());
    black_box(lines.fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
}
