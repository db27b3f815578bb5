//! The parameters that the command line sets.

use super::super::input::{THREADS, at_least_one, duration, exponent, fits, percentage, within};
use super::super::mail::USERS;
use super::super::tpcc::warehouses;
use super::super::ycsb::OPERATIONS;
use clap::Args;
use std::ops::RangeInclusive;
use std::time::Duration;
use workloads::InputError;
use workloads::engine::Engine;
use workloads::memory::Cost;
use workloads::paper::{Interval, Parameters};
use workloads::ycsb::Properties;

/// In place of an experiment's defaults. An experiment refuses what it does not have; `all` gives
/// each what it has.
#[derive(Args)]
pub(super) struct Overrides {
    /// Numbers of threads; long-readers and gc take the largest [default: 1 up to one for each
    /// core].
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    threads: Vec<usize>,
    /// Runs of each engine at each point, of which the median counts.
    #[arg(long, value_name = "N")]
    repeats: Option<usize>,
    /// Seconds of a run of YCSB; of all in gc.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<String>,
    /// Seconds of a run of TPC-C, at least one interval of its scans.
    #[arg(long, value_name = "SECONDS")]
    tpcc_duration: Option<String>,
    /// Records of YCSB's table [default: 1,000,000].
    #[arg(long)]
    records: Option<u64>,
    /// Bytes of a record [default: 100].
    #[arg(long, value_name = "BYTES")]
    value_size: Option<usize>,
    /// Operations of a transaction of YCSB [default: 1 in silo and factors, 4 in the others].
    #[arg(long)]
    ops_per_txn: Option<u64>,
    /// silo, long-readers, scalability: reads in percent, the others are updates.
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    read_ratios: Vec<f64>,
    /// gc: reads in percent [default: 0].
    #[arg(long, value_name = "PERCENT")]
    read_ratio: Option<f64>,
    /// silo: records of a scan [default: 100].
    #[arg(long, value_name = "RECORDS")]
    scan_length: Option<u32>,
    /// scalability: exponents of the zipfian distribution [default: 0.8,0.85,0.9,0.95].
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    thetas: Vec<f64>,
    /// long-readers, factors, gc: the exponent of the zipfian distribution [default: 0.85; factors:
    /// 0.2].
    #[arg(long)]
    theta: Option<f64>,
    /// long-readers, gc: threads that read 10,000 records from a snapshot each [default: 8; gc: 4].
    #[arg(long, value_name = "N")]
    long_readers: Option<usize>,
    /// gc: seconds that a snapshot is kept.
    #[arg(long, value_name = "SECONDS")]
    hold: Option<String>,
    /// gc: seconds that a reader is without a snapshot then.
    #[arg(long, value_name = "SECONDS")]
    pause: Option<String>,
    /// long-readers: how often TPC-C's stock is scanned, in seconds, or off.
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    scan_intervals: Vec<String>,
    /// silo, long-readers: warehouses of TPC-C [default: as many as threads].
    #[arg(long)]
    warehouses: Option<u32>,
    /// silo, long-readers: percentages of new-order, payment, order-status, delivery, stock-level
    /// [default: 45,43,4,4,4].
    #[arg(long, value_name = "PERCENTAGES")]
    mix: Option<String>,
    /// durability: numbers of clients [default: 1 to 64].
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    clients: Vec<usize>,
    /// recovery: rows of the stores that are opened [default: 1,000,000 to 4,000,000].
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    rows: Vec<u64>,
    /// mail: numbers of threads [default: 1 to 16].
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    mail_threads: Vec<usize>,
    /// mail: users [default: 100].
    #[arg(long)]
    users: Option<u32>,
    /// For the random numbers.
    #[arg(long)]
    seed: Option<u64>,
}

