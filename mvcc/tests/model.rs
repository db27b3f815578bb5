//! Random programs on one thread, against a `BTreeMap`.

use mvcc::{Database, Snapshot, Table};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Insert(u8, u16),
    Remove(u8),
    Update(u8),
    Scan,
    Commit,
    Abort,
    Snapshot,
    DropSnapshot(usize),
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..12u8;
    prop_oneof![
        4 => key.clone().prop_map(Step::Get),
        6 => (key.clone(), any::<u16>()).prop_map(|(key, value)| Step::Insert(key, value)),
        3 => key.clone().prop_map(Step::Remove),
        3 => key.prop_map(Step::Update),
        1 => Just(Step::Scan),
        4 => Just(Step::Commit),
        1 => Just(Step::Abort),
        1 => Just(Step::Snapshot),
        1 => any::<usize>().prop_map(Step::DropSnapshot),
        1 => Just(Step::Collect),
    ]
}

type Model = BTreeMap<u8, u16>;

fn check(snapshot: &Snapshot, table: &Table<u8, u16>, model: &Model) -> Result<(), TestCaseError> {
    let rows: Model = snapshot
        .iter(table)
        .map(|(&key, &value)| (key, value))
        .collect();
    prop_assert_eq!(&rows, model);
    for key in 0..12 {
        prop_assert_eq!(snapshot.get(table, &key), model.get(&key));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_thread_sees_a_map(steps in prop::collection::vec(step(), 1..200)) {
        let db = Database::new();
        let table: Table<u8, u16> = db.table("t").expect("new");
        let mut committed = Model::new();
        let mut own = committed.clone();
        let mut tx = db.begin();
        let mut snapshots = Vec::new();
        for step in steps {
            match step {
                Step::Get(key) => prop_assert_eq!(tx.get(&table, &key), own.get(&key)),
                Step::Insert(key, value) => {
                    tx.insert(&table, key, value);
                    own.insert(key, value);
                }
                Step::Remove(key) => {
                    tx.remove(&table, &key);
                    own.remove(&key);
                }
                Step::Update(key) => {
                    let found = tx.update(&table, &key, |value| value.wrapping_add(1));
                    let value = own.get_mut(&key);
                    prop_assert_eq!(found, value.is_some());
                    if let Some(value) = value {
                        *value = value.wrapping_add(1);
                    }
                }
                Step::Scan => {
                    let rows: Model = tx.iter(&table).map(|(&key, &value)| (key, value)).collect();
                    prop_assert_eq!(&rows, &own);
                }
                Step::Commit => {
                    tx.commit().expect("nobody else is there");
                    tx = db.begin();
                    committed = own.clone();
                }
                Step::Abort => {
                    tx.abort();
                    tx = db.begin();
                    own = committed.clone();
                }
                Step::Snapshot => snapshots.push((db.snapshot(), committed.clone())),
                Step::DropSnapshot(which) => {
                    if !snapshots.is_empty() {
                        snapshots.swap_remove(which % snapshots.len());
                    }
                }
                Step::Collect => db.collect(),
            }
            for (snapshot, model) in &snapshots {
                check(snapshot, &table, model)?;
            }
        }
        tx.abort();
        snapshots.clear();
        db.collect();
        check(&db.snapshot(), &table, &committed)?;
        let stats = db.stats();
        prop_assert_eq!(stats.live_tuples, committed.len() as u64);
        prop_assert_eq!(stats.live_versions, committed.len() as u64);
        prop_assert_eq!(stats.retired, 0);
    }
}
