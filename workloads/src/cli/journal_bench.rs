//! `workloads journal-bench`.

use super::Failure;
use super::input::{THREADS, duration, within};
use super::json::Reporter;
use clap::Args;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use workloads::InputError;
use workloads::journal_bench::{Ablation, Pattern, Settings, run};

const MEGABYTES: RangeInclusive<u64> = 1..=100_000;

#[derive(Args)]
pub(super) struct JournalBench {
    /// A directory on the disk to measure. Stores are made in it, and removed.
    directory: PathBuf,
    /// What the clients do.
    #[arg(long, value_enum, default_value_t = Pattern::Overwrite)]
    pattern: Pattern,
    /// Numbers of clients, each with a thread: measured one after the other.
    #[arg(
        long,
        value_name = "N,..",
        default_value = "1,2,4,8,16,32",
        value_delimiter = ','
    )]
    clients: Vec<usize>,
    /// Seconds for each number of clients; the raw loop takes one at most.
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    duration: String,
    /// The size of the large file in megabytes (10^6 bytes).
    #[arg(long, default_value_t = 300)]
    megabytes: u64,
    /// Take away what a log has, to see what it gives.
    #[arg(long, value_enum)]
    without: Option<Ablation>,
    /// A file for the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl JournalBench {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let directory = &self.directory;
        workloads::output::check_folder(directory).map_err(|error| {
            InputError::new(format!(
                "cannot write in {}: {error}; name a directory that is there and can be written",
                directory.display()
            ))
        })?;
        let clients = self.clients.iter().copied();
        let settings = Settings {
            directory: directory.clone(),
            pattern: self.pattern,
            clients: clients
                .map(|clients| within("--clients", clients, &THREADS))
                .collect::<Result<_, _>>()?,
            duration: duration("--duration", &self.duration)?,
            large_file: within("--megabytes", self.megabytes, &MEGABYTES)? * 1_000_000,
            without: self.without,
        };
        let reporter = Reporter::open(self.json.as_deref())?;
        reporter.report(&run(&settings).map_err(Failure::Run)?)
    }
}
