//! Short read-only transactions.

use crate::database::Inner;
use crate::local::Local;
use crate::protected::Protected;
use crate::range::{Direction, Rows};
use crate::read::{self, RangeReader, RowReader};
use crate::reads::Reads;
use crate::slots::{self, SlotRef};
use crate::table::{AnyTable, Lookup, TableCore};
use crate::tree::TreeKey;
use crate::version::Version;
use std::cell::{Cell, UnsafeCell};
use std::ops::Bound;
use std::ptr::NonNull;

/// A short read-only transaction, lent to the closure of [`Database::view`](crate::Database::view).
///
/// All that it reads is from one consistent state. It never aborts, never blocks a writer, and writes no memory that another
/// thread writes. It takes a timestamp only when it needs one: reading a single key costs no clock reading at all.
///
/// ```
/// let db = mvcc::Database::new();
/// let table = db.table::<String, u32>("t")?;
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, "a".to_owned(), 1))).unwrap();
/// assert_eq!(db.view(|view| view.get(&table, "a").copied()), Some(1));
/// # Ok::<(), mvcc::TableError>(())
/// ```
pub struct View<'db> {
    database: &'db Inner,
    local: &'db Local,
    slot: SlotRef,
    mode: Cell<Mode>,
    /// Used in short steps that run no user code, so one at a time.
    reads: UnsafeCell<Reads>,
}

/// How a view reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Without a timestamp: the slot is open.
    Untimed,
    /// The same, and a search of an index relies on the slot's being open. Comparing keys is user code, which may use this view: that takes a timestamp, but does
    /// not narrow the slot.
    Searching,
    /// At a timestamp, which is taken when it is asked for first.
    Timed,
}

impl<'db> View<'db> {
    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn new(database: &'db Inner, local: &'db Local) -> Self {
        let slot = local.begin();
        Self {
            database,
            local,
            slot,
            mode: Cell::new(Mode::Untimed),
            reads: UnsafeCell::default(),
        }
    }

    /// The value of a key.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<String, u64>("t")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&table, "one".to_owned(), 1))).unwrap();
    /// let sum = db.view(|view| view.get(&table, "one").unwrap_or(&0) + view.get(&table, "two").unwrap_or(&0));
    /// assert_eq!(sum, 1);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    #[inline]
    pub fn get<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
        self.check(table.core());
        if self.mode.get() == Mode::Untimed
            && let Some(version) = self.get_untimed(table, key)
        {
            // SAFETY: it has a value, and the slot protects it as long as `self` lives.
            return Some(unsafe { read::live_value(version) });
        }
        self.get_timed(table, key)
    }

    /// The newest version of a key, if there is one and no timestamp is needed to read it.
    #[inline]
    fn get_untimed<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<NonNull<Version>> {
        self.mode.set(Mode::Searching);
        // SAFETY: the slot is open: we are without a timestamp, and it is not narrowed while we search.
        let tuple = table.find(key, unsafe { Protected::open() });
        self.mode.set(Mode::Untimed);
        // SAFETY: see the field.
        let reads = unsafe { &mut *self.reads.get() };
        // SAFETY: as above; found in this table.
        unsafe { reads.read_untimed(table.core(), tuple?) }
    }

    #[inline(never)]
    fn get_timed<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
        let guard = self.local.pin();
        let timestamp = self.fix_timestamp();
        // SAFETY: the slot protects the timestamp as long as `self` lives.
        unsafe { read::get_at(table, key, timestamp, Protected::pinned(&guard)) }
    }

    read::inherent_reads!();
}

impl RowReader for View<'_> {
    unsafe fn read_shard<'r, K, V>(
        &'r self,
        table: &TableCore,
        shard: usize,
    ) -> Vec<(&'r K, &'r V)> {
        let guard = self.local.pin();
        let timestamp = self.fix_timestamp();
        // SAFETY: the slot protects the timestamp as long as `self` lives; the caller's promise.
        unsafe { read::shard_at(table, shard, timestamp, Protected::pinned(&guard)) }
    }
}

impl RangeReader for View<'_> {
    unsafe fn read_range<'r, K: TreeKey, V>(
        &'r self,
        table: &TableCore,
        bounds: (&Bound<K>, &Bound<K>),
        direction: Direction,
        limit: usize,
    ) -> Rows<'r, K, V> {
        let guard = self.local.pin();
        let timestamp = self.fix_timestamp();
        let protected = Protected::pinned(&guard);
        // SAFETY: as above.
        unsafe { read::range_at(table, bounds, direction, limit, timestamp, protected) }
    }
}

impl View<'_> {
    #[inline]
    fn check(&self, table: &TableCore) {
        table.check_database(self.database);
    }

    /// Runs something that follows pointers into an index, but no user code.
    fn protected_for<R>(&self, search: impl FnOnce(Protected<'_>) -> R) -> R {
        search(Protected::pinned(&self.local.pin()))
    }

    fn timestamp(&self) -> Option<u64> {
        // SAFETY: see the field.
        unsafe { &*self.reads.get() }.timestamp()
    }

    /// The timestamp, taken now if there is none yet. The slot is narrowed to it: all that was read is visible there.
    #[cold]
    pub(crate) fn fix_timestamp(&self) -> u64 {
        // SAFETY: see the field.
        let reads = unsafe { &mut *self.reads.get() };
        let timestamp = reads.take_timestamp(&self.database.shared.clock);
        if self.mode.get() != Mode::Searching {
            self.mode.set(Mode::Timed);
            let slots = &self.database.shared.slots;
            slots.set_released(self.slot, slots::Bound::Fixed(timestamp));
            reads.entries.clear();
        }
        timestamp
    }
}

impl Drop for View<'_> {
    #[inline]
    fn drop(&mut self) {
        self.local.end(self.slot);
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("timestamp", &self.timestamp())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
