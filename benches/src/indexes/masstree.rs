//! `masstree::MassTree`: with keys of 12 bytes, which take two layers of its trie, and of 8, which
//! take one.

use super::key::{from_bytes, to_bytes};
use super::{Key, OrderedIndex};
use masstree::{MassTree, RangeBound};

pub(super) struct Index<const BYTES: usize>(MassTree<usize>);

impl<const BYTES: usize> OrderedIndex for Index<BYTES> {
    const NAME: &'static str = if BYTES == 8 { "masstree-8" } else { "masstree" };
    const KEYS: &'static str = if BYTES == 8 {
        "packed u64, big-endian"
    } else {
        "12 bytes, big-endian"
    };

    fn new() -> Self {
        Self(MassTree::new())
    }

    fn insert(&self, key: Key, value: usize) {
        self.0
            .insert_with_guard(&to_bytes::<BYTES>(key), value, &self.0.guard());
    }

    fn get(&self, key: Key) -> Option<usize> {
        self.0
            .get_with_guard(&to_bytes::<BYTES>(key), &self.0.guard())
    }

    fn remove(&self, key: Key) -> bool {
        let removed = self
            .0
            .remove_with_guard(&to_bytes::<BYTES>(key), &self.0.guard());
        removed.expect("within the retry limit").is_some()
    }

    fn scan(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        let from = to_bytes::<BYTES>(from);
        let mut left = n;
        let visit = |key: &[u8], value| {
            f(from_bytes::<BYTES>(key), value);
            left -= 1;
            left > 0
        };
        self.0.scan_intra_leaf_batch(
            RangeBound::Included(&from),
            RangeBound::Unbounded,
            visit,
            &self.0.guard(),
        );
    }

    fn scan_back(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        let from = to_bytes::<BYTES>(from);
        let mut left = n;
        let visit = |key: &[u8], value| {
            f(from_bytes::<BYTES>(key), value);
            left -= 1;
            left > 0
        };
        self.0.scan_rev_batch(
            RangeBound::Unbounded,
            RangeBound::Included(&from),
            visit,
            &self.0.guard(),
        );
    }
}
