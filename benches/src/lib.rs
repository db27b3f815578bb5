//! Micro-benchmarks of `mvcc` and side-by-side runs against its peers.
//!
//! Nothing is implemented yet; the crate only holds its place in the workspace.
