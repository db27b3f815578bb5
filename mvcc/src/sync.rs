//! The only place that knows where the synchronisation primitives come from: the standard library and
//! `parking_lot`, or, with `cfg(shuttle)`, the scheduler that the concurrency tests run everything under.
//!
//! Everything else imports atomics, locks, thread-locals and waiting from here.

#[cfg(not(shuttle))]
pub(crate) use native::*;
#[cfg(shuttle)]
pub(crate) use scheduled::*;
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::Ordering;

/// Counters that nothing but statistics depends on: no scheduling point.
pub(crate) mod counter {
    pub(crate) use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize};
}

/// Whether a seeded bug is built in. Each stands where the right line stands, and is a constant: false, but in the runs that show
/// that the tests find it.
macro_rules! bug {
    ($name:literal) => {
        cfg!(mvcc_bug = $name)
    };
}
pub(crate) use bug;

#[cfg(not(shuttle))]
mod native {
    pub(crate) use foldhash::fast::RandomState as HashState;
    pub(crate) use parking_lot::{Mutex, MutexGuard};
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence,
    };
    pub(crate) use std::thread::{ThreadId, current, yield_now};
    pub(crate) use std::thread_local;

    /// Waiting for what happens under a mutex.
    #[derive(Default)]
    pub(crate) struct Condvar(parking_lot::Condvar);

    impl Condvar {
        /// Waits until it is notified, or until the deadline if there is one. False if that is past.
        pub(crate) fn wait<'m, T>(
            &self,
            _mutex: &'m Mutex<T>,
            mut guard: MutexGuard<'m, T>,
            deadline: Option<std::time::Instant>,
        ) -> (MutexGuard<'m, T>, bool) {
            let Some(deadline) = deadline else {
                self.0.wait(&mut guard);
                return (guard, true);
            };
            let in_time = !self.0.wait_until(&mut guard, deadline).timed_out();
            (guard, in_time)
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// Turns that spin; later ones yield. A commit of a few writes takes less than this many `pause`s.
    const SPINS: u32 = 64;

    pub(super) fn wait(turn: u32) {
        if turn <= SPINS {
            spin_loop();
        } else {
            yield_now();
        }
    }

    /// A random number below `limit`.
    pub(super) fn random(limit: u32) -> u32 {
        fastrand::u32(..limit)
    }

    /// Sleeps for a random time up to `longest`.
    pub(crate) fn pause(longest: std::time::Duration) {
        std::thread::sleep(longest.mul_f64(fastrand::f64()));
    }
}

#[cfg(shuttle)]
mod scheduled {
    use super::Ordering;
    /// The same hashes in each run, so that a schedule can be replayed.
    pub(crate) use foldhash::fast::FixedState as HashState;
    pub(crate) use shuttle::hint::spin_loop;
    pub(crate) use shuttle::sync::atomic::fence;
    pub(crate) use shuttle::thread::{ThreadId, current, yield_now};
    pub(crate) use shuttle::thread_local;
    pub(crate) use shuttle_announce::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, wait,
    };

    /// The same. Counts the notifications.
    #[derive(Default)]
    pub(crate) struct Condvar(AtomicU64);

    impl Condvar {
        /// The same, but deadlines are always past.
        pub(crate) fn wait<'m, T>(
            &self,
            mutex: &'m Mutex<T>,
            guard: MutexGuard<'m, T>,
            deadline: Option<std::time::Instant>,
        ) -> (MutexGuard<'m, T>, bool) {
            if deadline.is_some() {
                return (guard, false);
            }
            let seen = self.0.load(Ordering::SeqCst);
            drop(guard);
            let mut wait = super::Wait::new();
            while self.0.load(Ordering::SeqCst) == seen {
                wait.turn();
            }
            (mutex.lock(), true)
        }

        pub(crate) fn notify_all(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waiting longer only makes schedules longer.
    pub(super) fn random(_limit: u32) -> u32 {
        1
    }

    /// The same.
    pub(crate) fn pause(_longest: std::time::Duration) {
        yield_now();
    }
}

/// What has been freed, so that a use of it is a failure that says so, and not whatever the memory holds by then. Only the concurrency tests
/// pay for it: there, memory is really freed when the next database is made.
#[cfg(not(shuttle))]
pub(crate) mod freed {
    use std::ptr::NonNull;

    #[inline]
    pub(crate) fn free<T>(_at: NonNull<T>, free: impl FnOnce() + 'static) {
        free();
    }

    #[inline]
    pub(crate) fn set_free<T>(_at: NonNull<T>, _is_free: bool) {}

    #[inline]
    pub(crate) fn check<T>(_at: NonNull<T>) {}

    pub(crate) fn forget() {}
}

#[cfg(shuttle)]
pub(crate) mod freed {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::ptr::NonNull;

    type Free = Box<dyn FnOnce()>;

    // All tasks run on one thread of the operating system.
    std::thread_local! {
        static FREED: RefCell<HashMap<usize, Option<Free>>> = RefCell::default();
    }

    pub(crate) fn free<T>(at: NonNull<T>, free: impl FnOnce() + 'static) {
        let address = at.as_ptr().addr();
        let before = FREED.with_borrow_mut(|freed| freed.insert(address, Some(Box::new(free))));
        assert!(!matches!(before, Some(Some(_))), "freed twice");
    }

    /// Marks memory that is kept for another use.
    pub(crate) fn set_free<T>(at: NonNull<T>, is_free: bool) {
        let address = at.as_ptr().addr();
        FREED.with_borrow_mut(|freed| {
            if is_free {
                assert!(freed.insert(address, None).is_none(), "freed twice");
            } else {
                assert!(freed.remove(&address).is_some(), "it was kept for reuse");
            }
        });
    }

    pub(crate) fn check<T>(at: NonNull<T>) {
        let is_free = FREED.with_borrow(|freed| freed.contains_key(&at.as_ptr().addr()));
        assert!(!is_free, "used after it was freed");
    }

    pub(crate) fn forget() {
        let freed = FREED.take();
        freed.into_values().flatten().for_each(|free| free());
    }
}

/// Waiting for another thread to finish a step of a few hundred nanoseconds: spin at first, then give the
/// processor away, since on a machine with few cores the other thread may not be running.
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

/// Waits a random time that doubles with each attempt up to a limit: transactions that lost against each
/// other should not meet again in step.
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
