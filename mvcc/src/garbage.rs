//! Garbage: superseded versions on their way to being freed, and tuples on their way out of their index.
//!
//! Every superseded version belongs to exactly one [`Retired`] entry, that of the commit which superseded it; the newest
//! version belongs to its tuple. Three fates:
//!
//! - The successor is below the watermark: every walk along the chain ends at the successor or above it, now and later, so nobody reaches
//!   the version. It is freed or recycled at once, without touching its tuple, whose chain keeps a pointer that nobody follows (I4).
//! - No live snapshot lies between the version and its successor, though older ones live: it is unlinked, by one collector at a time, and
//!   freed through the epoch, since an older snapshot's walk may be passing (I5).
//! - A snapshot sees it: it is put by until that snapshot has gone.
//!
//! What is unlinked from an index (dead tuples, replaced arrays) may still be in use by whoever found it there. It waits until no slot is open from
//! before it was unlinked, and then for the epoch, since those whose slot is fixed pin instead.

mod removal;
mod retired;
mod work;

use crate::local::Local;
use crate::shared::{Horizon, Shared, Worker};
use crate::sync::{Mutex, Ordering, SCHEDULED, SMALL, Wait, counter, fence, held, pause};
use crate::unlinked::Unlinked;
use crossbeam_epoch::Guard;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::time::Duration;

use work::Work;

pub(crate) use retired::{Effort, Garbage, Retired};
pub(crate) use work::Lists;

/// A collection scans every slot: it should find this many entries to pay for that.
const BATCH: usize = if SMALL { 2 } else { 32 };
/// Things that left an index and are freed in one step.
const TOGETHER: usize = if SMALL { 2 } else { 64 };
/// Entries that wait in the queue before those between two snapshots are unlinked, which looks at their tuples.
const PATIENCE: usize = if SMALL { 4 } else { 64 };
/// How long a commit pauses at most for so many bytes that have piled up. Until it wakes up again, its processor is another thread's.
const PAUSE: Duration = Duration::from_micros(500);
/// And for however many.
const LONGEST: Duration = Duration::from_millis(5);
/// Rounds of [`settle`]: in the first one, what threads that have ended leave becomes garbage.
const SETTLING: u32 = if SCHEDULED { 1 } else { 3 };
/// Pins that make the epoch collect three times: it does so every 128 pins.
const COLLECTING_PINS: u32 = if SCHEDULED { 1 } else { 3 * 128 };
/// Turns that [`flush`] waits for threads that are pinned: some 64 µs of spinning, then some 0.1 s of pauses.
const FLUSH_TURNS: u32 = if SCHEDULED { 2 } else { 1024 };
/// Those that are no pauses.
const SPINS: u32 = 64;
/// How long each of the others is at most.
const NAP: Duration = Duration::from_micros(200);

/// Collects a worker's garbage as far as the live transactions allow. Runs the `Drop` of keys and values; no lock is held then.
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
    // Many at a time: the epoch runs so many functions at a time, whatever they free, and a transaction may have left more things.
    while !unlinked.is_empty() {
        let some = unlinked.split_off(unlinked.len().saturating_sub(TOGETHER));
        let panicked = local.shared().panicked.clone();
        defer(local.shared(), &guard, some.len(), move || {
            free_all(some, &panicked);
        });
    }
}

/// A panic of user code that the epoch has run: it goes on once the epoch is through, for what that was about to run
/// besides would be lost. Of several, the first.
#[derive(Default)]
pub(crate) struct Panicked {
    payload: Mutex<Option<Box<dyn Any + Send>>>,
    /// How many there were. Who looks here first takes no lock that others take.
    count: counter::AtomicUsize,
}

/// Frees what left an index, all of it, also if the drop of a user's key panics.
fn free_all(unlinked: Vec<Unlinked>, panicked: &Panicked) {
    for each in unlinked {
        caught(panicked, || drop(each));
    }
}

/// Runs something for the epoch that may panic.
fn caught(panicked: &Panicked, run: impl FnOnce()) {
    held::nothing();
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else {
        return;
    };
    panicked.count.fetch_add(1, Ordering::Relaxed);
    let mut first = panicked.payload.lock();
    if first.is_none() {
        *first = Some(payload);
        return;
    }
    drop(first);
    // Without the lock: a payload is the user's, and dropping it may run anything (I8).
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // It may be of the same kind.
        std::mem::forget(another);
    }
}

/// Goes on with a panic that the epoch has been spared.
fn go_on_panicking(shared: &Shared) {
    // Relaxed: what this thread has run it sees, and another's next collection comes by here again.
    if shared.panicked.count.load(Ordering::Relaxed) == 0 {
        return;
    }
    shared.panicked.count.store(0, Ordering::Relaxed);
    let payload = shared.panicked.payload.lock().take();
    // One at a time: a second panic would be the end.
    if let Some(payload) = payload.filter(|_| !std::thread::panicking()) {
        resume_unwind(payload);
    }
}

