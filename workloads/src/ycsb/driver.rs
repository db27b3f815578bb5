//! Loads the records and runs the operations.

use super::report::{Report, Samples};
use super::{Chooser, Properties, fnv1a};
use crate::engine::{Engine, Read, Row, Write};
use crate::measure::progress;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::cell::Cell;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, Release, SeqCst},
};
use std::time::{Duration, Instant};

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// After this time.
    Duration(Duration),
    /// After this many operations.
    Operations(u64),
}

/// A run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the report calls the workload.
    pub name: String,
    /// The workload.
    pub properties: Properties,
    /// Operations of a transaction.
    pub ops_per_txn: u64,
    /// The exponent of the zipfian distributions.
    pub theta: f64,
    /// Threads that run transactions.
    pub threads: usize,
    /// Threads that read 10,000 records from one snapshot after the other.
    pub long_readers: usize,
    /// When it is over.
    pub limit: Limit,
    /// For the random numbers.
    pub seed: u64,
}

/// A row of the right size.
trait Record: Row {
    fn new(size: usize, fill: u8) -> Self;
    fn bytes(&self) -> &[u8];
    fn bytes_mut(&mut self) -> &mut [u8];
}

impl<const SIZE: usize> Record for [u8; SIZE] {
    fn new(_size: usize, fill: u8) -> Self {
        [fill; SIZE]
    }
    fn bytes(&self) -> &[u8] {
        self
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Record for Box<[u8]> {
    fn new(size: usize, fill: u8) -> Self {
        vec![fill; size].into()
    }
    fn bytes(&self) -> &[u8] {
        self
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// Loads and runs on an engine. Rows of 100 and of 1,000 bytes are stored inline, others boxed.
///
/// # Errors
/// A message if the engine fails or has lost a record.
pub fn run<E: Engine>(engine: &E, settings: &Settings) -> Result<Report, String> {
    match settings.properties.fields * settings.properties.field_length {
        100 => run_sized::<E, [u8; 100]>(engine, settings),
        1_000 => run_sized::<E, [u8; 1_000]>(engine, settings),
        _ => run_sized::<E, Box<[u8]>>(engine, settings),
    }
}

/// What all threads of a run share.
struct Run<'r, E: Engine, V: Record> {
    engine: &'r E,
    table: E::Table<u64, V>,
    settings: &'r Settings,
    chooser: Chooser,
    /// The next record to be inserted.
    next: AtomicU64,
    workers: Vec<Worker>,
    stop: AtomicBool,
}

/// A thread's counters, on cache lines of their own.
#[repr(align(128))]
struct Worker {
    committed: AtomicU64,
    /// A record that it is inserting, or an older one; `u64::MAX` when it is not.
    inserting: AtomicU64,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            committed: AtomicU64::new(0),
            inserting: AtomicU64::new(u64::MAX),
        }
    }
}

/// Operations drawn ahead. The first transaction of a batch is timed: a clock reading before each would keep the cache misses of
/// neighbouring transactions from overlapping.
const BATCH: u64 = 64;
/// Runs of at most this many operations time all.
const SHORT: u64 = 100_000;
const LOAD_BATCH: u64 = 100;
const LONG_READ: u64 = 10_000;

fn run_sized<E: Engine, V: Record>(engine: &E, settings: &Settings) -> Result<Report, String> {
    let records = settings.properties.records;
    let run = Run::<E, V> {
        engine,
        table: engine.table("usertable")?,
        settings,
        chooser: Chooser::new(settings.properties.distribution, records, settings.theta),
        next: AtomicU64::new(records),
        workers: (0..settings.threads).map(|_| Worker::default()).collect(),
        stop: AtomicBool::new(false),
    };
    run.load();
    let start = Instant::now();
    let (outcomes, long_reads, seconds) = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..settings.threads)
            .map(|thread| scope.spawn(move || run.work(thread)))
            .collect();
        let readers: Vec<_> = (0..settings.long_readers)
            .map(|reader| scope.spawn(move || run.read_long(reader as u64)))
            .collect();
        run.watch(start, || {
            threads
                .iter()
                .all(std::thread::ScopedJoinHandle::is_finished)
        });
        let joined: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().expect("a worker panicked"))
            .collect();
        let seconds = start.elapsed().as_secs_f64();
        run.stop.store(true, Relaxed);
        let long_reads: u64 = readers
            .into_iter()
            .map(|reader| reader.join().expect("a reader panicked"))
            .sum();
        (joined, long_reads, seconds)
    });
    let mut samples = Samples::default();
    let (mut committed, mut aborted, mut missing) = (0, 0, 0);
    for outcome in outcomes {
        committed += outcome.committed;
        aborted += outcome.aborted;
        missing += outcome.missing.get();
        samples.add(&outcome.samples);
    }
    if missing > 0 {
        return Err(format!(
            "{missing} reads found no record although it had been committed"
        ));
    }
    Ok(Report::new(
        engine, settings, seconds, committed, aborted, long_reads, &samples,
    ))
}

