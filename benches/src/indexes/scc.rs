//! `scc::TreeIndex`.

use super::{Key, OrderedIndex};
use scc::{Guard, TreeIndex};

pub(super) struct Index(TreeIndex<Key, usize>);

impl OrderedIndex for Index {
    const NAME: &'static str = "scc::TreeIndex";
    const KEYS: &'static str = "(u32, u64)";

    fn new() -> Self {
        Self(TreeIndex::new())
    }

    fn insert(&self, key: Key, value: usize) {
        self.0
            .insert_sync(key, value)
            .expect("keys are inserted once");
    }

    fn get(&self, key: Key) -> Option<usize> {
        self.0.peek_with(&key, |_, &value| value)
    }

    fn remove(&self, key: Key) -> bool {
        self.0.remove_sync(&key)
    }

    fn scan(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        let guard = Guard::new();
        for (&key, &value) in self.0.range(from.., &guard).take(n) {
            f(key, value);
        }
    }

    fn scan_back(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        let guard = Guard::new();
        for (&key, &value) in self.0.range(..=from, &guard).rev().take(n) {
            f(key, value);
        }
    }
}
