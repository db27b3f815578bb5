//! Schedules, a history recorder, serializability checkers and seeded bugs for `mvcc`.

pub mod bugs;
pub mod explore;
pub mod hunt;
pub mod scenarios;
