//! What the log and checkpoints cost those who commit meanwhile.

use super::opened::{Checkpoints, Opened, Sample, WORKS, bytes};
use crate::compare::options::Options;
use crate::compare::rows::{VALUE, Value};
use mvcc::Table;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::hint::black_box;
use std::path::Path;
use std::sync::Barrier;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};
use workloads::interruption::interrupted;
use workloads::ycsb::{Chooser, Distribution, fnv1a};

/// Of the zipfian distribution, as in YCSB.
const THETA: f64 = 0.99;
/// Transactions between two looks at the time.
const BATCH: u64 = 64;

pub(super) fn sample(options: &Options, directory: &Path) -> Vec<Sample> {
    let first = [1; VALUE];
    Opened::load(directory, options.keys, first).close();
    let threads = options.threads.iter().max().copied().unwrap_or(1);
    let data = options.keys * (size_of::<u64>() + VALUE) as u64;
    let mut samples = Vec::new();
    for (name, is_logged, checkpoints) in [
        ("not logged", false, Checkpoints::ByHand),
        ("logged", true, Checkpoints::ByHand),
        ("checkpoints", true, Checkpoints::Due),
    ] {
        let opened = Opened::new(directory, checkpoints);
        let table = if is_logged {
            opened.table.clone()
        } else {
            let table = opened.store.database().table("volatile");
            let table = table.expect("no other has this name");
            opened.fill(&table, options.keys, first);
            table
        };
        let job = Job {
            opened: &opened,
            table: &table,
            directory,
            keys: options.keys,
            duration: Duration::from_secs_f64(options.seconds),
        };
        let Run {
            tps,
            waits,
            largest,
        } = job.run(threads);
        let mut push = |what, value, unit| {
            let what = format!("{name}: {what}, {threads} threads and a client that waits");
            samples.push(Sample::new(what, value, unit));
        };
        let milliseconds = |wait: Duration| wait.as_secs_f64() * 1e3;
        push("throughput", tps / 1e3, "thousand/s");
        push("median wait", milliseconds(waits[waits.len() / 2]), "ms");
        push("longest wait", milliseconds(waits[waits.len() - 1]), "ms");
        push(
            "largest directory",
            largest as f64 / data as f64,
            "times the data",
        );
        push("checkpoints", opened.store.stats().checkpoints as f64, "");
        // The next one is to begin with a short log.
        opened.store.checkpoint().expect(WORKS);
        opened.close();
    }
    samples
}

struct Job<'j> {
    opened: &'j Opened,
    /// Of the threads that do not wait.
    table: &'j Table<u64, Value>,
    directory: &'j Path,
    keys: u64,
    duration: Duration,
}

/// What came of one.
struct Run {
    tps: f64,
    /// Of the client that waits, in ascending order: at least one.
    waits: Vec<Duration>,
    /// The most bytes that the directory had.
    largest: u64,
}

impl Job<'_> {
    fn run(&self, threads: usize) -> Run {
        let start = &Barrier::new(threads + 2);
        thread::scope(|scope| {
            let client = scope.spawn(move || self.client(start));
            let thread = |thread| scope.spawn(move || self.thread(thread, start));
            let threads: Vec<_> = (0..threads as u64).map(thread).collect();
            start.wait();
            let mut largest = bytes(self.directory);
            while !client.is_finished() {
                thread::sleep(Duration::from_millis(10));
                largest = largest.max(bytes(self.directory));
            }
            let done = |thread: ScopedJoinHandle<'_, f64>| thread.join().expect("no panic");
            Run {
                tps: threads.into_iter().map(done).sum(),
                waits: client.join().expect("no panic"),
                largest,
            }
        })
    }

    fn is_over(&self, begun: Instant) -> bool {
        begun.elapsed() >= self.duration || interrupted().is_some()
    }

    /// Transactions per second.
    fn thread(&self, seed: u64, start: &Barrier) -> f64 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut chooser = Chooser::new(Distribution::Zipfian, self.keys, 0, THETA);
        start.wait();
        let begun = Instant::now();
        let mut done = 0;
        while !self.is_over(begun) {
            for _ in 0..BATCH {
                let key = fnv1a(chooser.choose(&mut random, self.keys));
                if random.random() {
                    let value = [random.random(); VALUE];
                    self.opened.submit(self.table, &[key], value);
                } else {
                    black_box(self.opened.get(self.table, key));
                }
            }
            done += BATCH;
        }
        done as f64 / begun.elapsed().as_secs_f64()
    }

    fn client(&self, start: &Barrier) -> Vec<Duration> {
        start.wait();
        let begun = Instant::now();
        let mut waits = Vec::new();
        while waits.is_empty() || !self.is_over(begun) {
            let committing = Instant::now();
            self.opened.run(self.keys, [2; VALUE]);
            waits.push(committing.elapsed());
        }
        waits.sort_unstable();
        waits
    }
}
