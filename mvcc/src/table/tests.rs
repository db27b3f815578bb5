//! The typed handle and the untyped core.

use super::*;
use crate::Database;
use std::sync::Arc as Counted;

fn core(database: &Database, index: Index) -> TableCore {
    TableCore::new::<u64, String>(3, database.inner(), "names", index)
}

#[test]
fn a_table_is_opened_as_what_it_is() {
    let table = core(&Database::new(), Index::Hash(HashIndex::new()));
    assert_eq!(table.check::<u64, String>("Table"), Ok(()));
    let error = table.check::<u64, u64>("Table").expect_err("another value");
    let TableError::WrongTypes { name, found, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((&**name, found.0), ("names", "u64"));
    for part in [
        "\"names\"",
        "Table<u64, u64>",
        "String",
        "use these types or another name",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = table
        .check::<u64, String>("OrderedTable")
        .expect_err("another kind");
    assert!(matches!(
        error,
        TableError::WrongKind {
            wanted: "OrderedTable",
            found: "Table",
            ..
        }
    ));
    assert!(error.to_string().contains("of the kind Table"), "{error}");
}

#[test]
#[should_panic(expected = "table \"names\" belongs to another database")]
fn a_table_of_another_database_is_refused() {
    let (db, other) = (Database::new(), Database::new());
    let table = core(&db, Index::Tree(Box::new(Tree::<u64>::new())));
    db.inner().check(&table);
    other.inner().check(&table);
}

#[test]
fn a_tuple_that_left_its_index_takes_its_key_and_its_newest_version_along() {
    let key = Counted::new(1_u64);
    let db = Database::new();
    let index = Index::Hash(HashIndex::new());
    let types = TableCore::new::<Counted<u64>, u64>(0, db.inner(), "t", index);
    let tuple = KeyedTuple::boxed(key.clone(), 0).into_raw();
    // SAFETY: it has this key type.
    assert_eq!(**unsafe { key_of::<Counted<u64>>(tuple) }, 1);
    let dead = types.dead(tuple);
    assert_eq!(Counted::strong_count(&key), 2);
    drop(dead);
    assert_eq!(Counted::strong_count(&key), 1);
}

#[test]
fn both_kinds_look_up_by_what_a_key_borrows() {
    let db = Database::new();
    let hashed = db.table::<String, u64>("hashed").expect("new");
    let ordered = db.ordered_table::<String, u64>("ordered").expect("new");
    let tx = db.begin();
    tx.insert(&hashed, "a".to_owned(), 1);
    tx.insert(&ordered, "a".to_owned(), 1);
    // SAFETY: the transaction is open.
    let protected = unsafe { Protected::open() };
    let found = [
        Lookup::<str>::find(&hashed, "a", protected),
        Lookup::<str>::find(&ordered, "a", protected),
    ];
    for tuple in found {
        let tuple = tuple.expect("it was added");
        // SAFETY: found in a table of such keys.
        assert_eq!(unsafe { key_of::<String>(tuple) }, "a");
    }
    assert!(Lookup::<str>::find(&hashed, "b", protected).is_none());
    assert!(Lookup::<str>::find(&ordered, "b", protected).is_none());
}

#[test]
fn absence_is_known_only_while_the_key_has_no_other_tuple() {
    let db = Database::new();
    let hashed = db.table::<u64, u64>("hashed").expect("new");
    let ordered = db.ordered_table::<u64, u64>("ordered").expect("new");
    let tx = db.begin();
    // SAFETY: the transaction is open.
    let protected = unsafe { Protected::open() };
    assert!(hashed.absence(&1, None, protected).is_some());
    assert!(ordered.absence(&1, None, protected).is_some());
    tx.insert(&hashed, 1, 1);
    tx.insert(&ordered, 1, 1);
    assert!(hashed.absence(&1, None, protected).is_none());
    assert!(ordered.absence(&1, None, protected).is_none());
    let (in_hashed, in_ordered) = (hashed.find(&1, protected), ordered.find(&1, protected));
    assert!(hashed.absence(&1, in_hashed, protected).is_some());
    assert!(ordered.absence(&1, in_ordered, protected).is_some());
}
