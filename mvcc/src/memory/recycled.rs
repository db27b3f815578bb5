//! The memory of collected versions, kept for new ones.
//!
//! A thread has a few versions at hand, and takes more from its worker's pool, which it fills when
//! it collects garbage. Garbage comes in bursts where a transaction was preempted, beside which
//! nothing that it may see is collected; so what a pool has no room for goes to a spare stock that
//! all share, and ebbs away when it was of no use for long.
//! [`Database::collect`](crate::Database::collect) empties all of them: a thread that has stopped
//! running transactions then keeps nothing but what it has at hand. A thread that ends frees that,
//! and its pool.

use crate::rows::prefetch::prefetch_version;
use crate::rows::version::OwnedVersion;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, SMALL, freed};

/// Versions of a table that a thread takes from the pool at once: locking it is paid for by so many
/// writes.
const AT_HAND: usize = if SMALL { 2 } else { 16 };
/// Bytes of versions that a thread's stock takes: what a few collections bring in.
const ROOM: i64 = if SMALL { 128 } else { 256 << 10 };
/// Bytes of versions that the spare stock takes: some ten milliseconds of updates of large rows,
/// for which a thread may be preempted. It is filled by such bursts only. What it had no room for
/// would go back to the allocator, which has the memory of one thread's burst for another thread's
/// rarely.
const SPARE: i64 = if SMALL { 256 } else { 64 << 20 };
/// Collections after which the spare stock begins to be freed as far as it was of no use meanwhile.
const EBB: u32 = if SMALL { 4 } else { 1 << 20 };

/// Cleared versions, by table. All of a table's are of its type.
#[derive(Default)]
pub(crate) struct Recycled(Vec<Vec<OwnedVersion>>);

impl Recycled {
    #[inline]
    pub(crate) fn pop(&mut self, table: usize, bytes: usize) -> Option<OwnedVersion> {
        let versions = self.0.get_mut(table)?;
        let version = versions.pop()?;
        // It was superseded without a look, and freed without one, so it is in nobody's cache.
        if let Some(next) = versions.last() {
            prefetch_version(next.as_ptr().as_ptr(), bytes);
        }
        Some(version)
    }

    fn of(&mut self, table: usize) -> &mut Vec<OwnedVersion> {
        if self.0.len() <= table {
            self.0.resize_with(table + 1, Vec::new);
        }
        &mut self.0[table]
    }
}

/// What a worker's thread may use for new versions: its own stock first, then the spare stock,
/// which has what is too much for anybody's own.
///
/// An allocator keeps what one thread has allocated for that thread, whoever frees it. So if what
/// is too much were freed, the memory of both would grow when threads take turns in having too much
/// and too little.
pub(crate) struct Pool {
    own: Stock,
    spare: Arc<Stock>,
}

/// Versions for recycling.
#[derive(Default)]
pub(crate) struct Stock {
    /// A hint that there is something: a load is all that a thread pays that creates one key after
    /// the other.
    any: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    versions: Recycled,
    bytes: i64,
    /// The fewest bytes that there were since the last turn of the tide.
    least: i64,
    /// What is still to ebb away.
    idle: i64,
    collections: u32,
}

impl Pool {
    pub(crate) fn new(spare: Arc<Stock>) -> Self {
        let own = Stock::default();
        Self { own, spare }
    }

    /// Adds versions of several tables, whose values are dropped already, as far as there is room,
    /// and frees the rest.
    pub(crate) fn put(&self, versions: &mut Vec<(usize, OwnedVersion)>) {
        self.own.put(versions, ROOM);
        if !versions.is_empty() {
            self.spare.put(versions, SPARE);
            versions.clear();
        }
    }

    /// Moves some of a table's versions to `at_hand`, where there are none left.
    #[inline]
    pub(crate) fn take(&self, table: usize, at_hand: &mut Recycled) {
        if !self.own.take(table, at_hand) {
            self.spare.take(table, at_hand);
        }
    }

    /// Frees everything of its thread's own.
    pub(crate) fn clear(&self) {
        self.own.clear();
    }
}

impl Stock {
    /// Takes versions from the end as far as there is room.
    fn put(&self, versions: &mut Vec<(usize, OwnedVersion)>, room: i64) {
        let mut kept = self.kept.lock();
        while let Some((table, version)) =
            versions.pop_if(|(_, version)| kept.bytes + version.bytes() <= room)
        {
            kept.bytes += version.bytes();
            freed::set_free(version.as_ptr(), true);
            kept.versions.of(table).push(version);
        }
        // Relaxed, here and below: what the hint is about is under the lock.
        self.any.store(true, Ordering::Relaxed);
    }

