//! Garbage: superseded versions on their way to being freed, and tuples on their way out of their
//! index.
//!
//! Every superseded version belongs to exactly one [`Retired`](crate::memory::retired::Retired)
//! entry, that of the commit which superseded it; the newest version belongs to its tuple. Three
//! fates:
//!
//! - The successor is below the watermark: every walk along the chain ends at the successor or
//!   above it, now and later, so nobody reaches the version. It is freed or recycled at once,
//!   without touching its tuple, whose chain keeps a pointer that nobody follows (I4).
//! - No live snapshot lies between the version and its successor, though older ones live: it is
//!   unlinked, by one collector at a time, and freed through the epoch, since an older snapshot's
//!   walk may be passing (I5).
//! - A snapshot sees it: it is put by until that snapshot has gone.
//!
//! What is unlinked from an index (dead tuples, replaced arrays) may still be in use by whoever
//! found it there. It waits until no slot is open from before it was unlinked (I9), and then for
//! the epoch, since those whose slot is fixed pin instead.

pub(crate) mod local;

mod removal;
mod work;

use crate::collect::local::Local;
use crate::memory::horizon::Horizon;
use crate::memory::panicked::Panicked;
use crate::memory::retired::Effort;
use crate::memory::{Memory, Worker};
use crate::rows::unlinked::Unlinked;
use crate::sync::{Ordering, SCHEDULED, SMALL, Wait, fence, pause};
use crossbeam_epoch::Guard;
use std::ptr::NonNull;
use std::time::Duration;

use work::Work;

/// Things that left an index and are freed in one step.
const TOGETHER: usize = if SMALL { 2 } else { 64 };
/// How long a commit pauses at most for so many bytes that have piled up. Until it wakes up again,
/// its processor is another thread's.
const PAUSE: Duration = Duration::from_micros(500);
/// And for however many.
const LONGEST: Duration = Duration::from_millis(5);
/// Rounds of [`settle`]: in the first one, what threads that have ended leave becomes garbage.
const SETTLING: u32 = if SCHEDULED { 1 } else { 3 };
/// Pins that make the epoch collect three times: it does so every 128 pins.
const COLLECTING_PINS: u32 = if SCHEDULED { 1 } else { 3 * 128 };
/// Turns that [`flush`] waits for threads that are pinned: some 64 µs of spinning, then some 0.1 s
/// of pauses.
const FLUSH_TURNS: u32 = if SCHEDULED { 2 } else { 1024 };
/// Those that are no pauses.
const SPINS: u32 = 64;
/// How long each of the others is at most.
const NAP: Duration = Duration::from_micros(200);

/// Collects a worker's garbage as far as the live transactions allow. Runs the `Drop` of keys and
/// values; no lock is held then.
pub(crate) fn collect(local: &Local, worker: &Worker, horizon: &Horizon, effort: Effort) {
    let mut work = Work::new(local, worker, horizon);
    loop {
        let mut garbage = worker.garbage.lock();
        garbage.take_expired(horizon, &mut work.lists);
        drop(garbage);
        if work.lists.entries.is_empty() && work.lists.cleared.is_empty() {
            break;
        }
        while !work.lists.entries.is_empty() {
            work.dispose_last();
        }
        work.recycle();
    }
    let mut garbage = worker.garbage.lock();
    garbage.take_unseen(horizon, effort, &mut work.lists.entries);
    drop(garbage);
    // One pin for all of them.
    let guard = local.pin();
    work.unlink_all();
    while !work.lists.entries.is_empty() {
        work.dispose_last();
    }
    drop(work);
    let mut unlinked = worker.garbage.lock().take_unlinked(horizon);
    // Many at a time: the epoch runs so many functions at a time, whatever they free, and a
    // transaction may have left more things.
    while !unlinked.is_empty() {
        let some = unlinked.split_off(unlinked.len().saturating_sub(TOGETHER));
        let panicked = local.memory().panicked.clone();
        defer(local.memory(), &guard, some.len(), move || {
            free_all(some, &panicked);
        });
    }
}

/// Frees what left an index, all of it, also if the drop of a user's key panics.
fn free_all(unlinked: Vec<Unlinked>, panicked: &Panicked) {
    for each in unlinked {
        panicked.caught(|| drop(each));
    }
}

