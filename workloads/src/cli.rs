//! The command line.

mod paper;
mod tpcc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use workloads::InputError;
use workloads::engine::Engine;
use workloads::ycsb::{
    self, Distribution, LengthDistribution, Limit, LongReads, Properties, ReadOnly, Settings,
};

/// Workloads on an in-memory transaction engine.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The Yahoo! Cloud Serving Benchmark.
    Ycsb(Box<Ycsb>),
    /// TPC-C: orders in warehouses, with the specification's consistency conditions.
    Tpcc(tpcc::Tpcc),
    /// The experiments of the vMVCC paper, and one on garbage collection.
    Paper(Box<paper::Paper>),
    /// Which clock is used and why, what it costs, and how the cores' counters agree.
    Clock {
        /// The clock.
        #[arg(long, value_enum, default_value_t = Clock::Auto)]
        clock: Clock,
    },
}

#[derive(Args)]
struct Ycsb {
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
    /// With --read-ratio: makes the reads scans of this many records, in ascending order of their keys, from one on that the
    /// distribution chooses (fewer at the end of the table).
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
    /// Seconds to run [default: the file's operationcount, or 5 seconds].
    #[arg(long, value_name = "SECONDS")]
    duration: Option<String>,
    /// Operations to run, in place of --duration.
    #[arg(long)]
    operations: Option<u64>,
    /// Threads that read 10,000 records from one snapshot after the other, besides.
    #[arg(long, value_name = "N", default_value_t = 0)]
    long_readers: usize,
    /// For the random numbers.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The transaction engine: mvcc or tplock.
    #[arg(long, default_value = "mvcc")]
    engine: String,
    /// The clock of engine mvcc.
    #[arg(long, value_enum, default_value_t = Clock::Auto)]
    clock: Clock,
    /// A file for the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Clock {
    Auto,
    Tsc,
    Counter,
    /// For comparison.
    LockedCounter,
}

/// Why the command failed.
pub(crate) enum Failure {
    /// The input is wrong; nothing was run.
    Input(InputError),
    /// The run failed.
    Run(String),
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

/// Runs the command that the process's arguments ask for.
pub(crate) fn run() -> Result<(), Failure> {
    match Cli::parse().command {
        Command::Ycsb(ycsb) => ycsb.run(),
        Command::Tpcc(tpcc) => tpcc.run(),
        Command::Paper(paper) => paper.run(),
        Command::Clock { clock } => describe(&database(clock)?.clock()),
    }
}

/// What a command does with the engine that it is given.
trait OnEngine {
    fn run_on<E: Engine>(&self, engine: &E) -> Result<(), Failure>;
}

/// Does it with the engine of this name.
fn on_engine(name: &str, clock: Clock, command: &impl OnEngine) -> Result<(), Failure> {
    match name {
        mvcc::Database::NAME => command.run_on(&database(clock)?),
        tplock::Database::NAME if matches!(clock, Clock::Auto) => {
            command.run_on(&tplock::Database::new())
        }
        tplock::Database::NAME => Err(Failure::Input(InputError::new(
            "--clock is given, but --engine tplock has no clock; leave --clock out",
        ))),
        _ => Err(unknown_engine("--engine", name).into()),
    }
}

fn unknown_engine(option: &str, name: &str) -> InputError {
    InputError::new(format!(
        "unknown engine {option} {name}; accepted are mvcc and tplock"
    ))
}

fn database(clock: Clock) -> Result<mvcc::Database, InputError> {
    let choice = match clock {
        Clock::Auto => mvcc::ClockChoice::Auto,
        Clock::Tsc => mvcc::ClockChoice::Tsc,
        Clock::Counter => mvcc::ClockChoice::Counter,
        Clock::LockedCounter => mvcc::ClockChoice::LockedCounter,
    };
    let built = mvcc::Database::builder().clock(choice).build();
    built.map_err(|error| InputError::new(error.to_string()))
}

fn describe(clock: &mvcc::Clock) -> Result<(), Failure> {
    println!("clock       {}", clock.kind());
    println!("reason      {}", clock.reason());
    match clock.frequency_hz() {
        Some(hz) => println!("frequency   {:.1} MHz", hz as f64 / 1e6),
        None => println!("frequency   none: it counts readings"),
    }
    println!(
        "reading     {:.1} ns, back to back on one thread",
        clock.cost_ns()
    );
    let audit = clock
        .audit()
        .map_err(|error| Failure::Run(error.to_string()))?;
    println!(
        "\nsmallest (receiver's reading - sender's) over hand-overs between each two cores, ticks:\n{audit}"
    );
    match audit.skew() {
        0 => println!("strictly monotone along coherence: no allowance for skew is needed"),
        skew => println!("not clearly positive: build the database with clock_skew({skew})"),
    }
    Ok(())
}

impl Ycsb {
    fn run(&self) -> Result<(), Failure> {
        let settings = self.settings()?;
        on_engine(&self.engine, self.clock, &(self, settings))
    }

