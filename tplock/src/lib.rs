//! Strict two-phase locking behind the same kind of API as `mvcc`: the baseline to compare against.
//!
//! Nothing is implemented yet; the crate only holds its place in the workspace.
