//! Rolling back to an earlier point of a transaction.

use mvcc::{Database, OrderedTable, Savepoint, Table};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn numbers() -> (Database, Table<u64, String>) {
    let db = Database::new();
    let table = db.table("numbers").expect("new");
    db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "one".to_owned())))
        .expect("no error");
    (db, table)
}

#[test]
fn rolling_back_undoes_later_writes_only() {
    let (db, table) = numbers();
    let tx = db.begin();
    tx.insert(&table, 2, "two".to_owned());
    let outer = tx.savepoint();
    tx.insert(&table, 1, "uno".to_owned());
    let inner = tx.savepoint();
    tx.remove(&table, &1);
    tx.insert(&table, 3, "three".to_owned());
    assert_eq!(tx.get(&table, &1), None);
    inner.roll_back();
    assert_eq!(tx.get(&table, &1).map(String::as_str), Some("uno"));
    assert_eq!(tx.get(&table, &3), None);
    tx.insert(&table, 3, "drei".to_owned());
    inner.roll_back();
    outer.roll_back();
    assert_eq!(tx.get(&table, &1).map(String::as_str), Some("one"));
    assert_eq!(tx.get(&table, &2).map(String::as_str), Some("two"));
    drop((inner, outer));
    tx.commit().expect("alone");
    assert_eq!(db.snapshot().iter(&table).count(), 2);
    db.collect();
    let stats = db.stats();
    assert_eq!(
        (stats.live_tuples, stats.live_versions),
        (2, 2),
        "{stats:?}"
    );
}

#[test]
fn what_was_read_before_a_rollback_is_still_checked() {
    let (db, table) = numbers();
    let tx = db.begin();
    let savepoint = tx.savepoint();
    assert!(tx.get(&table, &7).is_none());
    tx.insert(&table, 8, "eight".to_owned());
    savepoint.roll_back();
    drop(savepoint);
    tx.insert(&table, 9, "nine".to_owned());
    db.run(|tx| Ok::<_, ()>(tx.insert(&table, 7, "seven".to_owned())))
        .expect("no error");
    assert!(tx.commit().is_err(), "it has found 7 absent");
}

#[test]
#[should_panic(expected = "earlier savepoint's roll_back has undone")]
fn a_savepoint_that_was_undone_is_refused() {
    let (db, table) = numbers();
    let tx = db.begin();
    let outer = tx.savepoint();
    let inner = tx.savepoint();
    outer.roll_back();
    // As many things as were undone.
    let _other = tx.savepoint();
    tx.insert(&table, 1, "uno".to_owned());
    inner.roll_back();
}

#[test]
fn an_undone_insert_leaves_the_key_to_others() {
    let db = Database::new();
    let table: OrderedTable<u64, u64> = db.ordered_table("rows").expect("new");
    let tx = db.begin();
    let savepoint = tx.savepoint();
    tx.insert(&table, 1, 1);
    let (key, value) = tx.first(&table).expect("its own");
    savepoint.roll_back();
    db.collect();
    db.run(|other| Ok::<_, ()>(other.insert(&table, 1, 2)))
        .expect("no error");
    db.run(|other| Ok::<_, ()>(other.remove(&table, &1)))
        .expect("no error");
    db.collect();
    assert_eq!((key, value), (&1, &1), "references stay valid");
    drop(savepoint);
    drop(tx);
    db.collect();
    let stats = db.stats();
    assert_eq!(
        (stats.live_tuples, stats.live_versions),
        (0, 0),
        "{stats:?}"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Insert(u8, u16),
    Remove(u8),
    Scan,
    Savepoint,
    RollBack(usize),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..12u8;
    prop_oneof![
        3 => key.clone().prop_map(Step::Get),
        6 => (key.clone(), any::<u16>()).prop_map(|(key, value)| Step::Insert(key, value)),
        3 => key.prop_map(Step::Remove),
        1 => Just(Step::Scan),
        3 => Just(Step::Savepoint),
        3 => any::<usize>().prop_map(Step::RollBack),
        1 => Just(Step::Forget),
    ]
}

type Model = BTreeMap<u8, String>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each transaction against a stack of maps. All references that it hands out are looked at
    /// again at its end.
    #[test]
    fn savepoints_are_a_stack_of_maps(
        transactions in prop::collection::vec(prop::collection::vec(step(), 1..60), 1..5),
    ) {
        let db = Database::new();
        let table: Table<u8, String> = db.table("t").expect("new");
        let mut own = Model::new();
        for steps in transactions {
            let tx = db.begin();
            let mut stack: Vec<(Savepoint<'_>, Model)> = Vec::new();
            let mut handed_out = Vec::new();
            for step in steps {
                match step {
                    Step::Get(key) => {
                        let value = tx.get(&table, &key);
                        prop_assert_eq!(value, own.get(&key));
                        handed_out.extend(value.map(|value| (value, value.clone())));
                    }
                    Step::Insert(key, value) => {
                        tx.insert(&table, key, value.to_string());
                        own.insert(key, value.to_string());
                    }
                    Step::Remove(key) => {
                        tx.remove(&table, &key);
                        own.remove(&key);
                    }
                    Step::Scan => {
                        let rows: Vec<_> = tx.iter(&table).collect();
                        let copied: Model = rows.iter().map(|(key, value)| (**key, (*value).clone())).collect();
                        prop_assert_eq!(&copied, &own);
                        handed_out.extend(rows.into_iter().map(|(_, value)| (value, value.clone())));
                    }
                    Step::Savepoint => stack.push((tx.savepoint(), own.clone())),
                    Step::RollBack(_) if stack.is_empty() => {}
                    Step::RollBack(which) => {
                        let which = which % stack.len();
                        stack[which].0.roll_back();
                        own = stack[which].1.clone();
                        stack.truncate(which + 1);
                    }
                    Step::Forget => drop(stack.pop()),
                }
            }
            for (value, copy) in handed_out {
                prop_assert_eq!(value, &copy);
            }
            drop(stack);
            tx.commit().expect("nobody else is there");
            let rows: Model = db.snapshot().iter(&table).map(|(&key, value)| (key, value.clone())).collect();
            prop_assert_eq!(&rows, &own);
        }
        db.collect();
        let stats = db.stats();
        prop_assert_eq!(stats.live_tuples, own.len() as u64);
        prop_assert_eq!(stats.live_versions, own.len() as u64);
    }
}
