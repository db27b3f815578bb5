//! `mvcc` as a subject, as it is, and as it is compiled for the scheduler; and [`tplock`].
//!
//! Both forms of each are one file of source, which speaks of `library`.

pub mod native;
pub mod scheduled;
pub mod tplock;
