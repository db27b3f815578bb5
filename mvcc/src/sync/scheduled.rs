//! The primitives of the scheduler that the concurrency tests run everything under.

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
pub(crate) use std::sync::OnceLock;

/// Waiting for what happens under a mutex: counts the notifications.
#[derive(Default)]
pub(crate) struct Condvar(AtomicU64);

impl Condvar {
    /// Waits until it is notified; deadlines are always past.
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

/// How many locks the task has, mutexes included: user code runs without any (I8).
pub(crate) mod held {
    pub(crate) use shuttle_announce::held::{lock, unlock};

    /// The mutex that the task has locked last is one that user code may run under.
    pub(crate) fn set_aside() {
        unlock();
    }

    /// That mutex is going to be unlocked.
    pub(crate) fn take_back() {
        lock();
    }

    /// Says that user code may run now. What unwinds from a failed check of this module may leave
    /// anything locked, and a second panic would end the process before the first is told.
    pub(crate) fn nothing() {
        let held = shuttle_announce::held::count();
        assert!(
            held == 0 || super::freed::has_failed(),
            "user code runs while something is locked"
        );
    }
}

/// A threshold that is small where schedules are sampled, so that the shortest runs get to it.
pub(crate) fn threshold<T>(real: T, small: T) -> T {
    if shuttle_announce::is_exhaustive() {
        real
    } else {
        small
    }
}

/// Waiting longer only makes schedules longer.
pub(crate) fn random(_limit: u32) -> u32 {
    1
}

/// The same.
pub(crate) fn pause(_longest: std::time::Duration) {
    yield_now();
}

/// What has been freed, so that a use of it is a failure that says so, and not whatever the memory
/// holds by then. Memory is really freed when the next database is made.
pub(crate) mod freed {
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;
    use std::ptr::NonNull;

    type Free = Box<dyn FnOnce()>;

    // All tasks run on one thread of the operating system.
    std::thread_local! {
        static FREED: RefCell<HashMap<usize, Option<Free>>> = RefCell::default();
        static HAS_FAILED: Cell<bool> = const { Cell::new(false) };
    }

    pub(crate) fn free<T>(at: NonNull<T>, free: impl FnOnce() + 'static) {
        let address = at.as_ptr().addr();
        let before = FREED.with_borrow_mut(|freed| freed.insert(address, Some(Box::new(free))));
        check_that(!matches!(before, Some(Some(_))), "freed twice");
    }

    /// Marks memory that is kept for another use.
    pub(crate) fn set_free<T>(at: NonNull<T>, is_free: bool) {
        let address = at.as_ptr().addr();
        FREED.with_borrow_mut(|freed| {
            if is_free {
                check_that(freed.insert(address, None).is_none(), "freed twice");
            } else {
                check_that(freed.remove(&address).is_some(), "it was kept for reuse");
            }
        });
    }

    pub(crate) fn made<T>(_at: NonNull<T>) {}

    pub(crate) fn check<T>(at: NonNull<T>) {
        let is_free = FREED.with_borrow(|freed| freed.contains_key(&at.as_ptr().addr()));
        check_that(!is_free, "used after it was freed");
    }

    /// Whether a check has failed since the last database was made.
    pub(crate) fn has_failed() -> bool {
        HAS_FAILED.get()
    }

    fn check_that(holds: bool, otherwise: &str) {
        if !holds {
            HAS_FAILED.set(true);
            panic!("{otherwise}");
        }
    }

    pub(crate) fn forget() {
        HAS_FAILED.set(false);
        let freed = FREED.take();
        freed.into_values().flatten().for_each(|free| free());
    }
}
