//! What a log gives to clients that wait for it: patterns of the family's journaling benchmarks as
//! transactions of a [`Store`], and two ablations, beside a raw loop on the same disk.

use crate::interruption::{self, interrupted};
use crate::measure::{Histogram, Latency};
use crate::team::{self, Start};
use clap::ValueEnum;
use mvcc::{OrderedTable, Store, StoreError, Table, Ticket, Transaction};
use serde::Serialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pattern {
    /// `GoTxn`'s benchmark: each transaction overwrites one byte in each of 16 rows of its
    /// client's.
    Overwrite,
    /// Small files: create one, write 100 bytes to it, remove it; three transactions.
    SmallFiles,
    /// A large file, in values of 64 KiB, each a transaction; a client waits once 16 of its own are
    /// not durable yet.
    LargeFile,
}

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ablation {
    /// Each transaction has a write and a sync to itself.
    GroupCommit,
    /// One transaction runs at a time; they wait for the disk together.
    Concurrency,
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where stores are made, and removed.
    pub directory: PathBuf,
    /// What the clients do.
    pub pattern: Pattern,
    /// How many clients, one after the other.
    pub clients: Vec<usize>,
    /// How long each lasts, but for a large file.
    pub duration: Duration,
    /// The size of the large file, in bytes.
    pub large_file: u64,
    /// What is taken away.
    pub without: Option<Ablation>,
}

/// What so many clients have reached.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// The clients.
    pub clients: usize,
    /// How long they took.
    pub seconds: f64,
    /// Durable transactions.
    pub transactions: u64,
    /// Of these, per second.
    pub throughput_tps: f64,
    /// Transactions of a sync.
    pub per_sync: f64,
    /// Megabytes (10^6 bytes) written to the log per second.
    pub megabytes_per_second: f64,
    /// From the begin of a transaction until it was durable; with tickets, until the client went
    /// on.
    pub latency_us: Option<Latency>,
}

/// The outcome. Serialises to the JSON of `--json`; displays as the command's table.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the clients did.
    pub pattern: String,
    /// What was taken away.
    pub without: Option<String>,
    /// Appends of 4 KiB to a file, each synced, per second: one client, no log.
    pub raw_syncs_per_second: f64,
    /// By clients.
    pub points: Vec<Point>,
    /// The signal that ended it early, if one did.
    pub interrupted: Option<&'static str>,
}

/// Rows of a transaction of the overwriting clients, and the bytes of one.
const ROWS: u64 = 16;
const ROW: usize = 100;
const SMALL: usize = 100;
const PIECE: usize = 64 << 10;
const AHEAD: usize = 16;
/// The raw loop's appends, and how long it takes at most.
const RAW: usize = 4096;
const RAW_TIME: Duration = Duration::from_secs(1);

/// Measures.
///
/// # Errors
/// A message if the directory cannot be written, a store fails, or a signal came before there was a
/// result.
pub fn run(settings: &Settings) -> Result<Report, String> {
    let raw_syncs_per_second = raw(&settings.directory, settings.duration.min(RAW_TIME))
        .map_err(|error| format!("cannot write in {}: {error}", settings.directory.display()))?;
    let mut points = Vec::new();
    for &clients in &settings.clients {
        if interrupted().is_none() {
            points.push(point(settings, clients)?);
        }
    }
    if points.is_empty() {
        interruption::check()?;
    }
    Ok(Report {
        pattern: name(&settings.pattern),
        without: settings.without.as_ref().map(name),
        raw_syncs_per_second,
        points,
        interrupted: interrupted().map(|it| it.signal),
    })
}

fn name(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The raw loop: how often the disk syncs.
fn raw(directory: &Path, duration: Duration) -> std::io::Result<f64> {
    let mut file: File = tempfile::tempfile_in(directory)?;
    let (start, mut syncs) = (Instant::now(), 0_u32);
    while start.elapsed() < duration && interrupted().is_none() {
        file.write_all(&[7; RAW])?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / start.elapsed().as_secs_f64())
}

/// The tables, a store around them, and what the clients share.
struct Bench<'s> {
    settings: &'s Settings,
    store: Store,
    rows: Table<(u64, u64), [u8; ROW]>,
    /// The files of a client by name: their numbers.
    names: OrderedTable<(u64, String), u64>,
    content: OrderedTable<(u64, u64), Vec<u8>>,
    /// Pieces of the large file that nobody has taken.
    pieces: AtomicU64,
    lock: Mutex<()>,
}

fn point(settings: &Settings, clients: usize) -> Result<Point, String> {
    let place = tempfile::tempdir_in(&settings.directory);
    let place = place
        .map_err(|error| format!("cannot write in {}: {error}", settings.directory.display()))?;
    let opened = Store::open(place.path(), |tables| {
        (
            tables.table("rows"),
            tables.ordered_table("names"),
            tables.ordered_table("content"),
        )
    });
    let (store, (rows, names, content)) = opened.map_err(|error| error.to_string())?;
    let bench = Bench {
        settings,
        store,
        rows,
        names,
        content,
        pieces: AtomicU64::new(settings.large_file.div_ceil(PIECE as u64)),
        lock: Mutex::default(),
    };
    let measured = bench.measure(clients)?;
    bench.store.close().map_err(|error| error.to_string())?;
    Ok(measured)
}

