//! What a database is doing, in numbers.

/// Counters of a database, from [`Database::stats`](crate::Database::stats). Exact when the database is quiet; while transactions
/// run, each number is right for some moment during the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Read-write transactions that committed since the database was made.
    pub commits: u64,
    /// Commits that failed because of a concurrent transaction; `run` has retried its own.
    pub conflicts: u64,
    /// Snapshots, views and transactions that are alive.
    pub live_snapshots: u64,
    /// Keys in the indexes of all tables, with those that wait to be removed.
    pub live_tuples: u64,
    /// Versions in the chains of all tuples, superseded ones and tombstones included.
    pub live_versions: u64,
    /// Superseded versions and removed keys that are not freed yet.
    pub retired: u64,
    /// How far the watermark is behind the clock, in the clock's ticks.
    pub watermark_age: u64,
}
