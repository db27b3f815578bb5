//! What a run measured.

use super::Settings;
use crate::engine::Engine;
use crate::measure::{Histogram, Latency, mebibytes, peak_rss_bytes};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Latencies of the timed transactions, by kind.
#[derive(Default)]
pub(super) struct Samples(BTreeMap<&'static str, Histogram>);

impl Samples {
    pub(super) fn of(&mut self, kind: &'static str) -> &mut Histogram {
        self.0.entry(kind).or_default()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (kind, histogram) in &other.0 {
            self.of(kind).add(histogram);
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
    /// Transactions that committed.
    pub committed: u64,
    /// Attempts that were aborted and run again.
    pub aborted: u64,
    /// Committed transactions per second.
    pub throughput_tps: f64,
    /// Aborted attempts by all attempts.
    pub abort_rate: f64,
    /// Over all kinds of transactions.
    pub latency_us: Latency,
    /// The largest resident set of the process so far, where the operating system tells.
    pub peak_rss_bytes: Option<u64>,
    /// What orders the transactions.
    pub clock: String,
    /// Records loaded.
    pub records: u64,
    /// Bytes of a record.
    pub record_bytes: usize,
    /// Operations of a transaction.
    pub ops_per_txn: u64,
    /// The distribution of the records, and its exponent.
    pub distribution: String,
    /// For the random numbers.
    pub seed: u64,
    /// Threads with long reads.
    pub long_readers: usize,
    /// Long reads done: 10,000 records from one snapshot each.
    pub long_reads: u64,
    /// By kind of transaction.
    pub operations: BTreeMap<String, Latency>,
}

impl Report {
    pub(super) fn new<E: Engine>(
        engine: &E,
        settings: &Settings,
        seconds: f64,
        committed: u64,
        aborted: u64,
        long_reads: u64,
        samples: &Samples,
    ) -> Self {
        let mut all = Histogram::default();
        for histogram in samples.0.values() {
            all.add(histogram);
        }
        let properties = &settings.properties;
        Self {
            engine: E::NAME.to_owned(),
            workload: settings.name.clone(),
            threads: settings.threads,
            seconds,
            committed,
            aborted,
            throughput_tps: committed as f64 / seconds,
            abort_rate: aborted as f64 / (committed + aborted).max(1) as f64,
            latency_us: Latency::of(&all),
            peak_rss_bytes: peak_rss_bytes(),
            clock: engine.clock(),
            records: properties.records,
            record_bytes: properties.fields * properties.field_length,
            ops_per_txn: settings.ops_per_txn,
            distribution: format!("{:?} {}", properties.distribution, settings.theta)
                .to_lowercase(),
            seed: settings.seed,
            long_readers: settings.long_readers,
            long_reads,
            operations: samples
                .0
                .iter()
                .map(|(kind, histogram)| ((*kind).to_owned(), Latency::of(histogram)))
                .collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "ycsb {} on {} (clock {}): {} records of {} bytes, {}, {} operations per transaction, {} threads, seed {}",
            self.workload,
            self.engine,
            self.clock,
            self.records,
            self.record_bytes,
            self.distribution,
            self.ops_per_txn,
            self.threads,
            self.seed
        )?;
        writeln!(f, "\n{:<14}{:>16}", "committed", self.committed)?;
        writeln!(f, "{:<14}{:>16}", "aborted", self.aborted)?;
        writeln!(f, "{:<14}{:>16.3}", "seconds", self.seconds)?;
        writeln!(
            f,
            "{:<14}{:>16.0} transactions/s",
            "throughput", self.throughput_tps
        )?;
        writeln!(f, "{:<14}{:>16.4} %", "abort rate", self.abort_rate * 100.0)?;
        let memory = mebibytes(self.peak_rss_bytes);
        writeln!(f, "{:<14}{memory:>20}", "peak memory")?;
        if self.long_readers > 0 {
            writeln!(
                f,
                "{:<14}{:>16} by {} threads, 10,000 records each",
                "long reads", self.long_reads, self.long_readers
            )?;
        }
        write!(
            f,
            "\n{:<20}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "latency, us", "p50", "p95", "p99", "p99.9", "max", "timed"
        )?;
        for (kind, latency) in &self.operations {
            write!(
                f,
                "\n{kind:<20}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>10}",
                latency.p50, latency.p95, latency.p99, latency.p999, latency.max, latency.samples
            )?;
        }
        Ok(())
    }
}
