//! Loads the records and runs the operations.

mod long_readers;
mod operations;
mod pace;
mod phases;
mod streams;
mod work;

use super::record::{Record, Shape, Varied, varies};
use super::report::Report;
use super::settings::{ReadOnly, Settings};
use super::table::{NAME, Ordered, Point, Table};
use super::{Chooser, Lengths, Properties, fnv1a};
use crate::engine::Engine;
use crate::interruption::interrupted;
use crate::measure::progress;
use crate::memory;
use long_readers::Read;
use mvcc::Schema;
use operations::Mix;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::time::{Duration, Instant};

/// Where a run is, for those who watch it.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Since its start.
    pub elapsed: Duration,
    /// Transactions that have committed. Threads report every few dozen.
    pub committed: u64,
    /// Long readers that have a snapshot just now.
    pub snapshots: usize,
}

/// Loads and runs on an engine: on an ordered table if the workload scans. Rows of 100 and of 1,000
/// bytes are stored inline, others boxed.
///
/// # Errors
/// A message if the engine fails or has lost a record.
pub fn run<E: Engine>(engine: &E, settings: &Settings) -> Result<Report, String> {
    let run = open(engine, engine, settings)?;
    if !engine.is_loaded() {
        run.load()?;
        engine.loaded();
    }
    run.measure(&mut |_| ())
}

/// Only loads.
///
/// # Errors
/// A message if the engine fails.
pub fn load<E: Engine>(engine: &E, settings: &Settings) -> Result<(), String> {
    open(engine, engine, settings)?.load()
}

/// Runs on an engine that is loaded: as often as one likes, unless the workload inserts. `observe`
/// is called ten times a second or more often.
///
/// The long readers read from `read`: the same engine, or another one that is loaded alike and that
/// nobody writes to. Those stand in for readers: they cost as much work and concern nobody.
///
/// # Errors
/// A message if the engine fails or has lost a record.
pub fn measure<E: Engine>(
    engine: &E,
    read: &E,
    settings: &Settings,
    observe: &mut dyn FnMut(&Progress),
) -> Result<Report, String> {
    open(engine, read, settings)?.measure(observe)
}

/// Declares the table of a durable engine.
pub fn declare(settings: &Settings, tables: &mut Schema) {
    fn declare_of<V: Record>(settings: &Settings, tables: &mut Schema) {
        if settings.properties.scan > 0.0 {
            tables.ordered_table::<u64, V>(NAME);
        } else {
            tables.table::<u64, V>(NAME);
        }
    }
    let properties = &settings.properties;
    if varies(properties) {
        return declare_of::<Varied>(settings, tables);
    }
    match properties.fields * properties.field_length {
        100 => declare_of::<[u8; 100]>(settings, tables),
        1_000 => declare_of::<[u8; 1_000]>(settings, tables),
        _ => declare_of::<Box<[u8]>>(settings, tables),
    }
}

/// What a load puts into the table: with other settings of these, it would be something else.
pub fn loads(settings: &Settings) -> String {
    let Properties {
        fields,
        field_length,
        field_length_distribution,
        hashed,
        ..
    } = settings.properties;
    let records = settings.properties.loaded();
    let first = settings.properties.number(0);
    let order = if hashed { "hashed" } else { "ordered" };
    format!(
        "{records} YCSB records from {first} on under {order} keys, of {fields} fields of {field_length} bytes ({field_length_distribution:?})"
    )
}

/// A [`Run`], whatever its rows and its table are.
trait AnyRun {
    fn load(&self) -> Result<(), String>;
    fn measure(&self, observe: &mut dyn FnMut(&Progress)) -> Result<Report, String>;
}

fn open<'r, E: Engine>(
    engine: &'r E,
    read: &E,
    settings: &'r Settings,
) -> Result<Box<dyn AnyRun + 'r>, String> {
    let properties = &settings.properties;
    if varies(properties) {
        return open_with::<E, Varied>(engine, read, settings);
    }
    match properties.fields * properties.field_length {
        100 => open_with::<E, [u8; 100]>(engine, read, settings),
        1_000 => open_with::<E, [u8; 1_000]>(engine, read, settings),
        _ => open_with::<E, Box<[u8]>>(engine, read, settings),
    }
}

fn open_with<'r, E: Engine, V: Record>(
    engine: &'r E,
    read: &E,
    settings: &'r Settings,
) -> Result<Box<dyn AnyRun + 'r>, String> {
    Ok(if settings.properties.scan > 0.0 {
        Box::new(Run::<E, V, Ordered<E, V>>::new(engine, read, settings)?)
    } else {
        Box::new(Run::<E, V, Point<E, V>>::new(engine, read, settings)?)
    })
}

/// What all threads of a run share. Records go by their place in the order of insertion.
struct Run<'r, E: Engine, V: Record, T: Table<E, V>> {
    engine: &'r E,
    table: T,
    /// For the long readers.
    read: Read<E, T>,
    settings: &'r Settings,
    mix: Mix,
    shape: Shape,
    scan_lengths: Lengths,
    /// Records that are there when the run begins: those of the load, and those that earlier runs
    /// on the same rows have inserted.
    loaded: u64,
    /// The next record to be inserted.
    next: AtomicU64,
    workers: Vec<Worker>,
    /// Long readers that have a snapshot.
    snapshots: AtomicUsize,
    /// Looked at before each transaction.
    stop: Alone<AtomicBool>,
    records: PhantomData<fn() -> V>,
}