/// Retires what has just left an index.
///
/// A transaction whose slot is open at a bound above the time that is noted here cannot have found
/// it. For let the transaction have loaded that bound before its fence, and we unlinked before
/// ours. If its fence came first, our load below would have seen its bound or a later one; so ours
/// came first, and its search of the index, after its fence, saw the index without this.
pub(crate) fn unlinked(local: &Local, unlinked: Unlinked) {
    fence(Ordering::SeqCst);
    let at = local.memory().coarse_clock();
    let mut garbage = local.worker().garbage.lock();
    garbage.add_unlinked(at, unlinked);
    local.set_due(garbage.is_due());
}

/// Collects what transactions have left that did not commit. At the beginning of a transaction,
/// where nothing unwinds as a rule, and which anybody comes by who produces such garbage again.
#[cold]
pub(crate) fn collect_left(local: &Local) {
    let memory = local.memory();
    // Where nobody commits, nobody else moves the coarse clock on.
    memory.advance(memory.clock.now(), memory.clock.coarse_step());
    collect_some(local);
}

/// Collects this thread's own garbage, and a neighbour's: so what a thread leaves behind that runs
/// no more transactions is collected by those that do.
pub(crate) fn collect_some(local: &Local) {
    // First: it may run code that begins transactions.
    local.set_due(false);
    let horizon = local.memory().horizon();
    collect(local, local.worker(), &horizon, Effort::Some);
    if let Some(neighbour) = local.memory().neighbour() {
        collect(local, &neighbour, &horizon, Effort::Some);
    }
    local.memory().spare.ebb();
    let deferred = local.memory().deferred.load(Ordering::Relaxed);
    if deferred > 0 {
        local.pin().flush();
        local.memory().panicked.go_on();
    }
    // A few milliseconds of commits wait for a transaction that is open, or for a thread that is
    // pinned: as a rule, that has been preempted. A processor that has nothing to do fetches it.
    // Should it be a long transaction on purpose, the pauses take a small part of the time in which
    // so much was written, for there is none before that has doubled.
    let piled_up = local.worker().garbage.lock().piles_up(deferred);
    if let Some(times) = piled_up {
        pause((PAUSE * times).min(LONGEST));
    }
}

/// Collects everybody's garbage, all that is garbage now.
pub(crate) fn collect_all(local: &Local) {
    let memory = local.memory();
    // The first round unlinks versions; the second one tuples that another worker had them of;
    // those can go when the coarse clock has moved on.
    for _ in 0..3 {
        memory.advance(memory.clock.now(), 0);
        let horizon = memory.horizon();
        for worker in memory.workers() {
            collect(local, &worker, &horizon, Effort::All);
        }
    }
    flush(local);
    settle(local);
    local.free_spares();
    for worker in memory.workers() {
        worker.pool.clear();
        worker.garbage.lock().shrink();
    }
    memory.spare.clear();
    memory.panicked.go_on();
}

/// Frees what waits for the epoch, as far as nobody is pinned.
pub(crate) fn flush(local: &Local) {
    let memory = local.memory();
    // Each flush moves the epoch on by one and runs a few bags; nothing moves while some other
    // guard stays pinned. Guards are held for a way through an index only, but a thread may have
    // been preempted there, or at its end: give it the time to go on.
    let mut wait = Wait::new();
    loop {
        let before = memory.deferred.load(Ordering::Relaxed);
        if before == 0 {
            return;
        }
        local.pin().flush();
        if memory.deferred.load(Ordering::Relaxed) < before {
            wait = Wait::new();
        } else {
            match wait.turn() {
                turn if turn > FLUSH_TURNS => return,
                // It may wait for a processor that is not ours.
                turn if turn > SPINS => pause(NAP),
                _ => {}
            }
        }
    }
}

/// Frees what the epoch keeps for itself: a queue of bags of 2 KiB each. What it has run of them
/// comes back to it as garbage, in a new bag with each flush. Pinning makes it collect and adds no
/// bag.
fn settle(local: &Local) {
    for _ in 0..SETTLING {
        local.pin().flush();
        for _ in 0..COLLECTING_PINS {
            local.pin();
        }
    }
}

/// Runs `free`, which frees so many, once everyone who is pinned now no longer is.
fn defer(memory: &Memory, guard: &Guard, count: usize, free: impl FnOnce() + 'static) {
    let deferred = NonNull::from(&memory.deferred);
    memory.deferred.fetch_add(count, Ordering::Relaxed);
    // SAFETY: `free` frees what nobody who pins later can reach, and may run on any thread since
    // keys and values are `Send`. The counter is there as long as the collector, which is in the
    // same `Shared`, runs anything.
    unsafe {
        guard.defer_unchecked(move || {
            deferred.as_ref().fetch_sub(count, Ordering::Relaxed);
            free();
        });
    }
}
