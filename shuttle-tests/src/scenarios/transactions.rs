//! Savepoints, iterators beside writes, and reads that are not checked.

use super::rows::{keys, put, rows};
use super::{World, numbers, pair, tasks, write};
use mvcc_shuttle::OrderedTable;

/// What is only peeked at causes no conflict, but it is of one state as long as nothing else is
/// read.
pub(super) fn peeks_see_whole_transactions(world: World) {
    let (db, table) = numbers(world, &[(0, 10), (1, 10), (2, 0)]);
    let rows: OrderedTable<u32, u64> = db.ordered_table("rows").expect("new");
    let set = {
        let (db, table, rows) = (db.clone(), table.clone(), rows.clone());
        move |value: u64| {
            let set = db.run(|tx| {
                (0..3).for_each(|key| tx.insert(&rows, key, value));
                tx.insert(&table, 0, 10 - value);
                Ok::<_, ()>(tx.insert(&table, 1, 10 + value))
            });
            set.expect("no error");
        }
    };
    set(0);
    tasks!(move || (1..3).for_each(set), move || {
        let tx = db.begin();
        let peek = |key: u32| *tx.peek(&table, &key).expect("it stays");
        let (first, second) = (peek(0), peek(1));
        assert_eq!(first + second, 20, "a part of a transaction");
        let seen: Vec<_> = tx.peek_range(&rows, ..).map(|(_, value)| *value).collect();
        assert_eq!(seen, [second - 10; 3], "a part of a transaction");
        tx.insert(&table, 2, second);
        assert_eq!(peek(2), second, "its own write");
        assert!(tx.commit().is_ok(), "a peek has caused a conflict");
    });
}

/// Writes that are undone leave nothing, whatever others do to the same keys; references to them
/// stay valid.
pub(super) fn undone_writes(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 1)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            let written = a.0.run(|tx| {
                tx.insert(&a.1, 0, 2);
                let savepoint = tx.savepoint();
                tx.insert(&a.1, 0, 3);
                tx.insert(&a.1, 5, 3);
                tx.remove(&a.1, &1);
                let (first, second) = (tx.get(&a.1, &0), tx.get(&a.1, &5));
                savepoint.roll_back();
                assert_eq!(tx.get(&a.1, &0), Some(&2));
                a.0.collect();
                assert_eq!((first, second), (Some(&3), Some(&3)), "undone values");
                tx.insert(&a.1, 6, 6);
                savepoint.roll_back();
                Ok::<_, ()>(())
            });
            written.expect("no error");
        },
        move || {
            write(&b.0, &b.1, &[(5, 1), (1, 7)]);
            super::remove(&b.0, &b.1, 5);
            b.0.collect();
        },
    );
    assert_eq!(db.view(|view| pair(view, &table)), (2, 7));
    super::check_clean(&db, 2);
}

/// An iterator yields what the transaction saw when it was made, although the transaction then
/// rolls that back and writes to what it iterates over, and others write and collect.
pub(super) fn writes_under_an_iterator(world: World) {
    let (db, table) = rows(world, [10, 20, 30]);
    let aborted = db.begin();
    aborted.insert(&table, 40, 0);
    aborted.abort();
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            a.0.run(|tx| {
                let savepoint = tx.savepoint();
                tx.insert(&a.1, 40, 1);
                tx.remove(&a.1, &20);
                let seen = tx.iter(&a.1);
                savepoint.roll_back();
                let write = |key: u32| tx.insert(&a.1, key + 1, 1);
                let mut seen: Vec<_> = seen
                    .map(|(key, _)| *key)
                    .inspect(|key| write(*key))
                    .collect();
                seen.retain(|key| *key != 22);
                assert_eq!(seen, [10, 30, 40]);
                Ok::<_, ()>(())
            })
            .expect("no error");
        },
        move || {
            put(&b.0, &b.1, 22);
            b.0.collect();
        },
    );
    let mut keys = db.view(|view| keys(view, &table));
    keys.retain(|key| *key != 23);
    assert_eq!(keys, [10, 11, 20, 22, 30, 31, 41]);
}
