//! `workloads tpcc`.

use super::input::{THREADS, duration, fits, within};
use super::json::Reporter;
use super::{Clock, Failure, OnDisk, OnEngine};
use clap::Args;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use workloads::InputError;
use workloads::engine::Engine;
use workloads::memory::Cost;
use workloads::tpcc::schema::{Scale, declare, key};
use workloads::tpcc::transactions::Profile;
use workloads::tpcc::{self, Mix, Settings};

/// Milliseconds between stock scans: up to a day.
const INTERVALS: RangeInclusive<u64> = 1..=86_400_000;

#[derive(Args)]
pub(super) struct Tpcc {
    /// Warehouses, each about 121 MiB as loaded, and 163 MiB with engine tplock.
    #[arg(long, default_value_t = 1)]
    warehouses: u32,
    /// Threads, each a terminal of one warehouse, in turn [default: one for each core].
    #[arg(long)]
    threads: Option<usize>,
    /// Seconds to run.
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    duration: String,
    /// Percentages of new-order, payment, order-status, delivery, stock-level.
    #[arg(long, value_name = "PERCENTAGES", default_value_t = Mix::default().to_string())]
    mix: String,
    /// One more thread scans the stock of a warehouse from a snapshot, so often.
    #[arg(long, value_name = "MILLISECONDS")]
    stock_scan_interval: Option<u64>,
    /// Check the twelve consistency conditions after loading; every second and at the end, all that
    /// still apply. Also say whether the figures of clause 9.2.2.5 are within their bounds:
    /// rollbacks, lines, remote ones, last names.
    #[arg(long)]
    check: bool,
    /// Terminals key and think as long as the specification says.
    #[arg(long)]
    think_times: bool,
    /// How inputs are drawn.
    #[arg(long, value_enum, default_value_t = Profile::Spec)]
    profile: Profile,
    /// The transaction engine: mvcc or tplock.
    #[arg(long, default_value = "mvcc")]
    engine: String,
    /// The clock of engine mvcc.
    #[arg(long, value_enum, default_value_t = Clock::Auto)]
    clock: Clock,
    /// For the random numbers.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    on_disk: OnDisk,
    /// A file for the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Tpcc {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let settings = self.settings()?;
        let loads = || tpcc::loads(&settings);
        let engine = (&*self.engine, self.clock);
        self.on_disk
            .run(engine, &(self, settings.clone()), loads, declare)
    }

    fn settings(&self) -> Result<Settings, InputError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or(cores);
        let interval = self.stock_scan_interval;
        let interval = interval.map(|it| within("--stock-scan-interval", it, &INTERVALS));
        Ok(Settings {
            warehouses: warehouses(self.warehouses, &self.engine)?,
            scale: Scale::default(),
            threads: within("--threads", threads, &THREADS)?,
            duration: duration("--duration", &self.duration)?,
            mix: self.mix.parse()?,
            stock_scan_interval: interval.transpose()?.map(Duration::from_millis),
            check: self.check,
            think_times: self.think_times,
            profile: self.profile,
            seed: self.seed,
        })
    }
}

/// The value of `--warehouses`, for the engine of this name.
pub(super) fn warehouses(warehouses: u32, engine: &str) -> Result<u32, InputError> {
    let warehouses = within("--warehouses", warehouses, &(1..=key::MAX_WAREHOUSES))?;
    fits(
        &format!("--warehouses {warehouses}"),
        Cost::of(engine).warehouses(warehouses),
    )?;
    Ok(warehouses)
}

impl OnEngine for (&Tpcc, Settings) {
    fn run_on<E: Engine>(&self, engine: &E) -> Result<(), Failure> {
        let (command, settings) = self;
        let reporter = Reporter::open(command.json.as_deref())?;
        let report = tpcc::run(engine, settings).map_err(Failure::Run)?;
        let reported = reporter.report(&report);
        let violations: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
        if violations.is_empty() {
            reported
        } else {
            Err(Failure::Run(violations.join("\n")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};
    use std::convert::Infallible;
    use workloads::tpcc::Text;
    use workloads::tpcc::schema::{OrderLine, Tables};

    const SCALE: Scale = Scale {
        items: 50,
        districts: 2,
        customers: 20,
        undelivered: 6,
    };

    fn command(arguments: &str) -> Tpcc {
        let parser = Tpcc::augment_args(clap::Command::new("tpcc").no_binary_name(true));
        let matches = parser.try_get_matches_from(arguments.split_whitespace());
        let matches = matches.expect("valid arguments");
        Tpcc::from_arg_matches(&matches).expect("valid arguments")
    }

    #[test]
    fn a_violation_fails_and_the_results_are_written() {
        let file = format!("workloads-test-{}-violation.json", std::process::id());
        let path = std::env::temp_dir().join(file);
        let command = command(&format!("--check --duration 1 --json {}", path.display()));
        let Ok(settings) = command.settings() else {
            panic!("valid settings")
        };
        let database = mvcc::Database::new();
        let tables = Tables::open(&database, SCALE, 1).expect("the tables are new");
        let stray = key::line(1, 1, SCALE.customers + 1, 1);
        let line = OrderLine {
            item: 1,
            supply_warehouse: 1,
            delivery: None,
            amount: 0,
            quantity: 5,
            dist_info: Text::FIRST,
        };
        let Ok(()) = database.run(|tx| Ok::<_, Infallible>(tx.insert(&tables.line, stray, line)));
        let settings = Settings {
            scale: SCALE,
            ..settings
        };
        let Err(Failure::Run(error)) = (&command, settings).run_on(&database) else {
            panic!("a line has no order")
        };
        assert!(error.contains("condition 4 (clause 3.3.2.4)"), "{error}");
        assert!(error.contains("warehouse 1 district 1"), "{error}");
        let text = std::fs::read_to_string(&path).expect("the results are written");
        std::fs::remove_file(&path).expect("and nothing else has removed them");
        let report: serde_json::Value = serde_json::from_str(&text).expect("they are JSON");
        assert_eq!(report["violations"][0]["condition"], 4);
        assert_eq!(report["checks"], 0);
    }
}
