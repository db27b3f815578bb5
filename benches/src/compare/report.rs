//! The results: as tables, as JSON, as a page.

mod html;

use super::peers::{self, About, VALUE};
use serde::Serialize;
use std::fmt::Write;

/// Everything that was measured.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) environment: Environment,
    pub(super) threads: Vec<usize>,
    pub(super) rows: Vec<Title>,
    /// `mvcc` first.
    pub(super) peers: Vec<About>,
    pub(super) results: Vec<Cell>,
}

/// A row's name, and what it stands for.
#[derive(Serialize)]
pub(super) struct Title {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
}

/// What it was measured with.
#[derive(Serialize)]
pub(super) struct Environment {
    keys: u64,
    key: &'static str,
    value_bytes: usize,
    distribution: &'static str,
    seconds: f64,
    repeats: u64,
    clock: String,
    allocator: &'static str,
    rustc: &'static str,
    target: String,
    cores: usize,
    optimized: bool,
}

impl Environment {
    pub(super) fn new(keys: u64, seconds: f64, repeats: u64) -> Self {
        Self {
            keys,
            key: "u64, hashed (FNV-1a of the record number)",
            value_bytes: VALUE,
            distribution: "uniform, or zipfian over all keys and scattered, as each row says",
            seconds,
            repeats,
            clock: peers::clock(),
            allocator: "the system's",
            rustc: env!("RUSTC_VERSION"),
            target: format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            optimized: !cfg!(debug_assertions),
        }
    }

    /// Names and values.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let build = if self.optimized { "release" } else { "debug" };
        vec![
            ("keys", format!("{}, {}", self.keys, self.key)),
            (
                "values",
                format!("{} bytes, written and read in full", self.value_bytes),
            ),
            ("distribution", self.distribution.into()),
            (
                "samples",
                format!("medians of {}, {} s each", self.repeats, self.seconds),
            ),
            ("clock of mvcc", self.clock.clone()),
            ("allocator", self.allocator.into()),
            ("compiler", format!("{}, {build}", self.rustc)),
            ("machine", format!("{}, {} cores", self.target, self.cores)),
        ]
    }
}

/// One engine under one row.
#[derive(Debug, Serialize)]
pub(super) struct Cell {
    pub(super) row: &'static str,
    pub(super) threads: usize,
    pub(super) peer: &'static str,
    /// Million transactions per second, the median.
    pub(super) mtps: Option<f64>,
    /// Those of `mvcc`, divided by these.
    pub(super) ratio: Option<f64>,
    pub(super) retries_per_transaction: Option<f64>,
    pub(super) mtps_of_repeats: Vec<f64>,
    /// Why it cannot run the row.
    pub(super) lacks: Option<&'static str>,
}

/// Cells of text.
struct Table {
    head: Vec<String>,
    lines: Vec<Vec<String>>,
    /// How many columns, from the left, hold text.
    text: usize,
}

impl Table {
    fn new(head: &[&str], text: usize) -> Self {
        Self {
            head: head.iter().map(ToString::to_string).collect(),
            lines: Vec::new(),
            text,
        }
    }

