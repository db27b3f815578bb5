//! The user's code in the middle of a transaction's method, using the same transaction: closures of
//! `update`, functions of indexes, `Hash`, `Eq`, `Ord`, `Clone` and `Drop` of keys.
//!
//! A closure of `update` that rolled back to before the row was written made `update` panic, if
//! nobody else had the row: its tuple had left the index meanwhile.

use mvcc::{
    AnyTable, Database, IndexError, Lookup, OrderedTable, Overflow, RetryPolicy, Savepoint, Table,
    Transaction,
};
use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};

/// A database in which this key's tuple is about to be removed, and two commits later.
fn emptied<T: AnyTable<Key = u64, Value = u64>>(db: &Database, table: &T, other: &T) {
    let tx = db.begin();
    tx.insert(table, 1, 0);
    tx.abort();
    for value in 0..2 {
        db.run(|tx| Ok::<_, ()>(tx.insert(other, 0, value)))
            .expect("no error");
    }
}

fn update_that_rolls_back<T>(db: &Database, table: &T, other: &T)
where
    T: Lookup<u64, Key = u64, Value = u64>,
{
    emptied(db, table, other);
    let tx = db.begin();
    let savepoint = tx.savepoint();
    tx.insert(table, 1, 10);
    let updated = tx.update(table, &1, |value| {
        savepoint.roll_back();
        db.collect();
        assert_eq!(tx.get(table, &1), None);
        value + 1
    });
    assert!(updated);
    assert_eq!(tx.get(table, &1), Some(&11));
    drop(savepoint);
    tx.commit().expect("alone");
    assert_eq!(db.view(|view| view.get(table, &1).copied()), Some(11));
    db.collect();
    db.run(|tx| Ok::<_, ()>(tx.remove(table, &1)))
        .expect("no error");
}

#[test]
fn an_update_may_roll_back() {
    let db = Database::new();
    let other = db.table("other").expect("new");
    update_that_rolls_back(&db, &db.table("t").expect("new"), &other);
    let other = db.ordered_table("other ordered").expect("new");
    let table = db.ordered_table("ordered").expect("new");
    update_that_rolls_back(&db, &table, &other);
    let index = db.unique_index(&table, "value", |_, value| [*value]);
    let index = index.expect("new");
    update_that_rolls_back(&db, &table, &other);
    db.collect();
    assert_eq!(index.range::<u64>(&db.snapshot(), ..).count(), 0);
    assert_eq!(db.stats().live_tuples, 2, "{:?}", db.stats());
}

#[test]
fn what_is_undone_while_it_is_iterated_over_stays_in_its_index() {
    let db = Database::new();
    let (table, other) = (db.ordered_table("t"), db.ordered_table("other"));
    let (table, other): (OrderedTable<u64, u64>, _) = (table.expect("new"), other.expect("new"));
    emptied(&db, &table, &other);
    let tx = db.begin();
    let savepoint = tx.savepoint();
    tx.insert(&table, 1, 10);
    let rows = tx.iter(&table);
    savepoint.roll_back();
    db.collect();
    assert_eq!(rows.collect::<Vec<_>>(), [(&1, &10)]);
    assert_eq!(tx.iter(&table).count(), 0);
    drop(savepoint);
    drop(tx);
    db.collect();
    assert_eq!(db.stats().live_tuples, 1, "{:?}", db.stats());
}

#[test]
fn an_update_has_the_last_word_on_its_key() {
    type Step = fn(&Transaction<'_>, &OrderedTable<u64, u64>);
    let meanwhile: [Step; 5] = [
        |tx, table| assert_eq!(tx.get(table, &1), Some(&10)),
        |tx, table| tx.insert(table, 1, 99),
        |tx, table| tx.remove(table, &1),
        |tx, table| assert!(tx.update(table, &1, |value| value * 2)),
        |tx, table| {
            let savepoint = tx.savepoint();
            tx.remove(table, &1);
            savepoint.roll_back();
        },
    ];
    for step in meanwhile {
        for is_indexed in [false, true] {
            let db = Database::new();
            let table = db.ordered_table("t").expect("new");
            let index = is_indexed.then(|| {
                db.unique_index(&table, "value", |_, value| [*value])
                    .expect("new")
            });
            db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 10)))
                .expect("no error");
            let tx = db.begin();
            assert!(tx.update(&table, &1, |value| {
                step(&tx, &table);
                value + 1
            }));
            tx.commit().expect("alone");
            let snapshot = db.snapshot();
            assert_eq!(snapshot.iter(&table).collect::<Vec<_>>(), [(&1, &11)]);
            if let Some(index) = index {
                let rows: Vec<_> = index.range::<u64>(&snapshot, ..).collect();
                assert_eq!(rows, [(&1, &11)]);
            }
        }
    }
}

