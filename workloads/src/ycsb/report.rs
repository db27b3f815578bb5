//! What a run measured.

use super::settings::Settings;
use super::{Distribution, Properties};
use crate::engine::Engine;
use crate::engine::durable::Durability;
use crate::interruption::interrupted;
use crate::measure::{Histogram, Latency, counted, mebibytes, peak_rss_bytes, rss_bytes};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// Latencies of the timed transactions, by kind.
#[derive(Default)]
pub(super) struct Samples(BTreeMap<&'static str, Histogram>);

impl Samples {
    pub(super) fn of(&mut self, kind: &'static str) -> &mut Histogram {
        self.0.entry(kind).or_default()
    }

    fn all(&self) -> Option<Latency> {
        let mut all = Histogram::default();
        for histogram in self.0.values() {
            all.add(histogram);
        }
        Latency::of(&all)
    }

    fn by_kind(&self) -> BTreeMap<String, Latency> {
        let kinds = self.0.iter();
        kinds
            .filter_map(|(kind, it)| Some(((*kind).to_owned(), Latency::of(it)?)))
            .collect()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (kind, histogram) in &other.0 {
            self.of(kind).add(histogram);
        }
    }
}

/// What threads have done.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) committed: u64,
    pub(super) aborted: u64,
    /// Reads that found no record.
    pub(super) missing: u64,
    pub(super) scanned: Scanned,
    /// From the first attempt's start to the commit.
    pub(super) samples: Samples,
    /// The same from when they were to begin, in an open loop.
    pub(super) intended: Samples,
    /// Transactions of an open loop that were to begin and had not when it ended.
    pub(super) overdue: u64,
    /// The longest time from one look at the clock to the next.
    pub(super) longest_gap: Duration,
}

/// What the scans of committed transactions have done.
#[derive(Clone, Copy, Default)]
pub(super) struct Scanned {
    pub(super) scans: u64,
    pub(super) rows: u64,
}

impl Outcome {
    /// Looks at the clock: it is `now`, and was `last` when this thread looked before.
    pub(super) fn look(&mut self, last: &mut Instant, now: Instant) {
        self.longest_gap = self.longest_gap.max(now - *last);
        *last = now;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.committed += other.committed;
        self.aborted += other.aborted;
        self.missing += other.missing;
        self.scanned.scans += other.scanned.scans;
        self.scanned.rows += other.scanned.rows;
        self.samples.add(&other.samples);
        self.intended.add(&other.intended);
        self.overdue += other.overdue;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
    }
}

/// What is in memory at one time of a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Since the start.
    pub seconds: f64,
    /// What the process has in memory, where the operating system tells.
    pub resident_bytes: Option<u64>,
    /// The versions of all rows, of an engine that has versions.
    pub live_versions: Option<u64>,
}