impl Overrides {
    /// Puts what is given into the parameters, and returns its names.
    pub(super) fn apply(&self, to: &mut Parameters) -> Result<Vec<&'static str>, InputError> {
        let mut given = Given::default();
        given.set(
            "threads",
            &mut to.threads,
            threads("--threads", &self.threads)?,
        );
        given.set(
            "repeats",
            &mut to.repeats,
            checked("--repeats", self.repeats)?,
        );
        given.set(
            "duration",
            &mut to.duration,
            seconds("--duration", self.duration.as_ref())?,
        );
        given.set(
            "tpcc-duration",
            &mut to.tpcc_duration,
            seconds("--tpcc-duration", self.tpcc_duration.as_ref())?,
        );
        given.set(
            "records",
            &mut to.records,
            checked("--records", self.records)?,
        );
        given.set(
            "value-size",
            &mut to.value_size,
            checked("--value-size", self.value_size)?,
        );
        given.set(
            "ops-per-txn",
            &mut to.ops_per_txn,
            ranged("--ops-per-txn", self.ops_per_txn, &OPERATIONS)?,
        );
        given.set(
            "read-ratios",
            &mut to.read_ratios,
            list("--read-ratios", &self.read_ratios, percentage)?,
        );
        given.set(
            "read-ratio",
            &mut to.read_ratio,
            self.read_ratio
                .map(|ratio| percentage("--read-ratio", ratio))
                .transpose()?,
        );
        given.set(
            "scan-length",
            &mut to.scan_length,
            checked("--scan-length", self.scan_length)?,
        );
        given.set(
            "thetas",
            &mut to.thetas,
            list("--thetas", &self.thetas, exponent)?,
        );
        given.set(
            "theta",
            &mut to.theta,
            self.theta
                .map(|theta| exponent("--theta", theta))
                .transpose()?,
        );
        given.set(
            "long-readers",
            &mut to.long_readers,
            ranged("--long-readers", self.long_readers, &THREADS)?,
        );
        given.set("hold", &mut to.hold, seconds("--hold", self.hold.as_ref())?);
        given.set(
            "pause",
            &mut to.pause,
            seconds("--pause", self.pause.as_ref())?,
        );
        self.apply_tpcc(to, &mut given)?;
        given.set("seed", &mut to.seed, self.seed);
        self.apply_disk(to, &mut given)?;
        let (records, size) = (to.records, to.value_size);
        fits(
            &format!("{records} records of {size} bytes"),
            bytes_of(records, size),
        )?;
        Ok(given.0)
    }

    /// Those of TPC-C alone.
    fn apply_tpcc(&self, to: &mut Parameters, given: &mut Given) -> Result<(), InputError> {
        given.set(
            "scan-intervals",
            &mut to.scan_intervals,
            intervals(&self.scan_intervals)?,
        );
        given.set(
            "warehouses",
            &mut to.warehouses,
            self.warehouses
                .map(|it| warehouses(it, mvcc::Database::NAME))
                .transpose()?
                .map(Some),
        );
        given.set(
            "mix",
            &mut to.mix,
            self.mix.as_deref().map(str::parse).transpose()?,
        );
        Ok(())
    }

    /// Those of the experiments with a disk.
    fn apply_disk(&self, to: &mut Parameters, given: &mut Given) -> Result<(), InputError> {
        given.set(
            "clients",
            &mut to.clients,
            threads("--clients", &self.clients)?,
        );
        given.set(
            "rows",
            &mut to.rows,
            list("--rows", &self.rows, |name, value| {
                let rows = at_least_one(name, value)?;
                fits(&format!("{rows} rows"), bytes_of(rows, to.value_size))?;
                Ok(rows)
            })?,
        );
        given.set(
            "mail-threads",
            &mut to.mail_threads,
            threads("--mail-threads", &self.mail_threads)?,
        );
        given.set(
            "users",
            &mut to.users,
            ranged("--users", self.users, &USERS)?,
        );
        Ok(())
    }
}

/// Of one table, as the engine has it that takes least.
fn bytes_of(records: u64, size: usize) -> u64 {
    let properties = Properties {
        records,
        fields: 1,
        field_length: size,
        ..Properties::default()
    };
    properties.bytes(Cost::of(mvcc::Database::NAME), 0)
}

fn seconds(name: &str, text: Option<&String>) -> Result<Option<Duration>, InputError> {
    text.map(|text| duration(name, text)).transpose()
}

/// The names of what was given.
#[derive(Default)]
struct Given(Vec<&'static str>);

impl Given {
    fn set<T>(&mut self, name: &'static str, field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
            self.0.push(name);
        }
    }
}

/// A number above 0, if there is one.
fn checked<N: Default + PartialOrd + std::fmt::Display>(
    name: &str,
    value: Option<N>,
) -> Result<Option<N>, InputError> {
    value.map(|value| at_least_one(name, value)).transpose()
}

/// A number in a range, if there is one.
fn ranged<N: Copy + PartialOrd + std::fmt::Display>(
    name: &str,
    value: Option<N>,
    range: &RangeInclusive<N>,
) -> Result<Option<N>, InputError> {
    value.map(|value| within(name, value, range)).transpose()
}

/// Values that are all checked, if there are any.
fn list<T: Copy>(
    name: &str,
    values: &[T],
    check: impl Fn(&str, T) -> Result<T, InputError>,
) -> Result<Option<Vec<T>>, InputError> {
    if values.is_empty() {
        return Ok(None);
    }
    values
        .iter()
        .map(|&value| check(name, value))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn threads(name: &str, values: &[usize]) -> Result<Option<Vec<usize>>, InputError> {
    let mut threads = list(name, values, |name, value| within(name, value, &THREADS))?;
    if let Some(threads) = &mut threads {
        threads.sort_unstable();
        threads.dedup();
    }
    Ok(threads)
}

fn intervals(texts: &[String]) -> Result<Option<Vec<Interval>>, InputError> {
    if texts.is_empty() {
        return Ok(None);
    }
    let intervals = texts.iter().map(|text| {
        let interval = text.parse::<Interval>();
        interval.map_err(|error| InputError::new(format!("--scan-intervals: {error}")))
    });
    intervals.collect::<Result<_, _>>().map(Some)
}
