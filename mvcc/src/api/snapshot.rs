//! Read-only snapshots that may live long.

use crate::api::database::{Database, Inner};
use crate::api::read::{AnyTable, Lookup, RangeReader, RowReader};
use crate::api::reader;
use crate::clock::timestamp::Timestamp;
use crate::memory::slots::{self, SlotRef};
use crate::rows::core::TableCore;
use crate::rows::protected::{Internal, Protected};
use crate::rows::ranges::{Ranges, Row, Rows};
use crate::rows::tree::{Direction, TreeKey};
use crate::sync::{Ordering, bug, fence};
use std::fmt;
use std::ops::Bound;

/// A consistent state of the whole database, for as long as the handle lives.
///
/// It never aborts, never blocks a writer and never sees a later commit. It keeps the database
/// alive, may be sent to and shared between threads, and several of them can read from it at once.
/// What it can see is kept in memory until it is dropped; what was overwritten after it and before
/// a later snapshot is not.
///
/// ```
/// let db = mvcc::Database::new();
/// let table = db.table::<u64, u64>("t")?;
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 10))).unwrap();
/// let snapshot = db.snapshot();
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 11))).unwrap();
/// assert_eq!(snapshot.get(&table, &1), Some(&10));
/// assert_eq!(snapshot.iter(&table).collect::<Vec<_>>(), [(&1, &10)]);
/// # Ok::<(), mvcc::TableError>(())
/// ```
pub struct Snapshot {
    database: Database,
    slot: SlotRef,
    timestamp: u64,
}

impl Database {
    /// A read-only snapshot of everything that is committed now.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "old"))).unwrap();
    /// let snapshot = db.snapshot();
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "new"))).unwrap();
    /// assert_eq!(snapshot.get(&table, &1), Some(&"old"));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self)
    }
}

impl Snapshot {
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn new(database: &Database) -> Self {
        let inner = database.inner();
        let slot = inner.shared.memory.slots.acquire();
        let lower = inner.shared.memory.coarse_clock();
        if !bug!("snapshot-unannounced") {
            inner.shared.memory.slots.set_before_fence(slot, lower);
        }
        // Partner: the fence in `Memory::horizon`.
        fence(Ordering::SeqCst);
        let timestamp = inner.shared.memory.clock.now();
        inner
            .shared
            .memory
            .slots
            .set_released(slot, slots::Bound::Fixed(timestamp));
        Self {
            database: database.clone(),
            slot,
            timestamp,
        }
    }

    pub(crate) fn slot(&self) -> SlotRef {
        self.slot
    }

    pub(crate) fn inner(&self) -> &Inner {
        self.database.inner()
    }

    /// Its place in the serialization order: it sees exactly the commits with smaller timestamps.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let (earlier, later) = (db.snapshot(), db.snapshot());
    /// assert!(earlier.timestamp() < later.timestamp());
    /// ```
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::new(self.timestamp)
    }

    /// The value of a key.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "one"))).unwrap();
    /// let snapshot = db.snapshot();
    /// std::thread::scope(|scope| {
    ///     for _ in 0..2 {
    ///         scope.spawn(|| assert_eq!(snapshot.get(&table, &1), Some(&"one")));
    ///     }
    /// });
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn get<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
        self.check(table.core());
        let local = self.inner().local();
        let guard = local.pin();
        // SAFETY: the slot protects the timestamp as long as `self` lives.
        unsafe { reader::get_at(table, key, self.timestamp, Protected::pinned(&guard)) }
    }

    pub(crate) fn fix_timestamp(&self) -> u64 {
        self.timestamp
    }

    /// Runs something that follows pointers into an index, but no user code.
    fn protected_for<R>(&self, search: impl FnOnce(Protected<'_>) -> R) -> R {
        search(Protected::pinned(&self.inner().local().pin()))
    }

    fn check(&self, table: &TableCore) {
        self.inner().check(table);
    }

    reader::inherent_reads!();
}

reader::impl_read!(Snapshot);

impl RowReader for Snapshot {
    unsafe fn read_shard<'r, K, V>(
        &'r self,
        table: &TableCore,
        (): (),
        shard: usize,
    ) -> Vec<(&'r K, &'r V)> {
        let local = self.inner().local();
        let guard = local.pin();
        // SAFETY: the slot protects the timestamp as long as `self` lives; the caller's promise.
        unsafe { reader::shard_at(table, shard, self.timestamp, Protected::pinned(&guard)) }
    }

    fn get_as_of<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        (): (),
        _: Internal,
    ) -> Option<&T::Value> {
        self.get(table, key)
    }
}

impl RangeReader for Snapshot {
    type Moment = ();

    fn moment(&self, _: Internal) {}

    fn with_ranges<R>(&self, _: Internal, see: impl FnOnce(&Ranges) -> R) -> R {
        see(&self.inner().local().ranges)
    }

    unsafe fn read_range<K: TreeKey, V>(
        &self,
        table: &TableCore,
        (): (),
        bounds: (&Bound<K>, &Bound<K>),
        direction: Direction,
        limit: usize,
        room: Vec<Row>,
    ) -> Rows<K> {
        let local = self.inner().local();
        let guard = local.pin();
        let protected = Protected::pinned(&guard);
        // SAFETY: as above.
        unsafe {
            reader::range_at::<K, V>(
                table,
                bounds,
                direction,
                limit,
                room,
                self.timestamp,
                protected,
            )
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.inner().shared.memory.slots.release(self.slot);
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(db: &Database) -> Vec<u64> {
        let bounds = db.inner().shared.memory.slots.bounds();
        let mut fixed: Vec<_> = bounds
            .map(|bound| match bound {
                slots::Bound::Fixed(timestamp) => timestamp,
                other => panic!("{other:?}"),
            })
            .collect();
        fixed.sort_unstable();
        fixed
    }

    #[test]
    fn a_slot_says_what_the_snapshot_sees_as_long_as_it_lives() {
        let db = Database::new();
        let (first, second) = (db.snapshot(), db.snapshot());
        let ticks = |snapshot: &Snapshot| snapshot.timestamp().ticks();
        assert_eq!(fixed(&db), [ticks(&first), ticks(&second)]);
        drop(first);
        assert_eq!(fixed(&db), [ticks(&second)]);
        drop(second);
        assert_eq!(fixed(&db), []);
    }

    #[test]
    fn a_commit_is_seen_by_the_snapshots_after_it() {
        let db = Database::new();
        let table = db.table::<u64, u64>("t").expect("a new database");
        let before = db.snapshot();
        let tx = db.begin();
        tx.insert(&table, 1, 1);
        let during = db.snapshot();
        let commit = tx.commit().expect("nobody else is there");
        let after = db.snapshot();
        assert!(before.timestamp() < during.timestamp() && during.timestamp() < commit);
        assert!(commit < after.timestamp());
        let seen = [&before, &during, &after].map(|it| it.get(&table, &1).copied());
        assert_eq!(seen, [None, None, Some(1)]);
    }
}
