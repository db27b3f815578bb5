//! A table that is used with another database is refused, with the names of both.

use mvcc::{Database, Overflow};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn named(name: &str) -> Database {
    let built = Database::builder().name(name).build();
    built.expect("every machine has the default clock")
}

/// What it says when it panics.
fn message(misuse: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(misuse)).expect_err("it is misuse");
    *panic.downcast::<String>().expect("a message")
}

#[test]
fn every_use_of_a_foreign_table_names_both_databases() {
    let (shop, archive) = (named("shop"), named("archive"));
    let orders = shop.table::<u64, u64>("orders").expect("new");
    let sorted = shop
        .ordered_table::<u64, u64>("orders by date")
        .expect("new");
    let index = shop.index(&sorted, "by_value", |_, value: &u64| [*value]);
    let index = index.expect("new");
    let tx = archive.begin();
    let (snapshot, mut feed) = archive.on_commit(1, Overflow::DropOldest);
    let own = archive.table::<u64, u64>("own").expect("new");
    archive
        .run(|tx| Ok::<_, ()>(tx.insert(&own, 1, 1)))
        .expect("no error");
    let commit = feed.try_recv().expect("there is one");
    let messages = [
        message(|| assert_eq!(archive.view(|view| view.get(&orders, &1).copied()), None)),
        message(|| assert!(!snapshot.contains_key(&orders, &1))),
        message(|| assert_eq!(snapshot.range(&sorted, ..).count(), 0)),
        message(|| assert_eq!(index.rows(&snapshot, &1).count(), 0)),
        message(|| assert_eq!(tx.get(&orders, &1), None)),
        message(|| assert_eq!(tx.peek(&orders, &1), None)),
        message(|| assert_eq!(tx.peek_range(&sorted, ..).count(), 0)),
        message(|| assert_eq!(tx.reserve(&orders, &1), None)),
        message(|| tx.insert(&orders, 1, 1)),
        message(|| tx.remove(&orders, &1)),
        message(|| assert!(!tx.update(&orders, &1, |value| value + 1))),
        message(|| assert_eq!(commit.changes(&orders).count(), 0)),
        message(|| drop(archive.index(&sorted, "by_value", |_, value: &u64| [*value]))),
    ];
    for message in messages {
        assert!(message.contains("belongs to another database"), "{message}");
        assert!(message.contains("to database \"shop\""), "{message}");
        assert!(message.contains("not to database \"archive\""), "{message}");
    }
    // Nothing has happened to either.
    assert!(tx.commit().is_ok());
    assert_eq!(shop.stats().live_tuples, 0);
}
