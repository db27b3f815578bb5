//! Cores: their types, their database, the tuples that leave them.

use super::*;
use crate::Database;
use crate::rows::tuple::key_of;
use std::sync::Arc as Counted;

fn core(database: &Database, index: Index) -> TableCore {
    TableCore::new::<u64, String>(3, database.inner().identity(), "names", index)
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
    let types = TableCore::new::<Counted<u64>, u64>(0, db.inner().identity(), "t", index);
    let tuple = KeyedTuple::boxed(key.clone(), 0).into_raw();
    // SAFETY: it has this key type.
    assert_eq!(**unsafe { key_of::<Counted<u64>>(tuple) }, 1);
    let dead = types.dead(tuple);
    assert_eq!(Counted::strong_count(&key), 2);
    drop(dead);
    assert_eq!(Counted::strong_count(&key), 1);
}
