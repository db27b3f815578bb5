//! Side-by-side measurements: of `mvcc` and its parts against what else there is.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

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
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Indexes(options) => indexes::main(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
