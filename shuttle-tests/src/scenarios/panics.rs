//! User code that panics, and transactions that are not ended in the usual way.

use super::{World, add, check_clean, numbers, tasks, write};
use shuttle::thread;
use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Unwinds without the panic hook, which would take it for the scenario's failure.
fn bail() -> ! {
    resume_unwind(Box::new("expected"))
}

/// A closure panics after it has read and written.
pub(super) fn panic_in_a_closure(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                a.0.run(|tx| -> Result<(), ()> {
                    let value = *tx.get(&a.1, &0).expect("it stays");
                    tx.insert(&a.1, 0, value + 100);
                    tx.insert(&a.1, 5, 5);
                    bail()
                })
            }));
            assert!(caught.is_err());
            let caught = catch_unwind(AssertUnwindSafe(|| {
                a.0.view(|view| {
                    assert!(view.get(&a.1, &0).is_some());
                    bail()
                })
            }));
            assert!(caught.is_err());
        },
        move || add(&b.0, &b.1, 0, 1),
    );
    assert_eq!(db.view(|view| view.get(&table, &0).copied()), Some(1));
    write(&db, &table, &[(0, 2)]);
    check_clean(&db, 1);
}

/// A key whose comparison panics when it is told to.
#[derive(Clone)]
struct Touchy {
    key: u32,
    armed: Arc<AtomicBool>,
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
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
        if self.armed.load(SeqCst) {
            bail()
        }
        self.key.cmp(&other.key)
    }
}

/// Comparing keys panics: in a scan, in an insert, in a commit that has to walk through its range again.
pub(super) fn panic_in_ord(world: World) {
    let bystander = thread::spawn(thread::yield_now);
    let db = world.database();
    let armed = Arc::new(AtomicBool::new(false));
    let key = |key| Touchy {
        key,
        armed: armed.clone(),
    };
    let table = db.ordered_table::<Touchy, u64>("touchy").expect("new");
    let put = |number: u32| {
        db.run(|tx| Ok::<_, ()>(tx.insert(&table, key(number), 1)))
            .expect("no error");
    };
    (0..5).for_each(|number| put(number * 10));
    for step in 0..3 {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let tx = db.begin();
            tx.insert(&table, key(10), 9);
            if step > 0 {
                assert_eq!(tx.range(&table, key(5)..key(35)).count(), 3);
            }
            if step > 1 {
                // The range has to be walked through again at the commit.
                put(36 + step);
            }
            armed.store(true, SeqCst);
            match step {
                0 => tx.range(&table, key(5)..key(35)).count(),
                1 => tx.get(&table, &key(10)).map_or(0, |_| 1),
                _ => tx.commit().map_or(0, |_| 1),
            }
        }));
        armed.store(false, SeqCst);
        assert!(caught.is_err(), "step {step} compares keys");
        // Nothing is locked: all rows can be read and written.
        let tx = db.begin();
        assert_eq!(tx.get(&table, &key(10)), Some(&1));
        tx.insert(&table, key(10), 1);
        assert!(tx.commit().is_ok(), "a row is still locked");
    }
    check_clean(&db, 6);
    bystander.join().expect("it does nothing");
}

struct Bomb(Arc<AtomicBool>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0.swap(false, SeqCst) {
            bail()
        }
    }
}

/// Dropping an overwritten value panics, which happens when it is collected.
pub(super) fn panic_in_drop(world: World) {
    let bystander = thread::spawn(thread::yield_now);
    let db = world.database();
    let table = db.table::<u32, Bomb>("bombs").expect("new");
    let armed = Arc::new(AtomicBool::new(false));
    let put = |key: u32| {
        let value = std::cell::Cell::new(Some(Bomb(armed.clone())));
        let written = catch_unwind(AssertUnwindSafe(|| {
            db.run(|tx| {
                Ok::<_, ()>(tx.insert(&table, key, value.take().expect("nobody else is there")))
            })
        }));
        written.is_ok()
    };
    assert!(put(0) && put(1));
    armed.store(true, SeqCst);
    let mut panics = 0;
    for round in 0..6 {
        panics += u32::from(!put(round % 2));
    }
    panics += u32::from(catch_unwind(AssertUnwindSafe(|| db.collect())).is_err());
    assert_eq!(panics, 1, "the first value that is dropped panics");
    assert!(put(0) && put(1), "a row is still locked");
    check_clean(&db, 2);
    bystander.join().expect("it does nothing");
}

/// Transactions that are dropped, leaked, and ended in another order than they were begun.
pub(super) fn forgotten_and_out_of_order(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            let (first, second, third) = (a.0.begin(), a.0.begin(), a.0.begin());
            second.insert(&a.1, 0, 1);
            first.insert(&a.1, 1, 1);
            third.insert(&a.1, 2, 1);
            drop(third);
            assert!(first.commit().is_ok() | second.commit().is_ok());
        },
        move || {
            // Its slot holds back what is overwritten from now on, and nothing else.
            let leaked = b.0.begin();
            leaked.insert(&b.1, 7, 7);
            std::mem::forget(leaked);
            write(&b.0, &b.1, &[(3, 3)]);
        },
    );
    assert_eq!(db.view(|view| view.get(&table, &3).copied()), Some(3));
    assert_eq!(db.view(|view| view.get(&table, &7).copied()), None);
    db.collect();
    assert_eq!(db.stats().live_snapshots, 1, "the leaked one");
}
