//! A collection at work.

use super::defer;
use crate::collect::local::Local;
use crate::memory::Worker;
use crate::memory::horizon::Horizon;
use crate::memory::retired::{Lists, Retired};
use crate::rows::tuple::Tuple;
use crate::rows::version::{OwnedVersion, Version};
use crate::sync::{Ordering, SMALL, bug};
use std::ops::Range;
use std::ptr::NonNull;

/// Entries that are unlinked at once, which nobody else can do meanwhile: a millisecond's, or all
/// of one tuple.
const STRETCH: usize = if SMALL { 4 } else { 1 << 13 };
/// A collection at work. Should the drop of a user's value panic, dropping this brings everything
/// to where it belongs.
pub(super) struct Work<'w> {
    pub(super) local: &'w Local,
    /// Whose garbage it is.
    pub(super) worker: &'w Worker,
    pub(super) horizon: &'w Horizon,
    pub(super) lists: Lists,
    /// Versions that were unlinked from the middle of their chains, with their tables. Their memory
    /// can be used again after an epoch: an older snapshot's walk may be passing them.
    passed: Vec<(usize, OwnedVersion)>,
}

impl<'w> Work<'w> {
    pub(super) fn new(local: &'w Local, worker: &'w Worker, horizon: &'w Horizon) -> Self {
        Self {
            local,
            worker,
            horizon,
            lists: local.take_lists(),
            passed: Vec::new(),
        }
    }

    /// Disposes of the last entry: a version whose successor is below the watermark, or a removal.
    pub(super) fn dispose_last(&mut self) {
        let Some(last) = self.lists.entries.last() else {
            return;
        };
        if last.version.is_none() {
            self.remove_last();
        } else if let Some(entry) = self.lists.entries.pop() {
            // I4: nobody reaches it.
            if let Some(recyclable) = entry.into_recyclable() {
                self.lists.cleared.push(recyclable);
                // Should that panic, it is counted all the same.
                if let Some((_, version)) = self.lists.cleared.last_mut() {
                    version.clear();
                }
            }
        }
    }

    /// Hands on what nobody can reach.
    pub(super) fn recycle(&mut self) {
        let cleared = &mut self.lists.cleared;
        if !cleared.is_empty() {
            let bytes: i64 = cleared.iter().map(|(_, version)| version.bytes()).sum();
            let count = i64::try_from(cleared.len()).expect("fewer than 2^63");
            self.local.worker().count_versions(-count, -bytes);
            self.local.worker().pool.put(cleared);
        }
    }

    /// Takes the entries' versions, which no snapshot sees, out of their tuples' chains. Leaves
    /// what has expired meanwhile, and removals: they come after the versions, for which they may
    /// have waited.
    pub(super) fn unlink_all(&mut self) {
        let entries = &mut self.lists.entries;
        if entries.is_empty() {
            return;
        }
        self.passed.reserve(entries.len());
        if entries.len() <= STRETCH {
            // Those from the queue are in this order already.
            entries.sort_unstable_by_key(|entry| entry.timestamp);
            return self.unlink_some(0..self.lists.entries.len());
        }
        entries.sort_unstable_by_key(|entry| (entry.order(), entry.timestamp));
        // Whole tuples, for each stretch walks from the newest version on: past others' garbage, of
        // which there may be as much.
        let mut end = entries.len();
        while end > 0 {
            let entries = &self.lists.entries[..end];
            let tuple = entries[end.saturating_sub(STRETCH)].tuple;
            let is_other = |entry: &Retired| entry.tuple != tuple;
            let upper = end.saturating_sub(STRETCH) + 1;
            let start = entries[..upper]
                .iter()
                .rposition(is_other)
                .map_or(0, |at| at + 1);
            self.unlink_some(start..end);
            end = start;
        }
    }

    /// Does so for some of the entries, which are in ascending order for each tuple, in one walk
    /// along each chain.
    fn unlink_some(&mut self, range: Range<usize>) {
        // While we have this, the watermark stands still. As long as an entry's timestamp is not
        // below it, the tuple has a version that is not either, so it is not removed; and no
        // version above the entry's is freed, for its successor is younger still. And nobody else
        // unlinks anything, so no tuple has to be locked: a commit adds to the upper end of a chain
        // only.
        let memory = self.local.memory();
        let still = (!bug!("unlinkers-collide")).then(|| memory.hold_watermark());
        let watermark = memory.watermark();
        let is_linked = |entry: &Retired| {
            entry.version.is_some() && (entry.timestamp >= watermark || bug!("expired-is-unlinked"))
        };
        let entries = &self.lists.entries[range.clone()];
        // Tuple by tuple, the young before the old, in one number, since comparing that takes no
        // branch.
        let place = |(at, entry): (usize, &Retired)| (entry.order() as u128) << 64 | at as u128;
        let linked = entries.iter().enumerate();
        let linked = linked.filter(|(_, entry)| is_linked(entry));
        let places = &mut self.lists.places;
        places.clear();
        places.extend(linked.map(place));
        places.sort_unstable();
        let mut walk = None;
        for place in places.iter().rev() {
            let entry =
                &entries[usize::try_from(*place & u128::from(u64::MAX)).expect("it was one")];
            if let Some(version) = entry.version {
                // SAFETY: see above; the entry owns the version.
                walk = Some(unsafe { unlink(entry.tuple, version, walk) });
            }
        }
        drop(still);
        let unlinked = self.passed.len();
        let mut bytes = 0;
        for entry in self
            .lists
            .entries
            .extract_if(range, |entry| is_linked(entry))
        {
            bytes += entry.version_bytes();
            self.passed.extend(entry.into_recyclable());
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
        if !self.lists.entries.is_empty() && !bug!("garbage-lost-on-panic") {
            let mut garbage = self.worker.garbage.lock();
            for entry in self.lists.entries.drain(..) {
                garbage.put_by(entry);
            }
        }
        self.recycle();
        self.local.return_lists(std::mem::take(&mut self.lists));
        let passed = std::mem::take(&mut self.passed);
        if passed.is_empty() {
            return;
        }
        let (count, worker) = (passed.len(), self.local.shared_worker());
        // Then some may still have their values. They are not dropped now: a second panic would be
        // the end.
        let panicking = std::thread::panicking();
        let panicked = self.local.memory().panicked.clone();
        let recycle = move || {
            let mut passed = passed;
            if panicking {
                for (_, version) in &mut passed {
                    panicked.caught(|| version.clear());
                }
            }
            worker.pool.put(&mut passed);
        };
        if bug!("middle-recycled-at-once") {
            return recycle();
        }
        defer(self.local.memory(), &self.local.pin(), count, recycle);
    }
}

/// How far a walk along a tuple's chain has come.
type Walk = (NonNull<Tuple>, *mut Version);

/// Takes a version out of its tuple's chain. `walk`: where the one before left off. If that was the
/// same tuple, its version was younger.
///
/// # Safety
/// The tuple is not removed from its index, no version above this one is freed, and nobody else
/// unlinks any, since `walk` began. The version was superseded.
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
