//! Ranges and what appears in them.

use super::rows::{keys, numbers, put, rows};
use super::{World, tasks};

/// Each of two counts the rows and adds one that says how many: they must not count the same.
pub(super) fn phantom_by_insert(world: World) {
    let (db, table) = rows(world, [10, 20]);
    let counter = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let count = tx.range(&table, 0..1000).count() as u64;
                Ok::<_, ()>(tx.insert(&table, key, count))
            })
            .expect("no error");
        }
    };
    tasks!(counter(15), counter(30));
    db.view(|view| {
        let (first, second) = (view.get(&table, &15), view.get(&table, &30));
        assert_ne!(first, second, "both have counted the same rows");
    });
}

/// Each of two removes a row only if both are there.
pub(super) fn phantom_by_delete(world: World) {
    let (db, table) = rows(world, [10, 20]);
    let remover = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                if tx.range(&table, 5..25).rev().count() == 2 {
                    tx.remove(&table, &key);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
        }
    };
    tasks!(remover(10), remover(20));
    assert_eq!(
        db.view(|view| keys(view, &table)).len(),
        1,
        "both were removed"
    );
}

/// Each of two adds a key only if the other's is missing.
pub(super) fn phantom_by_absent_key(world: World) {
    let (db, table) = rows(world, [10]);
    let adder = |key: u32, other: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                if tx.get(&table, &other).is_none() {
                    tx.insert(&table, key, 1);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
        }
    };
    tasks!(adder(12, 14), adder(14, 12));
    assert_eq!(
        db.view(|view| keys(view, &table)).len(),
        2,
        "both were added"
    );
}

/// A predicate that is read twice in one transaction gives the same rows.
pub(super) fn predicate_many_preceders(world: World) {
    let (db, table) = rows(world, [10, 20]);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(move || put(&a.0, &a.1, 15), move || {
        b.0.run(|tx| {
            let first = keys(tx, &b.1);
            let second: Vec<_> = tx.range(&b.1, 0..1000).rev().map(|(key, _)| *key).collect();
            assert!(first.iter().rev().eq(&second), "{first:?}, then {second:?}");
            Ok::<_, ()>(tx.insert(&b.1, 500, first.len() as u64))
        })
        .expect("no error");
    },);
}

/// The same as by insert, in a table without order.
pub(super) fn phantom_in_a_hashed_table(world: World) {
    let (db, table) = numbers(world, &[(1, 1)]);
    let counter = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let count = tx.iter(&table).count() as u64;
                let missing = tx.get(&table, &(100 + key)).is_none();
                assert!(missing);
                Ok::<_, ()>(tx.insert(&table, key, count))
            })
            .expect("no error");
        }
    };
    tasks!(counter(2), counter(3));
    db.view(|view| {
        assert_ne!(
            view.get(&table, &2),
            view.get(&table, &3),
            "both have counted the same rows"
        );
    });
}

/// Two consumers each take the second row, a producer adds at the end.
pub(super) fn limited_range(world: World) {
    let (db, table) = rows(world, [1, 2, 3, 4, 5]);
    let taker = || {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let second = tx.range(&table, 0..1000).nth(1).map(|(key, _)| *key);
                Ok::<_, ()>(tx.remove(&table, &second.expect("there are enough")))
            })
            .expect("no error");
        }
    };
    let (a, b) = (db.clone(), table.clone());
    tasks!(taker(), taker(), move || put(&a, &b, 9));
    assert_eq!(
        db.view(|view| keys(view, &table)),
        [1, 4, 5, 9],
        "a row was taken twice"
    );
}

/// A scan sees the transaction's own writes among the others' rows.
pub(super) fn own_writes_under_a_scan(world: World) {
    let (db, table) = rows(world, [10, 20, 30]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            a.0.run(|tx| {
                tx.remove(&a.1, &20);
                tx.insert(&a.1, 25, 1);
                let seen = keys(tx, &a.1);
                assert!(seen.contains(&25) && !seen.contains(&20), "{seen:?}");
                Ok::<_, ()>(())
            })
            .expect("no error");
        },
        move || put(&b.0, &b.1, 22),
    );
    assert_eq!(db.view(|view| keys(view, &table)), [10, 22, 25, 30]);
}

/// A limit on the number of rows holds, although nobody writes what another one has read.
pub(super) fn counted_range(world: World) {
    let (db, table) = rows(world, [1, 2, 3]);
    let adder = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                if tx.range(&table, 0..1000).count() < 4 {
                    tx.insert(&table, key, 1);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
            db.view(|view| assert!(view.range(&table, 0..1000).count() <= 4, "one too many"));
        }
    };
    tasks!(adder(5), adder(6));
}