    /// Moves some of a table's versions to `at_hand`. False: there are none.
    #[inline]
    fn take(&self, table: usize, at_hand: &mut Recycled) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return false;
        }
        let kept = &mut *self.kept.lock();
        let versions = kept.versions.of(table);
        let taken = versions.drain(versions.len().saturating_sub(AT_HAND)..);
        let bytes = taken.as_slice().iter().map(OwnedVersion::bytes);
        let bytes: i64 = bytes.sum();
        at_hand.of(table).extend(taken);
        kept.lose(bytes);
        self.any.store(kept.bytes > 0, Ordering::Relaxed);
        bytes > 0
    }

    /// After a collection: frees a version if for long enough there were so many that nobody needed
    /// it.
    pub(crate) fn ebb(&self) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let Some(mut kept) = self.kept.try_lock() else {
            return;
        };
        kept.collections += 1;
        if kept.collections == EBB {
            kept.collections = 0;
            kept.idle = kept.least;
            kept.least = kept.bytes;
        }
        if kept.idle > 0 {
            let version = kept.versions.0.iter_mut().find_map(Vec::pop);
            let bytes = version.map_or(0, |version| version.bytes());
            kept.idle -= bytes;
            kept.lose(bytes);
        }
    }

    /// Frees everything.
    pub(crate) fn clear(&self) {
        let kept = std::mem::take(&mut *self.kept.lock());
        drop(kept);
    }
}

impl Kept {
    /// Counts what was taken.
    fn lose(&mut self, bytes: i64) {
        self.bytes -= bytes;
        self.least = self.least.min(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::version::{ValueVersion, VersionType};

    static TYPES: VersionType = VersionType::of::<u64>();

    fn versions(bytes: i64) -> Vec<(usize, OwnedVersion)> {
        let version = |value| {
            // SAFETY: nobody else has it.
            let owned = unsafe { OwnedVersion::new(ValueVersion::boxed(Some(value)), &TYPES) };
            (0, owned)
        };
        (0..bytes.cast_unsigned() / TYPES.bytes.cast_unsigned())
            .map(version)
            .collect()
    }

    #[test]
    fn what_is_too_much_for_one_pool_is_there_for_another() {
        let spare = Arc::new(Stock::default());
        let (one, other) = (Pool::new(spare.clone()), Pool::new(spare.clone()));
        one.put(&mut versions(ROOM + 2 * SPARE));
        assert_eq!(one.own.kept.lock().bytes, ROOM);
        assert_eq!(spare.kept.lock().bytes, SPARE);
        let mut at_hand = Recycled::default();
        for _ in 0..versions(SPARE).len().div_ceil(AT_HAND) {
            other.take(0, &mut at_hand);
        }
        assert_eq!(at_hand.of(0).len(), versions(SPARE).len());
        assert_eq!(
            (spare.kept.lock().bytes, one.own.kept.lock().bytes),
            (0, ROOM)
        );
        other.take(0, &mut at_hand);
        assert_eq!(at_hand.of(0).len(), versions(SPARE).len());
    }

    #[test]
    fn the_spare_stock_ebbs_as_far_as_it_was_of_no_use() {
        let spare = Stock::default();
        spare.put(&mut versions(SPARE), SPARE);
        let bytes = || spare.kept.lock().bytes;
        // The first tide begins before there is anything, and in the second one a part is of use.
        (0..EBB).for_each(|_| spare.ebb());
        let mut at_hand = Recycled::default();
        spare.take(0, &mut at_hand);
        let unused = bytes();
        let back = at_hand.of(0).drain(..).map(|version| (0, version));
        spare.put(&mut back.collect(), SPARE);
        (1..EBB).for_each(|_| spare.ebb());
        assert_eq!(bytes(), SPARE);
        // What nobody has used goes, one version at a time.
        for freed in (1..).take(versions(unused).len()) {
            spare.ebb();
            assert!(bytes() <= SPARE - freed * TYPES.bytes, "{} left", bytes());
        }
        (0..2 * EBB).for_each(|_| spare.ebb());
        spare.clear();
        assert_eq!(bytes(), 0);
    }
}
