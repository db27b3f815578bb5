//! What the iterators of a transaction yield while the transaction goes on writing: its state when
//! they were made.
//!
//! They once came by what was written meanwhile, as far as they had not read ahead: a loop that
//! inserted a row for each row never ended, and raises of salaries were given twice (the Halloween
//! problem).

use mvcc::{Database, Index, OrderedTable, Read, Savepoint, Table, Transaction, UniqueIndex};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

fn hashed(rows: u64) -> (Database, Table<u64, u64>) {
    let db = Database::new();
    let table = db.table("t").expect("new");
    db.run(|tx| Ok::<_, ()>(tx.insert_many(&table, (0..rows).map(|key| (key, key)))))
        .expect("no error");
    (db, table)
}

fn ordered(rows: u64) -> (Database, OrderedTable<u64, u64>) {
    let db = Database::new();
    let table = db.ordered_table("t").expect("new");
    db.run(|tx| Ok::<_, ()>((0..rows).for_each(|key| tx.insert(&table, key, key))))
        .expect("no error");
    (db, table)
}

#[test]
fn a_loop_that_inserts_a_row_for_each_row_ends() {
    let (db, table) = ordered(100);
    let tx = db.begin();
    let mut times = 0;
    for (key, _) in tx.iter(&table) {
        tx.insert(&table, key + 1000, 0);
        times += 1;
        assert!(times <= 100, "it has come by its own rows");
    }
    assert_eq!((times, tx.iter(&table).count()), (100, 200));
    tx.commit().expect("alone");
}

#[test]
fn a_loop_over_a_hashed_table_ends() {
    let (db, table) = hashed(1000);
    let tx = db.begin();
    let keys = tx
        .iter(&table)
        .map(|(key, _)| tx.insert(&table, key + 10_000, 0));
    assert_eq!(keys.count(), 1000);
    assert_eq!(tx.iter(&table).count(), 2000);
    tx.commit().expect("alone");
}

#[test]
fn everybody_gets_one_raise() {
    let (db, people) = ordered(100);
    let by_salary = db
        .index(&people, "by_salary", |_, salary: &u64| [*salary])
        .expect("new");
    let tx = db.begin();
    let mut raises = 0;
    for (key, value) in by_salary.range(&tx, ..1000) {
        tx.insert(&people, *key, value + 10);
        raises += 1;
    }
    assert_eq!(raises, 100);
    assert!(tx.iter(&people).all(|(key, salary)| *salary == key + 10));
    tx.commit().expect("alone");
}

#[test]
fn a_row_that_is_overwritten_or_removed_is_yielded_as_it_was() {
    let (db, table) = ordered(100);
    let tx = db.begin();
    tx.insert(&table, 7, 700);
    let (up, down) = (tx.iter(&table), tx.iter(&table).rev());
    (0..100).for_each(|key| match key % 2 {
        0 => tx.remove(&table, &key),
        _ => tx.insert(&table, key, 0),
    });
    let was = |key: u64| (key, if key == 7 { 700 } else { key });
    let copied = |(key, value): (&u64, &u64)| (*key, *value);
    assert!(up.map(copied).eq((0..100).map(was)));
    assert!(down.map(copied).eq((0..100).rev().map(was)));
    assert_eq!(tx.iter(&table).count(), 50);
}

#[test]
fn what_is_rolled_back_meanwhile_is_yielded_and_stays_valid() {
    let (db, table) = ordered(20);
    let tx = db.begin();
    let savepoint = tx.savepoint();
    (0..50).for_each(|key| tx.insert(&table, key, key + 100));
    let mut rows = tx.iter(&table);
    assert_eq!(rows.next(), Some((&0, &100)));
    savepoint.roll_back();
    assert_eq!(tx.iter(&table).count(), 20);
    // Whoever collects now finds 30 tuples that nobody is going to write to.
    db.collect();
    (0..3).for_each(|key| {
        db.run(|other| Ok::<_, ()>(other.remove(&table, &(key + 40))))
            .expect("no error");
    });
    db.collect();
    let rows: Vec<_> = rows.collect();
    assert!(
        (rows.iter().map(|(key, value)| (**key, **value))).eq((1..50).map(|key| (key, key + 100)))
    );
    drop(savepoint);
    drop(tx);
    db.collect();
    assert_eq!(db.stats().live_tuples, 20, "{:?}", db.stats());
}

