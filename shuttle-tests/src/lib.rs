//! Evidence that `mvcc` keeps its promises, where others have a proof: schedules, histories,
//! checkers and seeded bugs.

#![allow(
    clippy::format_push_string,
    reason = "explanations are put together once, when something is wrong"
)]

pub mod blackbox;
pub mod bugs;
pub mod engine;
pub mod enumerate;
pub mod exact;
pub mod execute;
pub mod explore;
pub mod history;
pub mod hunt;
pub mod locking;
pub mod operation;
pub mod program;
pub mod recorder;
pub mod replay;
pub mod report;
pub mod scenarios;
pub mod verdict;
