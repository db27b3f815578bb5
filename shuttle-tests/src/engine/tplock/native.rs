//! The library as it is.

use tplock as library;

#[allow(clippy::duplicate_mod, reason = "that is the point")]
#[path = "subject.rs"]
mod subject;

pub use subject::Engine;
