//! What waiting for the disk costs, by clients.

use super::figure::Mark;
use super::row::median;
use super::{Chapter, Experiment, Figure, Horizontal, Journal, Parameters};
use crate::interruption::interrupted;
use crate::measure::{Histogram, Latency, seed_of};
use crate::team::{self, Start};
use mvcc::{Store, StoreError, Table, Transaction};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) const TAKES: &[&str] = &[
    "clients",
    "repeats",
    "duration",
    "records",
    "value-size",
    "seed",
];

const ABOUT: &[&str] = &[
    "Clients that overwrite one record in each transaction, in one store: of a table that is not durable; of one that is, without waiting; with tickets, \
     of which each client has 64 open; waiting for each commit. What nobody has waited for is made durable at the end, and that time counts.",
    "Beside them is a raw loop on the same disk, measured in the same round: one thread appends as many bytes as a record has and syncs, again and again. \
     Clients that wait share syncs, so many of them commit more often than the disk syncs.",
];

/// What a client does after a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Memory,
    NoWait,
    Tickets,
    Wait,
}

const WAYS: [Way; 4] = [Way::Memory, Way::NoWait, Way::Tickets, Way::Wait];

/// Tickets of a client that are open at once.
const TICKETS: usize = 64;
/// Records of a transaction that loads.
const BATCH: u64 = 100;
/// How long the raw loop takes at most.
const RAW_TIME: Duration = Duration::from_millis(500);

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory only",
            Self::NoWait => "no wait",
            Self::Tickets => "tickets",
            Self::Wait => "wait",
        }
    }
}

/// One run.
#[derive(Clone, Serialize, Deserialize)]
struct Run {
    seconds: f64,
    committed: u64,
    /// Syncs of the disk.
    syncs: u64,
    throughput_tps: f64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
}

/// A line of the CSV: a way and a number of clients, over all its runs.
#[derive(Serialize)]
struct Row {
    way: &'static str,
    clients: usize,
    runs: usize,
    throughput_tps: f64,
    throughput_min_tps: f64,
    throughput_max_tps: f64,
    committed: u64,
    commits_per_sync: Option<f64>,
    /// Of a commit that waits.
    p50_us: Option<f64>,
    p99_us: Option<f64>,
}

/// A line with the runs that it was made of.
#[derive(Serialize)]
struct Measured {
    #[serde(flatten)]
    row: Row,
    measured: Vec<Run>,
}

pub(super) fn run(
    parameters: &Parameters,
    folder: &Path,
    journal: &Journal,
) -> Result<Chapter, String> {
    let clients = &parameters.clients;
    let mut raw = Vec::new();
    let mut runs: Vec<Vec<Run>> = Vec::new();
    runs.resize_with(clients.len() * WAYS.len(), Vec::new);
    for round in 0..parameters.repeats {
        raw.push(
            journal.measure(&format!("durability raw: round {round}"), || {
                raw_loop(folder, parameters).map_err(|error| cannot_write(folder, &error))
            })?,
        );
        for (place, &clients) in clients.iter().enumerate() {
            for (number, way) in WAYS.into_iter().enumerate() {
                let name = format!(
                    "durability: round {round}, {clients} clients, {}",
                    way.name()
                );
                let run = journal.measure(&name, || measure(parameters, folder, clients, way))?;
                runs[place * WAYS.len() + number].push(run);
            }
        }
    }
    let mut rows = vec![Measured::new("raw loop", 1, raw)];
    for (runs, place) in runs.into_iter().zip(0..) {
        let clients = clients[place / WAYS.len()];
        rows.push(Measured::new(
            WAYS[place % WAYS.len()].name(),
            clients,
            runs,
        ));
    }
    let title = format!("Overwriting records of {} bytes", parameters.value_size);
    let mut all = Figure::new(
        title.clone(),
        Horizontal::places("clients"),
        "thousand transactions/s",
    );
    let mut waiting = Figure::new(
        format!("{title}, waiting for each commit"),
        Horizontal::places("clients"),
        "thousand transactions/s",
    );
    for Measured { row, .. } in &rows {
        let thousand = |tps: f64| tps / 1e3;
        let spread = (
            thousand(row.throughput_min_tps),
            thousand(row.throughput_max_tps),
        );
        let add = |figure: &mut Figure, clients: usize| {
            let mark = Mark::of("", row.way);
            let value = thousand(row.throughput_tps);
            figure.add(&clients.to_string(), &mark, value, Some(spread));
        };
        match row.way {
            // The same for all: nobody shares its syncs.
            "raw loop" => clients.iter().for_each(|it| add(&mut waiting, *it)),
            "wait" => {
                add(&mut all, row.clients);
                add(&mut waiting, row.clients);
            }
            _ => add(&mut all, row.clients),
        }
    }
    let lines = rows.iter().map(|measured| &measured.row);
    Chapter::new(
        Experiment::Durability,
        parameters,
        ABOUT,
        vec![all, waiting],
        &rows,
        lines,
    )
}

impl Measured {
    fn new(way: &'static str, clients: usize, measured: Vec<Run>) -> Self {
        let throughputs = || measured.iter().map(|run| run.throughput_tps);
        let committed = measured.iter().map(|run| run.committed).sum();
        let syncs: u64 = measured.iter().map(|run| run.syncs).sum();
        let row = Row {
            way,
            clients,
            runs: measured.len(),
            throughput_tps: median(throughputs()).expect("it was run"),
            throughput_min_tps: throughputs().fold(f64::INFINITY, f64::min),
            throughput_max_tps: throughputs().fold(0.0, f64::max),
            committed,
            commits_per_sync: (syncs > 0).then(|| committed as f64 / syncs as f64),
            p50_us: median(measured.iter().filter_map(|run| run.p50_us)),
            p99_us: median(measured.iter().filter_map(|run| run.p99_us)),
        };
        Self { row, measured }
    }
}