type Action = Box<dyn FnOnce()>;

thread_local! {
    /// What the user's code does when it is called, and how many calls later.
    static MEANWHILE: Cell<(usize, Option<Action>)> = const { Cell::new((0, None)) };
}

fn meanwhile() {
    // Keys may be dropped when the thread's own state is gone already.
    match MEANWHILE.try_with(Cell::take) {
        Ok((0, Some(action))) => action(),
        Ok((calls, Some(action))) => MEANWHILE.set((calls - 1, Some(action))),
        Ok((_, None)) | Err(_) => {}
    }
}

#[test]
fn the_function_of_an_index_may_roll_back_to_before_its_row() {
    let db: &Database = Box::leak(Box::default());
    let table: &OrderedTable<u64, u64> = Box::leak(Box::new(db.ordered_table("t").expect("new")));
    let keys = |_: &u64, value: &u64| {
        meanwhile();
        [*value]
    };
    let index = db.unique_index(table, "value", keys).expect("new");
    let tx: &Transaction<'_> = Box::leak(Box::new(db.begin()));
    let savepoint: &Savepoint<'_> = Box::leak(Box::new(tx.savepoint()));
    tx.insert(table, 1, 10);
    for calls in 0..4 {
        MEANWHILE.set((calls, Some(Box::new(|| savepoint.roll_back()))));
        let taken = tx.try_insert(table, 2, 10);
        MEANWHILE.take();
        let by_key: Vec<_> = tx.iter(table).collect();
        let by_index: Vec<_> = index.range::<u64>(tx, ..).collect();
        assert_eq!(by_key, by_index, "{taken:?}");
        tx.remove(table, &2);
        tx.insert(table, 1, 10);
    }
    // One that goes back further and then panics.
    MEANWHILE.set((
        0,
        Some(Box::new(|| {
            savepoint.roll_back();
            panic!("as a test")
        })),
    ));
    let panicked = std::panic::AssertUnwindSafe(|| tx.insert(table, 3, 30));
    assert!(std::panic::catch_unwind(panicked).is_err());
    assert_eq!(tx.iter(table).count(), 0);
}

/// A key whose methods run what is set.
#[derive(Debug)]
struct Key(u64);

impl Clone for Key {
    fn clone(&self) -> Self {
        meanwhile();
        Self(self.0)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        meanwhile();
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        meanwhile();
        self.0 == other.0
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        meanwhile();
        self.0.cmp(&other.0)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        meanwhile();
        self.0.hash(state);
    }
}

