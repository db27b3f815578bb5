use super::walk::side_of;
use super::*;
use crate::rows::tuple::{KeyedTuple, key_of};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Mutex;

/// A tree with the tuples that a test has put into it. What leaves the tree is kept until the end,
/// so everyone is protected.
struct Subject<K: TreeKey> {
    tree: Tree<K>,
    unlinked: Mutex<Vec<Unlinked>>,
    removed: Mutex<Vec<Removed<K>>>,
}

struct Removed<K>(NonNull<KeyedTuple<K>>);

// SAFETY: freed once, by the test's last thread.
unsafe impl<K> Send for Removed<K> {}

fn protected() -> Protected<'static> {
    // SAFETY: nothing is freed before the end.
    unsafe { Protected::open() }
}

impl<K: TreeKey + Debug> Subject<K> {
    fn new() -> Self {
        Self {
            tree: Tree::new(),
            unlinked: Mutex::default(),
            removed: Mutex::default(),
        }
    }

    fn keep(&self, unlinked: Unlinked) {
        self.unlinked.lock().expect("not poisoned").push(unlinked);
    }

    fn insert(&self, key: &K) -> bool {
        loop {
            let Err(vacancy) = self.tree.locate(key, protected()) else {
                return false;
            };
            let tuple = KeyedTuple::boxed(key.clone(), 0);
            let added = self
                .tree
                .add(&vacancy, tuple, protected(), |old| self.keep(old), |_| ());
            if added.is_ok() {
                return true;
            }
        }
    }

    fn remove(&self, key: &K) -> bool {
        loop {
            let Some(tuple) = self.tree.find(protected(), |other| other.cmp(key)) else {
                return false;
            };
            let Some(mut removal) = self.tree.prepare_removal(tuple, protected()) else {
                return false;
            };
            if let Some(old) = removal.apply() {
                self.keep(old);
                self.tree
                    .shrink(tuple, protected(), &mut |old| self.keep(old));
                let removed = Removed(tuple.cast());
                self.removed.lock().expect("not poisoned").push(removed);
                return true;
            }
        }
    }

    /// Ascending.
    fn keys(walked: &Walked) -> Vec<K> {
        let nodes = walked
            .nodes
            .iter()
            .map(|node| node.tuples().len())
            .sum::<usize>();
        assert_eq!(nodes, walked.len());
        let key = |tuple: NonNull<Tuple>| {
            // SAFETY: a tuple of the tree, and nothing is freed before the end.
            unsafe { key_of::<K>(tuple) }.clone()
        };
        walked.tuples().map(key).collect()
    }

    /// Levels above the leaves.
    fn height(&self) -> u32 {
        self.tree.root(protected()).content(protected()).level()
    }

    fn up(&self, start: &K, end: &K, limit: usize) -> Walked {
        self.tree
            .walk_up(protected(), side_of(start), side_of(end), limit)
    }

    fn down(&self, start: &K, end: &K, limit: usize) -> Walked {
        self.tree
            .walk_down(protected(), side_of(start), side_of(end), limit)
    }
}

