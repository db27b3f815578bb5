//! Side-by-side measurements: of `mvcc` and its parts against what else there is.

use clap::{Parser, Subcommand};
use std::io;
use std::process::ExitCode;
use workloads::InputError;
use workloads::interruption::{self, interrupted};
use workloads::output;

mod compare;
mod indexes;

#[derive(Parser)]
#[command(about, version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Concurrent ordered indexes from crates.io under one access pattern
    Indexes(indexes::Options),
    /// `mvcc` and its peers from crates.io under the same transactions
    Compare(compare::Options),
}

/// Why a command gave up.
enum Failure {
    /// What it was asked for: one line that says what is accepted.
    Input(String),
    /// Standard output could not be written.
    Output(io::Error),
    /// Anything else.
    Run(String),
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Self::Input(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<String> for Failure {
    fn from(error: String) -> Self {
        Self::Run(error)
    }
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    if let Err(error) = interruption::listen() {
        output::note(format_args!("error: cannot wait for signals: {error}"));
        return ExitCode::FAILURE;
    }
    let done = match command {
        Command::Indexes(options) => indexes::main(&options),
        Command::Compare(options) => compare::main(&options),
    };
    let (error, code) = match done {
        // It counts for more than whether somebody reads what there was to report.
        Ok(()) | Err(Failure::Output(_)) if let Some(signal) = interrupted() => {
            return ExitCode::from(signal.status);
        }
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Input(error)) => (error, ExitCode::from(2)),
        Err(Failure::Run(error)) => {
            let signal = interrupted().map(|signal| ExitCode::from(signal.status));
            (error, signal.unwrap_or(ExitCode::FAILURE))
        }
        Err(Failure::Output(error)) => match output::failed(&error) {
            None => return ExitCode::SUCCESS,
            Some(error) => (error, ExitCode::FAILURE),
        },
    };
    output::note(format_args!("error: {error}"));
    code
}