/// What a thread has done.
struct Outcome {
    committed: u64,
    aborted: u64,
    missing: Cell<u64>,
    samples: Samples,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Update,
    Insert,
    ReadModifyWrite,
}

impl<E: Engine, V: Record> Run<'_, E, V> {
    fn key(&self, record: u64) -> u64 {
        if self.settings.properties.hashed {
            fnv1a(record)
        } else {
            record
        }
    }

    fn size(&self) -> usize {
        self.settings.properties.fields * self.settings.properties.field_length
    }

    /// Inserts all records, in parallel.
    fn load(&self) {
        let records = self.settings.properties.records;
        let bar = progress("loading", Some(records));
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.settings.threads {
                scope.spawn(|| {
                    loop {
                        let first = next.fetch_add(LOAD_BATCH, Relaxed);
                        if first >= records {
                            break;
                        }
                        let batch = first..records.min(first + LOAD_BATCH);
                        let loaded = batch.end - batch.start;
                        let Ok(()) = self.engine.run(|tx| {
                            for record in batch.clone() {
                                let fill = record.to_le_bytes()[0];
                                tx.insert(&self.table, self.key(record), V::new(self.size(), fill));
                            }
                            Ok::<_, Infallible>(())
                        });
                        bar.inc(loaded);
                    }
                });
            }
        });
        bar.finish_and_clear();
    }

    /// Shows progress until the time is over or the work is done.
    fn watch(&self, start: Instant, done: impl Fn() -> bool) {
        let bar = progress("running", None);
        while !done() {
            let elapsed = start.elapsed();
            let pause = match self.settings.limit {
                Limit::Duration(duration) if elapsed >= duration => {
                    self.stop.store(true, Relaxed);
                    Duration::from_millis(1)
                }
                Limit::Duration(duration) => duration
                    .checked_sub(elapsed)
                    .unwrap()
                    .min(Duration::from_millis(100)),
                Limit::Operations(_) => Duration::from_millis(5),
            };
            std::thread::sleep(pause);
            let committed: u64 = self
                .workers
                .iter()
                .map(|worker| worker.committed.load(Relaxed))
                .sum();
            let rate = committed as f64 / start.elapsed().as_secs_f64();
            bar.set_message(format!("{committed} transactions, {:.3} M/s", rate / 1e6));
            bar.tick();
        }
        bar.finish_and_clear();
    }

    /// A thread's share of a limited number of operations, in transactions.
    fn quota(&self, thread: usize) -> Option<u64> {
        let Limit::Operations(operations) = self.settings.limit else {
            return None;
        };
        let threads = self.settings.threads as u64;
        let transactions = operations.div_ceil(self.settings.ops_per_txn);
        Some(transactions / threads + u64::from((thread as u64) < transactions % threads))
    }

    fn work(&self, thread: usize) -> Outcome {
        let mut random =
            SmallRng::seed_from_u64(self.settings.seed.wrapping_add(1 + thread as u64));
        let worker = &self.workers[thread];
        let quota = self.quota(thread).unwrap_or(u64::MAX);
        let short =
            matches!(self.settings.limit, Limit::Operations(operations) if operations <= SHORT);
        let ops = usize::try_from(self.settings.ops_per_txn).expect("a transaction fits in memory");
        let mut outcome = Outcome {
            committed: 0,
            aborted: 0,
            missing: Cell::new(0),
            samples: Samples::default(),
        };
        // Drawn ahead, so that drawing does not stand between the cache misses of consecutive transactions.
        let batch = (BATCH / self.settings.ops_per_txn).max(1);
        let mut plan = Vec::new();
        while outcome.committed < quota && !self.stop.load(Relaxed) {
            let transactions = batch.min(quota - outcome.committed);
            self.plan(&mut random, worker, transactions, &mut plan);
            let mut timed = true;
            for transaction in plan.chunks_exact(ops) {
                if timed {
                    let start = Instant::now();
                    outcome.aborted += self.transact(transaction, &outcome.missing) - 1;
                    outcome
                        .samples
                        .of(kind(transaction))
                        .record(start.elapsed());
                    timed = short;
                } else {
                    outcome.aborted += self.transact(transaction, &outcome.missing) - 1;
                }
            }
            // Release: what was inserted is committed.
            worker.inserting.store(u64::MAX, Release);
            outcome.committed += transactions;
            worker.committed.store(outcome.committed, Relaxed);
        }
        outcome
    }

    /// Draws the operations of some transactions, with their keys.
    fn plan(
        &self,
        random: &mut SmallRng,
        worker: &Worker,
        transactions: u64,
        plan: &mut Vec<(Operation, u64)>,
    ) {
        let properties = &self.settings.properties;
        let records = self.committed_records();
        plan.clear();
        for _ in 0..transactions * self.settings.ops_per_txn {
            let mut dice = random.random::<f64>();
            let mut falls = |share: f64| {
                dice -= share;
                dice < 0.0
            };
            let operation = if falls(properties.read) {
                Operation::Read
            } else if falls(properties.update) {
                Operation::Update
            } else if falls(properties.insert) {
                Operation::Insert
            } else if properties.read_modify_write > 0.0 {
                Operation::ReadModifyWrite
            } else {
                // Rounding: the last one that has a share.
                if properties.insert > 0.0 {
                    Operation::Insert
                } else if properties.update > 0.0 {
                    Operation::Update
                } else {
                    Operation::Read
                }
            };
            let record = if operation == Operation::Insert {
                // Announced before it is taken, so nobody chooses it before it is committed.
                if worker.inserting.load(Relaxed) == u64::MAX {
                    worker.inserting.store(self.next.load(Relaxed), SeqCst);
                }
                self.next.fetch_add(1, SeqCst)
            } else {
                self.chooser.choose(random, records)
            };
            plan.push((operation, self.key(record)));
        }
    }

    /// So many records, from the first on, are committed.
    fn committed_records(&self) -> u64 {
        if self.settings.properties.insert == 0.0 {
            return self.settings.properties.records;
        }
        let next = self.next.load(SeqCst);
        let inserting = self
            .workers
            .iter()
            .map(|worker| worker.inserting.load(SeqCst));
        inserting.fold(next, u64::min)
    }

    /// Runs one transaction and returns the number of attempts.
    fn transact(&self, plan: &[(Operation, u64)], missing: &Cell<u64>) -> u64 {
        let mut attempts = 0;
        if plan
            .iter()
            .all(|(operation, _)| *operation == Operation::Read)
        {
            self.engine.view(|view| {
                attempts += 1;
                for &(_, key) in plan {
                    self.read(view, key, missing);
                }
            });
            return attempts;
        }
        let Ok(()) = self.engine.run(|tx| {
            attempts += 1;
            for &(operation, key) in plan {
                match operation {
                    Operation::Read => self.read(tx, key, missing),
                    Operation::Update => self.update(tx, key, missing),
                    Operation::Insert => {
                        let row = V::new(self.size(), key.to_le_bytes()[0]);
                        tx.insert(&self.table, key, row);
                    }
                    Operation::ReadModifyWrite => {
                        self.read(tx, key, missing);
                        self.update(tx, key, missing);
                    }
                }
            }
            Ok::<_, Infallible>(())
        });
        attempts
    }

    /// Reads a record: touches every cache line of the fields that are read.
    fn read(&self, from: &impl Read<E>, key: u64, missing: &Cell<u64>) {
        let Some(row) = from.get(&self.table, &key) else {
            return missing.set(missing.get() + 1);
        };
        let bytes = row.bytes();
        let field = self.settings.properties.field_length;
        let read = if self.settings.properties.read_all_fields {
            bytes
        } else {
            &bytes[..field]
        };
        let sum = read
            .iter()
            .step_by(64)
            .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        black_box(sum.wrapping_add(read[read.len() - 1]));
    }

    /// Writes all fields of a record blindly, or one field and keeps the others.
    fn update(&self, tx: &E::Transaction<'_>, key: u64, missing: &Cell<u64>) {
        let properties = &self.settings.properties;
        let fill = key.to_le_bytes()[1];
        if properties.write_all_fields || properties.fields == 1 {
            return tx.insert(&self.table, key, V::new(self.size(), fill));
        }
        let Some(row) = tx.get(&self.table, &key) else {
            return missing.set(missing.get() + 1);
        };
        let mut row = row.clone();
        let field = usize::from(fill) % properties.fields * properties.field_length;
        row.bytes_mut()[field..field + properties.field_length].fill(fill);
        tx.insert(&self.table, key, row);
    }

    /// Reads many records from one snapshot after the other, and returns how many snapshots that was.
    fn read_long(&self, reader: u64) -> u64 {
        let mut random = SmallRng::seed_from_u64(self.settings.seed ^ (reader + 1) << 32);
        let (missing, mut done) = (Cell::new(0), 0);
        while !self.stop.load(Relaxed) {
            let snapshot = self.engine.snapshot();
            for _ in 0..LONG_READ {
                let record = random.random_range(0..self.settings.properties.records);
                self.read(&snapshot, self.key(record), &missing);
            }
            done += 1;
        }
        assert_eq!(missing.get(), 0, "a snapshot has lost records");
        done
    }
}

/// What a transaction's latency is reported under.
fn kind(plan: &[(Operation, u64)]) -> &'static str {
    match plan {
        [(Operation::Read, _)] => "read",
        [(Operation::Update, _)] => "update",
        [(Operation::Insert, _)] => "insert",
        [(Operation::ReadModifyWrite, _)] => "read-modify-write",
        _ => "transaction",
    }
}
