//! `tplock` as a subject: as it is, and as it is compiled for the scheduler.

pub mod native;
pub mod scheduled;
