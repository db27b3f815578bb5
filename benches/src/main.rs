//! Side-by-side measurements: of `mvcc` and its parts against what else there is.

use clap::{Parser, Subcommand};
use std::io;
use std::process::ExitCode;
use workloads::InputError;
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
    let done = match Cli::parse().command {
        Command::Indexes(options) => indexes::main(&options),
        Command::Compare(options) => compare::main(&options),
    };
    let (error, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Input(error)) => (error, ExitCode::from(2)),
        Err(Failure::Run(error)) => (error, ExitCode::FAILURE),
        Err(Failure::Output(error)) => match output::failed(&error) {
            None => return ExitCode::SUCCESS,
            Some(error) => (error, ExitCode::FAILURE),
        },
    };
    output::note(format_args!("error: {error}"));
    code
}
