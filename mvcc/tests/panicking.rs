//! User code that panics at its n-th call, for each n: in the trees, in the hash index, in a
//! collection, wherever it is called. What is committed stays, nothing stays locked, and garbage
//! goes on being collected.
//!
//! A comparison that panicked when a tree was made smaller put the removal of a tuple back that was
//! retired already: the next collection worked on freed memory.

use mvcc::{AnyTable, Database, Lookup, OrderedTable, Read, Table};
use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// How many calls of user code it takes to the panic.
    static FUSE: Cell<u64> = const { Cell::new(u64::MAX) };
    /// Keys and values that there are.
    static ALIVE: Cell<i64> = const { Cell::new(0) };
}

/// A call of user code. A panic in a drop while another one unwinds would end the process, as
/// everywhere.
fn call() {
    // It burns down once, also where the panic is held back for a while.
    if std::thread::panicking() || FUSE.get() == 0 {
        return;
    }
    FUSE.set(FUSE.get() - 1);
    assert!(FUSE.get() != 0, "the fuse has burnt down");
}

/// A key or a value whose every method may panic.
#[derive(Debug)]
struct Fused(u64);

impl Fused {
    fn new(number: u64) -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self(number)
    }
}

impl Clone for Fused {
    fn clone(&self) -> Self {
        call();
        Self::new(self.0)
    }
}

impl Drop for Fused {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
        call();
    }
}

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        call();
        self.0 == other.0
    }
}

impl Eq for Fused {}

impl Hash for Fused {
    fn hash<H: Hasher>(&self, state: &mut H) {
        call();
        self.0.hash(state);
    }
}

impl PartialOrd for Fused {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fused {
    fn cmp(&self, other: &Self) -> Ordering {
        call();
        self.0.cmp(&other.0)
    }
}

/// Enough for a tree of two levels, whose nodes are merged when most of them go.
const KEYS: u64 = 100;

type Rows = BTreeMap<u64, u64>;

/// What a table holds.
fn rows<T: AnyTable<Key = Fused, Value = Fused>>(db: &Database, table: &T) -> Rows {
    let snapshot = db.snapshot();
    Read::iter(&snapshot, table)
        .map(|(key, value)| (key.0, value.0))
        .collect()
}

/// One transaction, and what it makes of the rows.
struct Step<T> {
    run: fn(&Database, &T),
    then: fn(&Rows) -> Rows,
}

fn insert<T: AnyTable<Key = Fused, Value = Fused>>(db: &Database, table: &T) {
    let all = |tx: &mvcc::Transaction<'_>| {
        (0..KEYS).for_each(|key| tx.insert(table, Fused::new(key), Fused::new(key)));
        Ok::<_, ()>(())
    };
    db.run(all).expect("no error");
}

fn update<T: Lookup<Fused, Key = Fused, Value = Fused>>(db: &Database, table: &T) {
    let some = |tx: &mvcc::Transaction<'_>| {
        for key in (0..KEYS).step_by(10) {
            tx.update(table, &Fused::new(key), |old| Fused::new(old.0 + 1));
        }
        Ok::<_, ()>(())
    };
    db.run(some).expect("no error");
}

fn remove<T: Lookup<Fused, Key = Fused, Value = Fused>>(db: &Database, table: &T) {
    let most = |tx: &mvcc::Transaction<'_>| {
        (0..KEYS - 5).for_each(|key| tx.remove(table, &Fused::new(key)));
        Ok::<_, ()>(())
    };
    db.run(most).expect("no error");
}

fn steps<T: Lookup<Fused, Key = Fused, Value = Fused>>() -> [Step<T>; 4] {
    let same = |rows: &Rows| rows.clone();
    [
        Step {
            run: insert,
            then: |_| (0..KEYS).map(|key| (key, key)).collect(),
        },
        Step {
            run: update,
            then: |rows| {
                rows.iter()
                    .map(|(&k, &v)| (k, v + u64::from(k % 10 == 0)))
                    .collect()
            },
        },
        Step {
            run: remove,
            then: |rows| {
                rows.iter()
                    .skip_while(|row| *row.0 < KEYS - 5)
                    .map(|(&k, &v)| (k, v))
                    .collect()
            },
        },
        Step {
            run: |db, _| db.collect(),
            then: same,
        },
    ]
}

/// Runs the program with a panic at the n-th call. Returns how many calls there were, up to the
/// panic if there was one.
fn run<T>(n: u64, open: fn(&Database) -> T) -> u64
where
    T: Lookup<Fused, Key = Fused, Value = Fused>,
{
    let before = ALIVE.get();
    let db = Database::new();
    let table = open(&db);
    let mut expected = Rows::new();
    let mut panics = 0;
    FUSE.set(n);
    for step in steps() {
        let done = catch_unwind(AssertUnwindSafe(|| (step.run)(&db, &table)));
        if done.is_err() {
            panics += 1;
        }
        let left = FUSE.replace(u64::MAX);
        let then = (step.then)(&expected);
        let found = rows(&db, &table);
        // A panic after the commit leaves it done.
        assert!(
            found == then || done.is_err() && found == expected,
            "{n}: {found:?}"
        );
        expected = found;
        FUSE.set(if done.is_err() { u64::MAX } else { left });
    }
    let left = FUSE.replace(u64::MAX);
    assert!(panics <= 1, "{n}: one panic is one");
    // Nothing is locked, and all of it can go.
    insert(&db, &table);
    update(&db, &table);
    remove(&db, &table);
    db.run(|tx| Ok::<_, ()>((0..KEYS).for_each(|key| tx.remove(&table, &Fused::new(key)))))
        .expect("no error");
    db.collect();
    let stats = db.stats();
    assert_eq!(
        (stats.live_tuples, stats.live_versions, stats.retired),
        (0, 0, 0),
        "{n}"
    );
    assert_eq!(rows(&db, &table), Rows::new());
    drop((table, db));
    if panics == 0 {
        assert_eq!(ALIVE.get(), before, "{n}: nothing is leaked");
    }
    assert!(ALIVE.get() >= before, "{n}: nothing is dropped twice");
    n.saturating_sub(left)
}

