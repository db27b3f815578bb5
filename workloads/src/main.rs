//! The command `workloads`.

mod cli;

use std::process::ExitCode;
use workloads::output;

// The system's allocator: it measured best, see docs/performance.md.

fn main() -> ExitCode {
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
        Err(cli::Failure::Output(error)) => {
            output::failed(&error).map_or(ExitCode::SUCCESS, |error| {
                output::note(format_args!("error: {error}"));
                ExitCode::FAILURE
            })
        }
    }
}
