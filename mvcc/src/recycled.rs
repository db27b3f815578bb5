//! The memory of collected versions, kept for new ones.
//!
//! A thread has a few versions at hand, and takes more from its worker's pool, which it fills when it collects garbage. So a thread that has stopped
//! running transactions keeps nothing but those few when [`Database::collect`](crate::Database::collect) has emptied the pools. A thread that ends frees both.

use crate::sync::{AtomicBool, Mutex, Ordering, SMALL, freed};
use crate::version::OwnedVersion;

/// Versions of a table that a thread takes from the pool at once: locking it is paid for by so many writes.
const AT_HAND: usize = if SMALL { 2 } else { 16 };

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
    versions: Mutex<Recycled>,
}

impl Pool {
    /// Adds versions of several tables, whose values are dropped already, up to `enough` for each table, and frees the rest.
    pub(crate) fn put(&self, versions: Vec<(usize, OwnedVersion)>, enough: usize) {
        let mut kept = self.versions.lock();
        for (table, version) in versions {
            let kept = kept.of(table);
            if kept.len() < enough {
                freed::set_free(version.as_ptr(), true);
                kept.push(version);
            }
        }
        // Relaxed, here and below: what the hint is about is under the lock.
        self.any.store(true, Ordering::Relaxed);
    }

    /// Moves some of a table's versions to `at_hand`, where there are none left.
    #[inline]
    pub(crate) fn take(&self, table: usize, at_hand: &mut Recycled) {
        if self.any.load(Ordering::Relaxed) {
            let mut versions = self.versions.lock();
            let kept = versions.of(table);
            let taken = kept.len().saturating_sub(AT_HAND);
            at_hand.of(table).extend(kept.drain(taken..));
            let any = versions.0.iter().any(|versions| !versions.is_empty());
            self.any.store(any, Ordering::Relaxed);
        }
    }

    /// Frees everything.
    pub(crate) fn clear(&self) {
        let versions = std::mem::take(&mut *self.versions.lock());
        drop(versions);
    }
}
