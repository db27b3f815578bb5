//! The memory of collected versions, kept for new ones.
//!
//! A thread has a few versions at hand, and takes more from its worker's pool, which it fills when it collects garbage. Garbage comes in bursts where a transaction
//! was preempted, beside which nothing that it may see is collected; so a pool takes a burst, and lets it ebb away. A thread that has stopped
//! running transactions keeps nothing but what it has at hand when [`Database::collect`](crate::Database::collect) has emptied the pools. A thread that ends
//! frees both.

use crate::sync::{AtomicBool, Mutex, Ordering, SMALL, freed};
use crate::version::OwnedVersion;

/// Versions of a table that a thread takes from the pool at once: locking it is paid for by so many writes.
const AT_HAND: usize = if SMALL { 2 } else { 16 };
/// Versions of a table that do not ebb away: what two collections bring in.
const STAYS: usize = if SMALL { 4 } else { 64 };
/// Bytes of versions that a pool takes. Some milliseconds of updates, which is how long a thread is preempted, are some thousand versions.
const ROOM: i64 = if SMALL { 256 } else { 1 << 20 };

/// Cleared versions, by table. All of a table's are of its type.
#[derive(Default)]
pub(crate) struct Recycled(Vec<Vec<OwnedVersion>>);

impl Recycled {
    #[inline]
    pub(crate) fn pop(&mut self, table: usize) -> Option<OwnedVersion> {
        self.0.get_mut(table).and_then(Vec::pop)
    }

    fn of(&mut self, table: usize) -> &mut Vec<OwnedVersion> {
        if self.0.len() <= table {
            self.0.resize_with(table + 1, Vec::new);
        }
        &mut self.0[table]
    }
}

/// What a worker's thread may use for new versions.
#[derive(Default)]
pub(crate) struct Pool {
    /// A hint that there is something: a load is all that a thread pays that creates one key after the other.
    any: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    versions: Recycled,
    bytes: i64,
}

impl Pool {
    /// Adds versions of several tables, whose values are dropped already, as far as there is room, and frees the rest.
    pub(crate) fn put(&self, versions: Vec<(usize, OwnedVersion)>) {
        let mut kept = self.kept.lock();
        for (table, version) in versions {
            if kept.bytes + version.bytes() <= ROOM {
                kept.bytes += version.bytes();
                freed::set_free(version.as_ptr(), true);
                kept.versions.of(table).push(version);
            }
        }
        // Relaxed, here and below: what the hint is about is under the lock.
        self.any.store(true, Ordering::Relaxed);
    }

    /// Frees a version of each table that has more than stay.
    pub(crate) fn ebb(&self) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let kept = &mut *self.kept.lock();
        let ebbing = |versions: &&mut Vec<_>| versions.len() > STAYS;
        for versions in kept.versions.0.iter_mut().filter(ebbing) {
            kept.bytes -= versions.pop().map_or(0, |version| version.bytes());
        }
    }

    /// Moves some of a table's versions to `at_hand`, where there are none left.
    #[inline]
    pub(crate) fn take(&self, table: usize, at_hand: &mut Recycled) {
        if self.any.load(Ordering::Relaxed) {
            let kept = &mut *self.kept.lock();
            let versions = kept.versions.of(table);
            let taken = versions.drain(versions.len().saturating_sub(AT_HAND)..);
            kept.bytes -= taken
                .as_slice()
                .iter()
                .map(OwnedVersion::bytes)
                .sum::<i64>();
            at_hand.of(table).extend(taken);
            self.any.store(kept.bytes > 0, Ordering::Relaxed);
        }
    }

    /// Frees everything.
    pub(crate) fn clear(&self) {
        let kept = std::mem::take(&mut *self.kept.lock());
        drop(kept);
    }
}
