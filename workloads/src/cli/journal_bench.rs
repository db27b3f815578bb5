//! `workloads journal-bench`.

use super::Failure;
use super::input::{THREADS, duration, fits, within};
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
    /// Seconds for each number of clients, but not of --pattern large-file, which ends with the
    /// file; the raw loop takes one at most [default: 2].
    #[arg(long, value_name = "SECONDS")]
    duration: Option<String>,
    /// The size of the file of --pattern large-file in megabytes (10^6 bytes) [default: 300].
    #[arg(long)]
    megabytes: Option<u64>,
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
        let is_large = self.pattern == Pattern::LargeFile;
        if self.megabytes.is_some() && !is_large {
            return Err(InputError::new(
                "--megabytes is given, but only --pattern large-file has a size; leave one of them out",
            )
            .into());
        }
        if self.duration.is_some() && is_large {
            return Err(InputError::new(
                "--duration is given, but --pattern large-file ends with its file; ask for --megabytes",
            )
            .into());
        }
        let megabytes = within("--megabytes", self.megabytes.unwrap_or(300), &MEGABYTES)?;
        let large_file = megabytes * 1_000_000;
        if is_large {
            // Its values are rows, which are in memory too.
            fits(&format!("--megabytes {megabytes}"), large_file)?;
        }
        let clients = self.clients.iter().copied();
        let settings = Settings {
            directory: directory.clone(),
            pattern: self.pattern,
            clients: clients
                .map(|clients| within("--clients", clients, &THREADS))
                .collect::<Result<_, _>>()?,
            duration: duration("--duration", self.duration.as_deref().unwrap_or("2"))?,
            large_file,
            without: self.without,
        };
        let reporter = Reporter::open(self.json.as_deref())?;
        reporter.report(&run(&settings).map_err(Failure::Run)?)
    }
}