/// A database with rows in tables of both kinds, and garbage, is dropped as a whole whatever drop
/// panics.
#[test]
fn nothing_of_a_database_is_lost() {
    quiet_panics();
    for n in 1.. {
        let before = ALIVE.get();
        let db = Database::new();
        let ordered: OrderedTable<Fused, Fused> = db.ordered_table("ordered").expect("new");
        let hashed: Table<Fused, Fused> = db.table("hashed").expect("new");
        let snapshot = db.snapshot();
        insert(&db, &ordered);
        insert(&db, &hashed);
        update(&db, &ordered);
        for key in 0..KEYS / 2 {
            db.run(|tx| Ok::<_, ()>(tx.remove(&ordered, &Fused::new(key))))
                .expect("no error");
        }
        drop(snapshot);
        FUSE.set(n);
        let dropped = catch_unwind(AssertUnwindSafe(|| drop((db, ordered, hashed))));
        FUSE.set(u64::MAX);
        assert_eq!(ALIVE.get(), before, "{n}: nothing is leaked");
        if dropped.is_ok() && n > 1000 {
            break;
        }
    }
}

thread_local! {
    /// Keys that panic when they are dropped.
    static LOUD: Cell<u64> = const { Cell::new(0) };
    /// Payloads that were dropped.
    static DROPPED: Cell<u64> = const { Cell::new(0) };
}

/// A key whose drop panics with something that uses the database when it is dropped itself.
#[derive(PartialEq, Eq, Hash)]
struct Loud(u64);

struct Payload(Database);

impl Drop for Loud {
    fn drop(&mut self) {
        let left = LOUD.get();
        if left > 0 && !std::thread::panicking() {
            LOUD.set(left - 1);
            std::panic::panic_any(Payload(DATABASE.with(Database::clone)));
        }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
        self.0.collect();
    }
}

thread_local! {
    static DATABASE: Database = Database::new();
}

/// Of several panics that the epoch has caught, one goes on. The others were dropped under a lock,
/// which a collection in there waited for.
#[test]
fn what_user_code_panics_with_may_use_the_database() {
    quiet_panics();
    let db = DATABASE.with(Database::clone);
    let table: Table<Loud, u64> = db.table("loud").expect("new");
    db.run(|tx| Ok::<_, ()>((0..3).for_each(|key| tx.insert(&table, Loud(key), key))))
        .expect("no error");
    db.run(|tx| Ok::<_, ()>((0..3).for_each(|key| tx.remove(&table, &Loud(key)))))
        .expect("no error");
    LOUD.set(3);
    let collected = catch_unwind(AssertUnwindSafe(|| db.collect()));
    assert_eq!(LOUD.get(), 0, "all of them were dropped");
    let payload = collected.expect_err("one goes on");
    assert!(payload.is::<Payload>());
    drop(payload);
    db.collect();
    assert_eq!(db.stats().live_tuples, 0);
    assert_eq!(DROPPED.get(), 3, "none is left, for each owns the database");
}

fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let burnt = info
                .payload_as_str()
                .is_some_and(|message| message.contains("the fuse"))
                || info.payload().is::<Payload>();
            if !burnt {
                hook(info);
            }
        }));
    });
}

/// For each n, or for one in so many.
fn for_all_n<T: Lookup<Fused, Key = Fused, Value = Fused>>(
    one_in: usize,
    open: fn(&Database) -> T,
) {
    quiet_panics();
    let calls = run(u64::MAX, open);
    assert!(calls > 300, "{calls} calls");
    for n in (1..=calls).step_by(one_in) {
        run(n, open);
    }
}

#[test]
fn in_a_tree() {
    for_all_n::<OrderedTable<Fused, Fused>>(1, |db| db.ordered_table("ordered").expect("new"));
}

#[test]
fn in_a_hash_index() {
    for_all_n::<Table<Fused, Fused>>(1, |db| db.table("hashed").expect("new"));
}

/// The keys of the index and their clones are user code as well, as is its function. There are so
/// many calls that one in seven has to do.
#[test]
fn in_a_secondary_index() {
    for_all_n::<OrderedTable<Fused, Fused>>(7, |db| {
        let table = db.ordered_table("indexed").expect("new");
        let index = db.index(&table, "by_value", |_, value: &Fused| [Fused::new(value.0)]);
        index.expect("new");
        table
    });
}
