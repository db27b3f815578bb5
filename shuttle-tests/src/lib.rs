//! Schedules, a history recorder, serializability checkers and seeded bugs for `mvcc`.

pub mod explore;
pub mod scenarios;
