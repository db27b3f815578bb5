//! Snapshot slots: where each live transaction announces what it may still read.
//!
//! A slot is idle, or *open* at a lower bound (its owner may read anything from there on), or
//! *fixed* at a timestamp (its owner reads exactly what is visible there).

use crate::sync::{AtomicU64, Mutex, OnceLock, Ordering, SMALL, bug};
use crossbeam_utils::CachePadded;
use std::panic::Location;
use std::ptr::NonNull;
// For people to look at: no scheduling point.
#[cfg(debug_assertions)]
use std::sync::atomic::AtomicPtr;

/// A slot. It is used only with the [`Slots`] that it came from, and those keep it allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotRef(NonNull<Slot>);

// SAFETY: a reference to atomics.
unsafe impl Send for SlotRef {}
// SAFETY: as above.
unsafe impl Sync for SlotRef {}

pub(crate) struct Slot {
    word: AtomicU64,
    /// Where the program began what the slot stands for.
    #[cfg(debug_assertions)]
    opened_at: AtomicPtr<Location<'static>>,
}

impl Slot {
    fn idle() -> Self {
        Self {
            word: AtomicU64::new(IDLE),
            #[cfg(debug_assertions)]
            opened_at: AtomicPtr::default(),
        }
    }

    /// Notes the caller. Costs release builds nothing: they neither pass callers on nor have a
    /// place for them.
    #[cfg(debug_assertions)]
    #[track_caller]
    fn note_caller(&self) {
        let caller = std::ptr::from_ref(Location::caller()).cast_mut();
        // Relaxed: it never goes away, and is for people to look at. One that goes with the slot's
        // former owner may be seen for a moment.
        self.opened_at.store(caller, Ordering::Relaxed);
    }

    #[cfg(debug_assertions)]
    fn opened_at(&self) -> Option<&'static Location<'static>> {
        // SAFETY: null or from a static reference.
        unsafe { self.opened_at.load(Ordering::Relaxed).as_ref() }
    }

    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_self, reason = "it is there with debug assertions")]
    fn opened_at(&self) -> Option<&'static Location<'static>> {
        None
    }
}

impl SlotRef {
    #[inline]
    fn word(&self) -> &AtomicU64 {
        // SAFETY: see the type.
        &unsafe { self.0.as_ref() }.word
    }

    /// Whether it announces nothing. For its owner, who alone changes that.
    #[inline]
    pub(crate) fn is_idle(self) -> bool {
        self.word().load(Ordering::Relaxed) == IDLE
    }
}

/// What a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Idle,
    /// Its owner may read anything that is visible at this timestamp or later.
    Open(u64),
    /// Its owner reads what is visible at this timestamp.
    Fixed(u64),
}

const IDLE: u64 = u64::MAX;

impl Bound {
    // The lowest bit tells open from fixed. A 3 GHz counter takes 97 years to reach the highest.
    fn encode(self) -> u64 {
        match self {
            Self::Idle => IDLE,
            Self::Open(timestamp) => timestamp << 1,
            Self::Fixed(timestamp) => timestamp << 1 | 1,
        }
    }

    fn decode(word: u64) -> Self {
        match word {
            IDLE => Self::Idle,
            word if word & 1 == 0 => Self::Open(word >> 1),
            word => Self::Fixed(word >> 1),
        }
    }
}

/// All slots of a database. They are never freed while it lives; the table grows by doubling.
pub(crate) struct Slots {
    /// Chunk `i` holds `FIRST << i` slots.
    chunks: [OnceLock<Box<[CachePadded<Slot>]>>; CHUNKS],
    unused: Mutex<Unused>,
}

#[derive(Default)]
struct Unused {
    returned: Vec<SlotRef>,
    never_used: usize,
}

const FIRST: usize = if SMALL { 2 } else { 16 };
const CHUNKS: usize = 26;

impl Slots {
    pub(crate) fn new() -> Self {
        Self {
            chunks: std::array::from_fn(|_| OnceLock::new()),
            unused: Mutex::default(),
        }
    }

    /// A slot that nobody else has, idle.
    pub(crate) fn acquire(&self) -> SlotRef {
        let mut unused = self.unused.lock();
        if bug!("slot-lent-twice") && unused.returned.len() == 1 {
            return unused.returned[0];
        }
        unused.returned.pop().unwrap_or_else(|| {
            unused.never_used += 1;
            self.make(unused.never_used - 1)
        })
    }

    /// Gives a slot back.
    pub(crate) fn release(&self, slot: SlotRef) {
        self.set_released(slot, Bound::Idle);
        self.unused.lock().returned.push(slot);
    }

    fn make(&self, number: usize) -> SlotRef {
        let chunk = (number / FIRST + 1).ilog2() as usize;
        let slots = self.chunks[chunk].get_or_init(|| {
            (0..FIRST << chunk)
                .map(|_| CachePadded::new(Slot::idle()))
                .collect()
        });
        SlotRef(NonNull::from(&*slots[number - FIRST * ((1 << chunk) - 1)]))
    }

    /// Announces an open bound. The caller executes a full fence before it reads anything under
    /// this protection.
    #[inline]
    #[expect(clippy::unused_self, reason = "it keeps the slot allocated")]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn set_before_fence(&self, slot: SlotRef, lower: u64) {
        // SAFETY: see the type.
        #[cfg(debug_assertions)]
        unsafe { slot.0.as_ref() }.note_caller();
        // Relaxed: the caller's fence orders it before its reads; partner: the fence in
        // `Memory::horizon`.
        slot.word()
            .store(Bound::Open(lower).encode(), Ordering::Relaxed);
    }

    /// Narrows what the slot protects.
    #[inline]
    #[expect(clippy::unused_self, reason = "it keeps the slot allocated")]
    pub(crate) fn set_released(&self, slot: SlotRef, bound: Bound) {
        // Release: all that was read under the old bound has been read; partner: the acquire load
        // in `bounds`.
        slot.word().store(bound.encode(), Ordering::Release);
    }

    /// All bounds that are not idle.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = Bound> {
        self.live().map(|(bound, _)| bound)
    }

    /// All bounds that are not idle, with the place in the program where each came from if that is
    /// known.
    pub(crate) fn live(&self) -> impl Iterator<Item = (Bound, Option<&'static Location<'static>>)> {
        self.chunks
            .iter()
            .map_while(OnceLock::get)
            .flatten()
            .map(|slot| {
                let bound = Bound::decode(slot.word.load(Ordering::Acquire));
                (bound, slot.opened_at())
            })
            .filter(|(bound, _)| *bound != Bound::Idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_survive_their_encoding() {
        for bound in [Bound::Idle, Bound::Open(0), Bound::Open(7), Bound::Fixed(7)] {
            assert_eq!(Bound::decode(bound.encode()), bound);
        }
    }

    #[test]
    fn every_slot_is_its_own_and_is_found_by_a_scan() {
        let slots = Slots::new();
        let taken: Vec<_> = (0..100).map(|_| slots.acquire()).collect();
        for (i, &slot) in taken.iter().enumerate() {
            slots.set_before_fence(slot, i as u64);
        }
        let mut found: Vec<_> = slots.bounds().collect();
        found.sort_by_key(|bound| bound.encode());
        let expected: Vec<_> = (0..100).map(Bound::Open).collect();
        assert_eq!(found, expected);
        slots.release(taken[42]);
        assert_eq!(slots.bounds().count(), 99);
        assert_eq!(slots.acquire(), taken[42]);
    }
}
