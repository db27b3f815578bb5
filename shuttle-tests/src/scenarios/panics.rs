//! User code that panics, and transactions that are not ended in the usual way.

use super::{STAYS, World, add, check_clean, numbers, tasks, write};
use mvcc_shuttle::{Database, Lookup, Table};
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

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
                    let value = *tx.get(&a.1, &0).expect(STAYS);
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

/// A key whose hashing and comparing panics at some call, if its fuse is lit.
#[derive(Clone)]
struct Touchy {
    key: u32,
    fuse: Arc<AtomicUsize>,
}

impl Touchy {
    fn call(&self) {
        let left = self.fuse.load(SeqCst);
        if left > 0 {
            self.fuse.store(left - 1, SeqCst);
            if left == 1 {
                bail()
            }
        }
    }
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
        self.call();
        self.key.cmp(&other.key)
    }
}

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.call();
        // Few hashes, so that keys are compared.
        (self.key % 4).hash(state);
    }
}

/// One call of the keys' code panics: in a look-up, an insert, a removal, a scan, a commit that has
/// to walk through its range again, a collection. Nothing stays locked, and nothing is left over.
fn survives_a_panic<T>(db: &Database, table: &T)
where
    T: Lookup<Touchy, Key = Touchy, Value = u64>,
{
    let bystander = thread::spawn(thread::yield_now);
    let fuse = Arc::new(AtomicUsize::new(0));
    let key = |key| Touchy {
        key,
        fuse: fuse.clone(),
    };
    let put = |number: u32| {
        db.run(|tx| Ok::<_, ()>(tx.insert(table, key(number), 1)))
            .expect("no error");
    };
    (0..5).for_each(|number| put(number * 10));
    // It only writes, so only a lock can be in its way.
    let probe = db.begin();
    probe.insert(table, key(10), 1);
    fuse.store(thread_rng().gen_range(1..CALLS), SeqCst);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let tx = db.begin();
        tx.insert(table, key(10), 2);
        tx.insert(table, key(15), 2);
        tx.remove(table, &key(20));
        tx.iter(table).for_each(drop);
        put(36);
        assert_eq!(tx.get(table, &key(15)), Some(&2));
        let _ = tx.commit();
        db.collect();
    }));
    let left = fuse.swap(0, SeqCst);
    assert_eq!(caught.is_err(), left == 0, "the panic comes out");
    assert!(probe.commit().is_ok(), "a row is still locked");
    let rows = db.view(|view| view.iter(table).count());
    check_clean(db, rows as u64);
    bystander.join().expect("it does nothing");
}

/// More calls of the keys' code than a run makes.
const CALLS: usize = 128;

pub(super) fn panic_in_ord(world: World) {
    let db = world.database();
    let table = db.ordered_table("touchy").expect("new");
    survives_a_panic(&db, &table);
}

pub(super) fn panic_in_hash_and_eq(world: World) {
    let db = world.database();
    let table: Table<_, _> = db.table("touchy").expect("new");
    survives_a_panic(&db, &table);
}

struct Bomb(Arc<AtomicBool>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0.swap(false, SeqCst) {
            bail()
        }
    }
}

/// Dropping an overwritten value panics, which happens when it is collected; then one that was
/// never committed.
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
    // It keeps garbage together.
    let old = db.snapshot();
    assert!((0..4).all(|round| put(round % 2)));
    drop(old);
    armed.store(true, SeqCst);
    let collected = catch_unwind(AssertUnwindSafe(|| db.collect()));
    assert!(collected.is_err(), "the first value that is dropped panics");
    assert!(put(0) && put(1), "a row is still locked");
    armed.store(true, SeqCst);
    let aborted = catch_unwind(AssertUnwindSafe(|| {
        let tx = db.begin();
        tx.insert(&table, 2, Bomb(armed.clone()));
        tx.abort();
    }));
    assert!(
        aborted.is_err(),
        "a buffered value is dropped with its transaction"
    );
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
