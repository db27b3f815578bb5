//! The memory of collected versions, kept for new ones.

use crate::sync::{AtomicBool, Mutex, Ordering, freed};
use crate::version::OwnedVersion;

/// Versions kept for each table: what two rounds of collection bring in while the epoch moves on.
const ENOUGH: usize = 512;

/// Cleared versions, by table. All of a table's are of its type.
#[derive(Default)]
pub(crate) struct Recycled(Vec<Vec<OwnedVersion>>);

impl Recycled {
    #[inline]
    pub(crate) fn pop(&mut self, table: usize) -> Option<OwnedVersion> {
        self.0.get_mut(table).and_then(Vec::pop)
    }

    /// Keeps a version whose value is dropped already, if there are not enough.
    pub(crate) fn push(&mut self, table: usize, version: OwnedVersion) {
        let versions = self.of(table);
        if versions.len() < ENOUGH {
            freed::set_free(version.as_ptr(), true);
            versions.push(version);
        }
    }

    fn of(&mut self, table: usize) -> &mut Vec<OwnedVersion> {
        if self.0.len() <= table {
            self.0.resize_with(table + 1, Vec::new);
        }
        &mut self.0[table]
    }
}

/// What comes back from the epoch for a worker to recycle, on whichever thread that happens.
#[derive(Default)]
pub(crate) struct Reclaimed {
    /// A hint that there is something: a load is all that a thread pays that creates one key after the other.
    any: AtomicBool,
    versions: Mutex<Recycled>,
}

impl Reclaimed {
    /// Adds versions of several tables, after dropping their values, which runs user code.
    pub(crate) fn put(&self, versions: Vec<(usize, OwnedVersion)>) {
        let cleared = versions.into_iter();
        let cleared: Vec<_> = cleared
            .map(|(table, version)| (table, version.cleared()))
            .collect();
        let mut kept = self.versions.lock();
        for (table, version) in cleared {
            kept.push(table, version);
        }
        // Relaxed, here and below: what the hint is about is under the lock.
        self.any.store(true, Ordering::Relaxed);
    }

    /// Exchanges a table's versions for those in `recycled`, of which there are none left.
    #[inline]
    pub(crate) fn swap(&self, table: usize, recycled: &mut Recycled) {
        if self.any.load(Ordering::Relaxed) {
            let mut versions = self.versions.lock();
            std::mem::swap(versions.of(table), recycled.of(table));
            self.any.store(
                versions.0.iter().any(|versions| !versions.is_empty()),
                Ordering::Relaxed,
            );
        }
    }

    /// Frees everything.
    pub(crate) fn clear(&self) {
        let versions = std::mem::take(&mut *self.versions.lock());
        drop(versions);
    }
}
