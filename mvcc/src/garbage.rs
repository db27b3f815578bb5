//! Garbage: superseded versions on their way to being freed, and tuples on their way out of their index.
//!
//! Every superseded version belongs to exactly one [`Retired`] entry, that of the commit which superseded it; the newest
//! version belongs to its tuple. Three fates:
//!
//! - The successor is below the watermark: every walk along the chain ends at the successor or above it, now and later, so nobody reaches
//!   the version. It is freed or recycled at once, without touching its tuple, whose chain keeps a pointer that nobody follows (I4).
//! - No live snapshot lies between the version and its successor, though older ones live: it is unlinked under its tuple's lock and
//!   freed through the epoch, since an older snapshot's walk may be passing (I5).
//! - A snapshot sees it: it is put by until that snapshot has gone.
//!
//! What is unlinked from an index (dead tuples, replaced arrays) may still be in use by whoever found it there. It waits until no slot is open from
//! before it was unlinked, and then for the epoch, since those whose slot is fixed pin instead.

use crate::index::Replaced;
use crate::local::Local;
use crate::protected::Protected;
use crate::shared::{Horizon, Shared, Worker};
use crate::sync::{Ordering, Wait, bug, fence};
use crate::table::{DeadTuple, TableCore};
use crate::tuple::{Order, Tuple, Word, order_of};
use crate::version::{OwnedVersion, Version};
use crossbeam_epoch::Guard;
use std::collections::{BTreeMap, VecDeque};
use std::ptr::NonNull;

/// What a commit superseded.
pub(crate) struct Retired {
    pub(crate) table: NonNull<TableCore>,
    pub(crate) tuple: NonNull<Tuple>,
    /// The superseded version; `None`: the commit wrote a tombstone, the tuple may go once that is all there is. Such
    /// an entry holds the tuple (I6).
    pub(crate) version: Option<NonNull<Version>>,
    /// When: the successor's timestamp.
    pub(crate) timestamp: u64,
    /// The tuple's place in the order of locking, for those who must not look at the tuple any more.
    order: Order,
}

// SAFETY: an entry owns its version, whose value is `Send`; tables and tuples are shared between threads anyway.
unsafe impl Send for Retired {}

/// What has left an index. Dropping it frees it.
pub enum Unlinked {
    Tuple(DeadTuple),
    Array(Replaced),
    /// A node of a tree, or the content of one.
    Node(Box<dyn Send>),
}

/// A worker's garbage.
#[derive(Default)]
pub(crate) struct Garbage {
    /// What left an index, with the coarse clock's reading afterwards, ascending.
    unlinked: VecDeque<(u64, Unlinked)>,
    /// In the order of their timestamps.
    queue: VecDeque<Retired>,
    /// By a snapshot that sees them.
    seen: BTreeMap<u64, Vec<Retired>>,
    /// The number of entries, but for those that wait for a snapshot, at which the next collection pays.
    enough: usize,
}

/// A collection scans every slot: it should find this many entries to pay for that.
const BATCH: usize = if cfg!(any(test, shuttle)) { 2 } else { 32 };
/// Entries that wait in the queue before those between two snapshots are unlinked, which costs a lock each.
const PATIENCE: usize = if cfg!(any(test, shuttle)) { 4 } else { 256 };
/// Turns that [`flush`] waits for threads that are pinned: some 64 µs of spinning, then giving the processor away.
const FLUSH_TURNS: u32 = if cfg!(shuttle) { 2 } else { 1024 };
/// Entries disposed of between two times that the queue is locked.
const PORTION: usize = 64;

impl Garbage {
    /// Adds entries of one commit. True if a collection is due.
    pub(crate) fn retire(&mut self, entries: impl Iterator<Item = Retired>) -> bool {
        self.queue.extend(entries);
        self.queue.len() + self.unlinked.len() >= self.enough.max(BATCH)
    }

    pub(crate) fn len(&self) -> usize {
        self.unlinked.len() + self.queue.len() + self.seen.values().map(Vec::len).sum::<usize>()
    }

