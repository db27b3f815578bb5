//! The anomalies of Kleppmann's Hermitage, stepped by hand on one thread, on both kinds of table.
//!
//! Each test shows its schedule, one line for a step, a column for a transaction. Rows 1 and 2 have
//! the values 10 and 20 at the start. A transaction that cannot commit any more shows that in its
//! commit only; until then it goes on to see one consistent state.

use mvcc::{AnyTable, Database, Lookup, OrderedTable, Read, Table};

/// A table of either kind.
trait Numbers: AnyTable<Key = u64, Value = i64> + Lookup<u64> {
    fn open(db: &Database) -> Self;
}

impl Numbers for Table<u64, i64> {
    fn open(db: &Database) -> Self {
        db.table("numbers").expect("a new table")
    }
}

impl Numbers for OrderedTable<u64, i64> {
    fn open(db: &Database) -> Self {
        db.ordered_table("numbers").expect("a new table")
    }
}

/// Makes each a test on a hashed table and on an ordered one.
macro_rules! on_both_kinds {
    ($($test:ident),+ $(,)?) => {
        mod hashed {
            $(#[test]
            fn $test() {
                super::$test::<mvcc::Table<u64, i64>>();
            })+
        }

        mod ordered {
            $(#[test]
            fn $test() {
                super::$test::<mvcc::OrderedTable<u64, i64>>();
            })+
        }
    };
}

on_both_kinds!(
    g0_write_cycle,
    g1a_aborted_read,
    g1b_intermediate_read,
    g1c_circular_information_flow,
    otv_observed_transaction_vanishes,
    pmp_predicate_many_preceders,
    pmp_for_writes,
    p4_lost_update,
    g_single_read_skew,
    g_single_in_views_and_snapshots,
    g_single_with_predicates,
    g_single_with_a_write,
    g2_item_write_skew,
    g2_anti_dependency_cycle,
    g2_with_a_reader_in_between,
);

fn two_rows<T: Numbers>() -> (Database, T) {
    let db = Database::new();
    let table = T::open(&db);
    let tx = db.begin();
    tx.insert(&table, 1, 10);
    tx.insert(&table, 2, 20);
    tx.commit().expect("alone");
    (db, table)
}

fn get(read: &impl Read, table: &impl Numbers, key: u64) -> Option<i64> {
    read.get(table, &key).copied()
}

/// The rows whose values fulfil a predicate, by key.
fn rows(
    read: &impl Read,
    table: &impl Numbers,
    predicate: impl Fn(i64) -> bool,
) -> Vec<(u64, i64)> {
    let rows = read.iter(table).map(|(key, value)| (*key, *value));
    let mut rows: Vec<_> = rows.filter(|row| predicate(row.1)).collect();
    rows.sort_unstable();
    rows
}

fn all(db: &Database, table: &impl Numbers) -> Vec<(u64, i64)> {
    rows(&db.snapshot(), table, |_| true)
}

/// ```text
/// T1: 1 := 11
///                 T2: 1 := 12
/// T1: 2 := 21
/// T1: commit
///                 T2: 2 := 22
///                 T2: commit
/// ```
fn g0_write_cycle<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    t1.insert(&table, 1, 11);
    t2.insert(&table, 1, 12);
    t1.insert(&table, 2, 21);
    t1.commit().expect("nobody has committed in between");
    assert_eq!(all(&db, &table), [(1, 11), (2, 21)]);
    t2.insert(&table, 2, 22);
    // Blind writes: T2 is simply later.
    t2.commit().expect("it has read nothing");
    assert_eq!(all(&db, &table), [(1, 12), (2, 22)]);
}

/// ```text
/// T1: 1 := 101
///                 T2: 1, 2 are 10, 20
/// T1: abort
///                 T2: 1, 2 are 10, 20
///                 T2: commit
/// ```
fn g1a_aborted_read<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    t1.insert(&table, 1, 101);
    assert_eq!(rows(&t2, &table, |_| true), [(1, 10), (2, 20)]);
    t1.abort();
    assert_eq!(rows(&t2, &table, |_| true), [(1, 10), (2, 20)]);
    t2.commit().expect("nobody has committed in between");
    assert_eq!(all(&db, &table), [(1, 10), (2, 20)]);
}

/// ```text
/// T1: 1 := 101
///                 T2: 1 is 10
/// T1: 1 := 11
/// T1: commit
///                 T2: 1 is 10
///                 T2: commit
/// ```
fn g1b_intermediate_read<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    t1.insert(&table, 1, 101);
    assert_eq!(get(&t2, &table, 1), Some(10));
    t1.insert(&table, 1, 11);
    t1.commit().expect("nobody has committed in between");
    assert_eq!(get(&t2, &table, 1), Some(10));
    t2.commit().expect("it writes nothing");
    assert_eq!(all(&db, &table), [(1, 11), (2, 20)]);
}

