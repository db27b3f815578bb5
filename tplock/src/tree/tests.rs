use super::*;
use proptest::prelude::*;
use std::ops::RangeBounds;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

type Numbers = Tree<u32, u32>;

fn below(bound: Bound<&u32>, key: u32) -> bool {
    (bound, Bound::Unbounded).contains(&key)
}

fn check(tree: &Numbers, model: &BTreeMap<u32, Arc<u32>>, key: u32) -> Result<(), TestCaseError> {
    prop_assert_eq!(tree.get(&key), model.get(&key).cloned());
    for bound in [
        Bound::Included(&key),
        Bound::Excluded(&key),
        Bound::Unbounded,
    ] {
        let mut from = model.iter().filter(|(other, _)| below(bound, **other));
        let first = tree.first(bound, 2);
        prop_assert_eq!(
            first.as_ref().map(|found| &found.0),
            from.next().map(|(_, value)| value)
        );
        for following in first.and_then(|(_, run)| run).into_iter().flatten() {
            prop_assert_eq!(Some(&following), from.next().map(|(_, value)| value));
        }
        let last = tree.last(bound);
        let to = (Bound::Unbounded, bound);
        prop_assert_eq!(
            last.as_ref(),
            model
                .range::<u32, _>(to)
                .next_back()
                .map(|(_, value)| value)
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_sorted_map(steps in prop::collection::vec((any::<bool>(), 0..60u32), 1..400)) {
        let (tree, mut model) = (Numbers::new(), BTreeMap::new());
        for (insert, key) in steps {
            let value = Arc::new(key);
            if insert {
                let is_new = !model.contains_key(&key);
                prop_assert_eq!(tree.insert(key, value.clone()), is_new);
                model.entry(key).or_insert(value);
            } else {
                // Not this very value, but an equal one.
                tree.remove(&key, &value);
                prop_assert_eq!(tree.get(&key), model.get(&key).cloned());
                if let Some(value) = model.remove(&key) {
                    tree.remove(&key, &value);
                }
            }
            check(&tree, &model, key)?;
        }
        prop_assert!(tree.all().iter().eq(model.values()));
        // No more segments than it takes: each two neighbours have more than half of what fits in
        // one.
        let segments = tree.shape.read().others.len();
        prop_assert!(segments <= 1 + 4 * model.len() / MOST, "{} segments for {}", segments, model.len());
    }
}

/// Entries come and go around those that stay, which every lookup finds.
#[test]
fn what_stays_is_found_from_both_sides() {
    let tree = Numbers::new();
    for key in (0..100).step_by(10) {
        assert!(tree.insert(key, Arc::new(key)));
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 1..3 {
            let (tree, stop) = (&tree, &stop);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread.into());
                while !stop.load(Relaxed) {
                    let value = Arc::new(random.u32(..10) * 10 + thread);
                    assert!(tree.insert(*value, value.clone()));
                    tree.remove(&value, &value);
                }
            });
        }
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let key = random.u32(..10) * 10;
            assert!(tree.get(&key).is_some());
            let above = tree.first(Bound::Excluded(&key), 0).map(|found| *found.0);
            assert!(above.is_none_or(|above| above <= key + 10) && (above.is_some() || key == 90));
            let below = tree.last(Bound::Excluded(&key)).map(|found| *found);
            assert!(below.is_none_or(|below| below + 10 >= key) && (below.is_some() || key == 0));
        }
        stop.store(true, Relaxed);
    });
    assert!(tree.all().iter().map(|key| **key).eq((0..100).step_by(10)));
}

/// A key whose comparison panics once the fuse has burnt down.
#[derive(Clone, PartialEq, Eq)]
struct Touchy<'f>(u32, &'f std::cell::Cell<u32>);

impl Ord for Touchy<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let left = self.1.get().wrapping_sub(1);
        self.1.set(left);
        assert_ne!(left, 0, "a comparison that panics");
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Touchy<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Whichever comparison panics, the tree has all it had, with or without the entry that was on its
/// way.
#[test]
fn a_comparison_that_panics_loses_nothing() {
    for burns in 1..30 {
        let fuse = std::cell::Cell::new(0);
        let tree = Tree::new();
        let value = |key| Arc::new(key);
        let values: Vec<_> = (0..8).map(|key| value(key * 10)).collect();
        for value in &values {
            tree.insert(Touchy(**value, &fuse), value.clone());
        }
        fuse.set(burns);
        let _ = catch_unwind(AssertUnwindSafe(|| {
            for key in [31, 32, 33] {
                tree.insert(Touchy(key, &fuse), value(key));
            }
            for value in &values[4..] {
                tree.remove(&Touchy(**value, &fuse), value);
            }
        }));
        fuse.set(0);
        let left: Vec<_> = tree.all().iter().map(|key| **key).collect();
        assert!(left.is_sorted_by(|left, right| left < right), "{left:?}");
        assert!(
            [0, 10, 20, 30].iter().all(|key| left.contains(key)),
            "{left:?}"
        );
        for key in left {
            assert_eq!(tree.get(&Touchy(key, &fuse)).as_deref(), Some(&key));
        }
        assert!(tree.insert(Touchy(99, &fuse), value(99)));
    }
}
