//! Snapshots that may be given up: what users have of them. See [`crate::memory::expiry`].

use crate::api::database::Database;
use crate::api::snapshot::Snapshot;
use crate::clock::timestamp::Timestamp;
use crate::memory::expiry::{LimitedSnapshots, State};
use crate::sync::{Arc, bug};
use std::fmt;
use std::time::Duration;

/// A [`Snapshot`] that the database may give up when it is older than the
/// [limit](crate::Builder::snapshot_limit).
///
/// It costs memory for what it can see, as any snapshot, but not for longer than the limit: whoever
/// collects garbage then lets go of it, and its reads end with [`SnapshotExpired`]. It is never
/// given up during a read, so a closure sees one consistent state from beginning to end; keep the
/// closures short, for what they see is kept as long as they run. Without a limit it never expires,
/// nor does it before somebody collects garbage.
///
/// ```
/// use mvcc::{Database, SnapshotExpired};
/// use std::time::Duration;
///
/// let db = Database::builder().snapshot_limit(Duration::from_secs(60)).build()?;
/// let table = db.table::<u64, u64>("t")?;
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 10))).unwrap();
/// let report = db.limited_snapshot();
/// let mut total = 0;
/// for key in 0..100 {
///     total += report.read(|snapshot| snapshot.get(&table, &key).copied().unwrap_or(0))?;
/// }
/// assert_eq!(total, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What a closure has read cannot leave it:
///
/// ```compile_fail
/// let db = mvcc::Database::new();
/// let table = db.table::<u64, u64>("t").unwrap();
/// let snapshot = db.limited_snapshot();
/// let value: Option<&u64> = snapshot.read(|snapshot| snapshot.get(&table, &1)).unwrap();
/// ```
pub struct LimitedSnapshot {
    /// Its slot is set to idle when the snapshot expires, and given back when it is dropped.
    snapshot: Snapshot,
    state: Arc<State>,
}

/// The database has given a [`LimitedSnapshot`] up: it was older than the limit. Take a new one and
/// begin again.
///
/// ```
/// use mvcc::{Database, SnapshotExpired};
/// use std::time::Duration;
///
/// let db = Database::builder().snapshot_limit(Duration::ZERO).build()?;
/// let snapshot = db.limited_snapshot();
/// std::thread::sleep(Duration::from_millis(1));
/// db.collect();
/// let expired: SnapshotExpired = snapshot.read(|_| ()).unwrap_err();
/// assert_eq!(expired.timestamp, snapshot.timestamp());
/// # Ok::<(), mvcc::ClockError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotExpired {
    /// The snapshot's place in the serialization order.
    pub timestamp: Timestamp,
    /// The limit that it was older than.
    pub limit: Duration,
}

impl fmt::Display for SnapshotExpired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the snapshot at timestamp {} is older than the limit of {:?} and was given up; take a new one, or raise Builder::snapshot_limit",
            self.timestamp, self.limit
        )
    }
}

impl std::error::Error for SnapshotExpired {}

impl Database {
    /// A snapshot that is given up when it is older than
    /// [`Builder::snapshot_limit`](crate::Builder::snapshot_limit). Its reads may fail, and are
    /// made in closures.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// let report = db.limited_snapshot();
    /// assert_eq!(report.read(|snapshot| snapshot.contains_key(&table, &1))?, false);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn limited_snapshot(&self) -> LimitedSnapshot {
        LimitedSnapshot::new(self)
    }
}

impl LimitedSnapshot {
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn new(database: &Database) -> Self {
        let snapshot = Snapshot::new(database);
        let state = Arc::new(State::new(snapshot.slot()));
        database.inner().shared.memory.limited.add(&state);
        Self { snapshot, state }
    }

    /// Runs a closure that reads. The snapshot does not expire before the closure is done.
    ///
    /// Several threads may read at once, and a closure may read again.
    ///
    /// # Errors
    /// [`SnapshotExpired`] if the database has given the snapshot up; the closure is not run then.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// let snapshot = db.limited_snapshot();
    /// let one = snapshot.read(|snapshot| snapshot.get(&table, &1).copied());
    /// assert_eq!(one, Ok(None));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn read<T>(&self, read: impl FnOnce(&Snapshot) -> T) -> Result<T, SnapshotExpired> {
        let Some(_reading) = self.state.begin_read() else {
            return Err(SnapshotExpired {
                timestamp: self.timestamp(),
                limit: self.limited().limit().unwrap_or_default(),
            });
        };
        Ok(read(&self.snapshot))
    }

    /// Its place in the serialization order: it sees exactly the commits with smaller timestamps.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// assert!(db.limited_snapshot().timestamp() < db.snapshot().timestamp());
    /// ```
    pub fn timestamp(&self) -> Timestamp {
        self.snapshot.timestamp()
    }

    /// Whether the database has given it up. It may do so at any time later, but not during a read.
    ///
    /// ```
    /// // Without a limit it never is.
    /// assert!(!mvcc::Database::new().limited_snapshot().is_expired());
    /// ```
    pub fn is_expired(&self) -> bool {
        self.state.is_expired()
    }

    fn limited(&self) -> &LimitedSnapshots {
        &self.snapshot.inner().shared.memory.limited
    }
}

impl Drop for LimitedSnapshot {
    /// Off the list before the slot is given back, and so perhaps somebody else's: the collector
    /// sets the slots of those on the list to idle.
    fn drop(&mut self) {
        if !bug!("expired-after-its-drop") {
            self.limited().remove(&self.state);
        }
    }
}

impl fmt::Debug for LimitedSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedSnapshot")
            .field("timestamp", &self.timestamp())
            .field("is_expired", &self.is_expired())
            .finish_non_exhaustive()
    }
}
