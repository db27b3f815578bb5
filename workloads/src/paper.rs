//! The experiments of the vMVCC paper (Chang et al., OSDI 2023), scaled to the machine, and those
//! that it does not have: memory over time, and what the disk costs.
//!
//! Each gives a [`Chapter`]: what was measured, as CSV and JSON, and figures. [`write()`] makes
//! files and a report of them.

mod chapter;
mod checkpoint;
mod contender;
mod durability;
mod factors;
mod figure;
mod files;
pub mod gc;
mod journal;
mod long_readers;
mod machine;
mod mail;
mod page;
mod parameters;
mod recovery;
mod row;
mod runs;
mod scalability;
mod silo;

pub use chapter::Chapter;
pub use contender::{AnyEngine, Contender};
pub use figure::{Figure, Horizontal, Series};
pub use files::{create, write};
pub use journal::Journal;
pub use parameters::{Interval, Parameters};
pub use row::Row;

use clap::ValueEnum;
use serde::Serialize;
use std::path::Path;

/// An experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Experiment {
    /// YCSB and TPC-C as the paper compares itself with Silo: throughput by threads.
    Silo,
    /// YCSB and TPC-C with threads that read much at a time.
    LongReaders,
    /// What reads cost with timestamps from a guarded counter, a fetch-and-add, the processor's
    /// counter, and without.
    Factors,
    /// YCSB by threads and skew.
    Scalability,
    /// Versions and memory over time, with long snapshots coming and going.
    Gc,
    /// What waiting for the disk costs, by clients.
    Durability,
    /// How long a store takes to open, by what is in it.
    Recovery,
    /// What a checkpoint costs those who commit meanwhile, over time.
    Checkpoint,
    /// A mail server's mailboxes, beside Maildirs.
    Mail,
}

/// What experiments with a disk need.
#[derive(Clone, Copy, Debug)]
pub struct Disk<'d> {
    /// Stores are made in it, and removed.
    pub folder: &'d Path,
    /// Ends the process with a message: a log has stopped or is full.
    pub fail: fn(&str) -> !,
}

impl Experiment {
    /// All, in the order of the report.
    pub const ALL: [Self; 9] = [
        Self::Silo,
        Self::LongReaders,
        Self::Factors,
        Self::Scalability,
        Self::Gc,
        Self::Durability,
        Self::Recovery,
        Self::Checkpoint,
        Self::Mail,
    ];

    /// The name that the command takes, and its files have.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silo => "silo",
            Self::LongReaders => "long-readers",
            Self::Factors => "factors",
            Self::Scalability => "scalability",
            Self::Gc => "gc",
            Self::Durability => "durability",
            Self::Recovery => "recovery",
            Self::Checkpoint => "checkpoint",
            Self::Mail => "mail",
        }
    }

    /// The parameters that it has, by their names in [`Parameters`].
    pub fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Silo => silo::TAKES,
            Self::LongReaders => long_readers::TAKES,
            Self::Factors => factors::TAKES,
            Self::Scalability => scalability::TAKES,
            Self::Gc => gc::TAKES,
            Self::Durability => durability::TAKES,
            Self::Recovery => recovery::TAKES,
            Self::Checkpoint => checkpoint::TAKES,
            Self::Mail => mail::TAKES,
        }
    }

    /// Runs it on each of the engines, but for what `journal` has from an earlier run. `sample`
    /// runs [`gc::sample`] on an engine, in a process of its own if its memory is to be comparable.
    ///
    /// # Errors
    /// A message if an engine fails, or if a signal ends it early.
    pub fn run(
        self,
        parameters: &Parameters,
        contenders: &[Contender],
        sample: &gc::Sampler<'_>,
        disk: Disk<'_>,
        journal: &Journal,
    ) -> Result<Chapter, String> {
        match self {
            Self::Silo => silo::run(parameters, contenders, journal),
            Self::LongReaders => long_readers::run(parameters, contenders, journal),
            Self::Factors => factors::run(parameters, journal),
            Self::Scalability => scalability::run(parameters, contenders, journal),
            Self::Gc => gc::run(parameters, contenders, sample, journal),
            Self::Durability => durability::run(parameters, disk.folder, journal),
            Self::Recovery => recovery::run(parameters, disk.folder, journal),
            Self::Checkpoint => checkpoint::run(parameters, disk.folder, journal),
            Self::Mail => mail::run(parameters, disk.folder, disk.fail, journal),
        }
    }
}