impl Memory {
    pub(super) fn now<E: Engine>(engine: &E, elapsed: Duration) -> Self {
        Self {
            seconds: elapsed.as_secs_f64(),
            resident_bytes: rss_bytes(),
            live_versions: engine.live_versions(),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resident = mebibytes(self.resident_bytes);
        write!(
            f,
            "{:<14}{resident:>20} after {:.1} s",
            "memory", self.seconds
        )?;
        match self.live_versions {
            Some(versions) => write!(f, ", {}", counted(versions, "version")),
            None => Ok(()),
        }
    }
}

/// The outcome of a run. Serialises to the JSON of `--json`; displays as the command's table.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The engine's name.
    pub engine: String,
    /// The workload's name.
    pub workload: String,
    /// Threads that ran transactions.
    pub threads: usize,
    /// How long they ran.
    pub seconds: f64,
    /// The signal that ended the run early, if one did.
    pub interrupted: Option<&'static str>,
    /// Transactions that committed.
    pub committed: u64,
    /// Attempts that were aborted and run again.
    pub aborted: u64,
    /// Committed transactions per second.
    pub throughput_tps: f64,
    /// Aborted attempts by all attempts.
    pub abort_rate: f64,
    /// Over all kinds of transactions, if any was timed.
    pub latency_us: Option<Latency>,
    /// The largest resident set of the process so far, where the operating system tells.
    pub peak_rss_bytes: Option<u64>,
    /// What orders the transactions.
    pub clock: String,
    /// Records loaded.
    pub records: u64,
    /// Bytes of a record, of the largest if the fields differ.
    pub record_bytes: usize,
    /// The distribution of the lengths of fields.
    pub field_lengths: String,
    /// Operations of a transaction.
    pub ops_per_txn: u64,
    /// The distribution of the records, and its parameters if it has any.
    pub distribution: String,
    /// For the random numbers.
    pub seed: u64,
    /// Threads with long reads.
    pub long_readers: usize,
    /// Long reads done: 10,000 records from one snapshot each.
    pub long_reads: u64,
    /// Snapshots held from before the first transaction until after the last one.
    pub held_snapshots: usize,
    /// The memory after 10 seconds, unless the run was shorter, and at the end.
    pub memory: Vec<Memory>,
    /// Scans of the committed transactions.
    pub scans: u64,
    /// Records that these read.
    pub scanned_rows: u64,
    /// By kind of transaction.
    pub operations: BTreeMap<String, Latency>,
    /// Each thread times one transaction in so many. A stop of the others shows in `longest_gap_us`
    /// alone.
    pub timed_every: u64,
    /// The longest time in which a thread did not look at the clock: it looks before and after each
    /// transaction that it times. In an open loop without the time spent waiting for the next
    /// start.
    pub longest_gap_us: f64,
    /// Transactions per second that were to begin, in an open loop.
    pub target_tps: Option<f64>,
    /// Those that were to begin and had not when the run ended, in an open loop.
    pub overdue: Option<u64>,
    /// Over all kinds of transactions, from when each was to begin, in an open loop.
    pub intended_latency_us: Option<Latency>,
    /// The same by kind of transaction; empty in a closed loop.
    pub intended_operations: BTreeMap<String, Latency>,
    /// What durability has cost, of a durable engine.
    pub durability: Option<Durability>,
}

impl Report {
    pub(super) fn new<E: Engine>(
        engine: &E,
        settings: &Settings,
        seconds: f64,
        outcome: &Outcome,
        long_reads: u64,
        memory: Vec<Memory>,
    ) -> Self {
        let &Outcome {
            committed,
            aborted,
            scanned,
            ref samples,
            ref intended,
            overdue,
            longest_gap,
            ..
        } = outcome;
        let properties = &settings.properties;
        Self {
            engine: E::NAME.to_owned(),
            workload: settings.name.clone(),
            threads: settings.threads,
            seconds,
            interrupted: interrupted().map(|it| it.signal),
            committed,
            aborted,
            throughput_tps: committed as f64 / seconds,
            abort_rate: aborted as f64 / (committed + aborted).max(1) as f64,
            latency_us: samples.all(),
            peak_rss_bytes: peak_rss_bytes(),
            clock: engine.clock(),
            records: properties.loaded(),
            record_bytes: properties.fields * properties.field_length,
            field_lengths: format!("{:?}", properties.field_length_distribution).to_lowercase(),
            ops_per_txn: settings.ops_per_txn,
            distribution: distribution(settings),
            seed: settings.seed,
            long_readers: settings.long_readers,
            long_reads,
            held_snapshots: settings.held_snapshots,
            memory,
            scans: scanned.scans,
            scanned_rows: scanned.rows,
            operations: samples.by_kind(),
            timed_every: settings.timed_every(),
            longest_gap_us: longest_gap.as_secs_f64() * 1e6,
            target_tps: settings.target,
            overdue: settings.target.map(|_| overdue),
            intended_latency_us: settings.target.and_then(|_| intended.all()),
            intended_operations: intended.by_kind(),
            durability: None,
        }
    }
}

