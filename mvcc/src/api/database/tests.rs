//! Tables by name, and a database's end.

use super::*;
use std::sync::Weak;

#[test]
fn a_name_is_one_table() {
    let db = Database::new();
    let first = db.table::<u64, u64>("first").expect("new");
    let again = db.clone().table::<u64, u64>("first").expect("the same");
    assert!(Arc::ptr_eq(&first.core, &again.core));
    let ordered = db.ordered_table::<u64, u64>("ordered").expect("new");
    assert_eq!((first.core.id, ordered.core.id), (0, 1));
    assert!(db.table::<u64, u32>("first").is_err(), "other types");
    assert!(
        db.ordered_table::<u64, u64>("first").is_err(),
        "the other kind"
    );
    assert!(db.table::<u64, u64>("ordered").is_err(), "the other kind");
    assert_eq!(db.table::<u64, u64>("third").expect("new").core.id, 2);
}

#[test]
fn databases_are_told_apart() {
    let (one, other) = (Database::new(), Database::new());
    assert_ne!(one.inner().id, other.inner().id);
    assert_eq!(one.inner().id, one.clone().inner().id);
}

/// A value, and a way to see whether it lives.
fn tracked() -> (Arc<u64>, Weak<u64>) {
    let value = Arc::new(7);
    let weak = Arc::downgrade(&value);
    (value, weak)
}

#[test]
fn what_a_database_holds_goes_with_its_last_handle() {
    let db = Database::new();
    let table = db.table::<u64, Arc<u64>>("t").expect("new");
    let (first, second) = (tracked(), tracked());
    for value in [first.0, second.0] {
        db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, value.clone())))
            .expect("it commits");
    }
    let snapshot = db.snapshot();
    drop((db, table));
    assert!(second.1.upgrade().is_some());
    assert_eq!(snapshot.timestamp(), snapshot.timestamp());
    drop(snapshot);
    assert!(first.1.upgrade().is_none() && second.1.upgrade().is_none());
}

#[test]
fn a_table_without_its_database_keeps_its_rows_until_it_goes() {
    let db = Database::new();
    let table = db.table::<u64, Arc<u64>>("t").expect("new");
    let (value, weak) = tracked();
    db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, value.clone())))
        .expect("it commits");
    drop((db, value));
    assert!(weak.upgrade().is_some());
    drop(table);
    assert!(weak.upgrade().is_none());
}

#[test]
fn statistics_are_exact_when_all_is_quiet() {
    let db = Database::new();
    let table = db.table::<u64, u64>("t").expect("new");
    for key in [1, 2, 1] {
        db.run(|tx| Ok::<_, ()>(tx.insert(&table, key, key)))
            .expect("it commits");
    }
    db.collect();
    let stats = db.stats();
    assert_eq!((stats.commits, stats.conflicts), (3, 0));
    assert_eq!(
        (stats.live_tuples, stats.live_versions, stats.retired),
        (2, 2, 0)
    );
    assert_eq!((stats.live_snapshots, stats.oldest_snapshot), (0, None));
}
