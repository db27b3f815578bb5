//! Short read-only transactions.

use crate::api::database::Database;
use crate::api::read::{AnyTable, Lookup, RangeReader, RowReader};
use crate::api::reader;
use crate::collect::local::Local;
use crate::commit::reads::{Read, Reads};
use crate::memory::slots::{self, SlotRef};
use crate::rows::core::TableCore;
use crate::rows::protected::{Internal, Protected};
use crate::rows::ranges::{Ranges, Row, Rows};
use crate::rows::tree::{Direction, TreeKey};
use crate::rows::tuple::{Tuple, Word};
use crate::rows::version::{Version, live_value};
use crate::sync::bug;
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ops::Bound;
use std::ptr::{self, NonNull};

/// A short read-only transaction, lent to the closure of [`Database::view`](crate::Database::view).
///
/// All that it reads is from one consistent state. It never aborts, never blocks a writer, and
/// writes no memory that another thread writes. It takes a timestamp only when it needs one:
/// reading a single key costs no clock reading at all.
///
/// ```
/// let db = mvcc::Database::new();
/// let table = db.table::<String, u32>("t")?;
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, "a".to_owned(), 1))).unwrap();
/// assert_eq!(db.view(|view| view.get(&table, "a").copied()), Some(1));
/// # Ok::<(), mvcc::TableError>(())
/// ```
pub struct View<'db> {
    local: &'db Local,
    slot: SlotRef,
    state: Cell<State>,
    /// The tuple that was read first.
    first: Cell<MaybeUninit<NonNull<Tuple>>>,
    /// All that was read. Used in short steps that run no user code, so one at a time.
    reads: UnsafeCell<MaybeUninit<Reads<()>>>,
}

/// What a view has read, and how it reads on.
///
/// Comparing keys is user code, which may use the view whose search of an index calls it. That
/// search relies on the slot's being open, so what comes in between may take a timestamp, but does
/// not narrow the slot.
///
/// One word: the address of the version that was read, where only one was, or a number that is less
/// than any address for another state. It is stored for each view of one row, and stores are what
/// such views wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(*mut Version);

impl State {
    /// Nothing has been read.
    const FRESH: Self = Self(ptr::without_provenance_mut(0));
    /// Something has been read without a timestamp: it is in `reads`, as in the two states below.
    const UNTIMED: Self = Self(ptr::without_provenance_mut(1));
    /// The same, and a search is under way.
    const SEARCHING: Self = Self(ptr::without_provenance_mut(2));
    /// At a timestamp, which is taken when it is asked for first.
    const TIMED: Self = Self(ptr::without_provenance_mut(3));
    /// Nothing has been read, and a search is under way.
    const FIRST: Self = Self(ptr::without_provenance_mut(4));

    /// This version has been read, without a timestamp, of the tuple in `first`.
    fn one(version: NonNull<Version>) -> Self {
        Self(version.as_ptr())
    }

    /// That version.
    fn version(self) -> Option<*mut Version> {
        (self.0 > Self::FIRST.0).then_some(self.0)
    }

    /// Whether what was read is in `reads`.
    #[inline]
    fn has_reads(self) -> bool {
        (Self::UNTIMED.0..=Self::TIMED.0).contains(&self.0)
    }
}