/// Each method, with each other method called by each comparison and hash in it.
fn every_method_in_every_other<T>(rows_before: u64, open: impl Fn(&Database) -> T)
where
    T: Lookup<Key, Key = Key, Value = u64> + Clone + 'static,
{
    type Method<T> = fn(&Transaction<'_>, &T, u64);
    let methods: [(&str, Method<T>); 7] = [
        ("insert", |tx, table, key| tx.insert(table, Key(key), 7)),
        ("remove", |tx, table, key| tx.remove(table, &Key(key))),
        ("get", |tx, table, key| {
            tx.get(table, &Key(key));
        }),
        ("peek", |tx, table, key| {
            tx.peek(table, &Key(key));
        }),
        ("update", |tx, table, key| {
            tx.update(table, &Key(key), |value| value + 1);
        }),
        ("iter", |tx, table, _| {
            tx.iter(table).count();
        }),
        ("roll_back", |tx, table, key| {
            let savepoint = tx.savepoint();
            tx.insert(table, Key(key), 8);
            savepoint.roll_back();
        }),
    ];
    for (name, outer) in methods {
        for (within, inner) in methods {
            // A row that is there, and one that is not.
            for (key, other) in [(3, 3), (1000, 1000), (3, 1000), (1000, 3), (1000, 1001)] {
                for calls in 0.. {
                    let db: &'static Database = Box::leak(Box::default());
                    let table = open(db);
                    db.run(|tx| {
                        Ok::<_, ()>(
                            (0..rows_before).for_each(|key| tx.insert(&table, Key(key), key)),
                        )
                    })
                    .expect("no error");
                    let tx = Rc::new(db.begin());
                    let (same, of) = (tx.clone(), table.clone());
                    MEANWHILE.set((calls, Some(Box::new(move || inner(&same, &of, other)))));
                    outer(&tx, &table, key);
                    let was_called = MEANWHILE.take().1.is_none();
                    let seen = rows(tx.iter(&table));
                    let tx = Rc::try_unwrap(tx).expect("the other one is dropped");
                    tx.commit().expect("alone");
                    let case = format!("{within} in {name}, after {calls} calls");
                    assert_eq!(rows(db.snapshot().iter(&table)), seen, "{case}");
                    db.collect();
                    let stats = db.stats();
                    assert_eq!(stats.live_tuples, seen.len() as u64, "{case}");
                    assert_eq!(stats.live_versions, seen.len() as u64, "{case}");
                    if !was_called {
                        break;
                    }
                }
            }
        }
    }
}

fn rows<'r>(rows: impl Iterator<Item = (&'r Key, &'r u64)>) -> Vec<(u64, u64)> {
    let mut rows: Vec<_> = rows.map(|(key, value)| (key.0, *value)).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn comparisons_may_use_the_transaction() {
    // The node has room for one more, or is full: then it is split, and its parent is told after
    // the row is in it.
    for rows in [5, 128] {
        every_method_in_every_other(rows, |db| -> OrderedTable<Key, u64> {
            db.ordered_table("t").expect("new")
        });
    }
}

#[test]
fn hashes_may_use_the_transaction() {
    every_method_in_every_other(5, |db| -> Table<Key, u64> { db.table("t").expect("new") });
}

/// A value that waits for another thread when it is dropped, once that is called for.
struct Waiting(Arc<Mutex<Option<Errand>>>);

type Errand = Box<dyn FnOnce() + Send>;

impl Drop for Waiting {
    fn drop(&mut self) {
        let errand = self.0.lock().expect("not poisoned").take();
        if let Some(errand) = errand {
            errand();
        }
    }
}

/// A database with some garbage, too little to be collected until there is more; and the rows that
/// [`much`] overwrites.
struct Littered {
    db: Database,
    rows: Table<u64, u64>,
    errand: Arc<Mutex<Option<Errand>>>,
}

impl Littered {
    fn new() -> Self {
        let db = Database::new();
        let rows = db.table("rows").expect("new");
        db.run(|tx| Ok::<_, ()>(much(tx, &rows, 0)))
            .expect("no error");
        let waiting: Table<u64, Waiting> = db.table("waiting").expect("new");
        let errand = Arc::new(Mutex::new(None));
        for _ in 0..10 {
            db.run(|tx| Ok::<_, ()>(tx.insert(&waiting, 0, Waiting(errand.clone()))))
                .expect("no error");
        }
        // So that what follows is clearly later.
        std::thread::sleep(std::time::Duration::from_millis(1));
        db.run(|tx| Ok::<_, ()>(tx.insert(&rows, 0, 0)))
            .expect("no error");
        Self { db, rows, errand }
    }

    /// What is done when garbage is dropped next.
    fn send(&self, errand: impl FnOnce() + Send + 'static) {
        *self.errand.lock().expect("not poisoned") = Some(Box::new(errand));
    }

    /// Whether that was done.
    fn is_done(&self) -> bool {
        self.errand.lock().expect("not poisoned").is_none()
    }
}

/// Overwrites so many rows that it is time to collect garbage.
fn much(tx: &Transaction<'_>, rows: &Table<u64, u64>, value: u64) {
    (0..100).for_each(|key| tx.insert(rows, key, value));
}

/// The transaction that others' commits wait for collected garbage when it had committed: a value
/// whose drop waited for another thread's commit waited for ever.
#[test]
fn drops_of_garbage_may_wait_for_other_threads_commits() {
    let littered = Littered::new();
    let Littered { db, rows, .. } = &littered;
    let row: Table<u64, u32> = db.table("row").expect("new");
    let (of, to) = (db.clone(), row.clone());
    let commits = move || {
        let write = || of.run(|tx| Ok::<_, ()>(tx.insert(&to, 0, tx.attempt())));
        write().expect("no error");
    };
    let policy = RetryPolicy::new().exclusive_after(1);
    let run = db.run_with(&policy, |tx| {
        tx.get(&row, &0);
        much(tx, rows, 1);
        let commits = commits.clone();
        if tx.attempt() == 1 {
            commits();
        } else {
            littered.send(move || std::thread::spawn(commits).join().expect("it commits"));
        }
        Ok::<_, ()>(tx.attempt())
    });
    assert_eq!(run, Ok(2), "it loses once");
    // The next one collects.
    drop(db.begin());
    assert!(littered.is_done());
}

/// Garbage was collected while the commit that did so was still announced, so feeds did not deliver
/// it.
#[test]
fn drops_of_garbage_may_wait_for_the_commit_to_be_delivered() {
    let littered = Littered::new();
    let Littered { db, rows, .. } = &littered;
    let (snapshot, mut feed) = db.on_commit(16, Overflow::Wait);
    drop(snapshot);
    // It keeps what it may have to deliver.
    assert!(feed.try_recv().is_none());
    let (delivered, wait) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            drop(feed.recv());
            delivered.send(()).expect("somebody waits");
        });
        littered.send(move || wait.recv().expect("it is delivered"));
        db.run(|tx| Ok::<_, ()>(much(tx, rows, 1)))
            .expect("no error");
    });
    assert!(littered.is_done());
}

