//! What a thread keeps for a database from one transaction to the next: its epoch handle, its
//! worker, a slot, buffers, and the memory of collected versions.

use crate::commit::Footprint;
use crate::commit::reservations::{Place, Reserved};
use crate::commit::shared::{self, Shared};
use crate::memory::recycled::Recycled;
use crate::memory::retired::Lists;
use crate::memory::slots::{Bound, SlotRef};
use crate::memory::{Memory, Worker};
use crate::rows::ranges::Ranges;
use crate::rows::version::{ValueVersion, Version};
use crate::sync::{Arc, Ordering, bug, fence, freed, held, ordering, thread_local};
use crossbeam_epoch::{Guard, LocalHandle};
use crossbeam_utils::CachePadded;
use std::cell::{Cell, RefCell};
use std::iter;
use std::ptr::{self, NonNull};
use std::rc::Rc;

pub(crate) struct Local {
    /// The database's number.
    pub(crate) database: u64,
    handle: LocalHandle,
    worker: Arc<CachePadded<Worker>>,
    /// This thread's slot.
    slot: SlotRef,
    /// Another one, which no transaction uses now; for those within others.
    spare_slot: Cell<Option<SlotRef>>,
    /// An emptied footprint for the next transaction.
    spare_footprint: Cell<Option<Box<RefCell<Footprint>>>>,
    /// What its commits have to do with the log.
    #[cfg(feature = "durable")]
    pub(crate) logging: crate::commit::log::logging::Logging,
    /// Emptied lists for the next collection.
    spare_lists: Cell<Lists>,
    /// The memory of some collected versions, for new ones.
    at_hand: RefCell<Recycled>,
    /// Whether this thread has closed the gate to other threads' commits.
    inside: Cell<bool>,
    /// What this thread's transactions have reserved.
    reserved: RefCell<Vec<Reserved>>,
    /// Whether that is anything.
    has_reserved: Cell<bool>,
    /// Whether something that was no commit has left so much garbage that a collection pays. The
    /// next transaction to begin collects it, for what left it may be unwinding.
    is_due: Cell<bool>,
    /// What is kept from one range to the next.
    pub(crate) ranges: Ranges,
    /// The next one in `ENDING`, if this is in there.
    next_ending: Cell<*const Local>,
    /// After the handle: it outlives it.
    shared: Arc<Shared>,
}

thread_local! {
    /// The state that was asked for last, and the number of its database. It has no destructor, so
    /// it can be looked at without asking first whether it is still there.
    static LATEST: Cell<Latest> = const { Cell::new(Latest::NONE) };
    static LOCALS: Locals = const { Locals(RefCell::new(Vec::new())) };
    /// The states that were made since `LOCALS` has gone, the last one first. They are there as
    /// long as somebody uses them: whatever runs within that finds the same, and so knows what the
    /// thread has closed, announced and reserved. It has no destructor either.
    static ENDING: Cell<*const Local> = const { Cell::new(ptr::null()) };
}

#[derive(Clone, Copy)]
struct Latest {
    database: u64,
    /// Of one that is among `LOCALS`.
    local: *const Local,
}

impl Latest {
    const NONE: Self = Self {
        database: u64::MAX,
        local: ptr::null(),
    };

    fn set(self) {
        // Where it has gone, nobody is told of it any more.
        let _ = LATEST.try_with(|latest| latest.set(self));
    }
}

/// The states of a thread: by the database's number.
struct Locals(RefCell<Vec<(u64, Rc<Local>)>>);

impl Locals {
    /// Takes out those that are like this.
    fn take(&self, mut like: impl FnMut(u64, &Local) -> bool) -> Vec<(u64, Rc<Local>)> {
        Latest::NONE.set();
        let mut locals = self.0.borrow_mut();
        locals
            .extract_if(.., |(id, local)| like(*id, local))
            .collect()
    }
}

impl Drop for Locals {
    fn drop(&mut self) {
        // Dropping them may run code that asks for one.
        drop(self.take(|_, _| true));
    }
}

