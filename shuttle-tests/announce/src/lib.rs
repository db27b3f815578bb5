//! The scheduler's primitives, which announce what a task is about to do.
//!
//! A scheduler that is to leave out what makes no difference has to know which steps could as well
//! have come in the other order: those on different places, and reads of the same one. Shuttle
//! tells its schedulers who can go on, but not with what. So each operation here leaves an
//! [`Access`] just before it hands over to the scheduler, which [takes](take) it.
//!
//! All tasks of a schedule run on one thread of the operating system, so a thread-local is all that
//! this needs.

mod atomic;
pub mod held;
mod mutex;

pub use atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
pub use mutex::{Mutex, MutexGuard};
use shuttle_engine::runtime::thread::switch;
use std::cell::Cell;

/// What a task does once it is scheduled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Nothing that other tasks can see.
    #[default]
    Local,
    /// It reads a place.
    Read(usize),
    /// It writes a place, or may.
    Write(usize),
    /// It locks a mutex, once it is free.
    Lock(usize),
    /// It locks a mutex if it is free.
    TryLock(usize),
    /// It unlocks a mutex.
    Unlock(usize),
    /// It goes on waiting: what it has looked at since it last said this is not yet what it waits
    /// for.
    Wait,
    /// It begins to wait.
    FirstWait,
}

thread_local! {
    static NEXT: Cell<Access> = const { Cell::new(Access::Local) };
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static EXHAUSTIVE: Cell<bool> = const { Cell::new(false) };
}

/// What the task that has just handed over to the scheduler is about to do.
pub fn take() -> Access {
    NEXT.take()
}

/// Whether tasks are switched between only where one waits for another. Nothing is announced then.
///
/// For what surrounds the tasks that are to be explored, and happens in one order.
pub fn set_quiet(quiet: bool) {
    QUIET.set(quiet);
}

/// Whether all schedules are to be explored, rather than some. Then nobody gives up after a few
/// turns of waiting: how many there have been is nothing that such a search tells apart.
pub fn set_exhaustive(exhaustive: bool) {
    EXHAUSTIVE.set(exhaustive);
}

/// What [`set_exhaustive`] has said.
pub fn is_exhaustive() -> bool {
    EXHAUSTIVE.get()
}

/// Lets others go first.
fn announce(access: Access) {
    if !QUIET.get() {
        NEXT.set(access);
        switch();
    }
}

/// The same for what hands over to the scheduler itself.
fn announce_before(access: Access) {
    if !QUIET.get() {
        NEXT.set(access);
    }
}

fn place<T: ?Sized>(of: &T) -> usize {
    std::ptr::from_ref(of).addr()
}

/// Lets others go on. `turn` counts from 1 in each loop that waits for something.
///
/// A scheduler that leaves out what makes no difference lets the task go on when somebody has
/// written what it has looked at since the turn before.
pub fn wait(turn: u32) {
    announce_before(if turn == 1 {
        Access::FirstWait
    } else {
        Access::Wait
    });
    shuttle::thread::yield_now();
}
