//! Entries of an index, in the order of their keys.

use std::ops::Bound;

/// An index key with the key of a row that has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry<I, K> {
    pub(super) key: I,
    row: Place<K>,
}

/// A row's key among those with the same index key. Below and above all of them is for bounds only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place<K> {
    Below,
    Row(K),
    Above,
}

impl<I, K> Entry<I, K> {
    pub(super) fn new(key: I, row: K) -> Self {
        let row = Place::Row(row);
        Self { key, row }
    }

    pub(super) fn row(&self) -> &K {
        match &self.row {
            Place::Row(key) => key,
            Place::Below | Place::Above => unreachable!("no bound is ever inserted"),
        }
    }
}

pub(super) type Bounds<T> = (Bound<T>, Bound<T>);

/// The entries whose index keys are between two bounds.
pub(super) fn bounds_of<I, K>((start, end): Bounds<I>) -> Bounds<Entry<I, K>> {
    let at = |row| move |key| Entry { key, row };
    let start = match start {
        Bound::Included(key) => Bound::Included(at(Place::Below)(key)),
        Bound::Excluded(key) => Bound::Excluded(at(Place::Above)(key)),
        Bound::Unbounded => Bound::Unbounded,
    };
    let end = match end {
        Bound::Included(key) => Bound::Included(at(Place::Above)(key)),
        Bound::Excluded(key) => Bound::Excluded(at(Place::Below)(key)),
        Bound::Unbounded => Bound::Unbounded,
    };
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::RangeBounds;

    #[test]
    fn bounds_of_keys_hold_all_rows_with_these_keys_and_no_others() {
        let has = |bounds: Bounds<u8>, key: u8| {
            let bounds = bounds_of::<u8, u8>(bounds);
            let [first, last] = [0, u8::MAX].map(|row| bounds.contains(&Entry::new(key, row)));
            assert_eq!(first, last, "rows with the same index key");
            first
        };
        for key in 0..10 {
            let (three, six) = (Bound::Included(3), Bound::Included(6));
            assert_eq!(has((three, six), key), (3..=6).contains(&key));
            let (above, below) = (Bound::Excluded(3), Bound::Excluded(6));
            assert_eq!(has((above, below), key), (4..6).contains(&key));
            assert!(has((Bound::Unbounded, Bound::Unbounded), key));
        }
    }
}