impl Local {
    /// This thread's state for a database, to be kept. Also for what may be dropped when the
    /// thread's own state already is.
    #[inline]
    pub(crate) fn of(database: u64, shared: &Arc<Shared>) -> Rc<Self> {
        let Some(local) = Self::latest(database) else {
            return Self::find(database, shared);
        };
        // SAFETY: it is among `LOCALS`, which has an `Rc` of it.
        unsafe { Self::another(local.as_ptr()) }
    }

    /// # Safety
    /// There is an `Rc` of it, on this thread.
    #[inline]
    unsafe fn another(local: *const Self) -> Rc<Self> {
        // SAFETY: the caller's promise.
        unsafe {
            Rc::increment_strong_count(local);
            Rc::from_raw(local)
        }
    }

    /// This thread's state for the database with this number, if that is the one that the thread
    /// used last: costs three instructions. It may be borrowed while the database is, by something
    /// on the stack: it is among `LOCALS`, which lets go of it when its database is dropped, or
    /// when the thread has ended, and so has everything on its stack.
    #[inline]
    pub(crate) fn latest(database: u64) -> Option<NonNull<Self>> {
        // The scheduler's thread-locals do go away.
        let latest = LATEST.try_with(Cell::get).unwrap_or(Latest::NONE);
        // SAFETY: no database has the number of `NONE`.
        (latest.database == database)
            .then(|| unsafe { NonNull::new_unchecked(latest.local.cast_mut()) })
    }

    #[cold]
    fn find(database: u64, shared: &Arc<Shared>) -> Rc<Self> {
        let found = LOCALS.try_with(|Locals(locals)| {
            let locals = locals.borrow();
            let found = locals.iter().find(|(id, _)| *id == database);
            found.map(|(_, local)| local.clone())
        });
        let local = match found {
            Ok(Some(local)) => local,
            Ok(None) => Self::register(database, shared),
            // The thread is ending, its thread-locals are gone.
            Err(_) => return Self::ending(database, shared),
        };
        Latest {
            database,
            local: Rc::as_ptr(&local),
        }
        .set();
        local
    }

    fn register(database: u64, shared: &Arc<Shared>) -> Rc<Self> {
        let local = Rc::new(Self::new(database, shared));
        let outdated = LOCALS.try_with(|locals| {
            let closed = |_, local: &Self| local.shared.closed.load(Ordering::Relaxed);
            let outdated = locals.take(closed);
            locals.0.borrow_mut().push((database, local.clone()));
            outdated
        });
        // Outside the borrow: dropping them may run user code.
        drop(outdated);
        local
    }

    /// The state that is in use while the thread is ending, or one for this once.
    fn ending(database: u64, shared: &Arc<Shared>) -> Rc<Self> {
        let in_use = Self::all_ending().find(|&local| {
            // SAFETY: in the list, so somebody uses it.
            unsafe { (*local).database == database }
        });
        if let Some(local) = in_use {
            // SAFETY: as above.
            return unsafe { Self::another(local) };
        }
        let local = Rc::new(Self::new(database, shared));
        // The scheduler's thread-locals go away; there, it is in no list.
        let _ = ENDING.try_with(|first| local.next_ending.set(first.replace(Rc::as_ptr(&local))));
        local
    }

    fn all_ending() -> impl Iterator<Item = *const Self> {
        let first = ENDING.try_with(Cell::get).unwrap_or(ptr::null());
        // SAFETY: each leaves the list before it is freed.
        let next = |local: &*const Self| unsafe { (**local).next_ending.get() };
        let there = |local: *const Self| (!local.is_null()).then_some(local);
        iter::successors(there(first), move |local| there(next(local)))
    }

