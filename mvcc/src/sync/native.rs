//! The primitives of the standard library and `parking_lot`.

pub(crate) use foldhash::fast::RandomState as HashState;
pub(crate) use parking_lot::{Mutex, MutexGuard};
pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::OnceLock;
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

pub(crate) fn wait(turn: u32) {
    if turn <= SPINS {
        spin_loop();
    } else {
        yield_now();
    }
}

/// A threshold that is small where schedules are sampled, so that the shortest runs get to it.
pub(crate) const fn threshold<T: Copy>(real: T, _small: T) -> T {
    real
}

/// A random number below `limit`.
pub(crate) fn random(limit: u32) -> u32 {
    fastrand::u32(..limit)
}

/// Sleeps for a random time up to `longest`.
pub(crate) fn pause(longest: std::time::Duration) {
    std::thread::sleep(longest.mul_f64(fastrand::f64()));
}

/// How many locks the thread has: counted in debug builds, for user code runs without any (I8).
pub(crate) mod held {
    use std::cell::Cell;

    std::thread_local! {
        static HELD: Cell<usize> = const { Cell::new(0) };
    }

    /// The thread has one lock more.
    #[inline]
    pub(crate) fn lock() {
        if cfg!(debug_assertions) {
            HELD.set(HELD.get() + 1);
        }
    }

    /// The thread has one lock less.
    #[inline]
    pub(crate) fn unlock() {
        if cfg!(debug_assertions) {
            HELD.set(HELD.get() - 1);
        }
    }

    /// The mutex that the thread has locked last is one that user code may run under. Mutexes are
    /// not counted here.
    pub(crate) fn set_aside() {}

    /// That mutex is going to be unlocked.
    pub(crate) fn take_back() {}

    /// Says that user code may run now.
    #[inline]
    pub(crate) fn nothing() {
        debug_assert!(HELD.get() == 0, "user code runs while something is locked");
    }
}

/// What has been freed is not watched here.
pub(crate) mod freed {
    use std::ptr::NonNull;

    #[inline]
    pub(crate) fn free<T>(_at: NonNull<T>, free: impl FnOnce() + 'static) {
        free();
    }

    #[inline]
    pub(crate) fn set_free<T>(_at: NonNull<T>, _is_free: bool) {}

    #[inline]
    pub(crate) fn made<T>(_at: NonNull<T>) {}

    #[inline]
    pub(crate) fn check<T>(_at: NonNull<T>) {}

    pub(crate) fn forget() {}
}