/// The name of the records' distribution, and its parameters.
fn distribution(settings: &Settings) -> String {
    let &Properties {
        distribution, skew, ..
    } = &settings.properties;
    let name = format!("{distribution:?}").to_lowercase();
    match distribution {
        Distribution::Uniform | Distribution::Sequential => name,
        Distribution::Zipfian | Distribution::Latest => format!("{name} {}", settings.theta),
        Distribution::Hotspot => {
            format!("{name} {} {}", skew.hot_records, skew.hot_operations)
        }
        Distribution::Exponential => format!("{name} {} {}", skew.percentile, skew.fraction),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "ycsb {} on {} (clock {}): {} of {}{}, {}, {} per transaction, {}, seed {}",
            self.workload,
            self.engine,
            self.clock,
            counted(self.records, "record"),
            if self.field_lengths == "constant" {
                ""
            } else {
                "up to "
            },
            counted(self.record_bytes as u64, "byte"),
            self.distribution,
            counted(self.ops_per_txn, "operation"),
            counted(self.threads as u64, "thread"),
            self.seed
        )?;
        writeln!(f, "\n{:<14}{:>16}", "committed", self.committed)?;
        writeln!(f, "{:<14}{:>16}", "aborted", self.aborted)?;
        writeln!(f, "{:<14}{:>16.3}", "seconds", self.seconds)?;
        if let Some(signal) = self.interrupted {
            writeln!(f, "{:<14}{signal:>16} ended the run early", "interrupted")?;
        }
        writeln!(
            f,
            "{:<14}{:>16.0} transactions/s",
            "throughput", self.throughput_tps
        )?;
        writeln!(f, "{:<14}{:>16.4} %", "abort rate", self.abort_rate * 100.0)?;
        let memory = mebibytes(self.peak_rss_bytes);
        writeln!(f, "{:<14}{memory:>20}", "peak memory")?;
        for memory in &self.memory {
            writeln!(f, "{memory}")?;
        }
        if self.long_readers > 0 {
            writeln!(
                f,
                "{:<14}{:>16} by {}, 10,000 records each",
                "long reads",
                self.long_reads,
                counted(self.long_readers as u64, "thread")
            )?;
        }
        if self.held_snapshots > 0 {
            let held = counted(self.held_snapshots as u64, "snapshot");
            writeln!(f, "{:<14}{held:>16}", "held")?;
        }
        if self.scans > 0 {
            writeln!(
                f,
                "{:<14}{:>16} of {:.1} records on average",
                "scans",
                self.scans,
                self.scanned_rows as f64 / self.scans as f64
            )?;
        }
        write!(
            f,
            "\n{:<20} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}",
            "latency, us", "p50", "p95", "p99", "p99.9", "max", "timed"
        )?;
        let line = |f: &mut fmt::Formatter<'_>, kind: &str, latency: &Latency| {
            write!(
                f,
                "\n{kind:<20} {:>11.2} {:>11.2} {:>11.2} {:>11.2} {:>11.2} {:>11}",
                latency.p50, latency.p95, latency.p99, latency.p999, latency.max, latency.samples
            )
        };
        for (kind, latency) in &self.operations {
            line(f, kind, latency)?;
        }
        if let (Some(target), Some(overdue)) = (self.target_tps, self.overdue) {
            write!(
                f,
                "\nfrom the intended start (open loop of {target} transactions/s; {overdue} were overdue at the end)"
            )?;
            for (kind, latency) in &self.intended_operations {
                line(f, kind, latency)?;
            }
        } else {
            let timed = match self.timed_every {
                1 => "all are timed".to_owned(),
                every => format!("one in {every} is timed"),
            };
            write!(
                f,
                "\nclosed loop: {timed}, and nobody waits while a transaction stalls; --target offers an open loop"
            )?;
        }
        write!(
            f,
            "\n{:<20}{:>10.2} us from one look at the clock to the next, of one thread",
            "longest gap", self.longest_gap_us
        )?;
        match &self.durability {
            Some(durability) => durability.fmt(f),
            None => Ok(()),
        }
    }
}
