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

use crate::local::Local;
use crate::shared::{Horizon, Shared, Worker};
use crate::sync::{Ordering, SCHEDULED, SMALL, Wait, bug, fence, pause};
use crate::tuple::Tuple;
use crate::version::{OwnedVersion, Version};
use crossbeam_epoch::Guard;
use std::ptr::NonNull;
use std::time::Duration;

pub(crate) use retired::{Effort, Garbage, Retired, Unlinked};

/// A collection scans every slot: it should find this many entries to pay for that.
const BATCH: usize = if SMALL { 2 } else { 32 };
/// Entries that wait in the queue before those between two snapshots are unlinked, which looks at their tuples.
const PATIENCE: usize = if SMALL { 4 } else { 64 };
/// Entries that are unlinked at once, which nobody else can do meanwhile: a millisecond's. A power of two.
const STRETCH: usize = if SMALL { 4 } else { 1 << 13 };
/// How long a commit pauses at most that finds that too much piles up. Until it wakes up again, its processor is another thread's.
const PAUSE: Duration = Duration::from_micros(100);
/// Rounds of [`settle`]: in the first one, what threads that have ended leave becomes garbage.
const SETTLING: u32 = if SCHEDULED { 1 } else { 3 };
/// Pins that make the epoch collect three times: it does so every 128 pins.
const COLLECTING_PINS: u32 = if SCHEDULED { 1 } else { 3 * 128 };
/// Turns that [`flush`] waits for threads that are pinned: some 64 µs of spinning, then giving the processor away.
const FLUSH_TURNS: u32 = if SCHEDULED { 2 } else { 1024 };

/// Collects a worker's garbage as far as the live transactions allow. Runs the `Drop` of keys and values; no lock is held then.
pub(crate) fn collect(local: &Local, worker: &Worker, horizon: &Horizon, effort: Effort) {
    let mut work = Work::new(local, worker, horizon);
    loop {
        let mut garbage = worker.garbage.lock();
        garbage.take_expired(horizon, &mut work.entries);
        drop(garbage);
        if work.entries.is_empty() {
            break;
        }
        work.cleared.reserve(work.entries.len());
        while !work.entries.is_empty() {
            work.dispose_last();
        }
        work.recycle();
    }
    let mut garbage = worker.garbage.lock();
    garbage.take_unseen(horizon, effort, &mut work.entries);
    drop(garbage);
    // One pin for all of them.
    let guard = local.pin();
    work.unlink_all();
    while !work.entries.is_empty() {
        work.dispose_last();
    }
    drop(work);
    let unlinked = worker.garbage.lock().take_unlinked(horizon);
    for unlinked in unlinked {
        defer(local.shared(), &guard, 1, move || drop(unlinked));
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
}

/// A collection at work. Should the drop of a user's value panic, dropping this brings everything to where it belongs.
struct Work<'w> {
    local: &'w Local,
    /// Whose garbage it is.
    worker: &'w Worker,
    horizon: &'w Horizon,
    /// What is still to be done. It goes back to where it came from.
    entries: Vec<Retired>,
    /// Versions that nobody can reach, without their values, with their tables. Their memory can be used again at once.
    cleared: Vec<(usize, OwnedVersion)>,
    /// Versions that were unlinked from the middle of their chains, with their tables. Their memory can be used again after an epoch: an older
    /// snapshot's walk may be passing them.
    passed: Vec<(usize, OwnedVersion)>,
}

impl<'w> Work<'w> {
    fn new(local: &'w Local, worker: &'w Worker, horizon: &'w Horizon) -> Self {
        Self {
            local,
            worker,
            horizon,
            entries: Vec::new(),
            cleared: Vec::new(),
            passed: Vec::new(),
        }
    }

    /// Disposes of the last entry: a version whose successor is below the watermark, or a removal.
    fn dispose_last(&mut self) {
        let Some(last) = self.entries.last() else {
            return;
        };
        if last.version.is_none() {
            // Compares keys. Should that panic, the entry is still there.
            let until = self.remove(last).filter(|_| !bug!("removal-forgotten"));
            if let (Some(entry), Some(until)) = (self.entries.pop(), until) {
                self.worker.garbage.lock().wait(entry, until);
            }
        } else if let Some(entry) = self.entries.pop() {
            let table = entry.table_id();
            // I4: nobody reaches it.
            if let Some(version) = entry.into_version() {
                self.cleared.push((table, version));
                // Should that panic, it is counted all the same.
                if let Some((_, version)) = self.cleared.last_mut() {
                    version.clear();
                }
            }
        }
    }

    /// Hands on what nobody can reach.
    fn recycle(&mut self) {
        if !self.cleared.is_empty() {
            let cleared = std::mem::take(&mut self.cleared);
            let bytes: i64 = cleared.iter().map(|(_, version)| version.bytes()).sum();
            let count = i64::try_from(cleared.len()).expect("fewer than 2^63");
            self.local.worker().count_versions(-count, -bytes);
            self.local.worker().pool.put(cleared);
        }
    }

    /// Takes the entries' versions, which no snapshot sees, out of their tuples' chains. Leaves what has expired meanwhile, and removals: they come
    /// after the versions, for which they may have waited.
    fn unlink_all(&mut self) {
        // Those from the queue are in this order already. The young come first, portion by portion.
        self.entries.sort_unstable_by_key(|entry| entry.timestamp);
        self.passed.reserve(self.entries.len());
        let mut end = self.entries.len();
        while end > 0 {
            let start = end.saturating_sub(STRETCH);
            self.unlink_some(start, end);
            end = start;
        }
    }

