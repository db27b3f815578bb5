//! The locks of one tuple, behind a latch that is held for a few instructions and never while user
//! code runs.

use crate::age::Age;
use crate::lock::{Answer, Grant, Lock, Mode};
use crate::sync::{Condvar, Mutex, MutexGuard, Patience, bug};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// What of a tuple is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The key with its value, or its absence.
    Key,
    /// In an ordered table, the open interval between the key's predecessor and the key: that there
    /// is no other key.
    Gap,
}

/// Why a lock was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The tuple has left its index, or is about to.
    Dead,
    /// This older transaction is in the way.
    Die(Age),
}

/// The locks of a tuple, and what its index needs to know of it.
#[derive(Debug)]
pub(crate) struct Locks {
    latch: Mutex<State>,
    changed: Condvar,
    /// The tuple has a committed value. Written by the exclusive holder and read where nobody holds
    /// the key: Relaxed, for the latch orders them.
    present: AtomicBool,
    /// The place of the holder's buffered write. Only the exclusive holder of the key reads or
    /// writes it: Relaxed, as above.
    write: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    key: Lock,
    gap: Lock,
    dead: bool,
    /// Threads that sleep until something changes.
    sleepers: u32,
}

const NO_WRITE: u32 = u32::MAX;

impl State {
    fn lock(&mut self, part: Part) -> &mut Lock {
        match part {
            Part::Key => &mut self.key,
            Part::Gap => &mut self.gap,
        }
    }

    fn is_free(&self) -> bool {
        self.key.is_free() && self.gap.is_free()
    }
}

impl Locks {
    /// Free locks of something that is never removed.
    pub(crate) fn permanent() -> Self {
        let locks = Self::absent();
        locks.set_present(true);
        locks
    }

    /// Free locks of a tuple without a value.
    pub(crate) fn absent() -> Self {
        Self::new(State::default())
    }

    /// The locks of a tuple that a transaction is inserting into an ordered table, with the gap
    /// shared by it if it has shared the gap that the tuple divides.
    pub(crate) fn inserted(age: Age, gap: bool) -> Self {
        Self::new(State {
            key: Lock::exclusive(age),
            gap: if gap {
                Lock::shared(age)
            } else {
                Lock::default()
            },
            ..State::default()
        })
    }

    fn new(state: State) -> Self {
        Self {
            latch: Mutex::new(state),
            changed: Condvar::new(),
            present: AtomicBool::new(false),
            write: AtomicU32::new(NO_WRITE),
        }
    }

    /// Takes a lock. Waits for the younger, and is refused because of the older.
    pub(crate) fn acquire(&self, age: Age, part: Part, mode: Mode) -> Result<Grant, Refusal> {
        let mut state = self.latch.lock();
        if state.dead && !bug!("dead-tuple-is-locked") {
            return Err(Refusal::Dead);
        }
        let upgrade = match state.lock(part).request(age, mode) {
            Answer::Granted(grant) => return Ok(grant),
            Answer::Die(elder) => return Err(Refusal::Die(elder)),
            Answer::Wait => state.lock(part).is_held_by(age),
        };
        self.wait(&mut state, |state| state.lock(part).is_granted(age, mode));
        Ok(Grant {
            new: !upgrade,
            exclusive: mode == Mode::Exclusive,
        })
    }

    /// Gives up a lock. True: the tuple is dead now, and the caller is to take it out of its index.
    pub(crate) fn release(&self, age: Age, part: Part) -> bool {
        let mut state = self.latch.lock();
        state.lock(part).release(age);
        let vacant = !state.dead && !self.is_present() && state.is_free();
        state.dead |= vacant;
        self.wake(state);
        vacant
    }

    /// Makes an exclusive lock a shared one again.
    pub(crate) fn downgrade(&self, part: Part) {
        let mut state = self.latch.lock();
        state.lock(part).downgrade();
        self.wake(state);
    }

    /// Waits until a transaction neither holds the lock nor waits for it. Only for those who hold
    /// no lock themselves.
    pub(crate) fn wait_for_end_of(&self, age: Age, part: Part) {
        let mut state = self.latch.lock();
        self.wait(&mut state, |state| !state.lock(part).involves(age));
    }

    /// How many locks are held on the tuple.
    pub(crate) fn count(&self) -> usize {
        let state = self.latch.lock();
        state.key.holders().count() + state.gap.holders().count()
    }

    /// For the exclusive holder of the key.
    pub(crate) fn set_present(&self, present: bool) {
        self.present.store(present, Relaxed);
    }

    /// For holders of the key: whether it has a committed value.
    pub(crate) fn is_present(&self) -> bool {
        self.present.load(Relaxed)
    }

    /// For the exclusive holder of the key.
    pub(crate) fn set_write(&self, place: Option<usize>) {
        let place = place.map_or(NO_WRITE, |place| {
            u32::try_from(place).expect("a transaction has fewer than 2^32 writes")
        });
        self.write.store(place, Relaxed);
    }

    /// For the exclusive holder of the key.
    pub(crate) fn write(&self) -> Option<usize> {
        let place = self.write.load(Relaxed);
        (place != NO_WRITE).then_some(place as usize)
    }

    /// Waits for a moment, for most transactions are short, then sleeps.
    fn wait(&self, state: &mut MutexGuard<'_, State>, mut over: impl FnMut(&mut State) -> bool) {
        let patience = Patience::new();
        while !over(state) {
            if !patience.has_waited(state) {
                state.sleepers += 1;
                self.changed.wait(state);
                state.sleepers -= 1;
            }
        }
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let asleep = state.sleepers > 0;
        drop(state);
        if asleep && !bug!("sleepers-not-woken") {
            self.changed.notify_all();
        }
    }
}