/// What the function of an index has was dropped while others' commits waited, if two rows had the
/// same key.
#[test]
fn drops_of_an_indexs_function_may_wait_for_other_threads_commits() {
    let db = Database::new();
    let table: OrderedTable<u64, u64> = db.ordered_table("t").expect("new");
    db.run(|tx| Ok::<_, ()>((0..2).for_each(|key| tx.insert(&table, key, 7))))
        .expect("no error");
    let (of, to) = (db.clone(), table.clone());
    let commits = move || {
        let write = || of.run(|tx| Ok::<_, ()>(tx.insert(&to, 2, 8)));
        write().expect("no error");
    };
    let waits = move || std::thread::spawn(commits).join().expect("it commits");
    let waiting = Waiting(Arc::new(Mutex::new(Some(Box::new(waits)))));
    let index = db.unique_index(&table, "value", move |_, value: &u64| {
        let _ = &waiting;
        [*value]
    });
    assert!(matches!(index, Err(IndexError::Duplicate(_))));
    assert_eq!(db.view(|view| view.get(&table, &2).copied()), Some(8));
}

/// A transaction at a timestamp whose range of `ordered` has changed since, as has the row 0 of
/// `other`: reading that makes it look at the range again. A key that is there now makes its commit
/// fail; a tuple without a value does not.
///
/// `other` has a row 7 as well: a new one beside the row 0, in the same part of a hashed table,
/// would be a change to whoever has not read the row 0 yet, and which rows share a part is chance.
fn outdated<'db, T>(
    db: &'db Database,
    ordered: &OrderedTable<Key, u64>,
    other: &T,
    is_larger: bool,
) -> Transaction<'db>
where
    T: AnyTable<Key = u64, Value = u64>,
{
    db.run(|tx| {
        (0..8).for_each(|key| tx.insert(ordered, Key(10 * key), key));
        Ok::<_, ()>([0, 7].into_iter().for_each(|key| tx.insert(other, key, 0)))
    })
    .expect("no error");
    let tx = db.begin();
    assert_eq!(tx.range(ordered, Key(0)..Key(50)).count(), 5);
    db.run(|tx| Ok::<_, ()>(tx.insert(other, 0, 1)))
        .expect("no error");
    let late = db.begin();
    late.insert(ordered, Key(15), 15);
    if is_larger {
        late.commit().expect("alone");
    }
    tx
}

