//! A mutex without poisoning.

use crate::{Access, announce_before, held, place};
use shuttle::sync as scheduled;
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};

/// A mutex without poisoning.
#[derive(Debug, Default)]
pub struct Mutex<T>(scheduled::Mutex<T>);

/// The right to what is in a mutex.
#[derive(Debug)]
pub struct MutexGuard<'m, T> {
    place: usize,
    /// Taken out when it is dropped.
    guard: Option<scheduled::MutexGuard<'m, T>>,
}

impl<T> Mutex<T> {
    /// With this in it.
    pub const fn new(value: T) -> Self {
        Self(scheduled::Mutex::new(value))
    }

    fn guard<'m>(&self, guard: scheduled::MutexGuard<'m, T>) -> MutexGuard<'m, T> {
        held::lock();
        MutexGuard {
            place: place(self),
            guard: Some(guard),
        }
    }

    /// Waits until nobody else has it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        announce_before(Access::Lock(place(self)));
        self.guard(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// If nobody else has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        announce_before(Access::TryLock(place(self)));
        match self.0.try_lock() {
            Ok(guard) => Some(self.guard(guard)),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.guard(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("it is not dropped yet")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("it is not dropped yet")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        announce_before(Access::Unlock(self.place));
        drop(self.guard.take());
        held::unlock();
    }
}