/// ```text
/// T1: 1 := 11
///                 T2: 2 := 22
/// T1: 2 is 20
///                 T2: 1 is 10
/// T1: commit
///                 T2: commit fails
/// ```
fn g1c_circular_information_flow<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    t1.insert(&table, 1, 11);
    t2.insert(&table, 2, 22);
    assert_eq!(get(&t1, &table, 2), Some(20));
    assert_eq!(get(&t2, &table, 1), Some(10));
    t1.commit().expect("nobody has committed in between");
    t2.commit().expect_err("it would be before T1 and after");
    assert_eq!(all(&db, &table), [(1, 11), (2, 20)]);
}

/// ```text
/// T1: 1, 2 := 11, 19
///                 T2: 1 := 12
/// T1: commit
///                                 T3: 1 is 11
///                 T2: 2 := 18
///                                 T3: 2 is 19
///                 T2: commit
///                                 T3: 2 is 19, 1 is 11
///                                 T3: commit
/// ```
fn otv_observed_transaction_vanishes<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2, t3) = (db.begin(), db.begin(), db.begin());
    t1.insert(&table, 1, 11);
    t1.insert(&table, 2, 19);
    t2.insert(&table, 1, 12);
    t1.commit().expect("nobody has committed in between");
    assert_eq!(get(&t3, &table, 1), Some(11));
    t2.insert(&table, 2, 18);
    assert_eq!(get(&t3, &table, 2), Some(19));
    t2.commit().expect("it has read nothing");
    assert_eq!(get(&t3, &table, 2), Some(19));
    assert_eq!(get(&t3, &table, 1), Some(11));
    t3.commit().expect("it writes nothing");
    assert_eq!(all(&db, &table), [(1, 12), (2, 18)]);
}

/// ```text
/// T1: none is 30
///                 T2: 3 := 30
///                 T2: commit
/// T1: none is divisible by 3
/// T1: commit
/// ```
fn pmp_predicate_many_preceders<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    assert_eq!(rows(&t1, &table, |value| value == 30), []);
    t2.insert(&table, 3, 30);
    t2.commit().expect("it has read nothing");
    assert_eq!(rows(&t1, &table, |value| value % 3 == 0), []);
    t1.commit().expect("it writes nothing");
}

/// The predicate decides what is written.
///
/// ```text
/// T1: all := all + 10
///                 T2: 2 is 20
///                 T2: delete where it is 20
/// T1: commit
///                 T2: commit fails
/// ```
fn pmp_for_writes<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    for (key, value) in rows(&t1, &table, |_| true) {
        t1.insert(&table, key, value + 10);
    }
    assert_eq!(rows(&t2, &table, |value| value == 20), [(2, 20)]);
    for (key, _) in rows(&t2, &table, |value| value == 20) {
        t2.remove(&table, &key);
    }
    t1.commit().expect("nobody has committed in between");
    t2.commit().expect_err("row 1 is 20 now");
    assert_eq!(all(&db, &table), [(1, 20), (2, 30)]);
}

/// ```text
/// T1: 1 is 10
///                 T2: 1 is 10
/// T1: 1 := 11
///                 T2: 1 := 12
/// T1: commit
///                 T2: commit fails
/// ```
fn p4_lost_update<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    assert_eq!(get(&t1, &table, 1), Some(10));
    assert_eq!(get(&t2, &table, 1), Some(10));
    t1.insert(&table, 1, 11);
    t2.insert(&table, 1, 12);
    t1.commit().expect("nobody has committed in between");
    t2.commit().expect_err("what it read was replaced");
    assert_eq!(all(&db, &table), [(1, 11), (2, 20)]);
}

/// ```text
/// T1: 1 is 10
///                 T2: 1, 2 are 10, 20
///                 T2: 1, 2 := 12, 18
///                 T2: commit
/// T1: 2 is 20
/// T1: commit
/// ```
fn g_single_read_skew<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    assert_eq!(get(&t1, &table, 1), Some(10));
    assert_eq!(get(&t2, &table, 1), Some(10));
    assert_eq!(get(&t2, &table, 2), Some(20));
    t2.insert(&table, 1, 12);
    t2.insert(&table, 2, 18);
    t2.commit().expect("nobody has committed in between");
    assert_eq!(get(&t1, &table, 2), Some(20));
    t1.commit().expect("it writes nothing");
}

