//! What can be varied.

use super::Experiment;
use crate::InputError;
use crate::tpcc::Mix;
use crate::tpcc::schema::Scale;
use crate::tpcc::{self, transactions::Profile};
use crate::ycsb::{self, Distribution, LengthDistribution, Limit, LongReads, Properties, ReadOnly};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The parameters of an experiment; which of them it has, [`Experiment::takes`] says. Serialises in
/// seconds and plain numbers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Parameters {
    /// Numbers of threads, ascending. Experiments with one number of threads take the largest.
    pub threads: Vec<usize>,
    /// Runs of each engine at each point.
    pub repeats: usize,
    /// How long a run of YCSB takes.
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    /// How long a run of TPC-C takes.
    #[serde(serialize_with = "seconds")]
    pub tpcc_duration: Duration,
    /// Records of YCSB's table.
    pub records: u64,
    /// Bytes of a record.
    pub value_size: usize,
    /// Operations of a transaction.
    pub ops_per_txn: u64,
    /// Reads in percent; the others are updates.
    pub read_ratios: Vec<f64>,
    /// The same for experiments with one.
    pub read_ratio: f64,
    /// Records of a scan.
    pub scan_length: u32,
    /// Exponents of the zipfian distribution.
    pub thetas: Vec<f64>,
    /// The same for experiments with one.
    pub theta: f64,
    /// Threads with long reads.
    pub long_readers: usize,
    /// How long a snapshot is kept.
    #[serde(serialize_with = "seconds")]
    pub hold: Duration,
    /// How long a reader is without a snapshot then.
    #[serde(serialize_with = "seconds")]
    pub pause: Duration,
    /// How often the stock is scanned.
    pub scan_intervals: Vec<Interval>,
    /// TPC-C's warehouses; as many as threads if it is not said.
    pub warehouses: Option<u32>,
    /// TPC-C's mix.
    #[serde(serialize_with = "display")]
    pub mix: Mix,
    /// Numbers of clients that commit to a store, ascending.
    pub clients: Vec<usize>,
    /// Rows of stores that are opened.
    pub rows: Vec<u64>,
    /// Numbers of threads of the mail server, ascending.
    pub mail_threads: Vec<usize>,
    /// Users of the mail server.
    pub users: u32,
    /// For the random numbers.
    pub seed: u64,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn display<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// How often something is done, if at all: seconds, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub Option<Duration>);

impl FromStr for Interval {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        if text == "off" {
            return Ok(Self(None));
        }
        let seconds = text.parse::<f64>().ok();
        let valid = seconds.filter(|seconds| (0.001..=3_600.0).contains(seconds));
        let seconds = valid.ok_or_else(|| {
            InputError::new(format!(
                "an interval of {text}: expected off or seconds from 0.001 to 3600"
            ))
        })?;
        Ok(Self(Some(Duration::from_secs_f64(seconds))))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("off"),
            Some(interval) => write!(f, "{}", interval.as_secs_f64()),
        }
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        display(self, serializer)
    }
}

/// From 1 to the number of cores: all up to 4, then powers of two, and all cores.
fn up_to(cores: usize) -> Vec<usize> {
    let small = (1..=4).filter(|threads| *threads <= cores);
    let powers = (3..usize::BITS).map(|power| 1 << power);
    let mut threads: Vec<_> = small
        .chain(powers.take_while(|threads| *threads < cores))
        .chain([cores])
        .collect();
    threads.dedup();
    threads
}

