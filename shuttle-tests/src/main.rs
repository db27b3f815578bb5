//! The command `shuttle-tests`: a soak of random programs on the real engine, with real threads;
//! and processes that are killed.

mod cli;
mod crash;
mod progress;
mod soak;

use std::process::ExitCode;
use workloads::output;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(cli::Failure::Input(message)) => {
            output::note(format_args!("error: {message}"));
            ExitCode::from(2)
        }
        Err(cli::Failure::Run(message)) => {
            output::note(format_args!("error: {message}"));
            ExitCode::FAILURE
        }
        Err(cli::Failure::Interrupted(signal)) => ExitCode::from(signal.status),
        Err(cli::Failure::Violation(report)) => {
            // The file has it as well.
            if let Err(error) = output::print(report) {
                output::failed(&error)
                    .inspect(|error| output::note(format_args!("error: {error}")));
            }
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
