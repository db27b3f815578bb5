//! `std::collections::BTreeMap` behind one `parking_lot::RwLock`.

use super::{Key, OrderedIndex};
use parking_lot::RwLock;
use std::collections::BTreeMap;

pub(super) struct Index(RwLock<BTreeMap<Key, usize>>);

impl OrderedIndex for Index {
    const NAME: &'static str = "RwLock<BTreeMap>";
    const KEYS: &'static str = "(u32, u64)";

    fn new() -> Self {
        Self(RwLock::default())
    }

    fn insert(&self, key: Key, value: usize) {
        self.0.write().insert(key, value);
    }

    fn get(&self, key: Key) -> Option<usize> {
        self.0.read().get(&key).copied()
    }

    fn remove(&self, key: Key) -> bool {
        self.0.write().remove(&key).is_some()
    }

    fn scan(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        for (&key, &value) in self.0.read().range(from..).take(n) {
            f(key, value);
        }
    }

    fn scan_back(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        for (&key, &value) in self.0.read().range(..=from).rev().take(n) {
            f(key, value);
        }
    }
}