impl Bench<'_> {
    fn measure(&self, clients: usize) -> Result<Point, String> {
        let start = Start::default();
        let before = self.store.stats();
        let (latency, seconds) = std::thread::scope(|scope| {
            let (start, starter) = (&start, start.starter());
            let work = |client| match start.wait() {
                Some(begin) => self.work(client, begin).map_err(|error| error.to_string()),
                None => Ok(Histogram::default()),
            };
            let workers = (0..clients as u64)
                .map(|client| team::spawn(scope, move || work(client)))
                .collect::<Result<Vec<_>, _>>()?;
            let begin = starter.begin(workers.len());
            let mut latency = Histogram::default();
            for worker in workers {
                latency.add(&worker.join().expect("a client panicked")?);
            }
            Ok::<_, String>((latency, begin.elapsed().as_secs_f64()))
        })?;
        let after = self.store.stats();
        let syncs = after.groups - before.groups;
        let bytes = after.written_bytes - before.written_bytes;
        Ok(Point {
            clients,
            seconds,
            transactions: latency.count(),
            throughput_tps: latency.count() as f64 / seconds,
            per_sync: latency.count() as f64 / syncs.max(1) as f64,
            megabytes_per_second: bytes as f64 / 1e6 / seconds,
            latency_us: Latency::of(&latency),
        })
    }

    fn work(&self, client: u64, begin: Instant) -> Result<Histogram, StoreError> {
        let mut latency = Histogram::default();
        let is_over = || begin.elapsed() >= self.settings.duration || interrupted().is_some();
        match self.settings.pattern {
            Pattern::Overwrite => {
                for round in (0_u8..=u8::MAX).cycle().take_while(|_| !is_over()) {
                    self.timed(&mut latency, |tx| self.overwrite(tx, client, round))?;
                }
            }
            Pattern::SmallFiles => {
                for file in (0..).take_while(|_| !is_over()) {
                    self.small_file(&mut latency, client, file)?;
                }
            }
            Pattern::LargeFile => self.large_file(&mut latency)?,
        }
        Ok(latency)
    }

    fn overwrite(&self, tx: &Transaction<'_>, client: u64, round: u8) {
        for row in 0..ROWS {
            let key = (client, row);
            let mut value = tx.get(&self.rows, &key).copied().unwrap_or([0; ROW]);
            value[usize::from(round) % ROW] = round;
            tx.insert(&self.rows, key, value);
        }
    }

    fn small_file(
        &self,
        latency: &mut Histogram,
        client: u64,
        file: u64,
    ) -> Result<(), StoreError> {
        let name = (client, format!("file-{file}"));
        self.timed(latency, |tx| {
            tx.insert(&self.names, name.clone(), file);
            tx.insert(&self.content, (client, file), Vec::new());
        })?;
        self.timed(latency, |tx| {
            tx.insert(&self.content, (client, file), vec![7; SMALL]);
        })?;
        self.timed(latency, |tx| {
            tx.remove(&self.names, &name);
            tx.remove(&self.content, &(client, file));
        })
    }

    fn large_file(&self, latency: &mut Histogram) -> Result<(), StoreError> {
        let mut ahead = VecDeque::new();
        let take = |pieces: u64| pieces.checked_sub(1);
        while let Ok(piece) = self.pieces.try_update(Relaxed, Relaxed, take)
            && interrupted().is_none()
        {
            let start = Instant::now();
            let write = |tx: &Transaction<'_>| {
                tx.insert(&self.content, (0, piece), vec![7; PIECE]);
            };
            match self.settings.without {
                Some(Ablation::GroupCommit) => self.durable(write)?,
                _ => ahead.push_back(self.submit(write)?),
            }
            if ahead.len() > AHEAD
                && let Some(first) = ahead.pop_front()
            {
                first.wait()?;
            }
            latency.record(start.elapsed());
        }
        ahead.into_iter().try_for_each(Ticket::wait)
    }

    fn timed(
        &self,
        latency: &mut Histogram,
        body: impl Fn(&Transaction<'_>),
    ) -> Result<(), StoreError> {
        let start = Instant::now();
        self.durable(body)?;
        latency.record(start.elapsed());
        Ok(())
    }

    /// Commits, and returns once that is durable.
    fn durable(&self, body: impl Fn(&Transaction<'_>)) -> Result<(), StoreError> {
        match self.settings.without {
            Some(Ablation::GroupCommit) => {
                // With what it waits for.
                let _alone = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
                self.store.run(|tx| Ok::<_, Infallible>(body(tx)))
            }
            Some(Ablation::Concurrency) => self.submit(body)?.wait(),
            None => self.store.run(|tx| Ok::<_, Infallible>(body(tx))),
        }
    }

    fn submit(&self, body: impl Fn(&Transaction<'_>)) -> Result<Ticket, StoreError> {
        let _alone = matches!(self.settings.without, Some(Ablation::Concurrency))
            .then(|| self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        let ((), ticket) = self.store.submit(|tx| Ok::<_, Infallible>(body(tx)))?;
        Ok(ticket)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal-bench {}", self.pattern)?;
        if let Some(without) = &self.without {
            write!(f, " without {without}")?;
        }
        write!(
            f,
            "\nraw loop: {:.0} syncs/s, each of an append of {RAW} bytes",
            self.raw_syncs_per_second
        )?;
        if let Some(signal) = self.interrupted {
            write!(f, "\n{signal} ended it early")?;
        }
        write!(
            f,
            "\n\n{:>7} {:>16} {:>14} {:>10} {:>12} {:>12}",
            "clients", "transactions/s", "of a sync", "MB/s", "p50, us", "p99, us"
        )?;
        for point in &self.points {
            let Latency { p50, p99, .. } = point.latency_us.unwrap_or_default();
            write!(
                f,
                "\n{:>7} {:>16.0} {:>14.1} {:>10.1} {p50:>12.1} {p99:>12.1}",
                point.clients, point.throughput_tps, point.per_sync, point.megabytes_per_second
            )?;
        }
        Ok(())
    }
}