impl Parameters {
    /// The defaults: the paper's, as far as a machine with so many cores allows. `quick` keeps what
    /// is varied nearly whole and runs for a short time.
    pub fn new(experiment: Experiment, quick: bool, cores: usize) -> Self {
        let seconds =
            |full: f64, short: f64| Duration::from_secs_f64(if quick { short } else { full });
        let four_operations = !matches!(experiment, Experiment::Silo | Experiment::Factors);
        let intervals: &[f64] = if quick {
            &[0.5, 0.1]
        } else {
            &[10.0, 5.0, 1.0, 0.5, 0.1]
        };
        let scans = intervals
            .iter()
            .map(|&interval| Some(Duration::from_secs_f64(interval)));
        Self {
            threads: up_to(cores),
            repeats: if quick { 3 } else { 5 },
            duration: match experiment {
                Experiment::LongReaders => seconds(3.0, 0.7),
                Experiment::Gc => seconds(18.0, 6.0),
                Experiment::Checkpoint => seconds(12.0, 4.0),
                _ => seconds(2.0, 0.3),
            },
            tpcc_duration: seconds(5.0, 0.7),
            records: match experiment {
                // Each run has a store of its own, which is filled first.
                Experiment::Durability => 100_000,
                _ => 1_000_000,
            },
            value_size: 100,
            ops_per_txn: if four_operations { 4 } else { 1 },
            read_ratios: match experiment {
                Experiment::Silo => vec![100.0, 50.0, 0.0],
                Experiment::Scalability => vec![0.0, 100.0],
                _ if quick => vec![100.0, 50.0, 0.0],
                _ => vec![100.0, 75.0, 50.0, 25.0, 0.0],
            },
            read_ratio: 0.0,
            scan_length: 100,
            thetas: vec![0.8, 0.85, 0.9, 0.95],
            theta: if experiment == Experiment::Factors {
                0.2
            } else {
                0.85
            },
            long_readers: if experiment == Experiment::Gc { 4 } else { 8 },
            hold: seconds(1.5, 0.5),
            pause: seconds(3.0, 1.0),
            scan_intervals: [None].into_iter().chain(scans).map(Interval).collect(),
            warehouses: None,
            mix: Mix::default(),
            clients: if quick {
                vec![1, 8, 64]
            } else {
                vec![1, 2, 4, 8, 16, 32, 64]
            },
            rows: if quick {
                vec![100_000, 300_000, 1_000_000]
            } else {
                vec![1_000_000, 2_000_000, 4_000_000]
            },
            mail_threads: if quick {
                vec![1, 8]
            } else {
                vec![1, 2, 4, 8, 16]
            },
            users: 100,
            seed: 42,
        }
    }

    /// Those that an experiment has, by name.
    ///
    /// # Panics
    /// Never.
    pub fn of(&self, experiment: Experiment) -> serde_json::Map<String, serde_json::Value> {
        let all = serde_json::to_value(self).expect("plain values");
        let serde_json::Value::Object(mut all) = all else {
            unreachable!("a struct is an object");
        };
        all.retain(|name, _| experiment.takes().contains(&name.as_str()));
        all
    }

    /// The largest number of threads.
    pub(super) fn most_threads(&self) -> usize {
        self.threads.iter().copied().max().unwrap_or(1)
    }

    /// YCSB: so many operations in percent are reads, or scans; uniform unless there is a `theta`.
    pub(super) fn ycsb(
        &self,
        threads: usize,
        reads: f64,
        scans: bool,
        theta: Option<f64>,
    ) -> ycsb::Settings {
        let share = reads / 100.0;
        let properties = Properties {
            records: self.records,
            fields: 1,
            field_length: self.value_size,
            read: if scans { 0.0 } else { share },
            scan: if scans { share } else { 0.0 },
            update: 1.0 - share,
            distribution: if theta.is_some() {
                Distribution::Zipfian
            } else {
                Distribution::Uniform
            },
            min_scan_length: self.scan_length,
            max_scan_length: self.scan_length,
            scan_length_distribution: LengthDistribution::Constant,
            ..Properties::default()
        };
        ycsb::Settings {
            name: format!("{reads} % {}", if scans { "scans" } else { "reads" }),
            properties,
            ops_per_txn: self.ops_per_txn,
            // Unused by a uniform distribution, but it must be one.
            theta: theta.unwrap_or(0.5),
            threads,
            long_readers: 0,
            long_reads: LongReads::Steady,
            held_snapshots: 0,
            read_only: ReadOnly::View,
            limit: Limit::Duration(self.duration),
            target: None,
            seed: self.seed,
        }
    }

    /// TPC-C, with as many warehouses as threads unless it is said otherwise.
    pub(super) fn tpcc(&self, threads: usize, scans: Interval) -> tpcc::Settings {
        let interval = scans.0.unwrap_or_default();
        let as_threads = u32::try_from(threads).expect("there are fewer threads");
        tpcc::Settings {
            warehouses: self.warehouses.unwrap_or(as_threads),
            scale: Scale::default(),
            threads,
            // At least one scan.
            duration: self.tpcc_duration.max(interval),
            mix: self.mix,
            stock_scan_interval: scans.0,
            check: false,
            think_times: false,
            profile: Profile::Spec,
            seed: self.seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_go_up_to_the_cores() {
        assert_eq!(up_to(1), [1]);
        assert_eq!(up_to(2), [1, 2]);
        assert_eq!(up_to(6), [1, 2, 3, 4, 6]);
        assert_eq!(up_to(8), [1, 2, 3, 4, 8]);
        assert_eq!(up_to(48), [1, 2, 3, 4, 8, 16, 32, 48]);
    }

    #[test]
    fn intervals_are_read_as_they_are_written() {
        for text in ["off", "10", "0.5"] {
            let interval: Interval = text.parse().expect("valid");
            assert_eq!(interval.to_string(), text);
        }
        for text in ["", "0", "-1", "NaN", "often"] {
            let error = text.parse::<Interval>().expect_err(text).to_string();
            assert!(error.contains("off or seconds"), "{error}");
        }
    }
}