impl<K: TreeKey> Drop for Subject<K> {
    fn drop(&mut self) {
        let left = self.tree.drain().into_iter().map(NonNull::cast);
        let removed = self.removed.get_mut().expect("not poisoned");
        for tuple in left.chain(removed.drain(..).map(|removed| removed.0)) {
            // SAFETY: each tuple was in the tree or was removed from it, once.
            drop(unsafe { Box::from_raw(tuple.as_ptr()) });
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u16),
    Remove(u16),
    Up(u16, u16, usize),
    Down(u16, u16, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..40u16;
    let range = (key.clone(), key.clone(), 1..12usize);
    let step = prop_oneof![
        4 => key.clone().prop_map(Step::Insert),
        3 => key.prop_map(Step::Remove),
        1 => range.clone().prop_map(|(start, end, limit)| Step::Up(start, end, limit)),
        1 => range.prop_map(|(start, end, limit)| Step::Down(start, end, limit)),
    ];
    prop::collection::vec(step, 1..400)
}

/// Does the steps on a tree and on a model; `key` makes a key of a number, in the same order.
fn check<K: TreeKey + Debug>(steps: Vec<Step>, key: impl Fn(u16) -> K) {
    let subject = Subject::new();
    let mut model = BTreeSet::new();
    let within = |model: &BTreeSet<K>, start: &K, end: &K| -> Vec<K> {
        let keys = model.iter().filter(|key| *start <= **key && **key < *end);
        keys.cloned().collect()
    };
    for step in steps {
        match step {
            Step::Insert(number) => {
                let key = key(number);
                assert_eq!(subject.insert(&key), model.insert(key));
            }
            Step::Remove(number) => {
                let key = key(number);
                assert_eq!(subject.remove(&key), model.remove(&key));
            }
            Step::Up(start, end, limit) => {
                let (start, end) = (key(start), key(end));
                let expected = within(&model, &start, &end);
                let walked = subject.up(&start, &end, limit);
                let count = expected.len().min(limit);
                assert_eq!(Subject::<K>::keys(&walked), expected[..count]);
                assert!(!walked.is_complete || count == expected.len());
                assert!(walked.is_complete || walked.len() == limit);
                assert!(walked.nodes.iter().all(NodeRead::is_unchanged));
            }
            Step::Down(start, end, limit) => {
                let (start, end) = (key(start), key(end));
                let expected = within(&model, &start, &end);
                let walked = subject.down(&start, &end, limit);
                let count = expected.len().min(limit);
                let largest = &expected[expected.len() - count..];
                assert_eq!(Subject::<K>::keys(&walked), largest);
                assert!(!walked.is_complete || count == expected.len());
                assert!(walked.is_complete || walked.len() == limit);
            }
        }
    }
    let all: Vec<_> = model.iter().cloned().collect();
    let walked = subject
        .tree
        .walk_up(protected(), |_| Order::Greater, |_| Order::Less, usize::MAX);
    assert_eq!(Subject::<K>::keys(&walked), all);
    for number in 0..40 {
        let key = key(number);
        let found = subject.tree.find(protected(), |other| other.cmp(&key));
        assert_eq!(found.is_some(), model.contains(&key));
    }
    for key in &model {
        assert!(subject.remove(key));
    }
    assert_eq!(subject.height(), 0, "emptied");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_a_sorted_map(steps in steps()) {
        check(steps, |number| number);
    }

    #[test]
    fn a_tree_of_keys_that_own_memory_is_too(steps in steps()) {
        check(steps, |number| format!("{number:05}"));
    }
}

/// Neighbours under different parents cannot be merged; once the parents have been, they can.
#[test]
fn an_emptied_tree_is_one_leaf() {
    let leaves = |subject: &Subject<u32>| {
        let walked =
            subject
                .tree
                .walk_up(protected(), |_| Order::Greater, |_| Order::Less, usize::MAX);
        walked.nodes.len()
    };
    // As a queue is emptied, as a stack is, and without order: these steps have no common factor
    // with the number of keys.
    for step in [1, 1_008, 617] {
        let subject = Subject::new();
        for key in 0..1_009u32 {
            assert!(subject.insert(&key));
        }
        assert!(leaves(&subject) >= 250 && subject.height() >= 4);
        for i in 1..=1_009 {
            assert!(subject.remove(&(i * step % 1_009)));
        }
        assert_eq!(leaves(&subject), 1, "removed in steps of {step}");
        assert_eq!(subject.height(), 0, "removed in steps of {step}");
        assert!(subject.insert(&7) && subject.remove(&7));
    }
}

#[test]
fn a_walk_tells_whether_its_part_of_the_tree_has_changed() {
    let subject = Subject::new();
    for key in [10u32, 20, 30, 40] {
        subject.insert(&key);
    }
    // The first two, with a gap behind them that is not part of the walk.
    let walked = subject.up(&0, &100, 2);
    assert_eq!(Subject::<u32>::keys(&walked), [10, 20]);
    let unchanged = |walked: &Walked| walked.nodes.iter().all(NodeRead::is_unchanged);
    assert!(unchanged(&walked));
    subject.insert(&15);
    assert!(!unchanged(&walked), "a key between them");
    let empty = subject.up(&50, &60, 9);
    assert!(empty.len() == 0 && empty.is_complete && unchanged(&empty));
    subject.insert(&55);
    assert!(!unchanged(&empty), "a key where there was none");
}

/// A tree that has been high, and low again, is no worse for it.
#[test]
fn a_tree_grows_and_shrinks_again_and_again() {
    let subject = Subject::new();
    let mut model = BTreeSet::new();
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..40 {
        for _ in 0..300 {
            let key = random.u32(..1_000);
            assert_eq!(subject.insert(&key), model.insert(key));
        }
        assert!(subject.height() >= 2, "round {round}");
        let mut keys: Vec<_> = model.iter().copied().collect();
        random.shuffle(&mut keys);
        for key in keys.split_off(round % 3) {
            assert!(subject.remove(&key) && model.remove(&key));
        }
        let all = Subject::<u32>::keys(&subject.up(&0, &1_000, usize::MAX));
        assert!(all.iter().eq(&model), "{all:?} against {model:?}");
        assert!(subject.height() == 0 || !model.is_empty(), "round {round}");
    }
}

/// Keys that are there throughout are found once and in order by every walk, whatever happens to
/// those between them.
#[test]
fn walks_beside_inserts_and_removals_find_every_key_that_stays() {
    walks_find_every_multiple_of(10);
}

/// The same where the tree is so small in between that it comes down to its leaves.
#[test]
fn walks_beside_a_root_that_comes_and_goes_find_every_key_that_stays() {
    walks_find_every_multiple_of(200);
}

fn walks_find_every_multiple_of(step: u32) {
    let subject = Subject::new();
    let stays: Vec<_> = (0..400).filter(|key| key % step == 0).collect();
    for key in &stays {
        subject.insert(key);
    }
    let rounds = if cfg!(debug_assertions) {
        2_000
    } else {
        20_000
    };
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for first in [1, 5] {
            let (subject, stop) = (&subject, &stop);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(first.into());
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    // Runs that fill nodes and empty them again.
                    let start = random.u32(..40) * 10;
                    let keys = (start..(start + 40).min(400))
                        .filter(|key| key % step != 0 && key % 2 == first % 2);
                    for key in keys.clone() {
                        subject.insert(&key);
                    }
                    for key in keys {
                        subject.remove(&key);
                    }
                }
            });
        }
        for round in 0..rounds {
            let walked = Subject::<u32>::keys(&if round % 2 == 0 {
                subject.up(&0, &400, usize::MAX)
            } else {
                subject.down(&0, &400, usize::MAX)
            });
            assert!(
                walked.is_sorted_by(|left, right| left < right),
                "{walked:?}"
            );
            let stayed = walked.iter().filter(|key| *key % step == 0);
            assert!(stayed.eq(&stays), "{walked:?}");
            let key = stays[round % stays.len()];
            assert!(
                subject
                    .tree
                    .find(protected(), |other| other.cmp(&key))
                    .is_some()
            );
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn ascending_keys_in_the_midst_of_others_are_appended() {
    let subject = Subject::new();
    for district in 0..10_u64 {
        assert!((0..21).all(|order| subject.insert(&(district, order))));
    }
    let before = subject.unlinked.lock().expect("not poisoned").len();
    let orders = 21..1_021;
    for order in orders.clone() {
        // One district after the other, as customers of all of them order at the same time.
        assert!((0..10_u64).all(|district| subject.insert(&(district, order))));
    }
    let replaced = subject.unlinked.lock().expect("not poisoned").len() - before;
    let inserted = 10 * orders.count();
    // A new leaf for CAPACITY inserts, whose neighbour gets another content, as does its parent,
    // whose parent does for each CAPACITY of these, and so on up.
    let leaves = inserted / CAPACITY;
    let parents = inserted / (CAPACITY - 1);
    assert!(
        replaced < leaves + parents + 200,
        "{inserted} inserts replaced {replaced} contents"
    );
}
