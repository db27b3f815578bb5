//! `bplustree::BPlusTree`.

use super::{Key, OrderedIndex};
use bplustree::BPlusTree;

pub(super) struct Index(BPlusTree<Key, usize>);

impl OrderedIndex for Index {
    const NAME: &'static str = "bplustree";
    const KEYS: &'static str = "(u32, u64)";

    fn new() -> Self {
        Self(BPlusTree::new())
    }

    fn insert(&self, key: Key, value: usize) {
        self.0.insert(key, value);
    }

    fn get(&self, key: Key) -> Option<usize> {
        self.0.lookup(&key, |&value| value)
    }

    fn remove(&self, key: Key) -> bool {
        self.0.remove(&key).is_some()
    }

    fn scan(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        let mut entries = self.0.raw_iter();
        entries.seek(&from);
        for _ in 0..n {
            let Some((&key, &value)) = entries.next() else {
                break;
            };
            f(key, value);
        }
    }

    fn scan_back(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        let mut entries = self.0.raw_iter();
        entries.seek_for_prev(&from);
        let mut left = n;
        while left > 0 {
            let Some((&key, &value)) = entries.prev() else {
                break;
            };
            // Where `from` itself is missing, 0.1.0 may begin with the entry after it.
            if key <= from {
                f(key, value);
                left -= 1;
            }
        }
    }
}
