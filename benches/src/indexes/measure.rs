//! One candidate under every operation.

use super::OrderedIndex;
use super::key::{Key, TABLES};
use serde::Serialize;
use std::hint::black_box;
use std::process::exit;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use workloads::interruption::interrupted;
use workloads::{output, team};

/// Entries of a scan forward and of one backwards.
const FORWARD: usize = 100;
const BACKWARDS: usize = 10;

/// After how long a phase of reads is cut short. Writes have to be finished for what follows.
const READS: Duration = Duration::from_secs(2);

/// Every key that a repeat will use, in order of use and by thread.
pub(super) struct Workload {
    inserts: Vec<Vec<Key>>,
    ascending: Vec<Vec<Key>>,
    gets: Vec<Vec<Key>>,
    scans: Vec<Vec<Key>>,
    scans_back: Vec<Vec<Key>>,
    removes: Vec<Vec<Key>>,
}

/// Nanoseconds per operation and thread.
#[derive(Clone, Serialize)]
pub(super) struct Sample {
    pub(super) get: f64,
    pub(super) insert_random: f64,
    pub(super) insert_ascending: f64,
    pub(super) scan_100: f64,
    pub(super) scan_back_10: Option<f64>,
    pub(super) remove: f64,
}

impl Workload {
    pub(super) fn draw(keys: u64, stride: u64, threads: usize, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let per_table = keys.div_ceil(TABLES);
        let key = |i: u64| -> Key {
            (
                u32::try_from(i / per_table).expect("few tables"),
                i % per_table * stride,
            )
        };
        let all: Vec<Key> = (0..keys).map(key).collect();

        let mut shuffled = || {
            let mut order = all.clone();
            rng.shuffle(&mut order);
            deal(&order, threads)
        };
        let (inserts, removes) = (shuffled(), shuffled());
        let mut uniform = |count: u64, from: u64, to: u64| {
            let drawn: Vec<Key> = (0..count).map(|_| key(rng.u64(from..to))).collect();
            deal(&drawn, threads)
        };
        Self {
            inserts,
            ascending: deal(&all, threads),
            gets: uniform(keys, 0, keys),
            scans: uniform(keys / 20, 0, keys - FORWARD as u64),
            scans_back: uniform(keys / 5, BACKWARDS as u64 - 1, keys),
            removes,
        }
    }
}

/// Deals like cards, so that threads that ascend do it side by side.
fn deal(keys: &[Key], threads: usize) -> Vec<Vec<Key>> {
    (0..threads)
        .map(|thread| keys.iter().skip(thread).step_by(threads).copied().collect())
        .collect()
}

/// Fills, reads, and empties an index; fills another in ascending order. `None`: a signal came.
pub(super) fn run<I: OrderedIndex>(workload: &Workload) -> Option<Sample> {
    let index = I::new();
    let insert_random = time(&workload.inserts, Duration::MAX, |key| {
        index.insert(key, value(key));
        1
    })?;
    let get = time(&workload.gets, READS, |key| {
        usize::from(black_box(index.get(key)) == Some(value(key)))
    })?;
    let visit = |seen: &mut usize, key: Key, value: usize| {
        black_box((key, value));
        *seen += 1;
    };
    let scan_100 = time(&workload.scans, READS, |key| {
        let mut seen = 0;
        index.scan(key, FORWARD, |key, value| visit(&mut seen, key, value));
        usize::from(seen == FORWARD)
    })?;
    let scan_back_10 = if I::BACKWARDS {
        let back = time(&workload.scans_back, READS, |key| {
            let mut seen = 0;
            index.scan_back(key, BACKWARDS, |key, value| visit(&mut seen, key, value));
            usize::from(seen == BACKWARDS)
        });
        Some(back?)
    } else {
        None
    };
    let remove = time(&workload.removes, Duration::MAX, |key| {
        usize::from(index.remove(key))
    })?;
    drop(index);

    let index = I::new();
    let insert_ascending = time(&workload.ascending, Duration::MAX, |key| {
        index.insert(key, value(key));
        1
    })?;
    Some(Sample {
        get,
        insert_random,
        insert_ascending,
        scan_100,
        scan_back_10,
        remove,
    })
}

/// A word that looks like a pointer.
fn value((table, row): Key) -> usize {
    usize::try_from(row << 4 | u64::from(table) << 44).expect("64-bit words")
}

/// Nanoseconds per operation, the mean of the threads. An operation returns 1, or else has gone
/// wrong. `None`: a signal came, and not all was done.
fn time(
    keys: &[Vec<Key>],
    limit: Duration,
    operation: impl Fn(Key) -> usize + Sync,
) -> Option<f64> {
    let start = Barrier::new(keys.len());
    let thread = |keys: &[Key]| {
        start.wait();
        let begun = Instant::now();
        let (mut tried, mut done) = (0, 0);
        for batch in keys.chunks(256) {
            tried += batch.len();
            done += batch.iter().map(|&key| operation(key)).sum::<usize>();
            if begun.elapsed() > limit || interrupted().is_some() {
                break;
            }
        }
        let nanoseconds = begun.elapsed().as_secs_f64() * 1e9;
        assert_eq!(done, tried, "every operation finds what it looks for");
        nanoseconds / tried as f64
    };
    let times: Vec<f64> = std::thread::scope(|scope| {
        let running: Vec<_> = keys
            .iter()
            .map(|keys| {
                team::spawn(scope, || thread(keys)).unwrap_or_else(|error| {
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
    });
    interrupted()
        .is_none()
        .then(|| times.iter().sum::<f64>() / times.len() as f64)
}
