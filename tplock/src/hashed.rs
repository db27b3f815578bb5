//! The index of point tables: a `DashMap`, and a lock on the table for those who iterate.
//!
//! An absent key has a tuple without a value while somebody holds a lock on it. So point accesses protect absent keys by themselves, and only an
//! iteration needs more: it *shares* the table's lock, which keeps new keys out. Whoever gives a value to a key that had none must hold that
//! lock *exclusively*, unless no iteration is going on; this is known from a counter that is only read where there is none. The counter is read after the
//! key is locked, and an iteration counts itself before it looks for keys, so of the two at least one sees the other:
//! - if the iteration came to the tuple (or its shard) first, its latch makes the counter visible to the writer, who takes the table's lock;
//! - else the iteration finds the tuple locked, and waits or dies.

use crate::age::Age;
use crate::conflict::Conflict;
use crate::core::{Core, Failure, Key, evict};
use crate::lock::Mode;
use crate::locks::{Locks, Part};
use crate::table::Row;
use crate::tuple::{Home, Locked, Tuple};
use dashmap::{DashMap, SharedValue};
use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};

/// A tuple as a key of the map: hashed once, so that the map's growth runs no user code; equal only to itself.
struct Indexed<K, V> {
    hash: u64,
    tuple: Arc<Tuple<K, V>>,
}

impl<K, V> Hash for Indexed<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<K, V> PartialEq for Indexed<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tuple, &other.tuple)
    }
}

impl<K, V> Eq for Indexed<K, V> {}

/// All access is by hash and predicate, through the shards; the map's own methods would compare tuples.
pub(crate) struct HashIndex<K, V> {
    tuples: DashMap<Indexed<K, V>, (), foldhash::fast::RandomState>,
    table: Arc<TableLock>,
    itself: Weak<Self>,
}

/// What an iteration shares, and an insert takes exclusively while there is an iteration.
struct TableLock {
    locks: Locks,
    /// How many transactions hold the lock. Relaxed: see the module's page for what orders it.
    holders: AtomicUsize,
}

impl Locked for TableLock {
    fn locks(&self) -> &Locks {
        &self.locks
    }

    fn release(&self, age: Age, part: Part) -> bool {
        self.holders.fetch_sub(1, Relaxed);
        self.locks.release(age, part)
    }
}

impl<K, V> HashIndex<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new() -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            tuples: DashMap::default(),
            table: Arc::new(TableLock {
                locks: Locks::permanent(),
                holders: AtomicUsize::new(0),
            }),
            itself: itself.clone(),
        })
    }

    /// Locks a key, whether or not it has a value. `owned` makes the key if it has no tuple yet.
    #[inline]
    pub(crate) fn lock<'c, Q>(
        &self,
        core: &'c Core,
        key: &Q,
        owned: impl Fn() -> K,
        mode: Mode,
    ) -> Result<Key<'c, K, V>, Conflict>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hash(key);
        loop {
            let tuple = self.find(hash, key);
            let tuple = tuple.unwrap_or_else(|| self.find_or_insert(hash, owned()));
            match core.lock_key(&tuple, mode) {
                Ok(key) => return Ok(key),
                Err(Failure::Conflict(conflict)) => return Err(conflict),
                Err(Failure::Dead) => evict(&*tuple),
            }
        }
    }

    /// Locks a key that is to be given a value.
    #[inline]
    pub(crate) fn lock_to_insert<'c>(
        &self,
        core: &'c Core,
        key: &K,
    ) -> Result<Key<'c, K, V>, Conflict> {
        let key = self.lock(core, key, || key.clone(), Mode::Exclusive)?;
        if !key.tuple.locks().is_present() && self.table.holders.load(Relaxed) > 0 {
            self.lock_table(core, Mode::Exclusive)?;
        }
        Ok(key)
    }

    /// Locks all keys one by one, and keeps new ones out.
    pub(crate) fn rows<'c>(
        &self,
        core: &'c Core,
    ) -> impl Iterator<Item = Result<Row<'c, K, V>, Conflict>> + use<'c, K, V> {
        let locked = self.lock_table(core, Mode::Shared);
        let mut tuples = Vec::new();
        if locked.is_ok() {
            tuples.extend(self.tuples.iter().map(|at| at.key().tuple.clone()));
        }
        let mut over = false;
        let rows = tuples.into_iter().filter_map(move |tuple| {
            if over {
                return None;
            }
            match core.lock_key(&tuple, Mode::Shared) {
                Ok(key) => core.value(key).map(|value| Ok((&key.tuple.key, value))),
                Err(Failure::Conflict(conflict)) => {
                    over = true;
                    Some(Err(conflict))
                }
                // It had no value, and whoever gives it one needs the table's lock first.
                Err(Failure::Dead) => None,
            }
        });
        locked.err().map(Err).into_iter().chain(rows)
    }

    /// The tuples and the locks on them.
    pub(crate) fn count(&self) -> (usize, usize) {
        let locks = self.tuples.iter().map(|at| at.key().tuple.locks().count());
        let locks: usize = locks.sum();
        (self.tuples.len(), locks + self.table.locks.count())
    }

    fn lock_table(&self, core: &Core, mode: Mode) -> Result<(), Conflict> {
        let table: Arc<dyn Locked> = self.table.clone();
        if core.lock_table(&table, mode)? {
            self.table.holders.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.tuples.hasher().hash_one(key)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash do")]
    fn shard(&self, hash: u64) -> usize {
        self.tuples.determine_shard(hash as usize)
    }

    #[inline]
    fn find<Q>(&self, hash: u64, key: &Q) -> Option<Arc<Tuple<K, V>>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let shard = self.tuples.shards()[self.shard(hash)].read();
        let found = shard.get(hash, |(at, _)| at.tuple.key.borrow() == key);
        found.map(|(at, _)| at.tuple.clone())
    }

    fn find_or_insert(&self, hash: u64, key: K) -> Arc<Tuple<K, V>> {
        // Made, and dropped if it is not needed, outside of the latch.
        let tuple = Arc::new(Tuple::new(key, Locks::absent(), self.itself.clone()));
        let mut shard = self.tuples.shards()[self.shard(hash)].write();
        if let Some((found, _)) = shard.get(hash, |(at, _)| at.tuple.key == tuple.key) {
            return found.tuple.clone();
        }
        let at = Indexed {
            hash,
            tuple: tuple.clone(),
        };
        shard.insert(hash, (at, SharedValue::new(())), |(at, _)| at.hash);
        tuple
    }
}

impl<K, V> Home<K, V> for HashIndex<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn evict(&self, tuple: &Tuple<K, V>) {
        let hash = self.hash(&tuple.key);
        let mut shard = self.tuples.shards()[self.shard(hash)].write();
        let removed =
            shard.remove_entry(hash, |(at, _)| std::ptr::eq(Arc::as_ptr(&at.tuple), tuple));
        drop(shard);
        drop(removed);
    }
}
