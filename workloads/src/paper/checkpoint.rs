//! What a checkpoint costs those who commit meanwhile, over time.

use super::durability::cannot_write;
use super::figure::Mark;
use super::{Chapter, Experiment, Figure, Horizontal, Journal, Parameters};
use crate::interruption::interrupted;
use crate::measure::seed_of;
use crate::team::{self, Start};
use mvcc::{Store, StoreError, Table, Transaction};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(super) const TAKES: &[&str] = &["threads", "duration", "records", "value-size", "seed"];

const ABOUT: &[&str] = &[
    "YCSB A, half reads and half updates whose commits nobody waits for, beside a client that waits for each of its own. Where a third of the time is \
     over, a checkpoint is asked for: all rows are read and written to a file, and the log before it goes. The longest wait is that of the client within \
     each twentieth of a second.",
];

/// Between two samples.
const TICK: Duration = Duration::from_millis(50);
/// Rows of a commit that loads.
const BATCH: u64 = 100;

/// The state at one time.
#[derive(Clone, Serialize, Deserialize)]
struct Sample {
    /// Since the start.
    seconds: f64,
    /// Committed transactions per second since the last sample.
    throughput_tps: f64,
    /// The client's longest wait that ended since the last sample, if one did.
    longest_wait_ms: Option<f64>,
    /// Whether a checkpoint is being written.
    checkpoint: bool,
    /// Of all files.
    directory_bytes: u64,
}

pub(super) fn run(
    parameters: &Parameters,
    folder: &Path,
    journal: &Journal,
) -> Result<Chapter, String> {
    let threads = parameters.most_threads();
    let samples: Vec<Sample> =
        journal.measure("checkpoint", || measure(parameters, folder, threads))?;
    let figure = |title: &str, y: &str| {
        let title = format!("{title}, {threads} threads and a client that waits");
        Figure::new(title, Horizontal::Seconds, y)
    };
    let mut figures = [
        figure("Throughput", "thousand transactions/s"),
        figure("Longest wait", "ms"),
        figure("Checkpoint being written", "checkpoints"),
        figure("Directory", "MiB"),
    ];
    let mark = Mark::of("mvcc", "");
    for sample in &samples {
        let values = [
            Some(sample.throughput_tps / 1e3),
            sample.longest_wait_ms,
            Some(f64::from(u8::from(sample.checkpoint))),
            Some(sample.directory_bytes as f64 / f64::from(1 << 20)),
        ];
        for (figure, value) in figures.iter_mut().zip(values) {
            if let Some(value) = value {
                figure.add_at(sample.seconds, &mark, value);
            }
        }
    }
    Chapter::new(
        Experiment::Checkpoint,
        parameters,
        ABOUT,
        figures.into(),
        &samples,
        samples.iter(),
    )
}

/// What the threads share.
struct Bench<'p> {
    parameters: &'p Parameters,
    store: Store,
    table: Table<u64, Box<[u8]>>,
    committed: AtomicU64,
    /// The client's longest wait since it was last looked at, in nanoseconds.
    longest: AtomicU64,
    is_writing: AtomicBool,
    stop: AtomicBool,
}

fn measure(parameters: &Parameters, folder: &Path, threads: usize) -> Result<Vec<Sample>, String> {
    let place = tempfile::tempdir_in(folder).map_err(|error| cannot_write(folder, &error))?;
    // The one checkpoint is that which is asked for.
    let options = Store::options()
        .checkpoint_bytes(u64::MAX)
        .log_bytes(u64::MAX);
    let opened = options.open(place.path(), |tables| tables.table("records"));
    let (store, table) = opened.map_err(|error| error.to_string())?;
    let bench = Bench {
        parameters,
        store,
        table,
        committed: AtomicU64::new(0),
        longest: AtomicU64::new(0),
        is_writing: AtomicBool::new(false),
        stop: AtomicBool::new(false),
    };
    bench.load().map_err(|error| error.to_string())?;
    let samples = bench.run(place.path(), threads);
    let closed = bench.store.close().map_err(|error| error.to_string());
    closed.and(samples)
}

