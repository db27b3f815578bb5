//! Short read-only transactions.

use crate::database::Inner;
use crate::index::Hash;
use crate::local::Local;
use crate::read;
use crate::reads::{Reads, Seen, read_at};
use crate::slots::{Bound, SlotRef};
use crate::table::{AnyTable, Lookup};
use crossbeam_epoch::Guard;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

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
///
/// Writing through it is a compile error:
///
/// ```compile_fail
/// let db = mvcc::Database::new();
/// let table = db.table::<u64, u64>("t").unwrap();
/// db.view(|view| view.insert(&table, 1, 1));
/// ```
pub struct View<'db> {
    database: &'db Inner,
    local: Rc<Local>,
    slot: SlotRef,
    reads: RefCell<Reads>,
    /// Kept until there is a timestamp; from then on the slot protects what was read, and a pin is needed on the way only.
    guard: Cell<Option<Guard>>,
    /// Whether the slot is still open.
    open: Cell<bool>,
}

impl<'db> View<'db> {
    #[inline]
    pub(crate) fn new(database: &'db Inner) -> Self {
        let local = database.local();
        let (slot, guard) = local.begin();
        let reads = RefCell::new(Reads::new(local.take_reads()));
        Self {
            database,
            local,
            slot,
            reads,
            guard: Cell::new(Some(guard)),
            open: Cell::new(true),
        }
    }

    /// The value of a key.
    ///
    /// # Panics
    /// If the table belongs to another database.
    #[inline]
    pub fn get<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
        let core = &table.typed().core;
        core.check_database(self.database.id);
        let hash = Hash::new(table.hash_lookup(key));
        let guard = self.guard.take().unwrap_or_else(|| self.local.pin());
        let value = self.get_pinned(table, hash, key, &guard);
        if self.open.get() {
            self.guard.set(Some(guard));
        }
        value
    }

    #[inline]
    fn get_pinned<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        hash: Hash,
        key: &Q,
        guard: &Guard,
    ) -> Option<&T::Value> {
        loop {
            let timestamp = self.reads.borrow().timestamp();
            let found = read::find(table, hash, key, guard);
            match (found, timestamp) {
                // Looked up after the timestamp was taken, so it is absent then.
                (None, Some(_)) => return None,
                // SAFETY: pinned, and the slot protects the timestamp.
                (Some(tuple), Some(timestamp)) => match unsafe { read_at(tuple, timestamp) } {
                    // SAFETY: the slot protects it as long as `self` lives.
                    Seen::Version(version, _) => return unsafe { read::value_of(version) },
                    Seen::Dead => {}
                },
                (Some(tuple), None) => {
                    let clock = &self.database.shared.clock;
                    let mut reads = self.reads.borrow_mut();
                    // SAFETY: pinned since `tuple` was found in this table; the slot is open.
                    if let Some(version) = unsafe { reads.read_untimed::<T::Value>(tuple, clock) } {
                        // SAFETY: the slot protects it as long as `self` lives.
                        return unsafe { &*version.as_ptr() }.value.as_ref();
                    }
                    drop(reads);
                    self.fix();
                }
                (None, None) => {
                    self.fix();
                }
            }
        }
    }

    /// Whether a key has a value.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn contains_key<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> bool {
        self.get(table, key).is_some()
    }

    /// All keys with their values, in no particular order.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn iter<'r, T: AnyTable>(
        &'r self,
        table: &'r T,
    ) -> impl Iterator<Item = (&'r T::Key, &'r T::Value)> {
        let index = &table.typed().core.index;
        table.typed().core.check_database(self.database.id);
        let timestamp = self.fix();
        (0..index.shards()).flat_map(move |shard| {
            // SAFETY: the slot protects the timestamp as long as `self` lives.
            unsafe { read::shard_at(table, shard, timestamp, &self.local.pin()) }
        })
    }
}

impl View<'_> {
    /// The timestamp, taken now if there is none yet. The slot is narrowed to it: all that was read is visible there.
    fn fix(&self) -> u64 {
        let mut reads = self.reads.borrow_mut();
        let timestamp = reads.take_timestamp(&self.database.shared.clock);
        if self.open.replace(false) {
            let slots = &self.database.shared.slots;
            slots.set_released(self.slot, Bound::Fixed(timestamp));
            reads.entries.clear();
            self.guard.set(None);
        }
        timestamp
    }
}

impl Drop for View<'_> {
    #[inline]
    fn drop(&mut self) {
        let reads = self.reads.get_mut();
        self.local.return_reads(std::mem::take(&mut reads.entries));
        self.local.end(self.slot);
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("timestamp", &self.reads.borrow().timestamp())
            .finish_non_exhaustive()
    }
}
