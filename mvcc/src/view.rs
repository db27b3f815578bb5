//! Short read-only transactions.

use crate::database::Inner;
use crate::index::Hash;
use crate::local::Local;
use crate::protected::Protected;
use crate::read;
use crate::reads::Reads;
use crate::slots::{Bound, SlotRef};
use crate::table::{AnyTable, Lookup};
use crate::version::ValueVersion;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
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
    /// Whether a search of an index relies on the slot's being open.
    searching: Cell<bool>,
}

impl<'db> View<'db> {
    #[inline]
    pub(crate) fn new(database: &'db Inner) -> Self {
        let local = database.local();
        let slot = local.begin();
        Self {
            database,
            local,
            slot,
            reads: RefCell::default(),
            searching: Cell::new(false),
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
        if self.reads.borrow().timestamp().is_none()
            && let Some(version) = self.get_untimed(table, hash, key)
        {
            // SAFETY: the slot protects it as long as `self` lives.
            return unsafe { version.as_ref() }.value.as_ref();
        }
        self.get_timed(table, hash, key)
    }

    /// The newest version of a key, if there is one and no timestamp is needed to read it.
    #[inline]
    fn get_untimed<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        hash: Hash,
        key: &Q,
    ) -> Option<NonNull<ValueVersion<T::Value>>> {
        // Comparing keys is user code, which may use this view: it must not narrow the slot meanwhile.
        let outer = self.searching.replace(true);
        // SAFETY: the slot is open: it was without a timestamp, and is not narrowed while we search.
        let protected = unsafe { Protected::open() };
        let tuple = read::find(table, hash, key, protected);
        let mut reads = self.reads.borrow_mut();
        let clock = &self.database.shared.clock;
        // SAFETY: as above; found in this table.
        let version = tuple.and_then(|tuple| unsafe { reads.read_untimed(tuple, clock) });
        self.searching.set(outer);
        version
    }

    #[inline(never)]
    fn get_timed<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        hash: Hash,
        key: &Q,
    ) -> Option<&T::Value> {
        let guard = self.local.pin();
        let timestamp = self.fix();
        // SAFETY: the slot protects the timestamp as long as `self` lives.
        unsafe { read::get_hashed_at(table, hash, key, timestamp, Protected::pinned(&guard)) }
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
            let guard = self.local.pin();
            // SAFETY: the slot protects the timestamp as long as `self` lives.
            unsafe { read::shard_at(table, shard, timestamp, Protected::pinned(&guard)) }
        })
    }
}

impl View<'_> {
    /// The timestamp, taken now if there is none yet. The slot is narrowed to it: all that was read is visible there.
    #[cold]
    fn fix(&self) -> u64 {
        let mut reads = self.reads.borrow_mut();
        let timestamp = reads.take_timestamp(&self.database.shared.clock);
        if !self.searching.get() {
            let slots = &self.database.shared.slots;
            slots.set_released(self.slot, Bound::Fixed(timestamp));
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
            .field("timestamp", &self.reads.borrow().timestamp())
            .finish_non_exhaustive()
    }
}
