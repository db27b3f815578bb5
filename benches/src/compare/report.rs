//! The results: what they are; to JSON, and back.

mod html;
mod text;

use super::durable_rows;
use super::figure_rows::{self, Figure};
use super::peer::About;
use super::peers;
use super::rows::ROWS;
use super::rows::VALUE;
use serde::{Deserialize, Serialize};
use std::process::Command;

/// Everything that was measured.
#[derive(Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) environment: Environment,
    pub(super) rows: Vec<Title>,
    /// `mvcc` first.
    pub(super) peers: Vec<Description>,
    pub(super) results: Vec<Cell>,
    /// Of rows that have several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) figures: Vec<Figure>,
    /// Why not all was measured, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) interrupted: Option<String>,
}

/// A row's name, and what it stands for.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Title {
    pub(super) name: String,
    pub(super) title: String,
}

/// What was measured of rows that a report does not have yet.
pub(super) struct Measured {
    pub(super) rows: Vec<Title>,
    pub(super) peers: Vec<Description>,
    pub(super) results: Vec<Cell>,
}

/// What a reader needs to know about an engine.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Description {
    name: String,
    version: String,
    isolation: String,
    how: String,
}

impl From<About> for Description {
    fn from(about: About) -> Self {
        Self {
            name: about.name.into(),
            version: about.version.into(),
            isolation: about.isolation.into(),
            how: about.how.into(),
        }
    }
}

/// One engine under one row.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) row: String,
    pub(super) threads: usize,
    pub(super) peer: String,
    /// Transactions per second, the median.
    pub(super) throughput_tps: Option<f64>,
    /// That of `mvcc`, divided by this.
    pub(super) ratio: Option<f64>,
    pub(super) retries_per_transaction: Option<f64>,
    pub(super) throughput_tps_of_repeats: Vec<f64>,
    /// Why it cannot run the row.
    pub(super) lacks: Option<String>,
}

/// What it was measured with.
#[derive(Serialize, Deserialize)]
pub(super) struct Environment {
    keys: u64,
    key: String,
    value_bytes: usize,
    distribution: String,
    hashers: String,
    seconds: f64,
    repeats: u64,
    clock: String,
    allocator: String,
    rustc: String,
    optimized: bool,
    commit: String,
    processor: String,
    cores: usize,
    target: String,
}

impl Environment {
    pub(super) fn new(keys: u64, seconds: f64, repeats: u64) -> Self {
        Self {
            keys,
            key: "u64, hashed (FNV-1a of the record number)".into(),
            value_bytes: VALUE,
            distribution: "uniform, or zipfian over all keys and scattered, as each row says".into(),
            hashers: "foldhash, which mvcc uses, wherever there is a choice; SipHash, the standard library's, in rwlock-hashmap".into(),
            seconds,
            repeats,
            clock: peers::clock(),
            allocator: "the system's".into(),
            rustc: env!("RUSTC_VERSION").into(),
            optimized: !cfg!(debug_assertions),
            commit: commit(),
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            target: format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
        }
    }

    /// Names and values.
    fn lines(&self) -> [(&'static str, String); 9] {
        let build = if self.optimized { "release" } else { "debug" };
        [
            ("keys", format!("{}, {}", self.keys, self.key)),
            (
                "values",
                format!(
                    "{} bytes, written in full, each cache line read",
                    self.value_bytes
                ),
            ),
            ("distribution", self.distribution.clone()),
            ("hashers", self.hashers.clone()),
            (
                "samples",
                format!(
                    "medians of {}, {} s each, the engines taking turns",
                    self.repeats, self.seconds
                ),
            ),
            ("clock of mvcc", self.clock.clone()),
            ("allocator", self.allocator.clone()),
            (
                "build",
                format!("{}, {build}, commit {}", self.rustc, self.commit),
            ),
            (
                "machine",
                format!("{}, {}, {} cores", self.processor, self.target, self.cores),
            ),
        ]
    }
}

/// What is checked out, if git can tell.
fn commit() -> String {
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match git {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().into()
        }
        _ => "unknown".into(),
    }
}

/// The processor's name, if the operating system tells.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.and_then(|rest| rest.split_once(':'));
    name.map_or("unknown processor", |(_, name)| name.trim())
        .into()
}

impl Report {
    /// Adds the durable rows.
    pub(super) fn append(&mut self, measured: Measured) {
        self.rows.extend(measured.rows);
        self.peers.extend(measured.peers);
        self.results.extend(measured.results);
    }

    /// Everything as JSON.
    pub(super) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and strings")
    }

    /// What files hold, as one. The error says which file is at fault.
    pub(super) fn merged(files: &[(String, String)]) -> Result<Self, String> {
        let mut merged: Option<(&str, Self)> = None;
        for (file, json) in files {
            let report: Self = serde_json::from_str(json).map_err(|error| {
                format!("{file} holds no results, as --json writes them: {error}")
            })?;
            match &mut merged {
                None => merged = Some((file, report)),
                Some((first, merged)) => merged
                    .add(report)
                    .map_err(|why| format!("{file} does not go with {first}: {why}"))?,
            }
        }
        let (_, mut report) = merged.ok_or("no file")?;
        let names = ROWS.iter().map(|row| row.name);
        let names: Vec<_> = names
            .chain(durable_rows::ROWS.iter().map(|row| row.name))
            .chain(figure_rows::ROWS.iter().map(|row| row.name))
            .collect();
        let place = |title: &Title| names.iter().position(|name| *name == title.name);
        report.rows.sort_by_key(place);
        Ok(report)
    }

    fn add(&mut self, other: Self) -> Result<(), String> {
        let settings = self.environment.lines().into_iter();
        for (ours, theirs) in settings.zip(other.environment.lines()) {
            if ours != theirs {
                return Err(format!("{}: {}, not {}", ours.0, theirs.1, ours.1));
            }
        }
        for cell in &other.results {
            if self.cell(&cell.row, cell.threads, &cell.peer).is_some() {
                return Err(format!(
                    "both have {}, {}, {}",
                    cell.row,
                    counted(cell.threads),
                    cell.peer
                ));
            }
        }
        for figure in &other.figures {
            if self.figures.iter().any(|ours| ours.row == figure.row) {
                return Err(format!("both have {}", figure.row));
            }
        }
        let rows = other.rows.into_iter();
        let new: Vec<_> = rows.filter(|row| !self.rows.contains(row)).collect();
        self.rows.extend(new);
        let peers = other.peers.into_iter();
        let new: Vec<_> = peers.filter(|peer| !self.peers.contains(peer)).collect();
        self.peers.extend(new);
        self.results.extend(other.results);
        self.figures.extend(other.figures);
        self.interrupted = self.interrupted.take().or(other.interrupted);
        Ok(())
    }

    /// What it was measured with, and why not all of it was: names and values.
    fn lines(&self) -> impl Iterator<Item = (&'static str, String)> {
        let interrupted = self.interrupted.clone().map(|why| ("interrupted", why));
        self.environment.lines().into_iter().chain(interrupted)
    }

    /// The cell of an engine under a row, if it was asked for.
    fn cell(&self, row: &str, threads: usize, peer: &str) -> Option<&Cell> {
        let is_it = |cell: &&Cell| {
            (cell.row.as_str(), cell.threads, cell.peer.as_str()) == (row, threads, peer)
        };
        self.results.iter().find(is_it)
    }

    /// The numbers of threads.
    fn threads(&self) -> Vec<usize> {
        let mut threads: Vec<usize> = self.results.iter().map(|cell| cell.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
    }
}

pub(super) fn counted(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}
