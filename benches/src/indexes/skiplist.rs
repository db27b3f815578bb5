//! `crossbeam_skiplist::SkipMap`.

use super::{Key, OrderedIndex};
use crossbeam_skiplist::SkipMap;

pub(super) struct Index(SkipMap<Key, usize>);

impl OrderedIndex for Index {
    const NAME: &'static str = "crossbeam-skiplist";
    const KEYS: &'static str = "(u32, u64)";

    fn new() -> Self {
        Self(SkipMap::new())
    }

    fn insert(&self, key: Key, value: usize) {
        self.0.insert(key, value);
    }

    fn get(&self, key: Key) -> Option<usize> {
        self.0.get(&key).map(|entry| *entry.value())
    }

    fn remove(&self, key: Key) -> bool {
        self.0.remove(&key).is_some()
    }

    fn scan(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        for entry in self.0.range(from..).take(n) {
            f(*entry.key(), *entry.value());
        }
    }

    fn scan_back(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        for entry in self.0.range(..=from).rev().take(n) {
            f(*entry.key(), *entry.value());
        }
    }
}