/// The same in a view and a snapshot: they cannot even fail.
///
/// ```text
/// V: 1 is 10
///                 T2: 1, 2 := 12, 18
///                 T2: commit
/// V: 2 is 20
/// ```
fn g_single_in_views_and_snapshots<T: Numbers>() {
    fn check(read: &impl Read, db: &Database, table: &impl Numbers, new: i64) {
        let first = get(read, table, 1);
        let t2 = db.begin();
        t2.insert(table, 1, new);
        t2.insert(table, 2, new + 10);
        t2.commit().expect("it has read nothing");
        assert_eq!(get(read, table, 2), first.map(|first| first + 10));
    }
    let (db, table) = two_rows::<T>();
    db.view(|view| check(view, &db, &table, 12));
    check(&db.snapshot(), &db, &table, 14);
}

/// ```text
/// T1: all rows are 10, 20
///                 T2: 1, 2 := 12, 18
///                 T2: commit
/// T1: those divisible by 3 are none, not 12 and 18
/// T1: 3 := 30
/// T1: commit fails
/// ```
fn g_single_with_predicates<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    assert_eq!(
        rows(&t1, &table, |value| value % 5 == 0),
        [(1, 10), (2, 20)]
    );
    t2.insert(&table, 1, 12);
    t2.insert(&table, 2, 18);
    t2.commit().expect("it has read nothing");
    assert_eq!(rows(&t1, &table, |value| value % 3 == 0), []);
    t1.insert(&table, 3, 30);
    t1.commit().expect_err("what it read was replaced");
    assert_eq!(all(&db, &table), [(1, 12), (2, 18)]);
}

/// What was read is replaced before it is written.
///
/// ```text
/// T1: 1 is 10
///                 T2: 1, 2 := 12, 18
///                 T2: commit
/// T1: 2 := 21
/// T1: commit fails
/// ```
fn g_single_with_a_write<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    assert_eq!(get(&t1, &table, 1), Some(10));
    t2.insert(&table, 1, 12);
    t2.insert(&table, 2, 18);
    t2.commit().expect("it has read nothing");
    t1.insert(&table, 2, 21);
    t1.commit().expect_err("it would be before T2 and after");
    assert_eq!(all(&db, &table), [(1, 12), (2, 18)]);
}

/// ```text
/// T1: 1, 2 are 10, 20
///                 T2: 1, 2 are 10, 20
/// T1: 1 := 11
///                 T2: 2 := 21
/// T1: commit
///                 T2: commit fails
/// ```
fn g2_item_write_skew<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    for tx in [&t1, &t2] {
        assert_eq!(get(tx, &table, 1), Some(10));
        assert_eq!(get(tx, &table, 2), Some(20));
    }
    t1.insert(&table, 1, 11);
    t2.insert(&table, 2, 21);
    t1.commit().expect("nobody has committed in between");
    t2.commit().expect_err("it would be before T1 and after");
    assert_eq!(all(&db, &table), [(1, 11), (2, 20)]);
}

/// ```text
/// T1: none is divisible by 3
///                 T2: none is divisible by 3
/// T1: 3 := 30
///                 T2: 4 := 42
/// T1: commit
///                 T2: commit fails
/// ```
fn g2_anti_dependency_cycle<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    for tx in [&t1, &t2] {
        assert_eq!(rows(tx, &table, |value| value % 3 == 0), []);
    }
    t1.insert(&table, 3, 30);
    t2.insert(&table, 4, 42);
    t1.commit().expect("nobody has committed in between");
    t2.commit().expect_err("it would be before T1 and after");
    assert_eq!(all(&db, &table), [(1, 10), (2, 20), (3, 30)]);
}

/// Fekete et al.: two that would be serializable, but for one that reads in between.
///
/// ```text
/// T1: all rows are 10, 20
///                 T2: 2 is 20
///                 T2: 2 := 25
///                 T2: commit
///                                 T3: all rows are 10, 25
///                                 T3: commit
/// T1: 1 := 0
/// T1: commit fails
/// ```
fn g2_with_a_reader_in_between<T: Numbers>() {
    let (db, table) = two_rows::<T>();
    let (t1, t2) = (db.begin(), db.begin());
    assert_eq!(rows(&t1, &table, |_| true), [(1, 10), (2, 20)]);
    assert!(t2.update(&table, &2, |value| value + 5));
    t2.commit().expect("nobody has committed in between");
    let t3 = db.begin();
    assert_eq!(rows(&t3, &table, |_| true), [(1, 10), (2, 25)]);
    t3.commit().expect("it writes nothing");
    t1.insert(&table, 1, 0);
    t1.commit()
        .expect_err("it would be before T2, and T3 would have seen it");
    assert_eq!(all(&db, &table), [(1, 10), (2, 25)]);
}
