//! The command line.

use crate::crash;
use crate::failure::Failure;
use crate::soak::{self, Programs, Settings};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use shuttle_tests::report::Report;
use std::path::PathBuf;
use std::time::Duration;
use workloads::interruption;
use workloads::output;

/// Runs random programs on `mvcc` with real threads, and checks the history of each.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Sub>,
    /// How long.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// For the random numbers.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Threads of a program, 2 to 8.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=8))]
    threads: u8,
    /// Where the file of a violation goes.
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    output: PathBuf,
    /// Run the program of this seed again and again, in place of random ones. It takes the same
    /// --threads.
    #[arg(long, value_name = "SEED")]
    program_seed: Option<u64>,
    /// Check the history in the file of a violation again, and run nothing.
    #[arg(long, value_name = "FILE", conflicts_with = "program_seed")]
    replay: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Sub {
    /// Kills processes that commit to a store, and checks what each leaves: nothing acknowledged
    /// may be lost, and no transaction be there in part.
    Crash {
        /// How long.
        #[arg(long, default_value_t = 1.0)]
        minutes: f64,
        /// For the random numbers. What a kill meets is up to the system all the same.
        #[arg(long, default_value_t = 42)]
        seed: u64,
        /// Where the stores' directories are made, which go afterwards.
        #[arg(long, value_name = "DIRECTORY", default_value = ".")]
        directory: PathBuf,
    },
    /// What is killed.
    #[command(hide = true)]
    CrashChild {
        work: crash::Work,
        directory: PathBuf,
        seed: u64,
    },
}

/// Runs the command that the process's arguments ask for.
pub(crate) fn run() -> Result<(), Failure> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.exit_code() == 0 => {
            // Help or the version.
            return Ok(output::print(error.to_string().trim_end())?);
        }
        Err(error) => return Err(Failure::Input(one_line(&error))),
    };
    if let Some(file) = &cli.replay {
        return replay(file);
    }
    let listen = || {
        let listening = interruption::listen();
        listening.map_err(|error| Failure::Run(format!("cannot wait for signals: {error}")))
    };
    match cli.command {
        None => {
            let settings = cli.settings()?;
            listen()?;
            soak::run(&settings)
        }
        Some(Sub::Crash {
            minutes,
            seed,
            directory,
        }) => {
            let duration = duration(minutes)?;
            listen()?;
            crash::run(&crash::Settings {
                duration,
                seed,
                above: directory,
            })
        }
        Some(Sub::CrashChild {
            work,
            directory,
            seed,
        }) => crash::child(work, &directory, seed),
    }
}

/// The value of `--minutes`.
fn duration(minutes: f64) -> Result<Duration, Failure> {
    let duration = Duration::try_from_secs_f64(minutes * 60.0);
    let duration = duration.ok().filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| Failure::Input(format!("--minutes {minutes} is not a number above 0")))
}

impl Cli {
    fn settings(&self) -> Result<Settings, Failure> {
        let duration = duration(self.minutes)?;
        if !self.output.is_dir() {
            return Err(Failure::Input(format!(
                "--output {} is not a directory",
                self.output.display()
            )));
        }
        output::check_folder(&self.output).map_err(|error| {
            Failure::Input(format!(
                "cannot write to --output {}: {error}; name a directory that is writable",
                self.output.display()
            ))
        })?;
        Ok(Settings {
            duration,
            threads: usize::from(self.threads),
            output: self.output.clone(),
            programs: match self.program_seed {
                Some(seed) => Programs::Same(seed),
                None => Programs::Random(self.seed),
            },
        })
    }
}

/// What is wrong with the arguments, without the usage and the hints that follow.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let wrong = text.split("\n\n").next().unwrap_or_default();
    let line = wrong.split_whitespace().collect::<Vec<_>>().join(" ");
    match error.kind() {
        ErrorKind::UnknownArgument => format!("{line}; --help tells those that there are"),
        _ => line,
    }
    .trim_start_matches("error: ")
    .to_owned()
}

fn replay(file: &std::path::Path) -> Result<(), Failure> {
    let unusable = |reason: &dyn std::fmt::Display| {
        Failure::Input(format!("cannot replay {}: {reason}", file.display()))
    };
    let text = std::fs::read_to_string(file).map_err(|error| unusable(&error))?;
    let evidence: soak::Evidence = serde_json::from_str(&text).map_err(|error| unusable(&error))?;
    let report = Report::of(&evidence.history);
    if report.is_rejected() {
        return Err(Failure::Violation(format!("{}{report}", evidence.history)));
    }
    Ok(output::print(format_args!("{}{report}", evidence.history))?)
}
