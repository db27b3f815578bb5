//! Snapshots that are given up when they get too old.
//!
//! Such a snapshot is read in closures. It has a *state* next to its slot: the number of closures that are at work, or *expired*. Who collects
//! garbage turns the state of those that are too old from 0 to expired, and only then their slots to idle. So a slot stays fixed
//! as long as a closure is at work, and all references that the closure has got stay valid as with any other snapshot.

use crate::database::Database;
use crate::slots::{Bound, SlotRef, Slots};
use crate::snapshot::Snapshot;
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, bug};
use crate::timestamp::Timestamp;
use crate::trace;
use std::fmt;
use std::time::{Duration, Instant};

/// A [`Snapshot`] that the database may give up when it is older than the [limit](crate::Builder::snapshot_limit).
///
/// It costs memory for what it can see, as any snapshot, but not for longer than the limit: whoever collects garbage then lets go of it,
/// and its reads end with [`SnapshotExpired`]. It is never given up during a read, so a closure sees one consistent state from beginning to end;
/// keep the closures short, for what they see is kept as long as they run. Without a limit it never expires, nor does it before somebody collects garbage.
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

/// The database has given a [`LimitedSnapshot`] up: it was older than the limit. Take a new one and begin again.
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

impl LimitedSnapshot {
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn new(database: &Database) -> Self {
        let snapshot = Snapshot::new(database);
        let state = Arc::new(State {
            slot: snapshot.slot(),
            opened: Instant::now(),
            reads: AtomicUsize::new(0),
        });
        database.inner().shared.limited.add(&state);
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
                limit: self.limited().limit.unwrap_or_default(),
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
        self.state.reads.load(Ordering::Relaxed) == EXPIRED
    }

    fn limited(&self) -> &LimitedSnapshots {
        &self.snapshot.inner().shared.limited
    }
}

impl Drop for LimitedSnapshot {
    /// Off the list before the slot is given back, and so perhaps somebody else's: the collector sets the slots of those on the list to idle.
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

/// What a snapshot and the collector agree by.
pub(crate) struct State {
    slot: SlotRef,
    opened: Instant,
    /// The closures at work, or `EXPIRED`, which it stays.
    reads: AtomicUsize,
}

const EXPIRED: usize = usize::MAX;

/// The right to read, until it is dropped.
struct Reading<'s>(&'s State);

impl State {
    /// `None`: it has expired.
    fn begin_read(&self) -> Option<Reading<'_>> {
        // Relaxed: the slot has been fixed since the snapshot was made, so nothing that we read now or have read ahead could be gone; that it stays
        // fixed is for the one order of changes of `reads` to say: `expire` finds 0 in it before this or after the matching subtraction.
        let begun = self
            .reads
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reads| {
                (reads != EXPIRED).then(|| reads + 1)
            });
        // Not `then_some`: a right that is made and dropped is given back.
        begun.is_ok().then(|| Reading(self))
    }

    /// Lets go of the snapshot, unless a closure is at work. For whoever has the list locked: then the slot is still the snapshot's.
    fn expire(&self, slots: &Slots) -> bool {
        // Acquire: pairs with the release subtractions of all reads, which are one release sequence. So all that was read has been read before the slot
        // becomes idle, and a scan that sees it idle comes after that.
        let expected = if bug!("expired-while-read") {
            self.reads.load(Ordering::Relaxed)
        } else {
            0
        };
        if bug!("expired-after-its-slot") && expected == self.reads.load(Ordering::Relaxed) {
            slots.set_released(self.slot, Bound::Idle);
        }
        let expired =
            self.reads
                .compare_exchange(expected, EXPIRED, Ordering::Acquire, Ordering::Relaxed);
        if expired.is_ok() {
            slots.set_released(self.slot, Bound::Idle);
        }
        expired.is_ok()
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // Release: pairs with `State::expire`.
        self.0.reads.fetch_sub(1, Ordering::Release);
    }
}

/// A database's limited snapshots.
#[derive(Default)]
pub(crate) struct LimitedSnapshots {
    limit: Option<Duration>,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    /// Those that may expire.
    live: Vec<Arc<State>>,
    expired: u64,
}

impl LimitedSnapshots {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            list: Mutex::default(),
        }
    }

    fn add(&self, state: &Arc<State>) {
        if self.limit.is_some() {
            self.list.lock().live.push(state.clone());
        }
    }

    fn remove(&self, state: &Arc<State>) {
        if self.limit.is_some() {
            let mut list = self.list.lock();
            list.live.retain(|other| !Arc::ptr_eq(other, state));
        }
    }

    /// Gives up those that are older than the limit and are not being read from.
    pub(crate) fn expire(&self, slots: &Slots) {
        let Some(limit) = self.limit else {
            return;
        };
        let mut list = self.list.lock();
        let before = list.live.len();
        if before == 0 {
            return;
        }
        let now = Instant::now();
        let is_old = |state: &State| now.saturating_duration_since(state.opened) >= limit;
        list.live
            .retain(|state| !is_old(state) || !state.expire(slots));
        let expired = before - list.live.len();
        list.expired += expired as u64;
        drop(list);
        if expired > 0 {
            trace::warn!(target: "mvcc", expired, ?limit, "snapshots expired");
        }
    }

    /// How many have been given up.
    pub(crate) fn expired(&self) -> u64 {
        self.list.lock().expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_expires_only_while_nobody_reads() {
        let slots = Slots::new();
        let slot = slots.acquire();
        slots.set_released(slot, Bound::Fixed(7));
        let state = State {
            slot,
            opened: Instant::now(),
            reads: AtomicUsize::new(0),
        };
        let (first, second) = (state.begin_read(), state.begin_read());
        assert!(!state.expire(&slots));
        drop(first);
        assert!(!state.expire(&slots));
        assert_eq!(slots.bounds().collect::<Vec<_>>(), [Bound::Fixed(7)]);
        drop(second);
        assert!(state.expire(&slots));
        assert_eq!(slots.bounds().count(), 0);
        // It stays expired, however often somebody tries.
        for _ in 0..3 {
            assert!(state.begin_read().is_none());
            assert!(!state.expire(&slots));
        }
    }
}
