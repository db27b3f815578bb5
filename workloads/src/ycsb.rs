//! The Yahoo! Cloud Serving Benchmark (Cooper et al., `SoCC` 2010): its core workload, read from
//! its own property files.
//!
//! Keys are the 64-bit record numbers, hashed or as they are, where YCSB makes strings of them. A
//! record is one row of `fieldcount` times `fieldlength` bytes, or of fields of random lengths up
//! to that. If the workload scans, all its operations use an ordered table, otherwise a table for
//! points.
//!
//! Three things are unlike YCSB. Its zipfian distribution draws ranks from 10 billion, whatever the
//! number of records, and scatters them over the records; here they are drawn from the records, so
//! that theta has the same meaning for a small table. And `insertstart` and `insertcount` tell YCSB
//! what one of several clients loads; here nothing else is loaded, so that operations use these
//! records only. And each thread of a sequential distribution takes its own part of one sequence,
//! in which YCSB's threads take turns as it happens.

mod driver;
mod generator;
mod properties;
mod record;
mod report;
mod settings;
mod table;

pub use driver::{Progress, declare, load, loads, measure, run};
pub use generator::{Chooser, Distribution, LengthDistribution, Lengths, Skew, fnv1a};
pub use properties::{Properties, built_in};
pub use report::Report;
pub use settings::{Limit, LongReads, ReadOnly, Settings};
