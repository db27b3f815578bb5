//! One lock around one map of the standard library.

use super::{About, Action, FOUND, Need, Op, Peer, Value};
use std::collections::{self, btree_map, hash_map};
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// With the standard library's hasher.
pub(super) type HashMap = Locked<collections::HashMap<u64, Value, RandomState>>;
/// With the hasher that `mvcc` uses.
pub(super) type FoldHashMap = Locked<collections::HashMap<u64, Value, foldhash::fast::RandomState>>;
/// An ordered map.
pub(super) type BTreeMap = Locked<collections::BTreeMap<u64, Value>>;

/// A map whose lock is held for a whole transaction.
#[derive(Default)]
pub(super) struct Locked<M>(RwLock<M>);

const SNAPSHOTS: (Need, &str) = (
    Need::Snapshots,
    "a read lock that is held stops all writers",
);

/// What is asked of the map.
trait Map: Default + Send + Sync + 'static {
    const NAME: &'static str;
    const LACKS: &'static [(Need, &'static str)];

    fn find(&self, key: u64) -> Option<&Value>;
    /// Overwrites the value in place: `insert` would hand the old one back, which may be a copy of
    /// it.
    fn put(&mut self, key: u64, value: Value);
    fn range(&self, _range: RangeInclusive<u64>) -> impl Iterator<Item = (&u64, &Value)> {
        std::iter::empty()
    }
}

/// A hasher, and what the map with it is called.
trait Hasher: BuildHasher + Default + Send + Sync + 'static {
    const NAME: &'static str;
}

impl Hasher for RandomState {
    const NAME: &'static str = "rwlock-hashmap";
}

impl Hasher for foldhash::fast::RandomState {
    const NAME: &'static str = "rwlock-foldhash";
}

impl<S: Hasher> Map for collections::HashMap<u64, Value, S> {
    const NAME: &'static str = S::NAME;
    const LACKS: &'static [(Need, &'static str)] =
        &[(Need::Order, "a hash map has no order"), SNAPSHOTS];

    fn find(&self, key: u64) -> Option<&Value> {
        self.get(&key)
    }

    fn put(&mut self, key: u64, value: Value) {
        match self.entry(key) {
            hash_map::Entry::Occupied(mut entry) => *entry.get_mut() = value,
            hash_map::Entry::Vacant(entry) => {
                entry.insert(value);
            }
        }
    }
}

impl Map for collections::BTreeMap<u64, Value> {
    const NAME: &'static str = "rwlock-btreemap";
    const LACKS: &'static [(Need, &'static str)] = &[SNAPSHOTS];

    fn find(&self, key: u64) -> Option<&Value> {
        self.get(&key)
    }

    fn put(&mut self, key: u64, value: Value) {
        match self.entry(key) {
            btree_map::Entry::Occupied(mut entry) => *entry.get_mut() = value,
            btree_map::Entry::Vacant(entry) => {
                entry.insert(value);
            }
        }
    }

    fn range(&self, range: RangeInclusive<u64>) -> impl Iterator<Item = (&u64, &Value)> {
        self.range(range)
    }
}

impl<M> Locked<M> {
    fn reading(&self) -> RwLockReadGuard<'_, M> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, M> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Map> Peer for Locked<M> {
    const ABOUT: About = About {
        name: M::NAME,
        version: "std",
        isolation: "strict serializability",
        how: "the read lock for transactions that only read, else the write lock; values are overwritten in place",
    };
    const LACKS: &'static [(Need, &'static str)] = M::LACKS;
    type Ordered = Self;

    fn new() -> Self {
        Self::default()
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        let map = self.reading();
        for op in ops {
            see(op.key, map.find(op.key).expect(FOUND));
        }
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        let mut map = self.writing();
        for op in ops {
            match op.action {
                Action::Read => see(op.key, map.find(op.key).expect(FOUND)),
                Action::Update | Action::Insert => map.put(op.key, op.value()),
            }
        }
        0
    }

    fn scan(&self, range: RangeInclusive<u64>, see: impl Fn(u64, &[u8])) {
        for (key, value) in self.reading().range(range) {
            see(*key, value);
        }
    }
}
