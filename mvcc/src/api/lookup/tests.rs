//! How tables find keys.

use super::*;
use crate::Database;

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
