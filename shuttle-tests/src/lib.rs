//! Schedules, a history recorder, serializability checkers and seeded bugs for `mvcc` and `tplock`.
//!
//! Nothing is implemented yet; the crate only holds its place in the workspace.
