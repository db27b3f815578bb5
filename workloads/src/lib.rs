//! Workloads for transaction engines: YCSB, TPC-C and a mail server over any
//! [`Engine`](engine::Engine), and the experiments of a paper made of them.
//!
//! The command `workloads` is a thin layer over this library.

pub mod engine;
pub mod interruption;
pub mod journal_bench;
pub mod mail;
mod measure;
pub mod memory;
pub mod output;
pub mod paper;
pub mod team;
pub mod tpcc;
pub mod ycsb;

pub use measure::Latency;

use std::fmt;

/// Something about the input is wrong: what was tried, what was found, what to do, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError(String);

impl InputError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InputError {}