/// Retires what has just left an index.
///
/// A transaction whose slot is open at a bound above the time that is noted here cannot have found it. For let the transaction have loaded
/// that bound before its fence, and we unlinked before ours. If its fence came first, our load below would have seen its bound or a later one; so ours
/// came first, and its search of the index, after its fence, saw the index without this.
pub(crate) fn unlinked(local: &Local, unlinked: Unlinked) {
    fence(Ordering::SeqCst);
    let at = local.shared().recent();
    let mut garbage = local.worker().garbage.lock();
    garbage.add_unlinked(at, unlinked);
    local.set_due(garbage.is_due());
}

/// Collects what transactions have left that did not commit. At the beginning of a transaction, where nothing
/// unwinds as a rule, and which anybody comes by who produces such garbage again.
#[cold]
pub(crate) fn collect_left(local: &Local) {
    let shared = local.shared();
    // Where nobody commits, nobody else moves the coarse clock on.
    shared.advance(shared.clock.now(), shared.clock.coarse_step());
    collect_some(local);
}

/// Collects this thread's own garbage, and a neighbour's: so what a thread leaves behind that runs no
/// more transactions is collected by those that do.
pub(crate) fn collect_some(local: &Local) {
    // First: it may run code that begins transactions.
    local.set_due(false);
    let horizon = Horizon::scan(local.shared());
    collect(local, local.worker(), &horizon, Effort::Some);
    if let Some(neighbour) = local.shared().neighbour() {
        collect(local, &neighbour, &horizon, Effort::Some);
    }
    local.shared().spare.ebb();
    let deferred = local.shared().deferred.load(Ordering::Relaxed);
    if deferred > 0 {
        local.pin().flush();
        go_on_panicking(local.shared());
    }
    // A few milliseconds of commits wait for a transaction that is open, or for a thread that is pinned: as a rule, that has been preempted. A processor that
    // has nothing to do fetches it. Should it be a long transaction on purpose, the pauses take a small part of the time in which so much was written, for there is
    // none before that has doubled.
    let piled_up = local.worker().garbage.lock().piles_up(deferred);
    if let Some(times) = piled_up {
        pause((PAUSE * times).min(LONGEST));
    }
}

/// Collects everybody's garbage, all that is garbage now.
pub(crate) fn collect_all(local: &Local) {
    let shared = local.shared();
    // The first round unlinks versions; the second one tuples that another worker had them of; those can go when the coarse clock has moved on.
    for _ in 0..3 {
        shared.advance(shared.clock.now(), 0);
        let horizon = Horizon::scan(shared);
        for worker in shared.workers() {
            collect(local, &worker, &horizon, Effort::All);
        }
    }
    flush(local);
    settle(local);
    local.free_spares();
    for worker in shared.workers() {
        worker.pool.clear();
        worker.garbage.lock().shrink();
    }
    shared.spare.clear();
    go_on_panicking(shared);
}

/// Frees what waits for the epoch, as far as nobody is pinned.
pub(crate) fn flush(local: &Local) {
    let shared = local.shared();
    // Each flush moves the epoch on by one and runs a few bags; nothing moves while some other guard stays pinned. Guards are held for a way through an
    // index only, but a thread may have been preempted there, or at its end: give it the time to go on.
    let mut wait = Wait::new();
    loop {
        let before = shared.deferred.load(Ordering::Relaxed);
        if before == 0 {
            return;
        }
        local.pin().flush();
        if shared.deferred.load(Ordering::Relaxed) < before {
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

/// Frees what the epoch keeps for itself: a queue of bags of 2 KiB each. What it has run of them comes back to it as garbage, in a new bag with each
/// flush. Pinning makes it collect and adds no bag.
fn settle(local: &Local) {
    for _ in 0..SETTLING {
        local.pin().flush();
        for _ in 0..COLLECTING_PINS {
            local.pin();
        }
    }
}

/// Runs `free`, which frees so many, once everyone who is pinned now no longer is.
fn defer(shared: &Shared, guard: &Guard, count: usize, free: impl FnOnce() + 'static) {
    let deferred = NonNull::from(&shared.deferred);
    shared.deferred.fetch_add(count, Ordering::Relaxed);
    // SAFETY: `free` frees what nobody who pins later can reach, and may run on any thread since keys and values are
    // `Send`. The counter is there as long as the collector, which is in the same `Shared`, runs anything.
    unsafe {
        guard.defer_unchecked(move || {
            deferred.as_ref().fetch_sub(count, Ordering::Relaxed);
            free();
        });
    }
}
