//! A worker's garbage: lists of what waits to be collected.

use crate::memory::horizon::Horizon;
use crate::rows::core::TableCore;
use crate::rows::prefetch::prefetch;
use crate::rows::tuple::{Order, Tuple};
use crate::rows::unlinked::Unlinked;
use crate::rows::version::{OwnedVersion, Version};
use crate::sync::{SMALL, bug};
use std::collections::{BTreeMap, VecDeque};
use std::ptr::NonNull;

/// A collection scans every slot: it should find this many entries to pay for that.
const BATCH: usize = if SMALL { 2 } else { 32 };
/// Entries that wait in the queue before those between two snapshots are unlinked, which looks at
/// their tuples.
const PATIENCE: usize = if SMALL { 4 } else { 64 };
/// Entries that the lists of a collection may have room for that are kept for the next one.
const SPARE: usize = 128;

/// Entries disposed of between two times that the queue is locked.
const PORTION: usize = 64;
/// Entries that a commit looks at again whose snapshot has gone. There may be as many as the
/// database has rows.
const AGAIN: usize = if SMALL { 4 } else { 1024 };

/// Bytes of versions that hardly wait for anything but a thread that does not go on: a millisecond
/// of updates of large rows.
const PILE: i64 = if SMALL { 256 } else { 1 << 20 };

/// How much a collection does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As much as a commit should pay for.
    Some,
    /// All that can be done.
    All,
}

/// What a commit superseded.
pub(crate) struct Retired {
    pub(crate) table: NonNull<TableCore>,
    pub(crate) tuple: NonNull<Tuple>,
    /// The superseded version; `None`: the tuple's key was removed, or not inserted after all, and
    /// the tuple may go once there is nothing else. A tuple has one such entry at most, and stays
    /// as long as it has (I6).
    pub(crate) version: Option<NonNull<Version>>,
    /// When: the successor's timestamp.
    pub(crate) timestamp: u64,
    /// The tuple's place in the order of locking, for those who must not look at the tuple any
    /// more.
    #[cfg(shuttle)]
    order: Order,
}

// SAFETY: an entry owns its version, whose value is `Send`; tables and tuples are shared between
// threads anyway.
unsafe impl Send for Retired {}

/// What the removal of a tuple has to wait for.
#[derive(Clone, Copy)]
pub(crate) struct Until {
    /// A snapshot; 0 stands for some open transaction, or another collector.
    pub(crate) snapshot: u64,
    /// The timestamp of the tombstone.
    pub(crate) timestamp: u64,
}

/// Lists that a thread keeps from one collection to the next; they are so large that an allocator
/// takes its time.
#[derive(Default)]
pub(crate) struct Lists {
    /// What is still to be done. It goes back to where it came from.
    pub(crate) entries: Vec<Retired>,
    /// Versions that nobody can reach, without their values, with their tables. Their memory can be
    /// used again at once.
    pub(crate) cleared: Vec<(usize, OwnedVersion)>,
    /// The order in which entries are unlinked.
    pub(crate) places: Vec<u128>,
}

impl Lists {
    /// Empties them. Whether they are small enough to be kept.
    pub(crate) fn clear(&mut self) -> bool {
        self.entries.clear();
        self.cleared.clear();
        self.places.clear();
        let room = [
            self.entries.capacity(),
            self.cleared.capacity(),
            self.places.capacity(),
        ];
        room.into_iter().all(|room| room <= SPARE)
    }
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
    /// The number of entries, but for those that wait for a snapshot, at which the next collection
    /// pays.
    enough: usize,
    pile: Pile,
}

/// The bytes of versions at which too much waits; 0 stands for [`PILE`].
#[derive(Default)]
struct Pile(i64);

impl Pile {
    /// Whether so much waits that it is time to do something about it: how many times [`PILE`]. Not
    /// again before it is twice as much, or was little meanwhile.
    fn piles_up(&mut self, bytes: i64) -> Option<u32> {
        if bytes < PILE {
            self.0 = 0;
            return None;
        }
        if bytes < self.0 {
            return None;
        }
        self.0 = 2 * bytes;
        u32::try_from(bytes / PILE).ok()
    }
}

impl Garbage {
    /// Adds an entry of a commit.
    #[inline]
    pub(crate) fn retire(&mut self, entry: Retired) {
        self.queue.push_back(entry);
    }

