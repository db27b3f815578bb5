//! What of a range a read-write transaction has to protect.

use super::*;
use crate::rows::protected::Protected;
use crate::rows::ranges::FIRST_BATCH;
use crate::{Database, OrderedTable};
use std::cell::Cell;
use std::cmp::Ordering as Order;
use std::collections::VecDeque;

struct Subject {
    db: Database,
    table: OrderedTable<u64, u64>,
}

impl Subject {
    /// Every tenth key from 0 to 190.
    fn new() -> Self {
        let db = Database::new();
        let table = db.ordered_table("t").expect("a new database");
        let subject = Self { db, table };
        (0..20).for_each(|key| subject.insert(10 * key));
        subject
    }

    fn insert(&self, key: u64) {
        self.db
            .run(|tx| Ok::<_, ()>(tx.insert(&self.table, key, key)))
            .expect("it commits");
    }

    /// The read, and what it found, in its order. Only while a transaction is open.
    fn read(&self, direction: Direction, limit: usize) -> (RangeRead, Vec<NonNull<Tuple>>) {
        let bounds = (Bound::Included(50), Bound::Excluded(100));
        let walked = walk(
            self.table.tree(),
            (&bounds.0, &bounds.1),
            direction,
            limit,
            protected(),
        );
        let mut tuples: Vec<_> = walked.tuples().collect();
        if direction == Direction::Down {
            tuples.reverse();
        }
        let cause = ConflictCause::RangeChanged;
        let read = RangeRead::new(&self.table.core, direction, walked.nodes, bounds, cause);
        (read, tuples)
    }
}

fn protected() -> Protected<'static> {
    // SAFETY: the tests have open transactions.
    unsafe { Protected::open() }
}

fn keys<'t>(tuples: impl IntoIterator<Item = &'t NonNull<Tuple>>) -> Vec<u64> {
    let key = |tuple: &NonNull<Tuple>| {
        // SAFETY: of a table with such keys, while a transaction is open.
        *unsafe { key_of::<u64>(*tuple) }
    };
    tuples.into_iter().map(key).collect()
}

#[test]
fn a_walk_is_within_its_bounds_and_its_limit() {
    let subject = Subject::new();
    let _open = subject.db.begin();
    assert_eq!(
        keys(&subject.read(Direction::Up, 99).1),
        [50, 60, 70, 80, 90]
    );
    assert_eq!(
        keys(&subject.read(Direction::Down, 99).1),
        [90, 80, 70, 60, 50]
    );
    assert_eq!(keys(&subject.read(Direction::Up, 2).1), [50, 60]);
    assert_eq!(keys(&subject.read(Direction::Down, 2).1), [90, 80]);
}

#[test]
fn a_key_within_the_range_changes_it_and_one_outside_does_not() {
    let subject = Subject::new();
    let _open = subject.db.begin();
    for (direction, inside) in [(Direction::Up, 55), (Direction::Down, 56)] {
        let (mut read, tuples) = subject.read(direction, 99);
        assert!(read.is_unchanged());
        assert_eq!(read.tuples().count(), tuples.len());
        subject.insert(inside);
        assert!(!read.is_unchanged());
        read.walk_again(protected());
        assert!(read.is_unchanged());
        assert_eq!(read.tuples().count(), tuples.len() + 1);
    }
}

#[test]
fn beyond_where_it_stopped_a_read_knows_nothing() {
    let subject = Subject::new();
    let _open = subject.db.begin();
    for (direction, kept) in [(Direction::Up, [50, 60]), (Direction::Down, [90, 80])] {
        let (mut read, tuples) = subject.read(direction, 99);
        let mut bounds = read.take_bounds().expect("nobody has them");
        bounds.stop(direction, tuples[1]);
        read.put_back(bounds);
        read.stop(direction, tuples[1]);
        let mut left = keys(&read.tuples().collect::<Vec<_>>());
        left.sort_unstable();
        let mut kept = kept.to_vec();
        kept.sort_unstable();
        assert_eq!(left, kept);
        read.walk_again(protected());
        assert_eq!(keys(&read.tuples().collect::<Vec<_>>()), kept);
    }
}

/// Rows are read some at a time, more each time; what was read ahead is forgotten when the
/// iteration is left.
#[test]
fn rows_come_from_both_ends_whatever_was_read_ahead() {
    let subject = Subject::new();
    let tx = subject.db.begin();
    let mut rows = tx.range(&subject.table, ..);
    let mut expected: VecDeque<u64> = (0..20).map(|key| 10 * key).collect();
    let mut random = fastrand::Rng::with_seed(3);
    while let Some(key) = if random.bool() {
        expected.pop_front()
    } else {
        None
    } {
        assert_eq!(rows.next(), Some((&key, &key)));
        let Some(key) = expected.pop_back() else {
            break;
        };
        assert_eq!(rows.next_back(), Some((&key, &key)));
    }
    for key in expected {
        assert_eq!(rows.next(), Some((&key, &key)));
    }
    assert_eq!((rows.next(), rows.next_back()), (None, None));
}

/// What a range has read is not lost to it by a panic, and it can be dropped.
#[test]
fn a_range_survives_a_comparison_that_panics() {
    #[derive(Clone, PartialEq, Eq)]
    struct Key(u64);
    thread_local! {
        static PANICS: Cell<bool> = const { Cell::new(false) };
    }
    impl PartialOrd for Key {
        fn partial_cmp(&self, other: &Self) -> Option<Order> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Key {
        fn cmp(&self, other: &Self) -> Order {
            assert!(!PANICS.get(), "as the test wants it");
            self.0.cmp(&other.0)
        }
    }
    let db = Database::new();
    let table = db.ordered_table::<Key, u64>("t").expect("new");
    db.run(|tx| {
        (0..40).for_each(|key| tx.insert(&table, Key(key), key));
        Ok::<_, ()>(())
    })
    .expect("it commits");
    let snapshot = db.snapshot();
    let mut rows = snapshot.range(&table, Key(0)..Key(40));
    let read = rows.by_ref().take(FIRST_BATCH).count();
    PANICS.set(true);
    let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rows.next().is_some()));
    PANICS.set(false);
    assert_eq!((read, next.is_err()), (FIRST_BATCH, true));
    drop(rows);
    assert_eq!(snapshot.iter(&table).count(), 40);
}
