//! Secondary indexes: always what their tables call for.

use super::{Numbers, World, numbers, tasks, write};
use mvcc_shuttle::{Index, Read};
use shuttle::sync::Mutex;
use std::sync::Arc;

/// An index by value has exactly the rows of its table.
fn check(read: &impl Read, table: &Numbers, by_value: &Index<u64, Numbers>) {
    let rows = by_value.range(read, ..).map(|(key, value)| (*value, *key));
    let found: Vec<_> = rows.collect();
    let rows = read.iter(table).map(|(key, value)| (*value, *key));
    let mut expected: Vec<_> = rows.collect();
    expected.sort_unstable();
    assert_eq!(found, expected, "the index, and the rows of its table");
}

/// Two tasks give the same unique key to different rows.
pub(super) fn unique_keys(world: World) {
    let (db, table) = numbers(world, &[(0, 1)]);
    let by_value = db.unique_index(&table, "by_value", |_, value| [*value]);
    let by_value = by_value.expect("new");
    let added = Arc::new(Mutex::new(0));
    let adder = |key: u32| {
        let (db, table, added) = (db.clone(), table.clone(), added.clone());
        move || {
            if db.run(|tx| tx.insert_unique(&table, key, 7)).is_ok() {
                *added.lock().expect("not poisoned") += 1;
            }
        }
    };
    let (a, b) = (db.clone(), table.clone());
    tasks!(adder(1), adder(2), move || write(&a, &b, &[(0, 8)]));
    let added = *added.lock().expect("not poisoned");
    assert_eq!(added, 1, "of two rows, one can have the unique key");
    db.view(|view| {
        let rows = view.iter(&table).filter(|(_, value)| **value == 7);
        assert_eq!(rows.count(), added, "rows with this key");
        check(view, &table, &by_value);
    });
}

/// An index is made while rows are added, changed and removed.
pub(super) fn index_built_beside_writers(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 1)]);
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
    );
    tasks!(
        move || {
            let index = a.0.index(&a.1, "by_value", |_, value| [*value]);
            let index = index.expect("new");
            a.0.view(|view| check(view, &a.1, &index));
        },
        move || {
            write(&b.0, &b.1, &[(2, 5)]);
            write(&b.0, &b.1, &[(0, 6)]);
        },
        move || super::remove(&c.0, &c.1, 1),
    );
    let index = db.index(&table, "by_value", |_, value| [*value]);
    let index = index.expect("made above");
    check(&db.snapshot(), &table, &index);
}

/// Rows change their index keys while others read through the index.
pub(super) fn rows_move_in_an_index(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 2)]);
    let by_value = db.index(&table, "by_value", |_, value| [*value]);
    let by_value = by_value.expect("new");
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone(), by_value.clone()),
        (db.clone(), table.clone(), by_value.clone()),
    );
    tasks!(
        move || {
            write(&a.0, &a.1, &[(0, 2), (1, 1)]);
            super::remove(&a.0, &a.1, 1);
        },
        move || {
            b.0.view(|view| check(view, &b.1, &b.2));
            check(&b.0.snapshot(), &b.1, &b.2);
        },
        move || {
            // All that have the value 2 get another one, which it reads through the index.
            c.0.run(|tx| {
                let keys: Vec<_> = c.2.rows(tx, &2).map(|(key, _)| *key).collect();
                for key in keys {
                    tx.insert(&c.1, key, 9);
                }
                check(tx, &c.1, &c.2);
                Ok::<_, ()>(())
            })
            .expect("no error");
        },
    );
    let snapshot = db.snapshot();
    check(&snapshot, &table, &by_value);
    let twos = by_value.rows(&snapshot, &2).count();
    let nines = by_value.rows(&snapshot, &9).count();
    assert!(twos + nines >= 1, "a row was lost");
}
