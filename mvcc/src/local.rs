//! What a thread keeps for a database from one transaction to the next: its epoch handle, its worker, a slot, buffers, and the memory
//! of collected versions.

use crate::reads::Read;
use crate::recycled::Recycled;
use crate::reserve::{Place, Reserved};
use crate::shared::{self, Shared, Worker};
use crate::slots::{Bound, SlotRef};
use crate::sync::{Arc, Ordering, fence, freed, thread_local};
use crate::version::{ValueVersion, Version};
use crossbeam_epoch::{Guard, LocalHandle};
use crossbeam_utils::CachePadded;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;

pub(crate) struct Local {
    handle: LocalHandle,
    worker: Arc<CachePadded<Worker>>,
    /// A slot of this thread's that no transaction uses now.
    spare_slot: Cell<Option<SlotRef>>,
    /// An emptied buffer for a transaction's reads.
    spare_reads: Cell<Vec<Read>>,
    /// The memory of some collected versions, for new ones.
    at_hand: RefCell<Recycled>,
    /// Whether this thread has closed the gate to other threads' commits.
    inside: Cell<bool>,
    /// What this thread's transactions have reserved.
    reserved: RefCell<Vec<Reserved>>,
    /// Whether that is anything.
    has_reserved: Cell<bool>,
    /// After the handle: it outlives it.
    shared: Arc<Shared>,
}

/// Reads that a kept buffer may have room for.
const SPARE_READS: usize = 4096;

thread_local! {
    static LOCALS: RefCell<Vec<(u64, Rc<Local>)>> = const { RefCell::new(Vec::new()) };
}

impl Local {
    /// This thread's state for the database with this number.
    #[inline]
    pub(crate) fn of(database: u64, shared: &Arc<Shared>) -> Rc<Self> {
        let found = LOCALS.try_with(|locals| {
            let locals = locals.borrow();
            let found = locals.iter().find(|(id, _)| *id == database);
            found.map(|(_, local)| local.clone())
        });
        match found {
            Ok(Some(local)) => local,
            Ok(None) => Self::register(database, shared),
            // The thread is ending, its thread-locals are gone: a state for this once.
            Err(_) => Rc::new(Self::new(shared)),
        }
    }

    #[cold]
    fn register(database: u64, shared: &Arc<Shared>) -> Rc<Self> {
        let local = Rc::new(Self::new(shared));
        let outdated = LOCALS.try_with(|locals| {
            let mut locals = locals.borrow_mut();
            locals.push((database, local.clone()));
            let closed = |local: &Local| local.shared.closed.load(Ordering::Relaxed);
            locals
                .extract_if(.., |(_, local)| closed(local))
                .collect::<Vec<_>>()
        });
        // Outside the borrow: dropping them may run user code.
        drop(outdated);
        local
    }

    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            handle: shared.collector.register(),
            worker: shared.join(),
            spare_slot: Cell::new(None),
            spare_reads: Cell::default(),
            at_hand: RefCell::default(),
            inside: Cell::new(false),
            reserved: RefCell::default(),
            has_reserved: Cell::new(false),
            shared: shared.clone(),
        }
    }

    /// Lets go of this thread's state for a database that is being dropped.
    pub(crate) fn forget(database: u64) {
        let gone = LOCALS.try_with(|locals| {
            let mut locals = locals.borrow_mut();
            locals
                .extract_if(.., |(id, _)| *id == database)
                .collect::<Vec<_>>()
        });
        drop(gone);
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(crate) fn shared_worker(&self) -> Arc<CachePadded<Worker>> {
        self.worker.clone()
    }

    #[inline]
    pub(crate) fn pin(&self) -> Guard {
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

    /// Reserves a place for the transaction with this slot. False: another thread's transaction has it.
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

    /// Announces a transaction that may read anything from now on.
    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn begin(&self) -> SlotRef {
        let slot = self
            .spare_slot
            .take()
            .unwrap_or_else(|| self.shared.slots.acquire());
        self.shared
            .slots
            .set_before_fence(slot, self.shared.recent());
        // The announcement is ordered before all reads. Partners: the fences in `Horizon::scan` and in `garbage::unlinked`.
        fence(Ordering::SeqCst);
        slot
    }

    /// Ends what `begin` announced.
    #[inline]
    pub(crate) fn end(&self, slot: SlotRef) {
        self.shared.slots.set_released(slot, Bound::Idle);
        if let Some(slot) = self.spare_slot.replace(Some(slot)) {
            self.shared.slots.release(slot);
        }
    }

    #[inline]
    pub(crate) fn take_reads(&self) -> Vec<Read> {
        self.spare_reads.take()
    }

    #[inline]
    pub(crate) fn return_reads(&self, mut reads: Vec<Read>) {
        if reads.capacity() <= SPARE_READS {
            reads.clear();
            self.spare_reads.set(reads);
        }
    }

    /// A version of a table with value type `V`, not yet part of any chain.
    pub(crate) fn new_version<V>(&self, table: usize, value: Option<V>) -> NonNull<Version> {
        let mut at_hand = self.at_hand.borrow_mut();
        let recycled = at_hand.pop(table).or_else(|| {
            self.worker.pool.take(table, &mut at_hand);
            at_hand.pop(table)
        });
        let Some(version) = recycled else {
            return ValueVersion::boxed(value);
        };
        let version = version.into_raw();
        freed::set_free(version, false);
        // SAFETY: it came from the same table, so it is of this type, and belongs to us alone. It was cleared, so the assignment drops
        // nothing.
        unsafe { (*version.cast::<ValueVersion<V>>().as_ptr()).value = value };
        version
    }

    /// Frees what is at hand for new versions.
    pub(crate) fn free_at_hand(&self) {
        drop(self.at_hand.take());
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
        if let Some(slot) = self.spare_slot.take() {
            self.shared.slots.release(slot);
        }
        self.worker.pool.clear();
        self.shared.leave(self.worker.clone());
    }
}
