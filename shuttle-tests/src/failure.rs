//! How a command fails.

use std::io;
use workloads::interruption::Interrupted;

/// Why the command failed.
pub(crate) enum Failure {
    /// The input is wrong; nothing was run. One line.
    Input(String),
    /// The run failed. One line.
    Run(String),
    /// A signal has ended the run early. How far it came has been said.
    Interrupted(Interrupted),
    /// A history was rejected. What is to be said of it.
    Violation(String),
    /// Standard output could not be written.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