    /// Does so for some of the entries, in one walk along each chain.
    fn unlink_some(&mut self, start: usize, end: usize) {
        // While we have this, the watermark stands still. As long as an entry's timestamp is not below it, the tuple has a version that
        // is not either, so it is not removed; and no version above the entry's is freed, for its successor is younger still. And nobody else
        // unlinks anything, so no tuple has to be locked: a commit adds to the upper end of a chain only.
        let shared = self.local.shared();
        let still = (!bug!("unlinkers-collide")).then(|| shared.hold_watermark());
        let watermark = shared.watermark();
        let is_linked = |entry: &Retired| {
            entry.version.is_some() && (entry.timestamp >= watermark || bug!("expired-is-unlinked"))
        };
        let entries = &self.entries[start..end];
        // Tuple by tuple, in numbers, which are sorted fast: the tuple's place, then the entry's. Should what is cut off the one make two tuples equal, that
        // takes some more walks.
        let place = |(at, entry): (usize, &Retired)| entry.order() << STRETCH.trailing_zeros() | at;
        let linked = entries.iter().enumerate();
        let linked = linked.filter(|(_, entry)| is_linked(entry));
        let mut places: Vec<usize> = linked.map(place).collect();
        places.sort_unstable();
        let mut walk = None;
        for place in places.into_iter().rev() {
            let entry = &entries[place % STRETCH];
            if let Some(version) = entry.version {
                // SAFETY: see above; the entry owns the version.
                walk = Some(unsafe { unlink(entry.tuple, version, walk) });
            }
        }
        drop(still);
        let unlinked = self.passed.len();
        let mut bytes = 0;
        for entry in self
            .entries
            .extract_if(start..end, |entry| is_linked(entry))
        {
            bytes += entry.version_bytes();
            let table = entry.table_id();
            let version = entry.into_version();
            self.passed.extend(version.map(|version| (table, version)));
        }
        let count = i64::try_from(self.passed.len() - unlinked).expect("fewer than 2^63");
        self.local.worker().count_versions(-count, -bytes);
        // Nobody sees their values, though somebody may pass.
        for (_, version) in &mut self.passed[unlinked..] {
            version.clear();
        }
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if !self.entries.is_empty() && !bug!("garbage-lost-on-panic") {
            let mut garbage = self.worker.garbage.lock();
            for entry in self.entries.drain(..) {
                garbage.put_by(entry);
            }
        }
        self.recycle();
        let mut passed = std::mem::take(&mut self.passed);
        if passed.is_empty() {
            return;
        }
        let (count, worker) = (passed.len(), self.local.shared_worker());
        // Then some may still have their values. They are not dropped now: a second panic would be the end.
        let panicking = std::thread::panicking();
        let recycle = move || {
            if panicking {
                for (_, version) in &mut passed {
                    version.clear();
                }
            }
            worker.pool.put(passed);
        };
        if bug!("middle-recycled-at-once") {
            return recycle();
        }
        defer(self.local.shared(), &self.local.pin(), count, recycle);
    }
}

/// How far a walk along a tuple's chain has come.
type Walk = (NonNull<Tuple>, *mut Version);

/// Takes a version out of its tuple's chain. `walk`: where the one before left off. If that was the same tuple, its version was younger.
///
/// # Safety
/// The tuple is not removed from its index, no version above this one is freed, and nobody else unlinks any, since `walk` began. The version was superseded.
unsafe fn unlink(tuple: NonNull<Tuple>, version: NonNull<Version>, walk: Option<Walk>) -> Walk {
    let from = match walk {
        Some((same, from)) if same == tuple => from,
        // SAFETY: the caller's promise.
        _ => unsafe { tuple.as_ref() }.word().newest(),
    };
    // SAFETY: it was superseded and is still linked, and those above it stay.
    let above = unsafe { Version::directly_above(from, version.as_ptr()) };
    // SAFETY: as above.
    let (head, head_above) = unsafe { (Version::head(version), Version::head(above)) };
    let older = head.older();
    // Release: pairs with the acquire loads of a walk.
    head_above.older.store(older, Ordering::Release);
    (tuple, above.as_ptr())
}

/// Collects this thread's own garbage after a commit, and a neighbour's: so what a thread leaves behind that runs no
/// more transactions is collected by those that do.
pub(crate) fn collect_some(local: &Local) {
    let horizon = Horizon::scan(local.shared());
    collect(local, local.worker(), &horizon, Effort::Some);
    if let Some(neighbour) = local.shared().neighbour() {
        collect(local, &neighbour, &horizon, Effort::Some);
    }
    local.shared().spare.ebb();
    let deferred = local.shared().deferred.load(Ordering::Relaxed);
    if deferred > 0 {
        local.pin().flush();
    }
    // A few milliseconds of commits wait for a transaction that is open, or for a thread that is pinned: as a rule, that has been preempted. A processor that
    // has nothing to do fetches it. Should it be a long transaction on purpose, there are only a few pauses, for each is for twice as much as
    // the one before.
    if local.worker().garbage.lock().piles_up(deferred) && !local.is_inside() {
        pause(PAUSE);
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
        } else if wait.turn() > FLUSH_TURNS {
            return;
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
