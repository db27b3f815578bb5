//! `mvcc` as a subject.
//!
//! What follows is in a file of its own that only speaks of `library`, so that the same engine over a library that was compiled for a
//! model checker is a module like this one.

use mvcc as library;

mod subject;

pub use subject::Engine;
