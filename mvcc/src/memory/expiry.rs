//! Snapshots that are given up when they get too old.
//!
//! Such a snapshot is read in closures. It has a *state* next to its slot: the number of closures
//! that are at work, or *expired*. Who collects garbage turns the state of those that are too old
//! from 0 to expired, and only then their slots to idle. So a slot stays fixed as long as a closure
//! is at work, and all references that the closure has got stay valid as with any other snapshot.

use crate::memory::slots::{Bound, SlotRef, Slots};
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, bug};
use crate::trace;
use std::time::{Duration, Instant};

/// What a snapshot and the collector agree by.
pub(crate) struct State {
    slot: SlotRef,
    opened: Instant,
    /// The closures at work, or `EXPIRED`, which it stays.
    reads: AtomicUsize,
}

const EXPIRED: usize = usize::MAX;

/// The right to read, until it is dropped.
pub(crate) struct Reading<'s>(&'s State);

impl State {
    pub(crate) fn new(slot: SlotRef) -> Self {
        Self {
            slot,
            opened: Instant::now(),
            reads: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is_expired(&self) -> bool {
        self.reads.load(Ordering::Relaxed) == EXPIRED
    }

    /// `None`: it has expired.
    pub(crate) fn begin_read(&self) -> Option<Reading<'_>> {
        // Relaxed: the slot has been fixed since the snapshot was made, so nothing that we read now
        // or have read ahead could be gone; that it stays fixed is for the one order of changes of
        // `reads` to say: `expire` finds 0 in it before this or after the matching subtraction.
        let begun = self
            .reads
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reads| {
                (reads != EXPIRED).then(|| reads + 1)
            });
        // Not `then_some`: a right that is made and dropped is given back.
        begun.is_ok().then(|| Reading(self))
    }

    /// Lets go of the snapshot, unless a closure is at work. For whoever has the list locked: then
    /// the slot is still the snapshot's.
    fn expire(&self, slots: &Slots) -> bool {
        // Acquire: pairs with the release subtractions of all reads, which are one release
        // sequence. So all that was read has been read before the slot becomes idle, and a scan
        // that sees it idle comes after that.
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

    pub(crate) fn add(&self, state: &Arc<State>) {
        if self.limit.is_some() {
            self.list.lock().live.push(state.clone());
        }
    }

    pub(crate) fn remove(&self, state: &Arc<State>) {
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
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.limit
    }

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
        let state = State::new(slot);
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
