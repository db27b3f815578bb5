//! The only place that knows where the synchronisation primitives come from.
//!
//! Everything else imports atomics, locks, thread-locals and waiting from here, so that a model checker's
//! versions can stand in for the standard ones.

pub(crate) use parking_lot::{Mutex, MutexGuard};
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub(crate) use std::thread_local;

/// Waiting for another thread to finish a step of a few hundred nanoseconds: spin at first, then give the
/// processor away, since on a machine with few cores the other thread may not be running.
pub(crate) struct Wait {
    turns: u32,
}

impl Wait {
    /// Turns that spin; later ones yield. A commit of a few writes takes less than this many `pause`s.
    const SPINS: u32 = 64;

    pub(crate) fn new() -> Self {
        Self { turns: 0 }
    }

    /// Waits one turn and returns how many there have been.
    pub(crate) fn turn(&mut self) -> u32 {
        self.turns = self.turns.saturating_add(1);
        if self.turns <= Self::SPINS {
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
        self.turns
    }
}

/// Waits a random time that doubles with each attempt up to a limit: transactions that lost against each
/// other should not meet again in step.
pub(crate) fn back_off(attempt: u32) {
    let limit = 16u32 << attempt.min(8);
    for _ in 0..fastrand::u32(..limit) {
        std::hint::spin_loop();
    }
    if attempt > 3 {
        std::thread::yield_now();
    }
}
