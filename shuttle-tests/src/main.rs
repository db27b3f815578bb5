//! The command `shuttle-tests`: a soak of random programs on the real engine, with real threads.

mod cli;
mod progress;
mod soak;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(cli::Failure::Input(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
        Err(cli::Failure::Violation(report)) => {
            println!("{report}");
            ExitCode::FAILURE
        }
    }
}
