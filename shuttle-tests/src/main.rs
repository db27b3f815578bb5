//! The command `shuttle-tests`: a soak of random programs on the real engine, with real threads;
//! and processes that are killed.

mod cli;
mod crash;
mod failure;
mod progress;
mod soak;

use failure::Failure;
use std::process::ExitCode;
use workloads::output;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Input(message)) => {
            output::note(format_args!("error: {message}"));
            ExitCode::from(2)
        }
        Err(Failure::Run(message)) => {
            output::note(format_args!("error: {message}"));
            ExitCode::FAILURE
        }
        Err(Failure::Interrupted(signal)) => ExitCode::from(signal.status),
        Err(Failure::Violation(report)) => {
            // The file has it as well.
            if let Err(error) = output::print(report) {
                output::failed(&error)
                    .inspect(|error| output::note(format_args!("error: {error}")));
            }
            ExitCode::FAILURE
        }
        Err(Failure::Output(error)) => output::failed(&error).map_or(ExitCode::SUCCESS, |error| {
            output::note(format_args!("error: {error}"));
            ExitCode::FAILURE
        }),
    }
}