    fn print(&self, markdown: bool) -> String {
        let width = |column: usize| {
            let cells = std::iter::once(&self.head).chain(&self.lines);
            let widths = cells.map(|line| line[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let print = |line: &[String]| {
            let cells = line.iter().zip(&widths).enumerate();
            let padded = cells.map(|(column, (cell, &width))| {
                if column < self.text {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            let padded: Vec<String> = padded.collect();
            if markdown {
                format!("| {} |\n", padded.join(" | "))
            } else {
                format!("{}\n", padded.join("  ").trim_end())
            }
        };
        let mut out = print(&self.head);
        if markdown {
            let rule = |column| if column < self.text { "---" } else { "---:" };
            let rules: Vec<&str> = (0..self.head.len()).map(rule).collect();
            let _ = writeln!(out, "| {} |", rules.join(" | "));
        }
        out.extend(self.lines.iter().map(|line| print(line)));
        out
    }
}

const UNIT: &str = "Million transactions per second, and mvcc's divided by these";

impl Report {
    /// The cell of an engine under a row.
    fn cell(&self, row: &str, threads: usize, peer: &str) -> &Cell {
        let is_it = |cell: &&Cell| (cell.row, cell.threads, cell.peer) == (row, threads, peer);
        let cell = self.results.iter().find(is_it);
        cell.expect("every engine has a cell in every row")
    }

    /// Why engines cannot run rows; cells refer to them by number, from 1.
    fn footnotes(&self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        for reason in self.results.iter().filter_map(|cell| cell.lacks) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }

    /// A table of the rows against the engines.
    fn grid(&self, threads: usize, print: impl Fn(&Cell) -> String) -> Table {
        let head: Vec<&str> = std::iter::once("row")
            .chain(self.peers.iter().map(|peer| peer.name))
            .collect();
        let mut table = Table::new(&head, 1);
        for Title { name: row, .. } in &self.rows {
            let cells = self
                .peers
                .iter()
                .map(|peer| self.cell(row, threads, peer.name));
            let line = std::iter::once((*row).to_owned()).chain(cells.map(&print));
            table.lines.push(line.collect());
        }
        table
    }

    /// Throughput and ratios.
    fn throughput(&self, threads: usize) -> Table {
        let footnotes = self.footnotes();
        self.grid(threads, |cell| {
            let ours = cell.peer == self.peers[0].name;
            match (cell.mtps, cell.ratio, cell.lacks) {
                (Some(mtps), Some(ratio), _) if !ours => format!("{mtps:.3} {ratio:>6.2}x"),
                (Some(mtps), ..) => format!("{mtps:.3}"),
                (None, _, Some(reason)) => {
                    let number = footnotes.iter().take_while(|known| **known != reason);
                    format!("- [{}]", number.count() + 1)
                }
                (None, _, None) => "-".into(),
            }
        })
    }

    /// Failed attempts for each transaction, of the rows and engines that have any.
    fn retries(&self) -> Table {
        let mut table = Table::new(&["row", "threads", "engine", "retries"], 1);
        for cell in &self.results {
            let retries = cell.retries_per_transaction.unwrap_or(0.0);
            if retries > 0.0 {
                table.lines.push(vec![
                    cell.row.into(),
                    cell.threads.to_string(),
                    cell.peer.into(),
                    format!("{retries:.6}"),
                ]);
            }
        }
        table
    }

    /// What the engines are.
    fn engines(&self) -> Table {
        let mut table = Table::new(&["engine", "version", "isolation", "how"], 4);
        for peer in &self.peers {
            let line = [peer.name, peer.version, peer.isolation, peer.how];
            table.lines.push(line.map(String::from).to_vec());
        }
        table
    }

    /// What the rows are.
    fn legend(&self) -> Table {
        let mut table = Table::new(&["row", "a transaction"], 2);
        for Title { name, title } in &self.rows {
            table.lines.push(vec![(*name).into(), (*title).into()]);
        }
        table
    }

    /// Everything as tables.
    pub(super) fn tables(&self, markdown: bool) -> String {
        let mut out = String::new();
        for (name, value) in self.environment.lines() {
            let bullet = if markdown { "- " } else { "" };
            let _ = writeln!(out, "{bullet}{name}: {value}");
        }
        let _ = write!(out, "\n{}", self.engines().print(markdown));
        let _ = write!(out, "\n{}", self.legend().print(markdown));
        for &threads in &self.threads {
            let table = self.throughput(threads);
            let _ = writeln!(out, "\n{UNIT}; {}:\n", counted(threads));
            out.push_str(&table.print(markdown));
        }
        out.push('\n');
        for (position, reason) in self.footnotes().iter().enumerate() {
            let _ = writeln!(out, "[{}] {reason}", position + 1);
        }
        let retries = self.retries();
        if !retries.lines.is_empty() {
            let _ = write!(
                out,
                "\nFailed attempts per transaction:\n\n{}",
                retries.print(markdown)
            );
        }
        out
    }

    /// Everything as JSON.
    pub(super) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and strings")
    }
}

fn counted(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}
