//! The command `workloads`.

mod cli;

use std::process::ExitCode;
use workloads::{interruption, output};

// The system's allocator: it measured best, see docs/performance.md.

fn main() -> ExitCode {
    if let Err(error) = interruption::listen() {
        output::note(format_args!("error: cannot wait for signals: {error}"));
        return ExitCode::FAILURE;
    }
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(cli::Failure::Input(error)) => {
            output::note(format_args!("error: {error}"));
            ExitCode::from(2)
        }
        Err(cli::Failure::Run(error)) => {
            output::note(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
        Err(cli::Failure::Interrupted(signal)) => ExitCode::from(signal.status),
        Err(cli::Failure::Output(error)) => {
            output::failed(&error).map_or(ExitCode::SUCCESS, |error| {
                output::note(format_args!("error: {error}"));
                ExitCode::FAILURE
            })
        }
    }
}