impl<'db> View<'db> {
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a view of one row keeps everything in registers as long as it calls nothing"
    )]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn run<T>(local: &'db Local, read: impl FnOnce(&Self) -> T) -> T {
        let announced = Announced {
            local,
            slot: local.begin(),
        };
        read(&Self {
            local,
            slot: announced.slot,
            state: Cell::new(State::FRESH),
            first: Cell::new(MaybeUninit::uninit()),
            reads: UnsafeCell::new(MaybeUninit::uninit()),
        })
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
        if self.state.get() == State::FRESH
            && let Some(version) = self.get_first(table, key)
        {
            // SAFETY: it has a value, and the slot protects it as long as `self` lives.
            return Some(unsafe { live_value(version) });
        }
        self.get_another(table, key)
    }

    /// What is read first, if it is found where it is as a rule. Most views read one row: as long
    /// as this function and its caller call no other, they keep everything in registers, and it is
    /// the number of stores that decides how many views the processor has under way at a time.
    #[inline]
    fn get_first<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<NonNull<Version>> {
        self.state.set(State::FIRST);
        // SAFETY: the slot is open: we are without a timestamp, and it is not narrowed while we
        // search.
        let tuple = table.find_at_once(key, unsafe { Protected::open() });
        if self.state.get() != State::FIRST {
            // The search has read something.
            self.state.set(State::UNTIMED);
            return None;
        }
        // SAFETY: as above.
        let word = tuple.map(|tuple| unsafe { tuple.as_ref() }.word());
        let (Some(tuple), Some(live)) = (tuple, word.and_then(Word::at_rest)) else {
            self.state.set(State::FRESH);
            return None;
        };
        self.first.set(MaybeUninit::new(tuple));
        self.state.set(State::one(live));
        Some(live)
    }

    #[inline(never)]
    fn get_another<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
        self.gather();
        if self.state.get() == State::UNTIMED
            && let Some(version) = self.get_untimed(table, key)
        {
            // SAFETY: it has a value, and the slot protects it as long as `self` lives.
            return Some(unsafe { live_value(version) });
        }
        self.get_timed(table, key)
    }

    /// All that was read.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "see the field")]
    fn gather(&self) -> &mut Reads<()> {
        if self.state.get().has_reads() {
            // SAFETY: see the field; it was written before these states.
            unsafe { (*self.reads.get()).assume_init_mut() }
        } else {
            self.gather_first()
        }
    }

    /// The same, where that is one row at most.
    #[inline(never)]
    #[expect(clippy::mut_from_ref, reason = "see the field")]
    fn gather_first(&self) -> &mut Reads<()> {
        let state = self.state.get();
        // SAFETY: see the field.
        let reads = unsafe { &mut *self.reads.get() };
        let reads = reads.write(Reads::default());
        if let Some(version) = state.version()
            && !bug!("first-read-unchecked")
        {
            // SAFETY: it was set before that state.
            let tuple = unsafe { self.first.get().assume_init() };
            let read = Read {
                tuple,
                version,
                table: (),
            };
            reads.entries.push(read);
        }
        self.state.set(if state == State::FIRST {
            State::SEARCHING
        } else {
            State::UNTIMED
        });
        reads
    }

    /// The newest version of a key, if there is one and no timestamp is needed to read it.
    fn get_untimed<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<NonNull<Version>> {
        self.state.set(State::SEARCHING);
        // SAFETY: as in `get_first`.
        let tuple = table.find(key, unsafe { Protected::open() });
        self.state.set(State::UNTIMED);
        // SAFETY: as above; found in this table.
        unsafe { self.gather().read_untimed((), tuple?) }
    }

    #[inline(never)]
    fn get_timed<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
        let guard = self.local.pin();
        let timestamp = self.fix_timestamp();
        // SAFETY: the slot protects the timestamp as long as `self` lives.
        unsafe { reader::get_at(table, key, timestamp, Protected::pinned(&guard)) }
    }

    reader::inherent_reads!();
}

reader::impl_read!(View<'_>);

impl RowReader for View<'_> {
    unsafe fn read_shard<'r, K, V>(
        &'r self,
        table: &TableCore,
        (): (),
        shard: usize,
    ) -> Vec<(&'r K, &'r V)> {
        let guard = self.local.pin();
        let timestamp = self.fix_timestamp();
        // SAFETY: the slot protects the timestamp as long as `self` lives; the caller's promise.
        unsafe { reader::shard_at(table, shard, timestamp, Protected::pinned(&guard)) }
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

impl RangeReader for View<'_> {
    type Moment = ();

    fn moment(&self, _: Internal) {}

    fn with_ranges<R>(&self, _: Internal, see: impl FnOnce(&Ranges) -> R) -> R {
        see(&self.local.ranges)
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
        let guard = self.local.pin();
        let timestamp = self.fix_timestamp();
        let protected = Protected::pinned(&guard);
        // SAFETY: as above.
        unsafe {
            reader::range_at::<K, V>(table, bounds, direction, limit, room, timestamp, protected)
        }
    }
}

impl View<'_> {
    #[inline]
    fn check(&self, table: &TableCore) {
        table.check_database(self.local.database, &self.local.shared().name);
    }

    /// Runs something that follows pointers into an index, but no user code.
    fn protected_for<R>(&self, search: impl FnOnce(Protected<'_>) -> R) -> R {
        search(Protected::pinned(&self.local.pin()))
    }

    fn timestamp(&self) -> Option<u64> {
        if self.state.get().has_reads() {
            self.gather().timestamp()
        } else {
            None
        }
    }

    /// The timestamp, taken now if there is none yet. The slot is narrowed to it: all that was read
    /// is visible there.
    #[cold]
    pub(crate) fn fix_timestamp(&self) -> u64 {
        let reads = self.gather();
        let timestamp = reads.take_timestamp(&self.local.memory().clock);
        if self.state.get() != State::SEARCHING {
            self.state.set(State::TIMED);
            let slots = &self.local.memory().slots;
            slots.set_released(self.slot, slots::Bound::Fixed(timestamp));
            reads.entries.clear();
        }
        timestamp
    }
}

impl Database {
    /// Runs a short read-only transaction. It runs once and cannot fail.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, u64>("t")?;
    /// assert_eq!(db.view(|view| view.get(&table, &1).copied()), None);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn view<T>(&self, read: impl FnOnce(&View<'_>) -> T) -> T {
        // One call for all, so that the compiler puts what it calls here.
        let anew;
        let local = if let Some(latest) = Local::latest(self.inner().id) {
            // SAFETY: we borrow the database.
            unsafe { latest.as_ref() }
        } else {
            anew = self.inner().local();
            &anew
        };
        View::run(local, read)
    }
}

/// What a view has announced. Apart from the view, which the user's closure gets, so that it can be
/// kept in registers.
struct Announced<'l> {
    local: &'l Local,
    slot: SlotRef,
}

impl Drop for Announced<'_> {
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
