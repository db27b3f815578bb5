//! What a database is doing, in numbers.

use crate::timestamp::Timestamp;
use std::panic::Location;
use std::time::Duration;

/// Counters of a database, from [`Database::stats`](crate::Database::stats). Exact when the database is quiet; while transactions
/// run, each number is right for some moment during the call.
///
/// ```
/// let db = mvcc::Database::new();
/// let table = db.table::<u64, &str>("t")?;
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "one"))).unwrap();
/// let snapshot = db.snapshot();
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "two"))).unwrap();
/// let stats = db.stats();
/// assert_eq!((stats.commits, stats.conflicts), (2, 0));
/// assert_eq!((stats.live_tuples, stats.live_versions, stats.live_snapshots), (1, 2, 1));
/// # Ok::<(), mvcc::TableError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Read-write transactions that committed since the database was made.
    pub commits: u64,
    /// Commits that failed because of a concurrent transaction; `run` has retried its own.
    pub conflicts: u64,
    /// Snapshots, views and transactions that are alive.
    pub live_snapshots: u64,
    /// The one of these that keeps the most from being collected.
    pub oldest_snapshot: Option<OldestSnapshot>,
    /// Limited snapshots that were given up because they were older than [`Builder::snapshot_limit`](crate::Builder::snapshot_limit).
    pub expired_snapshots: u64,
    /// Keys in the indexes of all tables, with those that wait to be removed.
    pub live_tuples: u64,
    /// Versions in the chains of all tuples, superseded ones and tombstones included.
    pub live_versions: u64,
    /// Superseded versions and removed keys that are not freed yet, and replaced parts of indexes.
    pub retired: u64,
    /// How far the watermark is behind the clock. What was overwritten before the watermark is seen by nobody. It is raised when somebody collects garbage, so it
    /// gets old in a database that is quiet.
    pub watermark_age: Age,
}

/// How long ago something was.
///
/// ```
/// let db = mvcc::Database::new();
/// let snapshot = db.snapshot();
/// let oldest = db.stats().oldest_snapshot.unwrap();
/// assert!(oldest.age.ticks > 0);
/// println!("the oldest snapshot is {:?} old", oldest.age.duration);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Age {
    /// In ticks of the database's [clock](crate::Clock).
    pub ticks: u64,
    /// In time, by the clock's mean rate since the database was made. `None` if the clock has no rate: the shared counter counts its readings.
    pub duration: Option<Duration>,
}

/// The oldest snapshot, view or transaction that is alive.
///
/// ```
/// let db = mvcc::Database::new();
/// assert_eq!(db.stats().oldest_snapshot, None);
/// let snapshot = db.snapshot();
/// let oldest = db.stats().oldest_snapshot.unwrap();
/// assert_eq!(oldest.timestamp, snapshot.timestamp());
/// println!("opened at {:?}", oldest.opened_at);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OldestSnapshot {
    /// It sees no state from before this: a snapshot's timestamp, or a lower bound of that of a view or transaction, some microseconds
    /// before it began (or as old as the last commit).
    pub timestamp: Timestamp,
    /// How old that is.
    pub age: Age,
    /// Where the program began it. Only known if the library was compiled with debug assertions.
    pub opened_at: Option<&'static Location<'static>>,
}