    /// Takes what only pinned threads can still use.
    fn take_unlinked(&mut self, horizon: &Horizon) -> impl Iterator<Item = Unlinked> + use<> {
        let is_closed = |at| at < horizon.open || bug!("unlinked-freed-at-once");
        let closed = self.unlinked.partition_point(|(at, _)| is_closed(*at));
        let taken: Vec<_> = self.unlinked.drain(..closed).collect();
        self.enough = self.queue.len() + self.unlinked.len() + BATCH;
        // After a burst, its room is given back.
        if self.queue.capacity().max(self.unlinked.capacity()) > 4 * self.enough.max(PATIENCE) {
            self.shrink();
        }
        taken.into_iter().map(|(_, unlinked)| unlinked)
    }

    /// Takes up to a portion of what nobody can reach any more.
    fn take_expired(&mut self, horizon: &Horizon, taken: &mut Vec<Retired>) {
        while taken.len() < PORTION
            && self.queue.front().is_some_and(|entry| {
                entry.timestamp < horizon.watermark
                    || bug!("expired-at-watermark") && entry.timestamp == horizon.watermark
            })
        {
            taken.extend(self.queue.pop_front());
        }
    }

    /// Looks again at what waits behind snapshots, and takes what none of them sees.
    fn take_unseen(&mut self, horizon: &Horizon, patience: usize, taken: &mut Vec<Retired>) {
        let mut again = Vec::new();
        if self.queue.len() > patience {
            let closed = self
                .queue
                .partition_point(|entry| entry.timestamp < horizon.open);
            again.extend(self.queue.drain(..closed));
        }
        for (_, entries) in self.seen.extract_if(.., |snapshot, _| {
            horizon.snapshots.binary_search(snapshot).is_err()
        }) {
            again.extend(entries);
        }
        taken.reserve(again.len());
        for entry in again {
            match entry.seen_by(horizon) {
                Some(snapshot) => self.seen.entry(snapshot).or_default().push(entry),
                None => taken.push(entry),
            }
        }
    }

    /// Puts an entry by that is to be looked at again next time.
    fn put_by(&mut self, entry: Retired) {
        self.seen.entry(0).or_default().push(entry);
    }

    /// Gives back room that is not used.
    fn shrink(&mut self) {
        self.queue.shrink_to_fit();
        self.unlinked.shrink_to_fit();
    }

    /// Everything, for a database that is being dropped.
    pub(crate) fn drain(&mut self) -> (Vec<Retired>, Vec<(u64, Unlinked)>) {
        let seen = std::mem::take(&mut self.seen).into_values().flatten();
        let queue = std::mem::take(&mut self.queue).into_iter();
        (
            queue.chain(seen).collect(),
            std::mem::take(&mut self.unlinked).into(),
        )
    }
}

impl Retired {
    /// # Safety
    /// The caller is protected since it found the tuple.
    pub(crate) unsafe fn new(
        table: NonNull<TableCore>,
        tuple: NonNull<Tuple>,
        version: Option<NonNull<Version>>,
        timestamp: u64,
    ) -> Self {
        Self {
            table,
            tuple,
            version,
            timestamp,
            // SAFETY: the caller's promise.
            order: unsafe { order_of(tuple) },
        }
    }

    /// A snapshot that keeps the entry from being disposed of; 0 stands for some open transaction.
    fn seen_by(&self, horizon: &Horizon) -> Option<u64> {
        if self.timestamp < horizon.watermark {
            return None;
        }
        if self.timestamp >= horizon.open {
            return Some(0);
        }
        let from = match self.version {
            // SAFETY: the entry owns it.
            Some(version) => unsafe { version.as_ref() }.timestamp,
            // A tombstone waits for every snapshot below it.
            None => 0,
        };
        if bug!("middle-snapshot-ignored") && self.version.is_some() {
            return None;
        }
        horizon.first_to_see(from, self.timestamp)
    }

    /// The version, for whoever knows that nobody reaches it.
    pub(crate) fn into_version(self) -> Option<OwnedVersion> {
        // SAFETY: tables outlive their garbage: the database keeps both, and drains the garbage first.
        let types = unsafe { self.table.as_ref() }.versions;
        // SAFETY: the entry owns its version, and the caller's knowledge.
        self.version
            .map(|version| unsafe { OwnedVersion::new(version, types) })
    }
}

