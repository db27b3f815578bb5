//! The only place that knows where the synchronisation primitives come from: the standard library
//! and `parking_lot`; or, with `cfg(shuttle)`, the scheduler that the concurrency tests run
//! everything under; or, with `cfg(mvcc_loom)`, the model checker of the orderings.
//!
//! Everything else imports atomics, locks, thread-locals and waiting from here.

#[cfg(mvcc_loom)]
mod modelled;
#[cfg(not(any(shuttle, mvcc_loom)))]
mod native;
#[cfg(shuttle)]
mod scheduled;

#[cfg(mvcc_loom)]
pub(crate) use modelled::*;
#[cfg(not(any(shuttle, mvcc_loom)))]
pub(crate) use native::*;
#[cfg(shuttle)]
pub(crate) use scheduled::*;
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::Ordering;

/// Counters that nothing but statistics depends on: no scheduling point.
pub(crate) mod counter {
    pub(crate) use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize};
}

/// Whether a seeded bug is built in. Each stands where the right line stands, and is a constant:
/// false, but in the runs that show that the tests find it.
macro_rules! bug {
    ($name:literal) => {
        cfg!(mvcc_bug = $name)
    };
}
pub(crate) use bug;

/// An ordering that the models can weaken to `Relaxed`, by its name, to show that they notice.
macro_rules! ordering {
    ($ordering:ident, $name:ident) => {{
        #[cfg(mvcc_loom)]
        let ordering = crate::sync::unless_weakened(Ordering::$ordering, stringify!($name));
        #[cfg(not(mvcc_loom))]
        let ordering = Ordering::$ordering;
        ordering
    }};
}
pub(crate) use ordering;

/// Whether somebody else decides who runs next.
pub(crate) const SCHEDULED: bool = cfg!(any(shuttle, mvcc_loom));
/// Whether thresholds are so small that the shortest runs get to them.
pub(crate) const SMALL: bool = cfg!(test) || SCHEDULED;

/// Waiting for another thread to finish a step of a few hundred nanoseconds: spin at first, then
/// give the processor away, since on a machine with few cores the other thread may not be running.
pub(crate) struct Wait {
    turns: u32,
}

impl Wait {
    pub(crate) fn new() -> Self {
        Self { turns: 0 }
    }

    /// Waits one turn and returns how many there have been.
    pub(crate) fn turn(&mut self) -> u32 {
        self.turns = self.turns.saturating_add(1);
        wait(self.turns);
        self.turns
    }
}

/// Waits a random time that doubles with each attempt up to a limit: transactions that lost against
/// each other should not meet again in step.
pub(crate) fn back_off(attempt: u32) {
    let limit = 16u32 << attempt.min(8);
    for _ in 0..random(limit) {
        spin_loop();
    }
    if attempt > 3 {
        yield_now();
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn who_waits_counts_the_turns() {
        let mut wait = Wait::new();
        assert!((1..=200).all(|turn| wait.turn() == turn));
    }

    #[test]
    fn random_waits_are_below_their_limit_and_differ() {
        let draws: std::collections::BTreeSet<_> = (0..1_000).map(|_| random(16)).collect();
        assert!(draws.len() > 1 && draws.iter().all(|draw| *draw < 16));
        back_off(u32::MAX);
    }
}
