//! The only place that knows where the synchronisation primitives come from: `parking_lot` and the
//! standard library, or, with `cfg(shuttle)`, the scheduler that the concurrency tests run
//! everything under.
//!
//! `dashmap` is the same in both: its calls become atomic steps, with a scheduling point before
//! each; see [`step`]. What is written and read while a lock or a latch is held needs no scheduling
//! points, and neither do numbers that only have to be unique.

#[cfg(not(shuttle))]
pub(crate) use native::*;
#[cfg(shuttle)]
pub use scheduled::seed_bug;
#[cfg(shuttle)]
pub(crate) use scheduled::*;

/// Whether a seeded bug is there, which stands where the right line stands. A constant, false; but
/// under the scheduler it is up to the test, to show that it would be found.
macro_rules! bug {
    ($name:literal) => {
        $crate::sync::is_seeded($name)
    };
}
pub(crate) use bug;

#[cfg(not(shuttle))]
mod native {
    use crossbeam_utils::Backoff;
    pub(crate) use foldhash::fast::RandomState as HashState;
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
    use std::ops::{Deref, DerefMut};
    use std::sync::PoisonError;
    pub(crate) use std::sync::atomic::AtomicUsize;
    pub(crate) use std::thread_local;

    #[inline]
    pub(crate) const fn is_seeded(_bug: &str) -> bool {
        false
    }

    /// A lock that is cheap to share and costly to have alone, without poisoning.
    pub(crate) struct ShardedLock<T>(crossbeam_utils::sync::ShardedLock<T>);

    impl<T> ShardedLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(crossbeam_utils::sync::ShardedLock::new(value))
        }

        pub(crate) fn read(&self) -> impl Deref<Target = T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn write(&self) -> impl DerefMut<Target = T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// Where the scheduler may run another task.
    #[inline]
    pub(crate) fn step() {}

    /// Waiting for what takes a moment only, most of the time.
    pub(crate) struct Patience(Backoff);

    impl Patience {
        pub(crate) fn new() -> Self {
            Self(Backoff::new())
        }

        /// Lets go of a latch and spins or yields. False: that has been enough, and it is time to
        /// sleep.
        pub(crate) fn has_waited<T>(&self, latch: &mut MutexGuard<'_, T>) -> bool {
            if self.0.is_completed() {
                return false;
            }
            MutexGuard::unlocked(latch, || self.0.snooze());
            true
        }
    }
}

#[cfg(shuttle)]
mod scheduled {
    /// The same hashes in each run, so that a schedule can be replayed.
    pub(crate) use foldhash::fast::FixedState as HashState;
    use shuttle::sync;
    pub(crate) use shuttle::sync::atomic::AtomicUsize;
    pub(crate) use shuttle::thread_local;
    use std::cell::Cell;
    use std::ops::{Deref, DerefMut};
    use std::sync::PoisonError;
    use std::sync::atomic::Ordering::SeqCst;

    std::thread_local! {
        /// The scheduler's tasks all run on the thread of their test.
        static SEEDED: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Puts a bug into what this thread explores from now on, in place of the one before.
    pub fn seed_bug(name: Option<&'static str>) {
        SEEDED.set(name);
    }

    pub(crate) fn is_seeded(bug: &str) -> bool {
        SEEDED.get() == Some(bug)
    }

    pub(crate) fn step() {
        // Any access to something shared is a scheduling point.
        AtomicUsize::new(0).load(SeqCst);
    }

    /// A mutex without poisoning, as `parking_lot`'s.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(sync::Mutex<T>);

    /// A reader-writer lock without poisoning, as `parking_lot`'s.
    #[derive(Debug, Default)]
    pub(crate) struct RwLock<T>(sync::RwLock<T>);

    pub(crate) use RwLock as ShardedLock;

    /// Empty only while it waits for a condition variable.
    pub(crate) struct MutexGuard<'m, T>(Option<sync::MutexGuard<'m, T>>);

    #[derive(Debug, Default)]
    pub(crate) struct Condvar(sync::Condvar);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            let guard = self.0.lock();
            MutexGuard(Some(guard.unwrap_or_else(PoisonError::into_inner)))
        }
    }

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> sync::RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().expect("it does not wait")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("it does not wait")
        }
    }

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let held = guard.0.take().expect("it does not wait");
            let held = self.0.wait(held);
            guard.0 = Some(held.unwrap_or_else(PoisonError::into_inner));
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// None: who waits sleeps at once, so the scheduler sees a deadlock as one.
    pub(crate) struct Patience;

    impl Patience {
        pub(crate) fn new() -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as the native one")]
        pub(crate) fn has_waited<T>(&self, _latch: &mut MutexGuard<'_, T>) -> bool {
            false
        }
    }
}
