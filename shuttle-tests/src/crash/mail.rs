//! The mail store that is killed: its ledger, a file beside the log, says what was acknowledged,
//! and whoever opens it next checks what is there against that.

use super::tpcc::is_part_of_a_load;
use mvcc::ClockChoice;
use std::path::Path;
use std::time::Duration;
use workloads::engine::Engine;
use workloads::engine::durable::{Durable, Sync, Unusable};
use workloads::mail::{self, Profile, Settings};
use workloads::output;

fn settings(duration: Duration, seed: u64) -> Settings {
    Settings {
        users: 20,
        profile: Profile::Published,
        threads: 4,
        duration,
        check: true,
        seed,
    }
}

fn fail(message: &str) -> ! {
    output::note(format_args!("error: {message}"));
    std::process::exit(1)
}

/// Runs until the process is killed. It begins with a check of what is there.
pub(super) fn run(directory: &Path, seed: u64) -> Result<(), String> {
    let settings = settings(Duration::from_hours(1), seed);
    run_on(&open(directory, &settings)?, directory, &settings)?;
    Err("it was not killed".to_owned())
}

/// Whether there was something to check. An error says what is wrong.
pub(super) fn check(directory: &Path) -> Result<bool, String> {
    let settings = settings(Duration::from_millis(1), 1);
    match open(directory, &settings) {
        Ok(engine) if engine.is_loaded() => {
            run_on(&engine, directory, &settings)?;
            engine.close()?;
            Ok(true)
        }
        Err(error) if !is_part_of_a_load(&error) => Err(error),
        // It was killed while it was loading, and begins anew.
        _ => {
            std::fs::remove_dir_all(directory).map_err(|error| error.to_string())?;
            Ok(false)
        }
    }
}

fn open(directory: &Path, settings: &Settings) -> Result<Durable, String> {
    let (clock, loads) = (ClockChoice::Auto, mail::loads(settings));
    let opened = Durable::open(directory, Sync::Wait, clock, loads, mail::declare, fail);
    opened.map_err(|unusable| match unusable {
        Unusable::Input(error) => error.to_string(),
        Unusable::Failed(error) => error,
    })
}

fn run_on(engine: &Durable, directory: &Path, settings: &Settings) -> Result<(), String> {
    mail::run_on_engine(engine, settings, Some(directory), true).map(drop)
}
