//! The rows in which a commit is on the disk when it counts: `mvcc`'s store, its peers, and a raw
//! loop that does nothing but append and sync.

mod checkpoint;
pub(super) mod figures;
mod opened;
mod recovery;
#[cfg(test)]
mod tests;

use super::Failure;
use super::durable_rows::{CLIENTS, Row, Work};
use super::options::Options;
use super::report::{Cell, Measured, Title};
use super::rows::VALUE;
use super::stores::{self, Entry, Store};
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use workloads::interruption::interrupted;
use workloads::output;

/// Rows that a transaction of `GoTxn`'s benchmark overwrites.
const ROWS_OF_GOTXN: usize = 16;

/// A directory for what is measured, which goes with it.
fn place(options: &Options) -> Result<TempDir, Failure> {
    let above = match &options.directory {
        Some(directory) => directory.clone(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"),
    };
    tempfile::Builder::new()
        .prefix("compare-")
        .tempdir_in(&above)
        .map_err(|error| {
            let above = above.display();
            Failure::Input(format!(
                "--directory {above}: cannot create a directory there: {error}"
            ))
        })
}

/// Measures the rows, each engine in a directory of its own below `--directory`.
pub(super) fn measure(options: &Options, rows: &[&'static Row]) -> Result<Measured, Failure> {
    let place = place(options)?;
    let wanted = |entry: &Entry| {
        options.peers.is_empty()
            || entry.is_ours
            || options
                .peers
                .iter()
                .any(|peer| entry.about.name.starts_with(peer.as_str()))
    };
    let entries: Vec<Entry> = stores::all().into_iter().filter(wanted).collect();
    let mut results = Vec::new();
    for row in rows {
        let threads: Vec<usize> = match row.clients {
            Some(clients) => vec![clients],
            None => options.threads.clone(),
        };
        for threads in threads {
            let mut samples = vec![Vec::new(); entries.len()];
            for repeat in 0..options.repeats {
                let text = format_args!("{}, {threads} clients, repeat {}", row.name, repeat + 1);
                output::note(text);
                for (entry, samples) in entries.iter().zip(&mut samples) {
                    if interrupted().is_some() {
                        break;
                    }
                    if entry.lacks(row.work).is_some() {
                        continue;
                    }
                    let directory = place.path().join(format!("{}-{repeat}", entry.about.name));
                    let store = (entry.open)(&directory);
                    samples.push(sample(&*store, row.work, threads, options.seconds));
                    let keeps = entry.keeps_nothing() || store.get(0).is_some();
                    assert!(keeps, "{} has lost a row", entry.about.name);
                    drop(store);
                    // Otherwise the disk is full of what was measured before.
                    let _ = std::fs::remove_dir_all(&directory);
                }
            }
            let median =
                |samples: &Vec<f64>| (!samples.is_empty()).then(|| super::median(samples.clone()));
            let ours = samples.first().and_then(median);
            for (entry, samples) in entries.iter().zip(samples) {
                let tps = median(&samples);
                results.push(Cell {
                    row: row.name.into(),
                    threads,
                    peer: entry.about.name.into(),
                    throughput_tps: tps,
                    ratio: ours.zip(tps).map(|(ours, theirs)| ours / theirs),
                    retries_per_transaction: None,
                    throughput_tps_of_repeats: samples,
                    lacks: entry.lacks(row.work).map(Into::into),
                });
            }
        }
    }
    Ok(Measured {
        rows: rows
            .iter()
            .map(|row| Title {
                name: row.name.into(),
                title: row.title.into(),
            })
            .collect(),
        peers: entries.iter().map(|entry| entry.about.into()).collect(),
        results,
    })
}

/// Transactions per second of all clients together.
fn sample(store: &dyn Store, work: Work, clients: usize, seconds: f64) -> f64 {
    let rows = if work == Work::Sixteen {
        ROWS_OF_GOTXN as u64
    } else {
        1_000
    };
    // Each client's rows are there before.
    for client in 0..clients as u64 {
        let all: Vec<_> = (0..rows)
            .map(|row| (client << 32 | row, [0; VALUE]))
            .collect();
        for some in all.chunks(100) {
            store.write(some);
        }
    }
    let start = Barrier::new(clients + 1);
    let duration = Duration::from_secs_f64(seconds);
    let run = |client: u64| {
        let mut client = Client {
            store,
            work,
            first: client << 32,
            rows,
            done: 0,
        };
        start.wait();
        let begun = Instant::now();
        // One that nobody waits for takes less than a look at the time.
        let batch = if work == Work::Nobody { 64 } else { 1 };
        while begun.elapsed() < duration && interrupted().is_none() {
            (0..batch).for_each(|_| client.transact());
        }
        client.done
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients as u64)
            .map(|client| scope.spawn(move || run(client)))
            .collect();
        start.wait();
        let begun = Instant::now();
        let done: u64 = clients
            .into_iter()
            .map(|client| client.join().expect("a client of a measurement"))
            .sum();
        // What nobody has waited for counts once it is on the disk.
        store.sync();
        done as f64 / begun.elapsed().as_secs_f64()
    })
}

struct Client<'s> {
    store: &'s dyn Store,
    work: Work,
    first: u64,
    rows: u64,
    done: u64,
}

impl Client<'_> {
    fn transact(&mut self) {
        self.done += 1;
        let fill = self.done.to_le_bytes()[0];
        let row = self.first + self.done % self.rows;
        match self.work {
            Work::One => self.store.write(&[(row, [fill; VALUE])]),
            Work::Tickets => self.store.write_ahead(row, [fill; VALUE], CLIENTS),
            Work::Nobody => self.store.write_behind(row, [fill; VALUE]),
            Work::Sixteen => {
                let mut value = [0; VALUE];
                value[usize::from(fill) % VALUE] = fill;
                let rows: [_; ROWS_OF_GOTXN] =
                    std::array::from_fn(|row| (self.first + row as u64, value));
                self.store.write(&rows);
            }
        }
    }
}
