//! TPC-C that is killed: its consistency conditions hold of whatever is left.

use mvcc::ClockChoice;
use std::path::Path;
use std::time::Duration;
use workloads::engine::Engine;
use workloads::engine::durable::{Durable, Sync, Unusable};
use workloads::output;
use workloads::tpcc::schema::{Scale, declare};
use workloads::tpcc::{self, Settings};

/// A tenth of a warehouse, so that loading and checking take no time.
const SCALE: Scale = Scale {
    items: 1_000,
    districts: 4,
    customers: 100,
    undelivered: 30,
};

fn settings(duration: Duration, seed: u64) -> Settings {
    Settings {
        warehouses: 1,
        scale: SCALE,
        threads: 2,
        duration,
        mix: tpcc::Mix::default(),
        stock_scan_interval: None,
        check: true,
        think_times: false,
        profile: tpcc::transactions::Profile::Spec,
        seed,
    }
}

fn open(directory: &Path, settings: &Settings) -> Result<Durable, String> {
    let (clock, loads) = (ClockChoice::Auto, tpcc::loads(settings));
    let opened = Durable::open(directory, Sync::Ticket, clock, loads, declare, fail);
    opened.map_err(|unusable| match unusable {
        Unusable::Input(error) => error.to_string(),
        Unusable::Failed(error) => error,
    })
}

fn fail(message: &str) -> ! {
    output::note(format_args!("error: {message}"));
    std::process::exit(1)
}

/// Whether a directory was refused because its load was ended early.
pub(super) fn is_part_of_a_load(error: &str) -> bool {
    error.contains("a load that was ended early")
}

/// Runs until the process is killed. It begins with a check of what is there.
pub(super) fn run(directory: &Path, seed: u64) -> Result<(), String> {
    let settings = settings(Duration::from_hours(1), seed);
    let engine = open(directory, &settings)?;
    let report = tpcc::run(&engine, &settings)?;
    Err(format!(
        "it was not killed, and found {:?}",
        report.violations
    ))
}

/// Whether there was something to check. An error says what is wrong.
pub(super) fn check(directory: &Path) -> Result<bool, String> {
    let settings = settings(Duration::from_millis(1), 1);
    let engine = match open(directory, &settings) {
        Ok(engine) if engine.is_loaded() => engine,
        Err(error) if !is_part_of_a_load(&error) => return Err(error),
        // It was killed while it was loading, and begins anew.
        _ => {
            std::fs::remove_dir_all(directory).map_err(|error| error.to_string())?;
            return Ok(false);
        }
    };
    let report = tpcc::run(&engine, &settings)?;
    engine.close()?;
    if report.violations.is_empty() {
        return Ok(true);
    }
    let violations: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
    Err(violations.join("; "))
}
