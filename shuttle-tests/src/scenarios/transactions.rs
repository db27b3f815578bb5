//! Savepoints, and reads that are not checked.

use super::{World, numbers, pair, tasks, write};
use mvcc_shuttle::OrderedTable;

/// What is only peeked at causes no conflict, but it is of one state as long as nothing else is read.
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

/// Writes that are undone leave nothing, whatever others do to the same keys; references to them stay valid.
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
