//! Random programs on one thread, against a `BTreeMap`: on both kinds of table at once.

use proptest::prelude::*;
use std::collections::BTreeMap;
use tplock::{Conflict, Database, OrderedTable, Table};

#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Insert(u8, u16),
    Remove(u8),
    Update(u8),
    Scan,
    Range(u8, u8),
    RangeBack(u8, u8, usize),
    Commit,
    Abort,
}

const KEYS: u8 = 12;

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS;
    let keys = (0..KEYS, 0..KEYS);
    prop_oneof![
        4 => key.clone().prop_map(Step::Get),
        6 => (key.clone(), any::<u16>()).prop_map(|(key, value)| Step::Insert(key, value)),
        3 => key.clone().prop_map(Step::Remove),
        3 => key.prop_map(Step::Update),
        1 => Just(Step::Scan),
        2 => keys.clone().prop_map(|(from, to)| Step::Range(from, to)),
        2 => (keys, 0..4usize).prop_map(|((from, to), limit)| Step::RangeBack(from, to, limit)),
        4 => Just(Step::Commit),
        1 => Just(Step::Abort),
    ]
}

type Model = BTreeMap<u8, u16>;

/// What is inside, also if the range is inverted.
fn inside(model: &Model, from: u8, to: u8) -> impl DoubleEndedIterator<Item = (u8, u16)> {
    let rows = model
        .iter()
        .filter(move |(key, _)| (from..to).contains(key));
    rows.map(|(key, value)| (*key, *value))
}

fn owned<'r>(row: Result<(&'r u8, &'r u16), Conflict>) -> (u8, u16) {
    let (key, value) = row.expect("nobody else is there");
    (*key, *value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_thread_sees_a_map(steps in prop::collection::vec(step(), 1..200)) {
        let db = Database::new();
        let hashed: Table<u8, u16> = db.table("h").expect("new");
        let ordered: OrderedTable<u8, u16> = db.ordered_table("o").expect("new");
        let alone = "nobody else is there";
        let mut committed = Model::new();
        let mut own = committed.clone();
        let mut tx = db.begin();
        for step in steps {
            match step {
                Step::Get(key) => {
                    prop_assert_eq!(tx.get(&hashed, &key).expect(alone), own.get(&key));
                    prop_assert_eq!(tx.get(&ordered, &key).expect(alone), own.get(&key));
                }
                Step::Insert(key, value) => {
                    tx.insert(&hashed, key, value).expect(alone);
                    tx.insert(&ordered, key, value).expect(alone);
                    own.insert(key, value);
                }
                Step::Remove(key) => {
                    tx.remove(&hashed, &key).expect(alone);
                    tx.remove(&ordered, &key).expect(alone);
                    own.remove(&key);
                }
                Step::Update(key) => {
                    let found = tx.update(&hashed, &key, |value| value.wrapping_add(1));
                    prop_assert_eq!(found.expect(alone), own.contains_key(&key));
                    let found = tx.update(&ordered, &key, |value| value.wrapping_add(1));
                    prop_assert_eq!(found.expect(alone), own.contains_key(&key));
                    own.entry(key).and_modify(|value| *value = value.wrapping_add(1));
                }
                Step::Scan => {
                    let rows: Model = tx.iter(&hashed).map(owned).collect();
                    prop_assert_eq!(&rows, &own);
                    prop_assert!(tx.iter(&ordered).map(owned).eq(rows));
                }
                Step::Range(from, to) => {
                    prop_assert!(tx.range(&ordered, from..to).map(owned).eq(inside(&own, from, to)));
                }
                Step::RangeBack(from, to, limit) => {
                    let rows = tx.range(&ordered, from..to).rev().take(limit).map(owned);
                    prop_assert!(rows.eq(inside(&own, from, to).rev().take(limit)));
                }
                Step::Commit | Step::Abort => {
                    if matches!(step, Step::Commit) {
                        tx.commit().expect(alone);
                        committed = own.clone();
                    } else {
                        tx.abort();
                        own = committed.clone();
                    }
                    let stats = db.stats();
                    prop_assert_eq!((stats.tuples, stats.locks), (2 * committed.len(), 0));
                    let rows: Model = db.view(|view| view.iter(&hashed).map(|(key, value)| (*key, *value)).collect());
                    prop_assert_eq!(&rows, &committed);
                    prop_assert!(db.view(|view| view.iter(&ordered).eq(&committed)));
                    tx = db.begin();
                }
            }
        }
    }
}