#[test]
fn a_row_that_was_seen_before_it_was_overwritten_is_a_read() {
    for commits in [false, true] {
        let (db, table) = ordered(20);
        let tx = db.begin();
        let mut rows = tx.iter(&table);
        tx.insert(&table, 19, 0);
        if commits {
            assert_eq!(rows.next(), Some((&0, &0)));
            drop(rows);
        } else {
            assert_eq!(rows.last(), Some((&19, &19)));
        }
        db.run(|other| Ok::<_, ()>(other.insert(&table, 19, 1)))
            .expect("no error");
        assert_eq!(tx.commit().is_ok(), commits, "a blind write is no read");
    }
}

#[test]
fn keys_looked_up_together_are_looked_up_at_once() {
    let (db, table) = hashed(100);
    let tx = db.begin();
    let keys: Vec<_> = (0..200).collect();
    let mut found = 0;
    for (key, value) in keys.iter().zip(tx.get_many(&table, &keys)) {
        assert_eq!(value, Some(key).filter(|key| **key < 100));
        tx.insert(&table, 199 - key, 0);
        found += u32::from(value.is_some());
    }
    assert_eq!(found, 100);
}

#[test]
fn a_peek_at_a_range_is_of_one_state() {
    let (db, table) = ordered(100);
    let tx = db.begin();
    let mut rows = tx.peek_range(&table, ..);
    assert_eq!(rows.next(), Some((&0, &0)));
    db.run(|other| Ok::<_, ()>((0..100).for_each(|key| other.insert(&table, key, 0))))
        .expect("no error");
    // Nothing was read that is not current: the transaction moves on.
    assert_eq!(tx.get(&table, &99), Some(&0));
    assert_eq!(rows.last(), Some((&99, &99)));
    assert_eq!(tx.peek(&table, &98), Some(&0));
}

/// Whole ordered tables from both ends, by whatever they are read.
#[test]
fn a_whole_ordered_table_can_be_reversed() {
    fn last(read: &impl Read, table: &OrderedTable<u64, u64>) -> Option<u64> {
        read.iter(table).rev().map(|(key, _)| *key).next()
    }
    let (db, table) = ordered(10);
    let tx = db.begin();
    assert!(tx.iter(&table).rev().map(|(key, _)| *key).eq((0..10).rev()));
    assert_eq!(tx.iter(&table).next_back(), Some((&9, &9)));
    assert_eq!(last(&tx, &table), Some(9));
    assert_eq!(last(&db.snapshot(), &table), Some(9));
    assert_eq!(db.view(|view| last(view, &table)), Some(9));
    let keys = db.view(|view| view.iter(&table).rev().count());
    assert_eq!(keys, db.snapshot().iter(&table).rev().count());
}

type Model = BTreeMap<u8, u16>;

const KEYS: u8 = 120;

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u16),
    /// Raises a row by so much.
    Update(u8, u16),
    Remove(u8),
    /// Makes an iterator of this kind.
    Iterate(Kind),
    /// Takes so many rows of one of the iterators, from its end or its beginning.
    Take(usize, bool, u8),
    /// Drops one of them.
    Leave(usize),
    Savepoint,
    RollBack(usize),
    Forget,
    /// Another transaction's commit, if this one is not going to commit.
    Other(u8, Option<u16>),
    Collect,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Hashed,
    Many,
    Ordered,
    Range(u8, u8),
    Peek(u8, u8),
    Index,
    HashedIndex,
    Unique,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..KEYS;
    let kind = prop_oneof![
        Just(Kind::Hashed),
        Just(Kind::Many),
        Just(Kind::Ordered),
        (key(), key()).prop_map(|(start, end)| Kind::Range(start, end)),
        (key(), key()).prop_map(|(start, end)| Kind::Peek(start, end)),
        Just(Kind::Index),
        Just(Kind::HashedIndex),
        Just(Kind::Unique),
    ];
    prop_oneof![
        6 => (key(), 0..50u16).prop_map(|(key, value)| Step::Insert(key, value)),
        4 => (key(), 0..50u16).prop_map(|(key, by)| Step::Update(key, by)),
        4 => key().prop_map(Step::Remove),
        4 => kind.prop_map(Step::Iterate),
        6 => (any::<usize>(), any::<bool>(), 1..30u8)
            .prop_map(|(which, back, rows)| Step::Take(which, back, rows)),
        1 => any::<usize>().prop_map(Step::Leave),
        2 => Just(Step::Savepoint),
        2 => any::<usize>().prop_map(Step::RollBack),
        1 => Just(Step::Forget),
        2 => (key(), any::<Option<u16>>()).prop_map(|(key, value)| Step::Other(key, value)),
        1 => Just(Step::Collect),
    ]
}

