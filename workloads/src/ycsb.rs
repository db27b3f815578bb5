//! The Yahoo! Cloud Serving Benchmark (Cooper et al., `SoCC` 2010): its core workload, read from its own property files.
//!
//! Keys are the 64-bit record numbers, hashed or as they are, where YCSB makes strings of them. A record is one row of
//! `fieldcount` times `fieldlength` bytes.

mod driver;
mod generator;
mod properties;
mod report;

pub use driver::{Limit, Settings, run};
pub use generator::{Chooser, Distribution, fnv1a};
pub use properties::{Properties, built_in};
pub use report::Report;
