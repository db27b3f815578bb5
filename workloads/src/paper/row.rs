//! What was measured of one engine at one point.

use super::Contender;
use crate::{tpcc, ycsb};
use serde::{Deserialize, Serialize};

/// What is run.
#[derive(Clone)]
pub(super) enum Work {
    Ycsb(Box<ycsb::Settings>),
    Tpcc(tpcc::Settings),
}

/// What runs besides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Besides {
    Nothing,
    /// Long readers or stock scans of a copy that nobody writes.
    StandIns,
    /// Long readers or stock scans.
    Readers,
}

/// A point of an experiment.
pub(super) struct Point {
    pub(super) work: Work,
    pub(super) besides: Besides,
}

impl From<Work> for Point {
    fn from(work: Work) -> Self {
        Self {
            work,
            besides: Besides::Nothing,
        }
    }
}

impl Point {
    /// The same beside stand-ins for its long readers, and then beside the readers.
    pub(super) fn beside(work: &Work) -> [Self; 2] {
        [Besides::StandIns, Besides::Readers].map(|besides| Self {
            work: work.clone(),
            besides,
        })
    }
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) seconds: f64,
    pub(super) throughput_tps: f64,
    pub(super) committed: u64,
    pub(super) aborted: u64,
    rolled_back: u64,
    long_reads: u64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    #[serde(skip)]
    pub(super) clock: String,
}

impl From<ycsb::Report> for Run {
    fn from(report: ycsb::Report) -> Self {
        Self {
            seconds: report.seconds,
            throughput_tps: report.throughput_tps,
            committed: report.committed,
            aborted: report.aborted,
            rolled_back: 0,
            long_reads: report.long_reads,
            p50_us: report.latency_us.map(|it| it.p50),
            p99_us: report.latency_us.map(|it| it.p99),
            clock: report.clock,
        }
    }
}

impl From<tpcc::Report> for Run {
    fn from(report: tpcc::Report) -> Self {
        Self {
            seconds: report.seconds,
            throughput_tps: report.throughput_tps,
            committed: report.committed,
            aborted: report.aborted,
            rolled_back: report.rollbacks,
            long_reads: report.stock_scans.unwrap_or(0),
            p50_us: None,
            p99_us: None,
            clock: report.clock,
        }
    }
}

/// A line of the CSV: one engine at one point, over all its runs there. What does not apply is
/// empty.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// `ycsb` or `tpcc`.
    pub workload: &'static str,
    /// The engine's name.
    pub engine: String,
    /// What is special about it.
    pub variant: String,
    /// What orders its transactions.
    pub clock: String,
    /// Threads that run transactions.
    pub threads: usize,
    /// Operations of a transaction of YCSB.
    pub ops_per_txn: Option<u64>,
    /// How many of these are reads or scans.
    pub reads_percent: Option<f64>,
    /// Records of a scan, if reads are scans.
    pub scan_length: Option<u32>,
    /// `uniform` or `zipfian`.
    pub distribution: Option<&'static str>,
    /// The exponent of the latter.
    pub theta: Option<f64>,
    /// Records of YCSB's table.
    pub records: Option<u64>,
    /// Bytes of each.
    pub value_bytes: Option<usize>,
    /// TPC-C's warehouses.
    pub warehouses: Option<u32>,
    /// What runs besides: `nothing`, `readers`, or `stand-ins` for these.
    pub besides: &'static str,
    /// Threads that read besides.
    pub long_readers: usize,
    /// How often TPC-C's stock is scanned.
    pub scan_interval_s: Option<f64>,
    /// How often it was run.
    pub runs: usize,
    /// How long, on average.
    pub seconds: f64,
    /// Committed transactions per second, the median of the runs.
    pub throughput_tps: f64,
    /// The smallest.
    pub throughput_min_tps: f64,
    /// The largest.
    pub throughput_max_tps: f64,
    /// Beside readers: the throughput by that beside stand-ins, the median of the ratios of runs
    /// that followed each other.
    pub kept: Option<f64>,
    /// Transactions that committed, in all runs.
    pub committed: u64,
    /// Attempts that were aborted and run again, in all runs.
    pub aborted: u64,
    /// Transactions of TPC-C that rolled back because an item is unused, in all runs.
    pub rolled_back: u64,
    /// Aborted attempts by all attempts.
    pub abort_rate: f64,
    /// Long reads or stock scans done, in all runs.
    pub long_reads: u64,
    /// The median of the runs' median latencies.
    pub p50_us: Option<f64>,
    /// The median of the runs' 99th percentiles.
    pub p99_us: Option<f64>,
}