/// The same rows by every way in which they can be iterated over.
struct Tables {
    hashed: Table<u8, u16>,
    ordered: OrderedTable<u8, u16>,
    by_value: Index<u16, OrderedTable<u8, u16>>,
    hashed_by_value: Index<u16, Table<u8, u16>>,
    unique: UniqueIndex<(u16, u8), OrderedTable<u8, u16>>,
    keys: Vec<u8>,
}

type Row = (u8, u16);

/// An iterator, and what it has still to yield.
enum Open<'t> {
    Unordered(Box<dyn Iterator<Item = Row> + 't>, Model),
    Ordered(Box<dyn DoubleEndedIterator<Item = Row> + 't>, VecDeque<Row>),
}

impl Tables {
    fn new(db: &Database) -> Self {
        let hashed = db.table("hashed").expect("new");
        let ordered = db.ordered_table("ordered").expect("new");
        let value = |_: &u8, value: &u16| [*value];
        Self {
            by_value: db.index(&ordered, "value", value).expect("new"),
            hashed_by_value: db.index(&hashed, "value", value).expect("new"),
            unique: (db.unique_index(&ordered, "unique", |key, value| [(*value, *key)]))
                .expect("new"),
            hashed,
            ordered,
            keys: (0..KEYS).collect(),
        }
    }

    fn write(&self, tx: &Transaction<'_>, key: u8, value: Option<u16>) {
        if let Some(value) = value {
            tx.insert(&self.hashed, key, value);
            tx.insert(&self.ordered, key, value);
        } else {
            tx.remove(&self.hashed, &key);
            tx.remove(&self.ordered, &key);
        }
    }

    fn open<'t>(&'t self, tx: &'t Transaction<'_>, kind: Kind, rows: &Model) -> Open<'t> {
        let copied = |(key, value): (&u8, &u16)| (*key, *value);
        let between = |start, end| rows.range(start..end).map(copied).collect();
        let mut by_value: Vec<_> = rows.iter().map(|(key, value)| (*value, *key)).collect();
        by_value.sort_unstable();
        let by_value = by_value
            .into_iter()
            .map(|(value, key)| (key, value))
            .collect();
        match kind {
            Kind::Hashed => {
                Open::Unordered(Box::new(tx.iter(&self.hashed).map(copied)), rows.clone())
            }
            Kind::Many => {
                let found = tx.get_many(&self.hashed, &self.keys).zip(&self.keys);
                let found = found.filter_map(|(value, key)| Some((*key, *value?)));
                Open::Unordered(Box::new(found), rows.clone())
            }
            Kind::Ordered => {
                let all = rows.iter().map(copied).collect();
                Open::Ordered(Box::new(tx.iter(&self.ordered).map(copied)), all)
            }
            Kind::Range(a, b) => {
                let (start, end) = (a.min(b), a.max(b));
                let range = tx.range(&self.ordered, start..end).map(copied);
                Open::Ordered(Box::new(range), between(start, end))
            }
            Kind::Peek(a, b) => {
                let (start, end) = (a.min(b), a.max(b));
                let range = tx.peek_range(&self.ordered, start..end).map(copied);
                Open::Ordered(Box::new(range), between(start, end))
            }
            Kind::Index => Open::Ordered(
                Box::new(self.by_value.range::<u16>(tx, ..).map(copied)),
                by_value,
            ),
            Kind::HashedIndex => Open::Ordered(
                Box::new(self.hashed_by_value.range::<u16>(tx, ..).map(copied)),
                by_value,
            ),
            Kind::Unique => Open::Ordered(
                Box::new(self.unique.range::<(u16, u8)>(tx, ..).map(copied)),
                by_value,
            ),
        }
    }
}

