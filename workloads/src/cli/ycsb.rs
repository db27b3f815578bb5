//! `workloads ycsb`.

use super::input::{THREADS, at_least_one, duration, exponent, fits, percentage, within};
use super::json::Reporter;
use super::{Clock, Failure, OnDisk, OnEngine};
use clap::Args;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use workloads::InputError;
use workloads::engine::Engine;
use workloads::memory::Cost;
use workloads::output;
use workloads::ycsb::{
    self, Distribution, LengthDistribution, Limit, LongReads, Properties, ReadOnly, Settings,
};

/// Operations of a transaction: they are drawn before it begins.
pub(super) const OPERATIONS: RangeInclusive<u64> = 1..=1_000_000;

#[derive(Args)]
pub(super) struct Ycsb {
    /// A core workload's letter (a to f) or a property file [default: a, or the parameters below].
    #[arg(long, value_name = "FILE-OR-LETTER")]
    workload: Option<String>,
    /// Records to load [default: the file's; 100,000 for a letter; 1,000,000 without a workload].
    #[arg(long)]
    records: Option<u64>,
    /// Bytes of a record, as one field.
    #[arg(long, value_name = "BYTES")]
    value_size: Option<usize>,
    /// Operations of a transaction.
    #[arg(long, default_value_t = 1)]
    ops_per_txn: u64,
    /// Reads in percent, the rest are updates; in place of --workload.
    #[arg(long, value_name = "PERCENT")]
    read_ratio: Option<f64>,
    /// With --read-ratio: makes the reads scans of this many records, in ascending order of their
    /// keys, from one on that the distribution chooses (fewer at the end of the table).
    #[arg(long, value_name = "RECORDS")]
    scan_length: Option<u32>,
    /// Which records are used.
    #[arg(long, value_enum)]
    distribution: Option<Distribution>,
    /// The exponent of the zipfian and latest distributions, above 0 and below 1.
    #[arg(long, default_value_t = 0.99)]
    theta: f64,
    /// Threads [default: the file's, or one for each core].
    #[arg(long)]
    threads: Option<usize>,
    /// Seconds to run [default: the file's operationcount and maxexecutiontime, or 5 seconds].
    #[arg(long, value_name = "SECONDS")]
    duration: Option<String>,
    /// Operations to run, in place of --duration.
    #[arg(long)]
    operations: Option<u64>,
    /// Transactions that begin per second, all threads together: an open loop, in which latencies
    /// also count from when a transaction was to begin. All are timed, and threads spend the last
    /// 0.1 ms of a wait awake. Without it, threads run a closed loop: each begins a transaction
    /// when its last has ended, and one of 64 operations is timed (all, if there are 100,000 or
    /// fewer); the longest time between two looks at the clock shows stalls of the others.
    #[arg(long, value_name = "RATE")]
    target: Option<f64>,
    /// Threads that read 10,000 records from one snapshot after the other, besides.
    #[arg(long, value_name = "N", default_value_t = 0)]
    long_readers: usize,
    /// Snapshots to hold from before the first transaction until after the last one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    held_snapshots: usize,
    /// For the random numbers.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The transaction engine: mvcc or tplock.
    #[arg(long, default_value = "mvcc")]
    engine: String,
    /// The clock of engine mvcc.
    #[arg(long, value_enum, default_value_t = Clock::Auto)]
    clock: Clock,
    #[command(flatten)]
    on_disk: OnDisk,
    /// A file for the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Ycsb {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let settings = self.settings()?;
        let ignored = &settings.properties.ignored;
        if !ignored.is_empty() {
            output::note(format!(
                "warning: {}: ignored, since they concern YCSB's measuring or its databases: {}",
                settings.name,
                ignored.join(", ")
            ));
        }
        let (properties, engine) = (settings.clone(), (&*self.engine, self.clock));
        self.on_disk.run(
            engine,
            &(self, settings),
            || ycsb::loads(&properties),
            |tables| ycsb::declare(&properties, tables),
        )
    }

    fn settings(&self) -> Result<Settings, InputError> {
        let (name, mut properties, from_file) = self.properties()?;
        if let Some(records) = self.records {
            properties.records = at_least_one("--records", records)?;
        }
        if let Some(size) = self.value_size {
            properties.fields = 1;
            properties.field_length = at_least_one("--value-size", size)?;
            properties.field_length_distribution = LengthDistribution::Constant;
        }
        if let Some(distribution) = self.distribution {
            properties.distribution = distribution;
        }
        properties.check()?;
        let limit = self.limit(from_file.then_some(&properties))?;
        self.fits(&properties, limit)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.or(properties.threads).unwrap_or(cores);
        Ok(Settings {
            name,
            ops_per_txn: within("--ops-per-txn", self.ops_per_txn, &OPERATIONS)?,
            theta: exponent("--theta", self.theta)?,
            threads: within("--threads", threads, &THREADS)?,
            long_readers: within("--long-readers", self.long_readers, &(0..=*THREADS.end()))?,
            long_reads: LongReads::default(),
            held_snapshots: within(
                "--held-snapshots",
                self.held_snapshots,
                &(0..=*THREADS.end()),
            )?,
            read_only: ReadOnly::default(),
            target: self.target.map(target).transpose()?,
            limit,
            seed: self.seed,
            properties,
        })
    }

    fn fits(&self, properties: &Properties, limit: Limit) -> Result<(), InputError> {
        // How many there are in a time is not known before; the run looks at its memory.
        let operations = limit.operations().unwrap_or(0);
        let size = properties.fields.saturating_mul(properties.field_length);
        let records = properties.loaded();
        let inserts = match operations as f64 * properties.insert {
            inserts if inserts >= 1.0 => format!(" and {inserts:.0} inserts"),
            _ => String::new(),
        };
        fits(
            &format!("{records} records of up to {size} bytes{inserts}"),
            properties.bytes(Cost::of(&self.engine), operations),
        )
    }

    /// The workload's name and properties, and whether they come from a file.
    fn properties(&self) -> Result<(String, Properties, bool), InputError> {
        match (&self.workload, self.read_ratio) {
            (Some(workload), Some(ratio)) => Err(InputError::new(format!(
                "--read-ratio {ratio} contradicts --workload {workload}, which has its own proportions; leave one of them out"
            ))),
            (None, Some(ratio)) => {
                let properties = self.parametrised(ratio)?;
                let reads = match self.scan_length {
                    Some(length) => format!("scans of {length}"),
                    None => "reads".to_owned(),
                };
                Ok((format!("{ratio} % {reads}"), properties, false))
            }
            (workload, None) => {
                if let Some(length) = self.scan_length {
                    let workload = workload.as_deref().unwrap_or("a");
                    return Err(InputError::new(format!(
                        "--scan-length {length} goes with --read-ratio, not with --workload {workload}; set minscanlength and maxscanlength in \
                         a property file, or give --read-ratio"
                    )));
                }
                let workload = workload.as_deref().unwrap_or("a");
                if let Some(text) = ycsb::built_in(workload) {
                    let properties = Properties {
                        records: 100_000,
                        ..Properties::parse(text)?
                    };
                    return Ok((workload.to_lowercase(), properties, false));
                }
                let mut file = Vec::new();
                let read = match workload {
                    "-" => std::io::stdin().read_to_end(&mut file).map(|_| file),
                    path => std::fs::read(path),
                };
                let file = read.map_err(|error| {
                    InputError::new(format!(
                        "cannot read --workload {workload}: {error}; expected a letter from a to f or a property file"
                    ))
                })?;
                let properties = Properties::read(&file)
                    .map_err(|error| InputError::new(format!("{workload}: {error}")))?;
                Ok((workload.to_owned(), properties, true))
            }
        }
    }

    /// The workload of `--read-ratio`.
    fn parametrised(&self, ratio: f64) -> Result<Properties, InputError> {
        percentage("--read-ratio", ratio)?;
        let mut properties = Properties {
            records: 1_000_000,
            fields: 1,
            read: ratio / 100.0,
            update: 1.0 - ratio / 100.0,
            ..Properties::default()
        };
        if let Some(length) = self.scan_length {
            if ratio == 0.0 {
                return Err(InputError::new(format!(
                    "--scan-length {length} contradicts --read-ratio 0, which leaves no reads that could be scans"
                )));
            }
            properties.max_scan_length = at_least_one("--scan-length", length)?;
            properties.scan_length_distribution = LengthDistribution::Constant;
            (properties.scan, properties.read) = (properties.read, 0.0);
        }
        Ok(properties)
    }

    /// What is asked for goes before what the file says.
    fn limit(&self, file: Option<&Properties>) -> Result<Limit, InputError> {
        match (&self.duration, self.operations) {
            (Some(duration), Some(operations)) => Err(InputError::new(format!(
                "--duration {duration} and --operations {operations} are both given; leave one of them out"
            ))),
            (None, Some(operations)) => {
                Ok(Limit::Operations(at_least_one("--operations", operations)?))
            }
            (Some(text), None) => Ok(Limit::Duration(duration("--duration", text)?)),
            (None, None) => match file.map(|file| (file.operations, file.time)) {
                None => Ok(Limit::Duration(Duration::from_secs(5))),
                Some((0, None)) => Err(InputError::new(
                    "operationcount=0 is no limit; set maxexecutiontime as well, or give --duration or --operations",
                )),
                Some((0, Some(time))) => Ok(Limit::Duration(time)),
                Some((operations, None)) => Ok(Limit::Operations(operations)),
                Some((operations, Some(time))) => Ok(Limit::Either(operations, time)),
            },
        }
    }
}

/// The value of `--target`.
fn target(rate: f64) -> Result<f64, InputError> {
    if rate > 0.0 && rate <= 1e9 {
        return Ok(rate);
    }
    Err(InputError::new(format!(
        "--target {rate}: expected transactions per second, above 0 and up to 1000000000"
    )))
}

impl OnEngine for (&Ycsb, Settings) {
    fn run_on<E: Engine>(&self, engine: &E) -> Result<(), Failure> {
        let (command, settings) = self;
        let reporter = Reporter::open(command.json.as_deref())?;
        let report = ycsb::run(engine, settings).map_err(Failure::Run)?;
        reporter.report(&report)
    }
}