/// What to say of a folder that cannot be written.
pub(super) fn cannot_write(folder: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot write in {}: {error}", folder.display())
}

/// Appends of a record's size, each synced: a commit each.
fn raw_loop(folder: &Path, parameters: &Parameters) -> std::io::Result<Run> {
    let mut file = tempfile::tempfile_in(folder)?;
    let bytes = vec![7; parameters.value_size];
    let mut latency = Histogram::default();
    let (begin, duration) = (Instant::now(), parameters.duration.min(RAW_TIME));
    while begin.elapsed() < duration && interrupted().is_none() {
        let start = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        latency.record(start.elapsed());
    }
    Ok(Run::new(
        begin.elapsed(),
        latency.count(),
        latency.count(),
        &latency,
    ))
}

impl Run {
    fn new(time: Duration, committed: u64, syncs: u64, latency: &Histogram) -> Self {
        let latency = Latency::of(latency);
        Self {
            seconds: time.as_secs_f64(),
            committed,
            syncs,
            throughput_tps: committed as f64 / time.as_secs_f64(),
            p50_us: latency.map(|it| it.p50),
            p99_us: latency.map(|it| it.p99),
        }
    }
}

/// A store with a table that is overwritten.
struct Bench<'p> {
    parameters: &'p Parameters,
    way: Way,
    store: Store,
    table: Table<u64, Box<[u8]>>,
}

/// What a client has done.
#[derive(Default)]
struct Done {
    committed: u64,
    latency: Histogram,
}

fn measure(
    parameters: &Parameters,
    folder: &Path,
    clients: usize,
    way: Way,
) -> Result<Run, String> {
    let place = tempfile::tempdir_in(folder).map_err(|error| cannot_write(folder, &error))?;
    let opened = Store::open(place.path(), |tables| tables.table("records"));
    let (store, durable) = opened.map_err(|error| error.to_string())?;
    let table = match way {
        Way::Memory => store.database().table("volatile"),
        _ => Ok(durable),
    };
    let bench = Bench {
        parameters,
        way,
        table: table.map_err(|error| error.to_string())?,
        store,
    };
    let run = bench.load().and_then(|()| bench.run(clients));
    let closed = bench.store.close().map_err(|error| error.to_string());
    closed.and(run)
}

impl Bench<'_> {
    fn value(&self, fill: u8) -> Box<[u8]> {
        vec![fill; self.parameters.value_size].into()
    }

    fn load(&self) -> Result<(), String> {
        let mut first = 0;
        while first < self.parameters.records && interrupted().is_none() {
            let batch = first..self.parameters.records.min(first + BATCH);
            let load = |tx: &Transaction<'_>| {
                for key in batch.clone() {
                    tx.insert(&self.table, key, self.value(0));
                }
                Ok::<_, Infallible>(())
            };
            let submitted = self.store.submit(load);
            // The sync below waits for it.
            drop(submitted.map_err(|error| error.to_string())?);
            first += BATCH;
        }
        self.store.sync().map_err(|error| error.to_string())
    }

    fn run(&self, clients: usize) -> Result<Run, String> {
        let start = Start::default();
        let before = self.store.stats().groups;
        std::thread::scope(|scope| {
            let (start, starter) = (&start, start.starter());
            let client = |client: u64| match start.wait() {
                Some(begin) => self
                    .client(client, begin)
                    .map_err(|error| error.to_string()),
                None => Ok(Done::default()),
            };
            let threads = (0..clients as u64)
                .map(|number| team::spawn(scope, move || client(number)))
                .collect::<Result<Vec<_>, _>>()?;
            let begin = starter.begin(threads.len());
            let mut all = Done::default();
            for thread in threads {
                let done = thread.join().expect("a client panicked")?;
                all.committed += done.committed;
                all.latency.add(&done.latency);
            }
            self.store.sync().map_err(|error| error.to_string())?;
            let syncs = self.store.stats().groups - before;
            Ok(Run::new(
                begin.elapsed(),
                all.committed,
                syncs,
                &all.latency,
            ))
        })
    }

    fn client(&self, number: u64, begin: Instant) -> Result<Done, StoreError> {
        let mut random = SmallRng::seed_from_u64(seed_of(self.parameters.seed, number));
        let mut done = Done::default();
        let mut tickets = VecDeque::new();
        while begin.elapsed() < self.parameters.duration && interrupted().is_none() {
            let key = random.random_range(0..self.parameters.records);
            let write = |tx: &Transaction<'_>| {
                tx.insert(&self.table, key, self.value(key.to_le_bytes()[0]));
                Ok::<_, Infallible>(())
            };
            match self.way {
                Way::Memory => {
                    let Ok(()) = self.store.database().run(write);
                }
                Way::NoWait => drop(self.store.submit(write)?),
                Way::Tickets => {
                    tickets.push_back(self.store.submit(write)?.1);
                    if tickets.len() > TICKETS
                        && let Some(first) = tickets.pop_front()
                    {
                        first.wait()?;
                    }
                }
                Way::Wait => {
                    let start = Instant::now();
                    self.store.run(write)?;
                    done.latency.record(start.elapsed());
                }
            }
            done.committed += 1;
        }
        Ok(done)
    }
}