/// Collects a worker's garbage as far as the live transactions allow. Runs the `Drop` of keys and values; no lock is held then.
pub(crate) fn collect(local: &Local, worker: &Worker, horizon: &Horizon, patience: usize) {
    let mut taken = Vec::new();
    loop {
        worker.garbage.lock().take_expired(horizon, &mut taken);
        if taken.is_empty() {
            break;
        }
        let taken = Taken {
            worker,
            entries: &mut taken,
        };
        while let Some(entry) = taken.entries.pop() {
            dispose(local, entry);
        }
    }
    worker
        .garbage
        .lock()
        .take_unseen(horizon, patience, &mut taken);
    // Tuple by tuple.
    taken.sort_unstable_by_key(|entry| (entry.order, entry.timestamp));
    let taken = Taken {
        worker,
        entries: &mut taken,
    };
    let guard = local.pin();
    let mut passed = Passed {
        local,
        versions: Vec::with_capacity(taken.entries.len()),
    };
    while !taken.entries.is_empty() {
        unlink_last(&mut passed, worker, taken.entries);
    }
    drop((passed, taken));
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
    garbage.unlinked.push_back((at, unlinked));
}

/// Entries being disposed of. Should the drop of a user's value panic, the rest goes back to where it came from.
struct Taken<'t> {
    worker: &'t Worker,
    entries: &'t mut Vec<Retired>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.entries.is_empty() {
            let mut garbage = self.worker.garbage.lock();
            for entry in self.entries.drain(..) {
                garbage.put_by(entry);
            }
        }
    }
}

/// Versions that were unlinked from the middle of their chains, with their tables. When it is dropped, also by a panic of user code, they go
/// through the epoch: an older snapshot's walk may be passing them.
struct Passed<'l> {
    local: &'l Local,
    versions: Vec<(usize, OwnedVersion)>,
}

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        let versions = std::mem::take(&mut self.versions);
        if !versions.is_empty() {
            let (count, worker) = (versions.len(), self.local.shared_worker());
            if bug!("middle-recycled-at-once") {
                return worker.reclaimed.put(versions);
            }
            defer(self.local.shared(), &self.local.pin(), count, move || {
                worker.reclaimed.put(versions);
            });
        }
    }
}

/// Collects this thread's own garbage after a commit, and a neighbour's: so what a thread leaves behind that runs no
/// more transactions is collected by those that do.
pub(crate) fn collect_some(local: &Local) {
    let horizon = Horizon::scan(local.shared());
    collect(local, local.worker(), &horizon, PATIENCE);
    if let Some(neighbour) = local.shared().neighbour() {
        collect(local, &neighbour, &horizon, PATIENCE);
    }
    if local.shared().deferred.load(Ordering::Relaxed) > 0 {
        local.pin().flush();
    }
}