    /// Takes this out of `ENDING`, if it is in there.
    fn leave_ending(&self) {
        let next = self.next_ending.replace(ptr::null());
        let this = ptr::from_ref(self);
        let is_first = |first: &Cell<*const Self>| {
            let is_first = first.get() == this;
            if is_first {
                first.set(next);
            }
            is_first
        };
        if ENDING.try_with(is_first).unwrap_or(false) {
            return;
        }
        // SAFETY: as in `all_ending`.
        let before =
            Self::all_ending().find(|&local| unsafe { (*local).next_ending.get() } == this);
        if let Some(before) = before {
            // SAFETY: as above.
            unsafe { (*before).next_ending.set(next) };
        }
    }

    fn new(database: u64, shared: &Arc<Shared>) -> Self {
        let worker = shared.memory.join();
        // From a thread that has ended.
        let is_due = worker.garbage.lock().is_due();
        Self {
            database,
            handle: shared.memory.collector.register(),
            worker,
            slot: shared.memory.slots.acquire(),
            spare_slot: Cell::new(None),
            spare_footprint: Cell::default(),
            #[cfg(feature = "durable")]
            logging: crate::commit::log::logging::Logging::default(),
            spare_lists: Cell::default(),
            at_hand: RefCell::default(),
            inside: Cell::new(false),
            reserved: RefCell::default(),
            has_reserved: Cell::new(false),
            is_due: Cell::new(is_due),
            ranges: Ranges::default(),
            next_ending: Cell::new(ptr::null()),
            shared: shared.clone(),
        }
    }

    /// Lets go of this thread's state for a database that is being dropped.
    pub(crate) fn forget(database: u64) {
        let gone = LOCALS.try_with(|locals| locals.take(|id, _| id == database));
        drop(gone);
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    #[inline]
    pub(crate) fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(crate) fn shared_worker(&self) -> Arc<CachePadded<Worker>> {
        self.worker.clone()
    }

    /// Keeps what is found in an index from being freed. It may run what the epoch has waited with,
    /// user code.
    #[inline]
    pub(crate) fn pin(&self) -> Guard {
        held::nothing();
        self.handle.pin()
    }

    /// Lets no other thread commit until the result is dropped; see [`Shared::enter`].
    pub(crate) fn enter(&self) -> Inside<'_> {
        let nested = self.inside.get();
        let gate = (!nested).then(|| self.shared.enter());
        self.inside.set(true);
        Inside {
            local: self,
            nested,
            _gate: gate,
        }
    }

    /// Whether this thread is the one that may commit although the gate is closed.
    pub(crate) fn is_inside(&self) -> bool {
        self.inside.get()
    }

    /// Reserves a place for the transaction with this slot. False: another thread's transaction has
    /// it.
    pub(crate) fn reserve(&self, slot: SlotRef, place: Place) -> bool {
        let mut reserved = self.reserved.borrow_mut();
        if reserved.iter().any(|(_, own)| *own == place) {
            return true;
        }
        let may_wait = reserved.is_empty() && !self.inside.get();
        let taken = self.shared.reservations.take(place, may_wait);
        if taken {
            reserved.push((slot, place));
            self.has_reserved.set(true);
        }
        taken
    }

    /// Gives back what a transaction has reserved.
    #[inline]
    pub(crate) fn give_back_reserved(&self, slot: SlotRef) {
        if self.has_reserved.get() {
            self.give_back(slot);
        }
    }

    #[cold]
    fn give_back(&self, slot: SlotRef) {
        let mut reserved = self.reserved.borrow_mut();
        reserved.retain(|&(owner, place)| {
            let is_other = owner != slot;
            if !is_other {
                self.shared.reservations.give_back(place);
            }
            is_other
        });
        self.has_reserved.set(!reserved.is_empty());
    }

    /// Notes whether a collection of this thread's garbage pays now.
    pub(crate) fn set_due(&self, is_due: bool) {
        self.is_due.set(is_due);
    }

