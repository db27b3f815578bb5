//! `workloads tpcc`.

use super::{Clock, Failure, JsonFile, OnEngine, duration, on_engine, positive};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use workloads::InputError;
use workloads::engine::Engine;
use workloads::tpcc::schema::{Scale, key};
use workloads::tpcc::transactions::Profile;
use workloads::tpcc::{self, Mix, Settings};

#[derive(Args)]
pub(super) struct Tpcc {
    /// Warehouses, each about 120 MiB.
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
    /// Check the twelve consistency conditions after loading; every second and at the end, all that still apply.
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
    /// A file for the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Tpcc {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let settings = self.settings()?;
        on_engine(&self.engine, self.clock, &(self, settings))
    }

    fn settings(&self) -> Result<Settings, InputError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let interval = self.stock_scan_interval;
        let interval = interval.map(|interval| positive("--stock-scan-interval", interval));
        Ok(Settings {
            warehouses: warehouses(self.warehouses)?,
            scale: Scale::default(),
            threads: positive("--threads", self.threads.unwrap_or(cores))?,
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

/// The value of `--warehouses`.
pub(super) fn warehouses(warehouses: u32) -> Result<u32, InputError> {
    if warehouses > key::MAX_WAREHOUSES {
        return Err(InputError::new(format!(
            "--warehouses {warehouses}: expected at most {}, which is what a key holds",
            key::MAX_WAREHOUSES
        )));
    }
    positive("--warehouses", warehouses)
}

impl OnEngine for (&Tpcc, Settings) {
    fn run_on<E: Engine>(&self, engine: &E) -> Result<(), Failure> {
        let (command, settings) = self;
        let json = command.json.as_deref().map(JsonFile::create).transpose()?;
        let report = tpcc::run(engine, settings).map_err(Failure::Run)?;
        println!("{report}");
        json.map_or(Ok(()), |json| json.write(&report))
            .map_err(Failure::Run)
    }
}