impl Bench<'_> {
    fn put(&self, tx: &Transaction<'_>, key: u64, fill: u8) {
        let value = vec![fill; self.parameters.value_size];
        tx.insert(&self.table, key, value.into());
    }

    fn load(&self) -> Result<(), StoreError> {
        let mut first = 0;
        while first < self.parameters.records && interrupted().is_none() {
            let batch = first..self.parameters.records.min(first + BATCH);
            let fill = |tx: &Transaction<'_>| {
                batch.clone().for_each(|key| self.put(tx, key, 0));
                Ok::<_, Infallible>(())
            };
            // The sync below waits for it.
            drop(self.store.submit(fill)?);
            first += BATCH;
        }
        self.store.sync()
    }

    fn run(&self, directory: &Path, threads: usize) -> Result<Vec<Sample>, String> {
        let start = Start::default();
        std::thread::scope(|scope| {
            let (start, starter) = (&start, start.starter());
            let mut all = Vec::new();
            for number in 0..threads as u64 {
                all.push(team::spawn(scope, move || match start.wait() {
                    Some(_) => self.update(number),
                    None => Ok(()),
                })?);
            }
            all.push(team::spawn(scope, move || match start.wait() {
                Some(_) => self.wait_for_each(),
                None => Ok(()),
            })?);
            all.push(team::spawn(scope, move || match start.wait() {
                Some(begin) => self.checkpoint(begin),
                None => Ok(()),
            })?);
            let begin = starter.begin(all.len());
            let samples = self.watch(directory, begin);
            self.stop.store(true, Relaxed);
            for thread in all {
                let ended = thread.join().expect("a thread panicked");
                ended.map_err(|error| error.to_string())?;
            }
            Ok(samples)
        })
    }

    fn watch(&self, directory: &Path, begin: Instant) -> Vec<Sample> {
        let mut samples = Vec::new();
        let (mut last, mut before) = (Duration::ZERO, 0);
        while last < self.parameters.duration && interrupted().is_none() {
            std::thread::sleep(TICK);
            let (now, committed) = (begin.elapsed(), self.committed.load(Relaxed));
            let longest = self.longest.swap(0, Relaxed);
            samples.push(Sample {
                seconds: now.as_secs_f64(),
                throughput_tps: (committed - before) as f64
                    / now.saturating_sub(last).as_secs_f64(),
                longest_wait_ms: (longest > 0).then(|| longest as f64 / 1e6),
                checkpoint: self.is_writing.load(Relaxed),
                directory_bytes: bytes(directory),
            });
            (last, before) = (now, committed);
        }
        samples
    }

    fn update(&self, number: u64) -> Result<(), StoreError> {
        let mut random = SmallRng::seed_from_u64(seed_of(self.parameters.seed, number));
        while !self.stop.load(Relaxed) {
            for _ in 0..BATCH {
                let key = random.random_range(0..self.parameters.records);
                if random.random() {
                    let fill = key.to_le_bytes()[0];
                    let update =
                        |tx: &Transaction<'_>| Ok::<_, Infallible>(self.put(tx, key, fill));
                    drop(self.store.submit(update)?);
                } else {
                    let first = |view: &mvcc::View<'_>| view.get(&self.table, &key).map(|it| it[0]);
                    black_box(self.store.view(first));
                }
            }
            self.committed.fetch_add(BATCH, Relaxed);
        }
        Ok(())
    }

    /// The client, with a record of its own.
    fn wait_for_each(&self) -> Result<(), StoreError> {
        let key = self.parameters.records;
        while !self.stop.load(Relaxed) {
            let start = Instant::now();
            self.store
                .run(|tx| Ok::<_, Infallible>(self.put(tx, key, 1)))?;
            let waited = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.longest.fetch_max(waited, Relaxed);
        }
        Ok(())
    }

    fn checkpoint(&self, begin: Instant) -> Result<(), StoreError> {
        let at = self.parameters.duration / 3;
        while begin.elapsed() < at && !self.stop.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.is_writing.store(true, Relaxed);
        let written = self.store.checkpoint();
        self.is_writing.store(false, Relaxed);
        written
    }
}

/// Of all files that are there now.
fn bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let lengths = entries.filter_map(|entry| entry.metadata().ok());
    lengths.map(|metadata| metadata.len()).sum()
}