/// What reads the row 0.
fn reads<T>() -> [fn(&Transaction<'_>, &T) -> u64; 3]
where
    T: Lookup<u64, Key = u64, Value = u64>,
{
    [
        |tx, table| *tx.get(table, &0).expect("inserted"),
        |tx, table| tx.iter(table).map(|(_, value)| *value).sum(),
        |tx, table| {
            let mut seen = 0;
            tx.update(table, &0, |value| {
                seen = *value;
                seen
            });
            seen
        },
    ]
}

/// `moves_on`: which of the reads may move a transaction on.
fn a_range_is_walked_again<T>(moves_on: [bool; 3], open: impl Fn(&Database) -> T)
where
    T: Lookup<u64, Key = u64, Value = u64> + Clone + 'static,
{
    type Method<T> = fn(&Transaction<'_>, &OrderedTable<Key, u64>, &T);
    let within: [Method<T>; 6] = [
        |tx, _, other| assert!(tx.get(other, &0).is_some()),
        |tx, ordered, _| assert!(tx.iter(ordered).count() >= 8),
        |tx, ordered, _| {
            tx.range(ordered, Key(20)..).next();
        },
        |tx, ordered, _| tx.insert(ordered, Key(99), 99),
        |tx, _, other| tx.insert(other, 7, 0),
        |tx, _, other| {
            let savepoint = tx.savepoint();
            tx.remove(other, &0);
            savepoint.roll_back();
        },
    ];
    for (number, read) in reads::<T>().into_iter().enumerate() {
        for (inner, method) in within.into_iter().enumerate() {
            for is_larger in [true, false] {
                for calls in 0.. {
                    let db: &'static Database = Box::leak(Box::default());
                    let ordered = db.ordered_table("ordered").expect("new");
                    let other = open(db);
                    let tx = Rc::new(outdated(db, &ordered, &other, is_larger));
                    let (same, of, at) = (tx.clone(), ordered.clone(), other.clone());
                    MEANWHILE.set((calls, Some(Box::new(move || method(&same, &of, &at)))));
                    let seen = read(&tx, &other);
                    let was_called = MEANWHILE.take().1.is_none();
                    let case = format!("{inner} in {number} after {calls} calls, {is_larger}");
                    // What reads the row before the range is known is not current later.
                    let stays = is_larger || inner == 0 && was_called || !moves_on[number];
                    assert_eq!(seen, u64::from(!stays), "{case}");
                    tx.insert(&other, 8, 0);
                    let tx = Rc::try_unwrap(tx).expect("the other one is dropped");
                    assert_eq!(tx.commit().is_ok(), !stays, "{case}");
                    if !was_called {
                        assert!(calls > 0, "{case}: it compares keys");
                        break;
                    }
                }
            }
        }
    }
}

/// The footprint was borrowed when the range was walked through again, so that comparison panicked.
#[test]
fn comparisons_may_use_a_transaction_that_moves_on() {
    a_range_is_walked_again([true; 3], |db| -> Table<u64, u64> {
        db.table("other").expect("new")
    });
    // A range is read as a whole, and the row in it has changed.
    a_range_is_walked_again([true, false, true], |db| -> OrderedTable<u64, u64> {
        db.ordered_table("other").expect("new")
    });
}

/// What was read ahead is forgotten up to a key that is cloned, and one that is dropped; the
/// footprint was borrowed then.
#[test]
fn clones_and_drops_may_use_a_transaction_whose_range_ends() {
    for calls in 0.. {
        let db: &'static Database = Box::leak(Box::default());
        let ordered: OrderedTable<Key, u64> = db.ordered_table("ordered").expect("new");
        db.run(|tx| Ok::<_, ()>((0..8).for_each(|key| tx.insert(&ordered, Key(10 * key), key))))
            .expect("no error");
        let tx = Rc::new(db.begin());
        let (same, of) = (tx.clone(), ordered.clone());
        let mut rows = tx.range(&ordered, Key(10)..Key(60));
        assert_eq!(rows.next().map(|row| row.1), Some(&1));
        let ranges = move || {
            assert_eq!(same.range(&of, Key(30)..).next().map(|row| row.1), Some(&3));
            same.insert(&of, Key(70), 70);
        };
        MEANWHILE.set((calls, Some(Box::new(ranges))));
        drop(rows);
        let was_called = MEANWHILE.take().1.is_none();
        // Beyond where it ended.
        db.run(|tx| Ok::<_, ()>(tx.insert(&ordered, Key(45), 45)))
            .expect("no error");
        tx.insert(&ordered, Key(80), 80);
        let tx = Rc::try_unwrap(tx).expect("the other one is dropped");
        tx.commit()
            .expect("nothing that it has made use of has changed");
        if !was_called {
            assert!(calls > 1, "it clones one key and drops one");
            break;
        }
    }
}
