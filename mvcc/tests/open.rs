//! A transaction that stays open keeps what it can see, once it has a timestamp, and what it has found in the indexes.
//!
//! It used to keep every version: 1,001 of one row after 1,000 updates.

use mvcc::{Database, OrderedTable, Table, Transaction};

const UPDATES: u64 = 5_000;
/// What a few collections leave.
const FEW: u64 = 400;

struct World {
    db: Database,
    hashed: Table<u64, String>,
    ordered: OrderedTable<u64, String>,
}

impl World {
    fn new() -> Self {
        let db = Database::new();
        let hashed = db.table("hashed").expect("new");
        let ordered = db.ordered_table("ordered").expect("new");
        let world = Self {
            db,
            hashed,
            ordered,
        };
        for key in 0..20 {
            world.put(key, "old");
        }
        world
    }

    fn put(&self, key: u64, value: &str) {
        let done = self.db.run(|tx| {
            tx.insert(&self.hashed, key, value.to_owned());
            Ok::<_, ()>(tx.insert(&self.ordered, key, value.to_owned()))
        });
        assert_eq!(done, Ok(()));
    }

    fn remove(&self, key: u64) {
        let done = self.db.run(|tx| {
            tx.remove(&self.hashed, &key);
            Ok::<_, ()>(tx.remove(&self.ordered, &key))
        });
        assert_eq!(done, Ok(()));
    }
}

/// Begins a transaction with `first`, updates rows beside it, and looks at what there is, and at what the transaction sees.
fn stays_small(first: impl FnOnce(&World, &Transaction<'_>)) {
    let world = World::new();
    let tx = world.db.begin();
    first(&world, &tx);
    let kept: Vec<&String> = (10..20)
        .filter_map(|key| tx.get(&world.hashed, &key))
        .collect();
    for update in 0..UPDATES {
        world.put(update % 10, "new");
        if update % 100 == 99 {
            let stats = world.db.stats();
            assert!(stats.live_versions <= 80 + FEW, "{stats:?}");
        }
    }
    world.db.collect();
    let stats = world.db.stats();
    assert_eq!((stats.live_versions, stats.retired), (60, 20), "{stats:?}");
    assert!(kept.iter().all(|value| *value == "old"));
    // Own and old: at its timestamp.
    for key in 0..10 {
        assert_eq!(
            tx.peek(&world.hashed, &key).map(String::as_str),
            Some("old")
        );
    }
    assert!(
        tx.get(&world.ordered, &3)
            .is_some_and(|value| value == "old")
    );
    assert_eq!(kept.len(), 10);
}

#[test]
fn after_a_scan() {
    stays_small(|world, tx| assert_eq!(tx.iter(&world.hashed).count(), 20));
}

#[test]
fn after_a_range() {
    stays_small(|world, tx| assert_eq!(tx.range(&world.ordered, ..).count(), 20));
}

#[test]
fn after_a_missed_key_and_a_row_that_is_overwritten() {
    stays_small(|world, tx| {
        assert_eq!(tx.get(&world.hashed, &99), None);
        assert!(tx.contains_key(&world.hashed, &1));
    });
}

#[test]
fn after_so_many_rows_that_it_needs_a_timestamp() {
    stays_small(|world, tx| {
        assert!((0..20).all(|key| tx.contains_key(&world.ordered, &key)));
    });
}

#[test]
fn after_a_peek_and_a_row_that_is_overwritten() {
    stays_small(|world, tx| {
        assert!(tx.peek(&world.hashed, &1).is_some());
        assert!(tx.contains_key(&world.hashed, &1));
    });
}

/// A row that it does not see, since it came later, has a value when the transaction buffers a write to it, which needs no hold for that reason. Then that is
/// removed, and nobody sees it any more.
#[test]
fn a_removed_row_that_is_written_to_stays() {
    let world = World::new();
    let tx = world.db.begin();
    assert_eq!(tx.get(&world.hashed, &99), None);
    world.put(50, "later");
    tx.insert(&world.hashed, 50, "ours".to_owned());
    tx.insert(&world.ordered, 50, "ours".to_owned());
    world.remove(50);
    for update in 0..UPDATES {
        world.put(update % 10, "new");
    }
    world.db.collect();
    assert!(tx.commit().is_ok());
    let both = world.db.view(|view| {
        let hashed = view.get(&world.hashed, &50).cloned();
        (hashed, view.get(&world.ordered, &50).cloned())
    });
    assert_eq!(both, (Some("ours".to_owned()), Some("ours".to_owned())));
}

/// It moves on to a later timestamp. What it peeked at before is visible at the earlier one only, and stays.
#[test]
fn what_was_seen_before_it_moved_on_stays() {
    let world = World::new();
    let tx = world.db.begin();
    assert_eq!(tx.get(&world.hashed, &99), None);
    let peeked = tx.peek(&world.hashed, &1).expect("it has a value");
    world.put(1, "new");
    world.put(2, "new");
    assert_eq!(tx.get(&world.hashed, &2).map(String::as_str), Some("new"));
    for update in 0..UPDATES {
        world.put(update % 2, "newer");
    }
    world.db.collect();
    assert_eq!(peeked, "old");
    assert_eq!(tx.peek(&world.hashed, &1).map(String::as_str), Some("new"));
    tx.insert(&world.hashed, 60, String::new());
    assert!(tx.commit().is_ok());
}
