//! Versions and memory over time, with long snapshots coming and going.

use super::figure::{Horizontal, Mark};
use super::{AnyEngine, Chapter, Contender, Experiment, Figure, Journal, Parameters};
use crate::measure::rss_bytes;
use crate::ycsb::LongReads;
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub(super) const TAKES: &[&str] = &[
    "threads",
    "duration",
    "records",
    "value-size",
    "ops-per-txn",
    "read-ratio",
    "theta",
    "long-readers",
    "hold",
    "pause",
    "seed",
];

const ABOUT: &[&str] = &[
    "Transactions of four updates, beside readers that take a snapshot one after the other, read 10,000 records, keep the snapshot for a while, and \
     are without one for a while, so that there are times with several snapshots and times with none. Not in the paper.",
    "An engine with versions keeps what the snapshots can see and frees it when they are gone; the resident memory follows only as far as the allocator \
     gives memory back, but it is used again. An engine that locks makes the writers wait for as long as a snapshot is kept. Each engine runs in a \
     process of its own.",
];

/// The state at one time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Since the start.
    pub seconds: f64,
    /// Committed transactions per second since the last sample.
    pub throughput_tps: f64,
    /// Snapshots that are kept.
    pub snapshots: usize,
    /// Versions of all rows.
    pub live_versions: Option<u64>,
    /// What the process has in memory.
    pub resident_bytes: Option<u64>,
}

/// What [`sample`] has seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Samples {
    /// What orders the transactions.
    pub clock: String,
    /// Transactions that committed.
    pub committed: u64,
    /// Attempts that were aborted and run again.
    pub aborted: u64,
    /// About ten in a second.
    pub samples: Vec<Sample>,
}

/// Runs [`sample`] on an engine.
pub type Sampler<'s> = dyn Fn(&Contender) -> Result<Samples, String> + 's;

/// Loads, runs, and samples.
///
/// # Errors
/// A message if the engine fails.
pub fn sample(engine: &dyn AnyEngine, parameters: &Parameters) -> Result<Samples, String> {
    let (threads, reads) = (parameters.most_threads(), parameters.read_ratio);
    let mut settings = parameters.ycsb(threads, reads, false, Some(parameters.theta));
    settings.long_readers = parameters.long_readers;
    settings.long_reads = LongReads::Kept {
        hold: parameters.hold,
        pause: parameters.pause,
    };
    engine.load_ycsb(&settings)?;
    let mut samples = Vec::new();
    let mut last = (Duration::ZERO, 0);
    let report = engine.ycsb(&settings, false, &mut |progress| {
        let passed = progress.elapsed.saturating_sub(last.0).as_secs_f64();
        // The threads' last moments are short and would be drawn as if they lasted.
        if passed < 0.02 {
            return;
        }
        samples.push(Sample {
            seconds: progress.elapsed.as_secs_f64(),
            throughput_tps: (progress.committed - last.1) as f64 / passed,
            snapshots: progress.snapshots,
            live_versions: engine.live_versions(),
            resident_bytes: rss_bytes(),
        });
        last = (progress.elapsed, progress.committed);
    })?;
    Ok(Samples {
        clock: report.clock,
        committed: report.committed,
        aborted: report.aborted,
        samples,
    })
}

/// A line of the CSV.
#[derive(Serialize)]
struct Row<'s> {
    engine: &'s str,
    clock: &'s str,
    threads: usize,
    seconds: f64,
    throughput_tps: f64,
    snapshots: usize,
    live_versions: Option<u64>,
    resident_bytes: Option<u64>,
}

pub(super) fn run(
    parameters: &Parameters,
    contenders: &[Contender],
    sampler: &Sampler<'_>,
    journal: &Journal,
) -> Result<Chapter, String> {
    let threads = parameters.most_threads();
    let figure = |title: &str, y: &str| {
        let title = format!("{title}, {threads} threads");
        Figure::new(title, Horizontal::Seconds, y)
    };
    let mut figures = [
        figure("Throughput", "thousand transactions/s"),
        figure("Snapshots kept", "snapshots"),
        figure("Live versions", "million versions"),
        figure("Resident memory", "MiB"),
    ];
    let runs: Vec<(&str, Samples)> = contenders
        .iter()
        .map(|contender| {
            let engine = contender.engine();
            let samples = journal.measure(&format!("gc {engine}"), || sampler(contender))?;
            Ok((engine, samples))
        })
        .collect::<Result<_, String>>()?;
    let mut rows = Vec::new();
    for (engine, run) in &runs {
        let mark = Mark::of(engine, "");
        for sample in &run.samples {
            let values = [
                Some(sample.throughput_tps / 1e3),
                Some(sample.snapshots as f64),
                sample.live_versions.map(|versions| versions as f64 / 1e6),
                sample
                    .resident_bytes
                    .map(|bytes| bytes as f64 / f64::from(1 << 20)),
            ];
            for (figure, value) in figures.iter_mut().zip(values) {
                if let Some(value) = value {
                    figure.add_at(sample.seconds, &mark, value);
                }
            }
            rows.push(Row {
                engine,
                clock: &run.clock,
                threads,
                seconds: sample.seconds,
                throughput_tps: sample.throughput_tps,
                snapshots: sample.snapshots,
                live_versions: sample.live_versions,
                resident_bytes: sample.resident_bytes,
            });
        }
    }
    Chapter::new(
        Experiment::Gc,
        parameters,
        ABOUT,
        figures.into(),
        &rows,
        rows.iter(),
    )
}