    /// Whether a collection pays.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.queue.len() + self.unlinked.len() >= self.enough.max(BATCH)
    }

    pub(crate) fn len(&self) -> usize {
        self.unlinked.len() + self.queue.len() + self.seen.values().map(Vec::len).sum::<usize>()
    }

    /// Adds what left an index before `at`, and after all that was added before.
    pub(crate) fn add_unlinked(&mut self, at: u64, unlinked: Unlinked) {
        self.unlinked.push_back((at, unlinked));
    }

    /// Takes what only pinned threads can still use (I9).
    pub(crate) fn take_unlinked(&mut self, horizon: &Horizon) -> Vec<Unlinked> {
        let is_closed = |at| at < horizon.open || bug!("unlinked-freed-at-once");
        let closed = self.unlinked.partition_point(|(at, _)| is_closed(*at));
        let taken = self.unlinked.drain(..closed);
        let taken = taken.map(|(_, unlinked)| unlinked).collect();
        self.enough = self.queue.len() + self.unlinked.len() + BATCH;
        // After a burst, its room is given back.
        if self.queue.capacity().max(self.unlinked.capacity()) > 4 * self.enough {
            self.shrink();
        }
        taken
    }

    /// Whether so much waits, beside what is deferred, that some thread seems not to go on: how
    /// many times [`PILE`].
    pub(crate) fn piles_up(&mut self, deferred: usize) -> Option<u32> {
        let last = self.queue.back()?;
        let waiting = i64::try_from(self.queue.len() + deferred).expect("fewer than 2^63");
        // Most will be of the same kind.
        self.pile.piles_up(waiting * last.version_bytes())
    }

    /// Takes up to a portion of what nobody can reach any more: what is to be disposed of, and
    /// versions that are clear already.
    pub(crate) fn take_expired(&mut self, horizon: &Horizon, lists: &mut Lists) {
        let has_expired = |entry: &Retired| {
            entry.timestamp < horizon.watermark
                || bug!("expired-at-watermark") && entry.timestamp == horizon.watermark
        };
        lists.cleared.reserve(self.queue.len().min(PORTION));
        for _ in 0..PORTION {
            let Some(entry) = self.queue.pop_front_if(|entry| has_expired(entry)) else {
                return;
            };
            if entry.is_clear() {
                // I4: nobody reaches it.
                lists.cleared.extend(entry.into_recyclable());
            } else {
                lists.entries.push(entry);
            }
        }
    }

    /// Looks again at what waits behind snapshots, and takes what none of them sees.
    pub(crate) fn take_unseen(
        &mut self,
        horizon: &Horizon,
        effort: Effort,
        taken: &mut Vec<Retired>,
    ) {
        let (patience, mut room) = match effort {
            Effort::Some => (PATIENCE, AGAIN),
            Effort::All => (0, usize::MAX),
        };
        let mut again = Vec::new();
        // Those that wait for transactions come last, for they may have to be put by again.
        for (snapshot, entries) in self.seen.iter_mut().rev() {
            if horizon.snapshots.binary_search(snapshot).is_err() {
                let left = entries.len().saturating_sub(room);
                room -= entries.len() - left;
                again.extend(entries.drain(left..));
            }
        }
        self.seen.retain(|_, entries| !entries.is_empty());
        let closed = if self.queue.len() > patience {
            self.queue
                .partition_point(|entry| entry.timestamp < horizon.open)
        } else {
            0
        };
        taken.reserve(closed + again.len());
        // Their timestamps tell who sees them. They were superseded without a look, so most are in
        // nobody's cache.
        for version in self
            .queue
            .range(..closed)
            .chain(&again)
            .filter_map(|entry| entry.version)
        {
            prefetch(version.as_ptr());
        }
        for entry in self.queue.drain(..closed).chain(again) {
            match entry.seen_by(horizon) {
                Some(snapshot) => self.seen.entry(snapshot).or_default().push(entry),
                None => taken.push(entry),
            }
        }
    }

    /// Puts an entry by that is to be looked at again next time.
    pub(crate) fn put_by(&mut self, entry: Retired) {
        self.seen.entry(0).or_default().push(entry);
    }

    /// Puts a removal by that has to wait.
    pub(crate) fn wait(&mut self, mut entry: Retired, until: Until) {
        entry.timestamp = until.timestamp;
        self.seen.entry(until.snapshot).or_default().push(entry);
    }

    /// Gives back room that is not used.
    pub(crate) fn shrink(&mut self) {
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
            #[cfg(shuttle)]
            order: unsafe { crate::rows::tuple::order_of(tuple) },
        }
    }

    /// The tuple's place in the order of locking. It takes no look at the tuple, which may be gone.
    #[cfg(not(shuttle))]
    pub(crate) fn order(&self) -> Order {
        self.tuple.as_ptr().addr()
    }

    #[cfg(shuttle)]
    pub(crate) fn order(&self) -> Order {
        self.order
    }

    /// To be looked at again next time.
    pub(crate) fn until_next(&self) -> Until {
        Until {
            snapshot: 0,
            timestamp: self.timestamp,
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
        // A removal may have to wait as well, but that is for the tuple to say.
        let version = self.version?;
        if bug!("middle-snapshot-ignored") {
            return None;
        }
        // SAFETY: the entry owns it.
        let from = unsafe { Version::head(version) }.timestamp;
        horizon.last_to_see(from, self.timestamp)
    }

    /// Whether it is a version whose value need not be dropped.
    fn is_clear(&self) -> bool {
        // SAFETY: tables outlive their garbage: the database keeps both, and drains the garbage
        // first.
        self.version.is_some() && !unsafe { self.table.as_ref() }.versions.needs_drop
    }

    /// The size of its version, as it is counted.
    pub(crate) fn version_bytes(&self) -> i64 {
        // SAFETY: as above.
        unsafe { self.table.as_ref() }.versions.bytes
    }

    /// As [`Retired::into_version`], with the table's number.
    pub(crate) fn into_recyclable(self) -> Option<(usize, OwnedVersion)> {
        // SAFETY: as above.
        let table = unsafe { self.table.as_ref() }.id;
        Some((table, self.into_version()?))
    }

    /// The version, for whoever knows that nobody sees its value any more, and that nobody passes
    /// its head when it is dropped.
    pub(crate) fn into_version(self) -> Option<OwnedVersion> {
        // SAFETY: as above.
        let types = unsafe { self.table.as_ref() }.versions;
        // SAFETY: the entry owns its version, and the caller's knowledge.
        self.version
            .map(|version| unsafe { OwnedVersion::new(version, types) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pile_is_told_of_each_time_it_has_doubled() {
        let mut pile = Pile::default();
        let told = (1..=PILE * 9).filter_map(|bytes| Some((bytes, pile.piles_up(bytes)?)));
        let told: Vec<_> = told.collect();
        let expected = [1, 2, 4, 8].map(|times| (PILE * i64::from(times), times));
        assert_eq!(told, expected);
        assert_eq!((pile.piles_up(PILE), pile.piles_up(PILE - 1)), (None, None));
        assert_eq!(pile.piles_up(PILE), Some(1));
    }
}
