//! User code that panics, in every place where it is called: nothing is left locked, and nothing is
//! lost.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use tplock::{Database, OrderedTable, Table};

/// Panics when it is touched for the so manieth time; 0 is never.
#[derive(Debug, Default)]
struct Fuse(AtomicU32);

impl Fuse {
    fn set(&self, touches: u32) {
        self.0.store(touches, Relaxed);
    }

    fn touch(&self) {
        let left = self.0.load(Relaxed);
        self.0.store(left.saturating_sub(1), Relaxed);
        if left == 1 {
            // Without the hook, which would print hundreds of them.
            resume_unwind(Box::new("user code panics"));
        }
    }
}

/// A key all of whose traits touch a fuse.
#[derive(Debug)]
struct Touchy {
    key: u32,
    fuse: Arc<Fuse>,
}

impl Clone for Touchy {
    fn clone(&self) -> Self {
        self.fuse.touch();
        Self {
            key: self.key,
            fuse: self.fuse.clone(),
        }
    }
}

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fuse.touch();
        // All in one shard, so that they are compared.
        state.write_u32(0);
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        self.fuse.touch();
        self.key == other.key
    }
}

impl Eq for Touchy {}

impl PartialOrd for Touchy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Touchy {
    fn cmp(&self, other: &Self) -> Ordering {
        self.fuse.touch();
        self.key.cmp(&other.key)
    }
}

/// Some operations of one kind of table.
trait Operations {
    fn put(&self, db: &Database, key: u32, fuse: &Arc<Fuse>);
    /// Reads, misses, scans, inserts, updates and removes.
    fn everything(&self, db: &Database, key: &dyn Fn(u32) -> Touchy);
    fn rows(&self, db: &Database) -> Vec<(u32, u32)>;
}

macro_rules! operations {
    ($table:ident) => {
        impl Operations for $table<Touchy, u32> {
            fn put(&self, db: &Database, key: u32, fuse: &Arc<Fuse>) {
                let touchy = || Touchy {
                    key,
                    fuse: fuse.clone(),
                };
                db.run(|tx| Ok::<_, ()>(tx.insert(self, touchy(), key)))
                    .expect("no error");
            }

            fn everything(&self, db: &Database, key: &dyn Fn(u32) -> Touchy) {
                db.run(|tx| {
                    assert_eq!(tx.get(self, &key(1)), Some(&1));
                    assert_eq!(tx.get(self, &key(7)), None);
                    assert!(tx.iter(self).count() >= 3);
                    tx.insert(self, key(8), 8);
                    tx.insert(self, key(9), 9);
                    tx.remove(self, &key(9));
                    tx.update(self, &key(2), |value| value + 100);
                    tx.remove(self, &key(3));
                    Ok::<_, ()>(())
                })
                .expect("no error");
            }

            fn rows(&self, db: &Database) -> Vec<(u32, u32)> {
                db.view(|view| {
                    let mut rows: Vec<_> = view
                        .iter(self)
                        .map(|(key, value)| (key.key, *value))
                        .collect();
                    rows.sort_unstable();
                    rows
                })
            }
        }
    };
}

operations!(Table);
operations!(OrderedTable);

/// Lets each touch panic in turn. The transaction has then happened or not, and all that it has
/// locked is free.
fn every_touch_panics(open: impl Fn(&Database) -> Box<dyn Operations>) {
    let before = vec![(1, 1), (2, 2), (3, 3)];
    let after = vec![(1, 1), (2, 102), (8, 8)];
    let mut outcomes = [0; 2];
    for touches in 1.. {
        let (db, fuse) = (Database::new(), Arc::new(Fuse::default()));
        let table = open(&db);
        (1..=3).for_each(|key| table.put(&db, key, &fuse));
        let key = |key| Touchy {
            key,
            fuse: fuse.clone(),
        };
        fuse.set(touches);
        let done = catch_unwind(AssertUnwindSafe(|| table.everything(&db, &key)));
        let has_burnt_down = fuse.0.load(Relaxed) == 0;
        fuse.set(0);
        assert_eq!(db.stats().locks, 0, "touch {touches}");
        let rows = table.rows(&db);
        assert!(rows == before || rows == after, "touch {touches}: {rows:?}");
        assert!(
            done.is_err() || rows == after,
            "touch {touches}: it has committed"
        );
        outcomes[usize::from(rows == after)] += 1;
        // What a panic has left in the index is no more than a key without a value.
        table.everything(&db, &key);
        table.put(&db, 7, &fuse);
        assert_eq!(table.rows(&db).len(), 4);
        assert_eq!(db.stats().locks, 0);
        if !has_burnt_down {
            break;
        }
    }
    assert!(outcomes[0] > 10 && outcomes[1] > 1, "{outcomes:?}");
}

#[test]
fn every_touch_of_a_key_of_a_table_panics() {
    every_touch_panics(|db| Box::new(db.table::<Touchy, u32>("t").expect("new")));
}

#[test]
fn every_touch_of_a_key_of_an_ordered_table_panics() {
    every_touch_panics(|db| Box::new(db.ordered_table::<Touchy, u32>("t").expect("new")));
}

#[test]
fn a_closure_panics() {
    let db = Database::new();
    let (points, ranges) = (
        db.table::<u32, u32>("points").expect("new"),
        db.ordered_table::<u32, u32>("ranges").expect("new"),
    );
    for _ in 0..3 {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            db.run::<(), ()>(|tx| {
                tx.insert(&points, 1, 2);
                tx.insert(&ranges, 2, 2);
                assert_eq!(tx.iter(&ranges).count() + tx.iter(&points).count(), 2);
                tx.update(&points, &1, |_| panic!("in an update"));
                Ok(())
            })
        }));
        assert!(panicked.is_err());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            db.view(|view| {
                assert_eq!(view.get(&points, &1), None);
                panic!("in a view");
            });
        }));
        assert!(panicked.is_err());
        let attempt = db.begin();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            attempt.insert(&points, 1, 1).expect("alone");
            panic!("beside an attempt");
        }));
        assert!(panicked.is_err());
        drop(attempt);
        assert_eq!((db.stats().tuples, db.stats().locks), (0, 0));
    }
    db.run(|tx| Ok::<_, ()>(tx.insert(&points, 1, 1)))
        .expect("no error");
}

/// A value that panics when it is dropped, by the commit that has overwritten it.
#[test]
fn the_drop_of_a_value_panics() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "a value that cannot be dropped in peace");
        }
    }
    let db = Database::new();
    let table = db.table("t").expect("new");
    let put = |key: u32, armed: bool| {
        db.run(|tx| {
            tx.insert(&table, key, Bomb(armed));
            Ok::<_, ()>(tx.insert(&table, key + 10, Bomb(false)))
        })
    };
    put(1, true).expect("no error");
    let panicked = catch_unwind(AssertUnwindSafe(|| put(1, false)));
    assert!(panicked.is_err());
    // It has committed before, and has given up its locks.
    assert_eq!((db.stats().tuples, db.stats().locks), (2, 0));
    put(1, false).expect("no error");
    put(2, false).expect("no error");
    assert_eq!((db.stats().tuples, db.stats().locks), (4, 0));
}
