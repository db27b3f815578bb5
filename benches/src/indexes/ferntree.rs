//! `ferntree::Tree`: with the key packed into an integer, which it stores inline, and with the
//! composite key, which it boxes.

use super::{Key, OrderedIndex, key};
use ferntree::Tree;

/// The composite key as a type of this crate, which the crate's macro needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Composite(Key);

ferntree::impl_optimistic_read_boxed!(Composite);

macro_rules! adapter {
    ($name:ident, $label:literal, $keys:literal, $key:ty, $encode:expr, $decode:expr) => {
        pub(super) struct $name(Tree<$key, usize>);

        impl OrderedIndex for $name {
            const NAME: &'static str = $label;
            const KEYS: &'static str = $keys;

            fn new() -> Self {
                Self(Tree::new())
            }

            fn insert(&self, key: Key, value: usize) {
                self.0.insert($encode(key), value);
            }

            fn get(&self, key: Key) -> Option<usize> {
                self.0.get_optimistic(&$encode(key))
            }

            fn remove(&self, key: Key) -> bool {
                self.0.remove(&$encode(key)).is_some()
            }

            fn scan(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
                let mut entries = self.0.raw_iter();
                entries.seek(&$encode(from));
                for _ in 0..n {
                    let Some((&key, &value)) = entries.next() else {
                        break;
                    };
                    f($decode(key), value);
                }
            }

            fn scan_back(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
                let mut entries = self.0.raw_iter();
                entries.seek_for_prev(&$encode(from));
                for _ in 0..n {
                    let Some((&key, &value)) = entries.prev() else {
                        break;
                    };
                    f($decode(key), value);
                }
            }
        }
    };
}

adapter!(
    Inline,
    "ferntree",
    "packed u64",
    u64,
    key::pack,
    key::unpack
);
adapter!(
    Boxed,
    "ferntree-boxed",
    "boxed (u32, u64)",
    Composite,
    Composite,
    |key: Composite| key.0
);