impl Open<'_> {
    /// Takes a row; whether there was one.
    fn take(&mut self, back: bool) -> Result<bool, TestCaseError> {
        match self {
            Self::Unordered(rows, left) => {
                let row = rows.next();
                let expected = row.and_then(|(key, _)| left.remove_entry(&key));
                prop_assert_eq!(row, expected);
                prop_assert!(row.is_some() || left.is_empty(), "not yielded: {:?}", left);
                Ok(row.is_some())
            }
            Self::Ordered(rows, left) => {
                let (row, expected) = if back {
                    (rows.next_back(), left.pop_back())
                } else {
                    (rows.next(), left.pop_front())
                };
                prop_assert_eq!(row, expected);
                Ok(row.is_some())
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every kind of iterator, from both ends, against a copy of a map that was made together with
    /// it.
    #[test]
    fn an_iterator_yields_a_map_as_it_was_when_it_was_made(
        steps in prop::collection::vec(step(), 1..120),
        stays_behind in any::<bool>(),
    ) {
        let db = Database::new();
        let pin: Table<u8, u8> = db.table("pin").expect("new");
        let tables = Tables::new(&db);
        let mut own: Model = (0..KEYS).step_by(2).map(|key| (key, u16::from(key) % 7)).collect();
        db.run(|tx| {
            for (key, value) in &own { tables.write(tx, *key, Some(*value)); }
            Ok::<_, ()>(tx.insert(&pin, 0, 0))
        }).expect("no error");
        let tx = db.begin();
        if stays_behind {
            // It can move on to no later state.
            prop_assert_eq!((tx.get(&pin, &0), tx.get(&pin, &1)), (Some(&0), None));
            db.run(|other| Ok::<_, ()>(other.insert(&pin, 0, 1))).expect("no error");
        }
        let mut open = Vec::new();
        let mut stack: Vec<(Savepoint<'_>, Model)> = Vec::new();
        for step in steps {
            match step {
                Step::Insert(key, value) => {
                    tables.write(&tx, key, Some(value));
                    own.insert(key, value);
                }
                Step::Update(key, by) => {
                    let updated = [
                        tx.update(&tables.hashed, &key, |value| value.wrapping_add(by)),
                        tx.update(&tables.ordered, &key, |value| value.wrapping_add(by)),
                    ];
                    prop_assert_eq!(updated, [own.contains_key(&key); 2]);
                    own.entry(key).and_modify(|value| *value = value.wrapping_add(by));
                }
                Step::Remove(key) => {
                    tables.write(&tx, key, None);
                    own.remove(&key);
                }
                Step::Iterate(kind) => open.push(tables.open(&tx, kind, &own)),
                Step::Take(which, back, rows) if !open.is_empty() => {
                    let which = which % open.len();
                    for _ in 0..rows {
                        open[which].take(back)?;
                    }
                }
                Step::Leave(which) if !open.is_empty() => drop(open.swap_remove(which % open.len())),
                Step::Other(key, value) if stays_behind => {
                    db.run(|other| Ok::<_, ()>(tables.write(other, key, value))).expect("no error");
                }
                Step::Take(..) | Step::Leave(_) | Step::Other(..) => {}
                Step::Savepoint => stack.push((tx.savepoint(), own.clone())),
                Step::RollBack(_) if stack.is_empty() => {}
                Step::RollBack(which) => {
                    let which = which % stack.len();
                    stack[which].0.roll_back();
                    own = stack[which].1.clone();
                    stack.truncate(which + 1);
                }
                Step::Forget => drop(stack.pop()),
                Step::Collect => db.collect(),
            }
        }
        for mut open in open {
            while open.take(false)? {}
        }
        drop(stack);
        let committed = tx.commit();
        prop_assert!(committed.is_ok() || stays_behind, "nobody else is there");
        if committed.is_ok() && !stays_behind {
            let rows: Model = db.snapshot().iter(&tables.ordered).map(|(&key, &value)| (key, value)).collect();
            prop_assert_eq!(rows, own);
        }
        db.collect();
        let snapshot = db.snapshot();
        let rows = snapshot.iter(&tables.hashed).count();
        prop_assert_eq!(snapshot.iter(&tables.ordered).count(), rows);
        // Each with a row in two tables, and an entry in three indexes; and the pin.
        prop_assert_eq!(db.stats().live_tuples, 5 * rows as u64 + 1);
    }
}
