//! Every adapter answers as a `BTreeMap` does.

use super::key::Key;
use super::{OrderedIndex, bplustree, btreemap, congee, ferntree, masstree, mvcc, scc, skiplist};
use std::collections::BTreeMap;

fn agrees<I: OrderedIndex>() {
    let (index, mut model) = (I::new(), BTreeMap::<Key, usize>::new());
    let mut rng = fastrand::Rng::with_seed(7);
    for step in 0..40_000 {
        let key = (rng.u32(0..3), rng.u64(0..5_000) * 1_000);
        if model.contains_key(&key) == rng.bool() {
            assert_eq!(index.remove(key), model.remove(&key).is_some());
        } else if model.insert(key, step).is_none() {
            index.insert(key, step);
        } else {
            model.remove(&key);
            assert!(index.remove(key));
        }
        assert_eq!(index.get(key), model.get(&key).copied());
        if step % 20 == 0 {
            let from = (key.0, key.1 + rng.u64(0..2));
            let n = rng.usize(1..=100);
            let mut seen = Vec::new();
            index.scan(from, n, |key, value| seen.push((key, value)));
            let expected: Vec<_> = model.range(from..).take(n).map(|(&k, &v)| (k, v)).collect();
            assert_eq!(seen, expected, "forward from {from:?}");
            if I::BACKWARDS {
                seen.clear();
                index.scan_back(from, n, |key, value| seen.push((key, value)));
                let expected: Vec<_> = model
                    .range(..=from)
                    .rev()
                    .take(n)
                    .map(|(&k, &v)| (k, v))
                    .collect();
                assert_eq!(seen, expected, "backwards from {from:?}");
            }
        }
    }
}

/// In 0.9.5 a forward scan in a second layer of the trie may leave out the key it starts from, with
/// no other thread about.
#[test]
#[should_panic(expected = "forward from")]
fn masstree_does_not_quite_agree() {
    agrees::<masstree::Index<12>>();
}

macro_rules! adapters {
    ($($test:ident: $index:ty,)+) => { $(#[test] fn $test() { agrees::<$index>(); })+ };
}

adapters! {
    btreemap_agrees: btreemap::Index,
    skiplist_agrees: skiplist::Index,
    scc_agrees: scc::Index,
    bplustree_agrees: bplustree::Index,
    ferntree_agrees: ferntree::Inline,
    ferntree_composite_agrees: ferntree::Boxed,
    masstree_packed_agrees: masstree::Index<8>,
    congee_agrees: congee::Index,
    mvcc_agrees: mvcc::Index,
}
