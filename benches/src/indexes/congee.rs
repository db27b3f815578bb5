//! `congee::Congee`.

use super::{Key, OrderedIndex, key};
use congee::Congee;

pub(super) struct Index(Congee<usize, usize>);

/// The key as a word of 64 bits, which the crate needs anyway.
fn word(key: Key) -> usize {
    usize::try_from(key::pack(key)).expect("64-bit words")
}

const LONGEST: usize = 100;

impl OrderedIndex for Index {
    const NAME: &'static str = "congee";
    const KEYS: &'static str = "packed u64";
    const BACKWARDS: bool = false;

    fn new() -> Self {
        Self(Congee::default())
    }

    fn insert(&self, key: Key, value: usize) {
        self.0
            .insert(word(key), value, &self.0.pin())
            .expect("memory");
    }

    fn get(&self, key: Key) -> Option<usize> {
        self.0.get(&word(key), &self.0.pin())
    }

    fn remove(&self, key: Key) -> bool {
        self.0.remove(&word(key), &self.0.pin()).is_some()
    }

    /// A scan that fills a buffer is all that there is.
    fn scan(&self, from: Key, n: usize, mut f: impl FnMut(Key, usize)) {
        let mut buffer = [(0, 0); LONGEST];
        let found = self
            .0
            .range(&word(from), &usize::MAX, &mut buffer[..n], &self.0.pin());
        for &(key, value) in &buffer[..found] {
            f(key::unpack(key as u64), value);
        }
    }

    fn scan_back(&self, _: Key, _: usize, _: impl FnMut(Key, usize)) {
        unreachable!("BACKWARDS is false");
    }
}
