//! The library as it is compiled for the scheduler.

use tplock_shuttle as library;

#[allow(clippy::duplicate_mod, reason = "that is the point")]
#[path = "subject.rs"]
mod subject;

pub use subject::Engine;