/// A row with the runs it was made of.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    #[serde(flatten)]
    pub(super) row: Row,
    pub(super) measured: Vec<Run>,
}

/// The middle one; the mean of the middle two.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some(f64::midpoint(values[low], values[high]))
}

impl Measured {
    /// Of runs of a contender; `base` are its runs beside stand-ins, if these had readers.
    pub(super) fn new(
        contender: &Contender,
        point: &Point,
        runs: Vec<Run>,
        base: Option<&[Run]>,
    ) -> Self {
        let sum = |of: fn(&Run) -> u64| runs.iter().map(of).sum::<u64>();
        let throughputs = || runs.iter().map(|run| run.throughput_tps);
        let (committed, aborted, rolled_back) = (
            sum(|run| run.committed),
            sum(|run| run.aborted),
            sum(|run| run.rolled_back),
        );
        let kept = base.map(|base| {
            let pairs = throughputs().zip(base);
            pairs.map(|(throughput, base)| throughput / base.throughput_tps)
        });
        let row = Row {
            engine: contender.engine().to_owned(),
            variant: contender.variant.clone(),
            clock: runs[0].clock.clone(),
            runs: runs.len(),
            seconds: runs.iter().map(|run| run.seconds).sum::<f64>() / runs.len() as f64,
            throughput_tps: median(throughputs()).expect("it was run"),
            throughput_min_tps: throughputs().fold(f64::INFINITY, f64::min),
            throughput_max_tps: throughputs().fold(0.0, f64::max),
            kept: kept.and_then(median),
            committed,
            aborted,
            rolled_back,
            abort_rate: aborted as f64 / (committed + aborted + rolled_back).max(1) as f64,
            long_reads: sum(|run| run.long_reads),
            p50_us: median(runs.iter().filter_map(|run| run.p50_us)),
            p99_us: median(runs.iter().filter_map(|run| run.p99_us)),
            ..Row::of(point)
        };
        Self {
            row,
            measured: runs,
        }
    }
}

impl Row {
    /// The columns that say what is run.
    fn of(point: &Point) -> Self {
        let besides = match point.besides {
            Besides::Nothing => "nothing",
            Besides::StandIns => "stand-ins",
            Besides::Readers => "readers",
        };
        match &point.work {
            Work::Ycsb(settings) => {
                let properties = &settings.properties;
                let zipfian = properties.distribution == ycsb::Distribution::Zipfian;
                let scans = properties.scan > 0.0;
                Self {
                    workload: "ycsb",
                    besides,
                    threads: settings.threads,
                    ops_per_txn: Some(settings.ops_per_txn),
                    reads_percent: Some((properties.read + properties.scan) * 100.0),
                    scan_length: scans.then_some(properties.max_scan_length),
                    distribution: Some(if zipfian { "zipfian" } else { "uniform" }),
                    theta: zipfian.then_some(settings.theta),
                    records: Some(properties.records),
                    value_bytes: Some(properties.field_length),
                    long_readers: settings.long_readers,
                    ..Self::default()
                }
            }
            Work::Tpcc(settings) => Self {
                workload: "tpcc",
                besides,
                threads: settings.threads,
                warehouses: Some(settings.warehouses),
                long_readers: usize::from(settings.stock_scan_interval.is_some()),
                scan_interval_s: settings.stock_scan_interval.map(|it| it.as_secs_f64()),
                ..Self::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([7.0]), Some(7.0));
        assert_eq!(median([9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }
}