/// On a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Alone<T>(T);

impl<T> Deref for Alone<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
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

/// How often a run is watched.
const TICK: Duration = Duration::from_millis(100);

/// YCSB expects twice as many inserts as there are on average.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates"
)]
fn expected_inserts(operations: u64, share: f64) -> u64 {
    (operations as f64 * share * 2.0) as u64
}

impl<'r, E: Engine, V: Record, T: Table<E, V>> Run<'r, E, V, T> {
    fn new(engine: &'r E, read: &E, settings: &'r Settings) -> Result<Self, String> {
        let properties = &settings.properties;
        let mut run = Self {
            engine,
            table: T::open(engine)?,
            read: Read {
                engine: read.clone(),
                table: T::open(read)?,
            },
            settings,
            mix: Mix::new(properties),
            shape: Shape::new(properties),
            scan_lengths: properties.scan_lengths(),
            loaded: properties.loaded(),
            next: AtomicU64::new(properties.loaded()),
            workers: (0..settings.threads).map(|_| Worker::default()).collect(),
            snapshots: AtomicUsize::new(0),
            stop: Alone::default(),
            records: PhantomData,
        };
        if engine.is_loaded() && properties.insert > 0.0 {
            run.loaded += run.inserted_before();
            run.next = AtomicU64::new(run.loaded);
        }
        Ok(run)
    }

    /// So many records follow those of the load without a gap. The end of a run may leave gaps near
    /// its last record; what is behind the first one is inserted again.
    fn inserted_before(&self) -> u64 {
        self.engine.snapshot(|snapshot| {
            let is_there = |place: &u64| self.table.get(snapshot, self.key(*place)).is_some();
            let others = self.loaded..u64::MAX;
            others.take_while(is_there).count() as u64
        })
    }

    fn chooser(&self) -> Chooser {
        let Properties {
            insert,
            distribution,
            skew,
            ..
        } = self.settings.properties;
        let inserts = match self.settings.limit.operations() {
            _ if insert == 0.0 => 0,
            Some(operations) => expected_inserts(operations, insert),
            // Nobody knows; and were it far too many, most draws of the zipfian distribution would
            // be in vain.
            None => self.loaded,
        };
        Chooser::new(distribution, self.loaded, inserts, self.settings.theta).with_skew(skew)
    }

    fn key(&self, place: u64) -> u64 {
        let number = self.settings.properties.number(place);
        if self.settings.properties.hashed {
            fnv1a(number)
        } else {
            number
        }
    }

    /// Shows progress until the time is over or the work is done. Ends the run early if memory runs
    /// out.
    fn watch(
        &self,
        start: Instant,
        done: impl Fn() -> bool,
        observe: &mut dyn FnMut(&Progress),
    ) -> Result<(), String> {
        let bar = progress("running", None);
        let mut memory = memory::Watch::new();
        let mut room = Ok(());
        while !done() {
            room = room.and_then(|()| memory.look());
            if room.is_err() || interrupted().is_some() {
                self.stop.store(true, Relaxed);
            }
            let pause = match self.settings.limit.duration() {
                Some(duration) => {
                    let left = duration.saturating_sub(start.elapsed());
                    if left.is_zero() {
                        self.stop.store(true, Relaxed);
                    }
                    left.clamp(Duration::from_millis(1), TICK)
                }
                None => Duration::from_millis(5),
            };
            std::thread::sleep(pause);
            let now = self.progress(start);
            observe(&now);
            let rate = now.committed as f64 / now.elapsed.as_secs_f64();
            bar.set_message(format!(
                "{} transactions, {:.3} M/s",
                now.committed,
                rate / 1e6
            ));
            bar.tick();
        }
        bar.finish_and_clear();
        room
    }

    /// Ends the run if its time is over. Whoever looks at the clock says so: beside many busy
    /// threads, the one that watches may wait for a core for seconds.
    fn end_in_time(&self, start: Instant, now: Instant) {
        let time = self.settings.limit.duration();
        if time.is_some_and(|time| now - start >= time) {
            self.stop.store(true, Relaxed);
        }
    }

    fn progress(&self, start: Instant) -> Progress {
        let committed = self.workers.iter();
        Progress {
            elapsed: start.elapsed(),
            committed: committed.map(|it| it.committed.load(Relaxed)).sum(),
            snapshots: self.snapshots.load(Relaxed),
        }
    }

    /// A thread's share of a limited number of operations, in transactions.
    fn quota(&self, thread: usize) -> Option<u64> {
        let operations = self.settings.limit.operations()?;
        let threads = self.settings.threads as u64;
        let transactions = operations.div_ceil(self.settings.ops_per_txn);
        Some(transactions / threads + u64::from((thread as u64) < transactions % threads))
    }

    /// So many records, from the first on, are committed.
    fn committed_records(&self) -> u64 {
        if self.settings.properties.insert == 0.0 {
            return self.loaded;
        }
        let next = self.next.load(SeqCst);
        let inserting = self
            .workers
            .iter()
            .map(|worker| worker.inserting.load(SeqCst));
        inserting.fold(next, u64::min)
    }
}

#[cfg(test)]
mod tests;
