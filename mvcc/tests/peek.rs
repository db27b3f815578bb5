//! Reads that the commit does not check.

use mvcc::{Database, OrderedTable, Table};

fn two_tables() -> (Database, Table<u64, i64>, OrderedTable<u64, i64>) {
    let db = Database::new();
    let (hashed, ordered) = (
        db.table("hashed").expect("new"),
        db.ordered_table("ordered").expect("new"),
    );
    db.run(|tx| {
        for key in 0..100 {
            tx.insert(&hashed, key, 0);
            tx.insert(&ordered, key, 0);
        }
        Ok::<_, ()>(())
    })
    .expect("no error");
    (db, hashed, ordered)
}

#[test]
fn a_peek_causes_no_conflict() {
    let (db, hashed, ordered) = two_tables();
    let tx = db.begin();
    assert_eq!(tx.peek(&hashed, &1), Some(&0));
    assert_eq!(tx.peek(&hashed, &1000), None);
    assert_eq!(tx.peek_range(&ordered, 5..10).count(), 5);
    tx.insert(&hashed, 50, 1);
    db.run(|other| {
        other.insert(&hashed, 1, 1);
        other.insert(&hashed, 1000, 1);
        other.remove(&ordered, &7);
        Ok::<_, ()>(other.insert(&ordered, 1000, 1))
    })
    .expect("no error");
    // Still the state of before.
    assert_eq!(tx.peek(&hashed, &1), Some(&0));
    assert_eq!(tx.peek(&hashed, &1000), None);
    assert_eq!(tx.peek_range(&ordered, 5..).count(), 95);
    assert!(tx.commit().is_ok());
}

#[test]
fn peeks_allow_write_skew() {
    let (db, hashed, _) = two_tables();
    let (a, b) = (db.begin(), db.begin());
    assert_eq!(
        (a.peek(&hashed, &1), b.peek(&hashed, &2)),
        (Some(&0), Some(&0))
    );
    a.insert(&hashed, 2, 1);
    b.insert(&hashed, 1, 1);
    assert!(a.commit().is_ok() && b.commit().is_ok());
}

#[test]
fn own_writes_are_peeked_at() {
    let (db, hashed, ordered) = two_tables();
    let tx = db.begin();
    tx.insert(&hashed, 1, 5);
    tx.remove(&hashed, &2);
    tx.insert(&ordered, 200, 5);
    tx.remove(&ordered, &99);
    assert_eq!(tx.peek(&hashed, &1), Some(&5));
    assert_eq!(tx.peek(&hashed, &2), None);
    let last: Vec<_> = tx.peek_range(&ordered, 90..).rev().take(2).collect();
    assert_eq!(last, [(&200, &5), (&98, &0)]);
    assert_eq!(tx.peek_range(&ordered, ..).count(), 100);
}

#[test]
fn a_peek_moves_on_with_its_transaction() {
    let (db, hashed, _) = two_tables();
    let tx = db.begin();
    assert_eq!(tx.peek(&hashed, &1), Some(&0));
    db.run(|other| {
        other.insert(&hashed, 1, 1);
        Ok::<_, ()>(other.insert(&hashed, 2, 1))
    })
    .expect("no error");
    assert_eq!(
        tx.get(&hashed, &2),
        Some(&1),
        "nothing that was read has changed"
    );
    assert_eq!(tx.peek(&hashed, &1), Some(&1));
    tx.insert(&hashed, 3, 1);
    assert!(tx.commit().is_ok());
}
