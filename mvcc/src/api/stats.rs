//! What a database is doing, in numbers.

use crate::api::database::Database;
use crate::clock::timestamp::{Age, Timestamp};
use crate::memory::slots::Bound;
use crate::rows::cause::ConflictCause;
use crate::rows::core::TableCore;
use crate::sync::{Arc, Ordering};
use std::fmt;
use std::panic::Location;

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("clock", &self.inner().shared.memory.clock.kind())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// What the database is doing.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, u64>("t")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 1))).unwrap();
    /// let stats = db.stats();
    /// assert_eq!((stats.commits, stats.live_tuples, stats.live_versions), (1, 1, 1));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn stats(&self) -> Stats {
        let shared = &self.inner().shared;
        let live = shared
            .memory
            .slots
            .live()
            .filter_map(|(bound, opened_at)| match bound {
                Bound::Idle => None,
                Bound::Open(timestamp) | Bound::Fixed(timestamp) => Some((timestamp, opened_at)),
            });
        let live: Vec<_> = live.collect();
        let oldest = live.iter().min_by_key(|(timestamp, _)| *timestamp);
        let now = shared.memory.clock.now();
        let mut stats = Stats {
            live_snapshots: live.len() as u64,
            oldest_snapshot: oldest.map(|&(timestamp, opened_at)| OldestSnapshot {
                timestamp: Timestamp::new(timestamp),
                age: shared.memory.age(timestamp, now),
                opened_at,
            }),
            expired_snapshots: shared.memory.limited.expired(),
            retired: shared.memory.deferred.load(Ordering::Relaxed) as u64,
            watermark_age: shared.memory.age(shared.memory.watermark(), now),
            ..Stats::default()
        };
        let (mut versions, mut tuples, mut bytes) = (0, 0, 0);
        for worker in shared.memory.workers() {
            stats.commits += worker.commits.load(Ordering::Relaxed);
            stats.conflicts += worker.conflicts.load(Ordering::Relaxed);
            stats.retries += worker.retries.load(Ordering::Relaxed);
            stats.exclusive_runs += worker.exclusive_runs.load(Ordering::Relaxed);
            stats.aborts += worker.aborts.load(Ordering::Relaxed);
            versions += worker.versions.load(Ordering::Relaxed);
            tuples += worker.tuples.load(Ordering::Relaxed);
            bytes += worker.bytes.load(Ordering::Relaxed);
            stats.retired += worker.garbage.lock().len() as u64;
        }
        // Below zero only while something is counted out before it was counted in.
        stats.live_versions = u64::try_from(versions).unwrap_or(0);
        stats.live_tuples = u64::try_from(tuples).unwrap_or(0);
        stats.live_bytes = u64::try_from(bytes).unwrap_or(0);
        stats
    }

    /// The commits that failed, by table and cause: those pairs that there were, in no particular
    /// order. They add up to [`Stats::conflicts`].
    ///
    /// ```
    /// use mvcc::ConflictCause;
    ///
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, u64>("visits")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 0))).unwrap();
    /// let (first, second) = (db.begin(), db.begin());
    /// for tx in [&first, &second] {
    ///     tx.update(&table, &1, |count| count + 1);
    /// }
    /// assert!(first.commit().is_ok() && second.commit().is_err());
    /// let conflicts = db.conflicts();
    /// assert_eq!((&*conflicts[0].table, conflicts[0].count), ("visits", 1));
    /// assert_eq!(conflicts[0].cause, ConflictCause::ReadOverwritten);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn conflicts(&self) -> Vec<ConflictCount> {
        let tables = self.inner().tables.lock();
        let of_table = |table: &Arc<TableCore>| {
            let table = table.clone();
            let counts: Vec<_> = table.conflicts.counts().collect();
            let count = move |(cause, count)| ConflictCount {
                table: table.shared_name(),
                cause,
                count,
            };
            counts.into_iter().map(count)
        };
        tables.values().flat_map(of_table).collect()
    }
}

/// How many commits have failed for the same reason, from [`Database::conflicts`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConflictCount {
    /// The table that it happened in. An index's entries are a table of their own, `TABLE.INDEX`.
    pub table: Arc<str>,
    /// What the other transactions did.
    pub cause: ConflictCause,
    /// How often.
    pub count: u64,
}

/// Counters of a database, from [`Database::stats`](crate::Database::stats). Exact when the
/// database is quiet; while transactions run, each number is right for some moment during the call.
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
    /// [`Database::conflicts`] tells them by table and cause.
    pub conflicts: u64,
    /// Closures that `run` and `run_with` have run again after a conflict.
    pub retries: u64,
    /// Transactions that had lost so often that they were run while all other threads' commits
    /// waited.
    pub exclusive_runs: u64,
    /// Transactions of `run` and `run_with` whose closure has returned an error.
    pub aborts: u64,
    /// Snapshots, views and transactions that are alive.
    pub live_snapshots: u64,
    /// The one of these that keeps the most from being collected.
    pub oldest_snapshot: Option<OldestSnapshot>,
    /// Limited snapshots that were given up because they were older than
    /// [`Builder::snapshot_limit`](crate::Builder::snapshot_limit).
    pub expired_snapshots: u64,
    /// Keys in the indexes of all tables, with those that wait to be removed.
    pub live_tuples: u64,
    /// Versions in the chains of all tuples, superseded ones and tombstones included.
    pub live_versions: u64,
    /// The bytes of these tuples and versions: keys and values without what they point to, and
    /// without indexes, what is retired, and the allocator's own.
    pub live_bytes: u64,
    /// Superseded versions and removed keys that are not freed yet, and replaced parts of indexes.
    pub retired: u64,
    /// How far the watermark is behind the clock. What was overwritten before the watermark is seen
    /// by nobody. It is raised when somebody collects garbage, so it gets old in a database that is
    /// quiet.
    pub watermark_age: Age,
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
    /// It sees no state from before this: a snapshot's timestamp, or a lower bound of that of a
    /// view or transaction, some microseconds before it began (or as old as the last commit).
    pub timestamp: Timestamp,
    /// How old that is.
    pub age: Age,
    /// Where the program began it. Only known if the library was compiled with debug assertions.
    pub opened_at: Option<&'static Location<'static>>,
}