    fn settings(&self) -> Result<Settings, InputError> {
        let (name, mut properties, from_file) = self.properties()?;
        if let Some(records) = self.records {
            properties.records = positive("--records", records)?;
        }
        if let Some(size) = self.value_size {
            properties.fields = 1;
            properties.field_length = positive("--value-size", size)?;
            properties.field_length_distribution = LengthDistribution::Constant;
        }
        if let Some(distribution) = self.distribution {
            properties.distribution = distribution;
        }
        properties.check()?;
        exponent("--theta", self.theta)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.or(properties.threads).unwrap_or(cores);
        Ok(Settings {
            name,
            ops_per_txn: positive("--ops-per-txn", self.ops_per_txn)?,
            theta: self.theta,
            threads: positive("--threads", threads)?,
            long_readers: self.long_readers,
            long_reads: LongReads::default(),
            read_only: ReadOnly::default(),
            limit: self.limit(from_file.then_some(properties.operations))?,
            seed: self.seed,
            properties,
        })
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
                let text = std::fs::read_to_string(workload).map_err(|error| {
                    InputError::new(format!(
                        "cannot read --workload {workload}: {error}; expected a letter from a to f or a property file"
                    ))
                })?;
                let properties = Properties::parse(&text)
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
            properties.max_scan_length = positive("--scan-length", length)?;
            properties.scan_length_distribution = LengthDistribution::Constant;
            (properties.scan, properties.read) = (properties.read, 0.0);
        }
        Ok(properties)
    }

    fn limit(&self, operations: Option<u64>) -> Result<Limit, InputError> {
        match (&self.duration, self.operations) {
            (Some(duration), Some(operations)) => Err(InputError::new(format!(
                "--duration {duration} and --operations {operations} are both given; leave one of them out"
            ))),
            (None, Some(operations)) => {
                Ok(Limit::Operations(positive("--operations", operations)?))
            }
            (Some(text), None) => Ok(Limit::Duration(duration("--duration", text)?)),
            (None, None) => {
                Ok(operations.map_or(Limit::Duration(Duration::from_secs(5)), Limit::Operations))
            }
        }
    }
}

impl OnEngine for (&Ycsb, Settings) {
    fn run_on<E: Engine>(&self, engine: &E) -> Result<(), Failure> {
        let (command, settings) = self;
        let json = command.json.as_deref().map(JsonFile::create).transpose()?;
        let report = ycsb::run(engine, settings).map_err(Failure::Run)?;
        println!("{report}");
        json.map_or(Ok(()), |json| json.write(&report))
            .map_err(Failure::Run)
    }
}

/// A duration in seconds.
fn duration(name: &str, text: &str) -> Result<Duration, InputError> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    let valid = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0);
    let seconds = valid.ok_or_else(|| {
        InputError::new(format!(
            "{name} {text}: expected a number of seconds above 0 and up to 86400"
        ))
    })?;
    Ok(Duration::from_secs_f64(seconds))
}

fn percentage(name: &str, value: f64) -> Result<f64, InputError> {
    if (0.0..=100.0).contains(&value) {
        return Ok(value);
    }
    Err(InputError::new(format!(
        "{name} {value} is out of range; expected a percentage from 0 to 100"
    )))
}

/// The exponent of a zipfian distribution.
fn exponent(name: &str, value: f64) -> Result<f64, InputError> {
    if value > 0.0 && value < 1.0 {
        return Ok(value);
    }
    Err(InputError::new(format!(
        "{name} {value} is out of range; YCSB's zipfian distribution takes an exponent above 0 and below 1"
    )))
}

fn positive<N: Default + PartialOrd + std::fmt::Display>(
    name: &str,
    value: N,
) -> Result<N, InputError> {
    if value > N::default() {
        return Ok(value);
    }
    Err(InputError::new(format!(
        "{name} {value}: expected a whole number above 0"
    )))
}

/// A file that appears when it is complete, and that was found to be writable before the run.
struct JsonFile {
    path: PathBuf,
    partial: PathBuf,
}

impl JsonFile {
    fn create(path: &Path) -> Result<Self, InputError> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let created = std::fs::write(&partial, "");
        created.map_err(|error| {
            InputError::new(format!(
                "cannot write --json {}: {error}; name a file in a folder that exists and is writable",
                path.display()
            ))
        })?;
        Ok(Self {
            path: path.to_owned(),
            partial,
        })
    }

    fn write(self, report: &impl Serialize) -> Result<(), String> {
        let text = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
        std::fs::write(&self.partial, text + "\n")
            .and_then(|()| std::fs::rename(&self.partial, &self.path))
            .map_err(|error| format!("cannot write --json {}: {error}", self.path.display()))
    }
}

impl Drop for JsonFile {
    fn drop(&mut self) {
        // Left over only if the run failed; once renamed it is gone.
        let _ = std::fs::remove_file(&self.partial);
    }
}
