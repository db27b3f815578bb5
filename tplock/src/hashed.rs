//! The index of point tables: a `DashMap`, and a gap for all that is not in it.
//!
//! An absent key has a tuple without a value while somebody holds a lock on it. So point accesses
//! protect absent keys by themselves, and only an iteration needs more: it shares the table's
//! *gap*, which stands for all keys that have no tuple, until its end. Whoever gives a value to a
//! key that had none locks the key exclusively, and then enters the gap for a moment, which tells
//! that no iteration is going on that might have missed the key: one that begins later will come to
//! the tuple and wait, or die.
//!
//! To spare every insert that lock, a counter tells whether the gap is shared at all. An iteration
//! counts itself before it looks for tuples, and the counter is read after the key was locked:
//! - if the tuple was put into its shard after the iteration had looked there, the shard's lock
//!   makes the counter visible to the writer, who enters the gap;
//! - else the iteration has found the tuple, and will find it locked.

use crate::age::Age;
use crate::conflict::Conflict;
use crate::core::{Core, Key};
use crate::lock::Mode;
use crate::locks::{Locks, Part};
use crate::sync::{AtomicUsize, HashState, bug, step};
use crate::tuple::{Home, Locked, Row, Tuple};
use dashmap::{DashMap, SharedValue};
use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

/// A tuple as a key of the map: hashed once, so that the map's growth runs no user code; equal only
/// to itself.
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

/// All access is by hash and predicate, through the shards; the map's own methods would compare
/// tuples.
pub(crate) struct HashIndex<K, V> {
    tuples: DashMap<Indexed<K, V>, (), HashState>,
    gap: Arc<TableGap>,
    itself: Weak<Self>,
}

/// All keys that have no tuple.
struct TableGap {
    locks: Locks,
    /// How many transactions share it until they end. Relaxed: see the module's page for what
    /// orders it.
    sharers: AtomicUsize,
}

impl Locked for TableGap {
    fn locks(&self) -> &Locks {
        &self.locks
    }

    /// Only called at the end of a transaction, so by those who share it.
    fn release(&self, age: Age, part: Part) -> bool {
        self.sharers.fetch_sub(1, Relaxed);
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
            gap: Arc::new(TableGap {
                locks: Locks::permanent(),
                sharers: AtomicUsize::new(0),
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
            let tuple = match self.find(hash, key) {
                Some(tuple) => tuple,
                // A tuple that is not locked then would stay for good.
                None if core.is_doomed() => return Err(Conflict(())),
                None => self.find_or_insert(hash, owned()),
            };
            if let Some(key) = core.lock_key(tuple, mode)? {
                return Ok(key);
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
        let is_new = !key.tuple.locks().is_present();
        if is_new && self.gap.sharers.load(Relaxed) > 0 && !bug!("iterations-not-respected") {
            core.enter_gap(self.gap.clone())?;
        }
        Ok(key)
    }

    /// Locks all keys one by one, and keeps new ones out.
    pub(crate) fn rows<'c>(
        &self,
        core: &'c Core,
    ) -> impl Iterator<Item = Result<Row<'c, K, V>, Conflict>> + use<'c, K, V> {
        let tuples = self.tuples_to_stay(core);
        let (tuples, conflict) = tuples.map_or_else(
            |conflict| (Vec::new(), Some(Err(conflict))),
            |tuples| (tuples, None),
        );
        let mut over = false;
        let rows = tuples.into_iter().filter_map(move |tuple| {
            if over {
                return None;
            }
            match core.lock_key(tuple, Mode::Shared) {
                Ok(Some(key)) => core.value(key).map(|value| Ok((&key.tuple.key, value))),
                // It had no value, and whoever gives it one must enter the gap first.
                Ok(None) => None,
                Err(conflict) => {
                    over = true;
                    Some(Err(conflict))
                }
            }
        });
        conflict.into_iter().chain(rows)
    }

    /// All tuples there are; there will be no others with values until the transaction ends.
    fn tuples_to_stay(&self, core: &Core) -> Result<Vec<Arc<Tuple<K, V>>>, Conflict> {
        if core.share_gap(self.gap.clone())? == Some(true) {
            self.gap.sharers.fetch_add(1, Relaxed);
        }
        Ok(self.all())
    }

    fn all(&self) -> Vec<Arc<Tuple<K, V>>> {
        step();
        let tuples = self.tuples.iter().map(|at| at.key().tuple.clone());
        tuples.collect()
    }

    /// The tuples and the locks on them.
    pub(crate) fn count(&self) -> (usize, usize) {
        let tuples = self.all();
        let locks: usize = tuples.iter().map(|tuple| tuple.locks().count()).sum();
        (tuples.len(), locks + self.gap.locks.count())
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
        step();
        let shard = self.tuples.shards()[self.shard(hash)].read();
        let found = shard.get(hash, |(at, _)| at.tuple.key.borrow() == key);
        found.map(|(at, _)| at.tuple.clone())
    }

    fn find_or_insert(&self, hash: u64, key: K) -> Arc<Tuple<K, V>> {
        // Made, and dropped if it is not needed, outside of the latch.
        let tuple = Arc::new(Tuple::new(key, Locks::absent(), self.itself.clone()));
        step();
        let mut shard = self.tuples.shards()[self.shard(hash)].write();
        let found = shard.get(hash, |(at, _)| at.tuple.key == tuple.key);
        if let Some((found, _)) = found.filter(|_| !bug!("tuple-inserted-twice")) {
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
        step();
        let mut shard = self.tuples.shards()[self.shard(hash)].write();
        let removed =
            shard.remove_entry(hash, |(at, _)| std::ptr::eq(Arc::as_ptr(&at.tuple), tuple));
        if shard.len() < shard.capacity() / 8 {
            let twice = 2 * shard.len();
            shard.shrink_to(twice, |(at, _)| at.hash);
        }
        drop(shard);
        drop(removed);
    }
}