/// Collects everybody's garbage, all that is garbage now.
pub(crate) fn collect_all(local: &Local) {
    let shared = local.shared();
    // Twice: the first round unlinks dead tuples, which can go when the coarse clock has moved on.
    for _ in 0..2 {
        shared.advance(shared.clock.now(), 0);
        let horizon = Horizon::scan(shared);
        for worker in shared.workers() {
            collect(local, &worker, &horizon, 0);
        }
    }
    flush(local);
    local.free_recycled();
    for worker in shared.workers() {
        worker.reclaimed.clear();
        worker.garbage.lock().shrink();
    }
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

/// Disposes of an entry whose timestamp is below the watermark.
fn dispose(local: &Local, entry: Retired) {
    if entry.version.is_some() {
        local.worker().count_versions(-1);
        // SAFETY: as in `into_version`.
        let table = unsafe { entry.table.as_ref() }.id;
        // I4: nobody reaches it.
        if let Some(version) = entry.into_version() {
            local.recycle(table, version);
        }
    } else {
        let _guard = local.pin();
        // SAFETY: the entry holds the tuple.
        if unsafe { entry.tuple.as_ref() }.release() {
            bury(local, entry.table, entry.tuple);
        }
    }
}

/// Takes versions that no snapshot sees out of their tuple's chain, in one walk along it: those of the last entries, all of one tuple and in
/// ascending order of timestamps.
fn unlink_last(passed: &mut Passed<'_>, worker: &Worker, entries: &mut Vec<Retired>) {
    let local = passed.local;
    let Some(last) = entries.last() else {
        return;
    };
    let others = |entry: &Retired| entry.tuple != last.tuple;
    let first = entries.iter().rposition(others).map_or(0, |at| at + 1);
    // While we have this, the watermark stands still. As long as an entry's timestamp is not below it, the tuple has a version that
    // is not either, so it is not removed; and no version above the entry's is freed, for its successor is younger still.
    let still = local.shared().hold_watermark();
    let watermark = still.watermark();
    let expired = entries[first..].partition_point(|entry| entry.timestamp < watermark);
    let closed = first + expired;
    let versions = entries[closed..].iter().rev();
    let mut versions = versions.filter_map(|entry| entry.version).peekable();
    if versions.peek().is_some() {
        // SAFETY: see above.
        let tuple = unsafe { last.tuple.as_ref() };
        let Ok(word) = tuple.lock(u32::MAX) else {
            unreachable!("a tuple with a version above the watermark is not removed")
        };
        let mut from = word.newest();
        for version in versions {
            // SAFETY: the version was superseded and is still linked: only its entry unlinks it. For those above it, see above.
            let above = unsafe { Version::directly_above(from, version.as_ptr()) };
            from = above.as_ptr();
            // SAFETY: the entry owns the version, and `above` is linked.
            let (version, above) = unsafe { (version.as_ref(), above.as_ref()) };
            let older = version.older.load(Ordering::Acquire);
            // Release: pairs with the acquire loads of a walk. One writer at a time: we hold the tuple's lock.
            above.older.store(older, Ordering::Release);
        }
        tuple.publish(word);
    }
    drop(still);
    for entry in entries.drain(closed..) {
        if entry.version.is_none() {
            worker.garbage.lock().put_by(entry);
            continue;
        }
        local.worker().count_versions(-1);
        // SAFETY: as in `into_version`.
        let table = unsafe { entry.table.as_ref() }.id;
        let version = entry.into_version();
        passed
            .versions
            .extend(version.map(|version| (table, version)));
    }
    while entries.len() > first
        && let Some(entry) = entries.pop()
    {
        dispose(local, entry);
    }
}

/// Removes a tuple that nobody holds from its index, if its key is absent for every live and every later transaction:
/// it never had a version, or its newest is a tombstone below the watermark.
///
/// The caller has been pinned, or its slot open, since before the last hold was given back.
pub(crate) fn bury(local: &Local, table: NonNull<TableCore>, tuple: NonNull<Tuple>) {
    let shared = local.shared();
    // SAFETY: the database keeps the table; we have been protected since the tuple was held.
    let (core, head) = unsafe { (table.as_ref(), tuple.as_ref()) };
    let is_absent = |word: Word| {
        // SAFETY: the newest version of a tuple that we have locked.
        unsafe { word.newest().as_ref() }
            .is_none_or(|newest| word.is_tombstone() && newest.timestamp < shared.watermark())
    };
    // SAFETY: see above.
    let protected = unsafe { Protected::open() };
    let mut wait = Wait::new();
    let replaced = loop {
        // Before the lock: finding a tuple in a tree compares keys (I8).
        let Some(removal) = core.index.prepare_removal(tuple, protected) else {
            return;
        };
        let Ok(word) = head.lock(u32::MAX) else {
            return;
        };
        // Under the lock: who holds it later sees it dead (see `Tuple::hold`).
        if !is_absent(word) || head.is_held() && !bug!("held-is-removed") {
            head.publish(word);
            return;
        }
        let removed = if bug!("dead-left-in-index") {
            Some(None)
        } else {
            removal.apply()
        };
        if let Some(replaced) = removed {
            if bug!("dead-not-marked") {
                head.publish(word);
            } else {
                head.bury(word);
            }
            if !word.newest().is_null() {
                local.worker().count_versions(-1);
            }
            break replaced;
        }
        head.publish(word);
        wait.turn();
    };
    local.worker().count_tuples(-1);
    unlinked(local, Unlinked::Tuple(core.dead(tuple)));
    if let Some(replaced) = replaced {
        unlinked(local, replaced);
    }
    core.index
        .shrink(tuple, protected, &mut |node| unlinked(local, node));
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