    /// Whether garbage waits to be collected that no commit has left.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.is_due.get()
    }

    /// Announces a transaction that may read anything from now on.
    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn begin(&self) -> SlotRef {
        let slot = if self.slot.is_idle() || bug!("nested-share-a-slot") {
            self.slot
        } else {
            self.another_slot()
        };
        self.shared
            .memory
            .slots
            .set_before_fence(slot, self.shared.memory.coarse_clock());
        // The announcement is ordered before all reads. Partners: the fences in `Memory::horizon`
        // and in `collect::unlinked`.
        fence(ordering!(SeqCst, begin_fence));
        slot
    }

    /// A slot for what begins within something else.
    #[cold]
    fn another_slot(&self) -> SlotRef {
        let spare = self.spare_slot.take();
        spare.unwrap_or_else(|| self.shared.memory.slots.acquire())
    }

    /// Ends what `begin` announced.
    #[inline]
    pub(crate) fn end(&self, slot: SlotRef) {
        self.shared.memory.slots.set_released(slot, Bound::Idle);
        if slot != self.slot {
            self.keep_slot(slot);
        }
    }

    /// Keeps an idle slot for what begins next within something else.
    #[cold]
    fn keep_slot(&self, slot: SlotRef) {
        if let Some(slot) = self.spare_slot.replace(Some(slot)) {
            self.shared.memory.slots.release(slot);
        }
    }

    /// An empty footprint.
    #[inline]
    pub(crate) fn take_footprint(&self) -> Box<RefCell<Footprint>> {
        self.spare_footprint.take().unwrap_or_default()
    }

    /// Keeps an emptied footprint for the next transaction.
    #[inline]
    pub(crate) fn return_footprint(&self, footprint: Box<RefCell<Footprint>>) {
        self.spare_footprint.set(Some(footprint));
    }

    /// Empty lists for a collection.
    pub(crate) fn take_lists(&self) -> Lists {
        self.spare_lists.take()
    }

    /// Keeps the lists of a collection for the next one.
    pub(crate) fn return_lists(&self, mut lists: Lists) {
        if lists.clear() {
            self.spare_lists.set(lists);
        }
    }

    /// A version of a table with value type `V`, not yet part of any chain.
    #[inline]
    pub(crate) fn new_version<V>(&self, table: usize, value: Option<V>) -> NonNull<Version> {
        let Some(version) = self.recycled(table, size_of::<ValueVersion<V>>()) else {
            return ValueVersion::boxed(value);
        };
        let place = version.cast::<ValueVersion<V>>().as_ptr();
        // SAFETY: it came from the same table, so it is of this type, and belongs to us alone. It
        // was cleared, so there is nothing to be dropped.
        unsafe { (&raw mut (*place).value).write(value) };
        version
    }

    /// The memory of a collected version of a table, of this size.
    #[inline]
    fn recycled(&self, table: usize, bytes: usize) -> Option<NonNull<Version>> {
        let mut at_hand = self.at_hand.borrow_mut();
        let recycled = at_hand.pop(table, bytes).or_else(|| {
            self.worker.pool.take(table, &mut at_hand);
            at_hand.pop(table, bytes)
        })?;
        let version = recycled.into_raw();
        freed::set_free(version, false);
        Some(version)
    }

    /// Frees what is kept for the next transactions.
    pub(crate) fn free_spares(&self) {
        drop(self.at_hand.take());
        drop(self.spare_footprint.take());
        drop(self.spare_lists.take());
    }
}

/// A thread's being the only one who may commit.
pub(crate) struct Inside<'l> {
    local: &'l Local,
    nested: bool,
    _gate: Option<shared::Inside<'l>>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.local.inside.set(self.nested);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // First: what follows may run code that asks for a state.
        self.leave_ending();
        // Whoever uses them keeps this alive.
        self.shared.memory.slots.release(self.slot);
        if let Some(slot) = self.spare_slot.take() {
            self.shared.memory.slots.release(slot);
        }
        // Of transactions that were forgotten.
        for (_, place) in self.reserved.take() {
            self.shared.reservations.give_back(place);
        }
        self.worker.pool.clear();
        // Its lists are handed on with what still waits in them, but without the room that they
        // once needed.
        self.worker.garbage.lock().shrink();
        self.shared.memory.leave(self.worker.clone());
    }
}
