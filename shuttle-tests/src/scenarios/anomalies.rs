//! The anomalies that weaker isolation levels allow.

use super::{STAYS, World, add, numbers, pair, tasks, write};
use shuttle::sync::Mutex;
use std::sync::Arc;

/// Two tasks increment one counter.
pub(super) fn lost_update(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            add(&a.0, &a.1, 0, 1);
            add(&a.0, &a.1, 0, 1);
        },
        move || add(&b.0, &b.1, 0, 1)
    );
    assert_eq!(
        db.view(|view| view.get(&table, &0).copied()),
        Some(3),
        "an update was lost"
    );
}

/// Each of two may go only while the other one stays.
pub(super) fn write_skew(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 1)]);
    let leave = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let (first, second) = pair(tx, &table);
                if first + second == 2 {
                    tx.insert(&table, key, 0);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
        }
    };
    tasks!(leave(0), leave(1));
    let (first, second) = db.view(|view| pair(view, &table));
    assert_eq!(first + second, 1, "both have left");
}

/// Two rows that are always written together are read one after the other.
pub(super) fn read_skew(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
        (db, table),
    );
    tasks!(
        move || (1..3).for_each(|i| write(&a.0, &a.1, &[(0, i), (1, i)])),
        move || {
            let (first, second) = b.0.view(|view| pair(view, &b.1));
            assert_eq!(first, second, "a view of two states");
        },
        move || {
            let given_up = c.0.run(|tx| {
                let (first, second) = pair(tx, &c.1);
                assert_eq!(first, second, "a transaction that read two states");
                Err::<(), _>(())
            });
            assert_eq!(given_up, Err(()));
        },
    );
}

/// Two readers must not see two independent writes in opposite orders.
pub(super) fn long_fork(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let writer = |key: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || write(&db, &table, &[(key, 1)])
    };
    let reader = |first: u32| {
        let (db, table, seen) = (db.clone(), table.clone(), seen.clone());
        move || {
            let mut values = [0; 2];
            db.view(|view| {
                for key in [first, 1 - first] {
                    values[key as usize] = *view.get(&table, &key).expect(STAYS);
                }
            });
            seen.lock().expect("not poisoned").push(values);
        }
    };
    tasks!(writer(0), writer(1), reader(0), reader(1));
    let seen = seen.lock().expect("not poisoned");
    assert!(
        !(seen.contains(&[0, 1]) && seen.contains(&[1, 0])),
        "opposite orders"
    );
}

/// Two writers of two rows: one of them is last on both.
pub(super) fn dirty_write(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let writer = |value: u64, rows: [u32; 2]| {
        let (db, table) = (db.clone(), table.clone());
        move || write(&db, &table, &rows.map(|key| (key, value)))
    };
    tasks!(writer(1, [0, 1]), writer(2, [1, 0]));
    let (first, second) = db.view(|view| pair(view, &table));
    assert_eq!(first, second, "each was last on one");
}

/// Nobody reads what was aborted.
pub(super) fn aborted_read(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(
        move || {
            let refused = a.0.run(|tx| {
                tx.insert(&a.1, 0, 1);
                tx.insert(&a.1, 1, 1);
                Err::<(), _>("refused")
            });
            assert_eq!(refused, Err("refused"));
        },
        move || {
            b.0.view(|view| {
                assert_eq!(view.get(&b.1, &1), None, "an aborted insert");
                assert_eq!(view.get(&b.1, &0), Some(&0), "an aborted update");
            });
        },
    );
}

/// Nobody reads what a transaction has overwritten itself.
pub(super) fn intermediate_read(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(move || write(&a.0, &a.1, &[(0, 1), (0, 2)]), move || {
        let seen = b.0.view(|view| view.get(&b.1, &0).copied());
        assert!(matches!(seen, Some(0 | 2)), "{seen:?} was never committed");
    },);
}

/// Two transactions that each write one row and read the other's cannot both see the other's write,
/// nor both miss it.
pub(super) fn circular_information_flow(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let seen = Arc::new(Mutex::new([0; 2]));
    let writer = |key: u32| {
        let (db, table, seen) = (db.clone(), table.clone(), seen.clone());
        move || {
            let other = db.run(|tx| {
                tx.insert(&table, key, 1);
                Ok::<_, ()>(*tx.get(&table, &(1 - key)).expect(STAYS))
            });
            seen.lock().expect("not poisoned")[key as usize] = other.expect("no error");
        }
    };
    tasks!(writer(0), writer(1));
    let seen = *seen.lock().expect("not poisoned");
    assert_eq!(seen[0] + seen[1], 1, "one of them is the first");
}

/// What a transaction has seen of another one stays there for its later reads.
pub(super) fn observed_transaction_vanishes(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0), (2, 0)]);
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
        (db, table),
    );
    tasks!(
        move || write(&a.0, &a.1, &[(0, 1), (1, 1), (2, 1)]),
        move || write(&b.0, &b.1, &[(1, 2), (2, 2)]),
        move || {
            c.0.view(|view| {
                let read = |key| *view.get(&c.1, &key).expect(STAYS);
                let (second, third, first) = (read(1), read(2), read(0));
                assert_eq!(second, third, "two states");
                assert!(second != 1 || first == 1, "the first writer has vanished");
            });
        },
    );
}

/// The read-only anomaly (Fekete et al., SIGMOD Record 2004): a reader must not see the deposit
/// without the penalty's not being due.
pub(super) fn read_only_anomaly(world: World) {
    // Savings 0, checking 0. A deposit of 20; a withdrawal of 10, with a penalty of 1 if the sum
    // was too low.
    let (db, table) = numbers(world, &[(0, 100), (1, 100)]);
    let seen = Arc::new(Mutex::new(None));
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (db.clone(), table.clone()),
        (db.clone(), table.clone(), seen.clone()),
    );
    tasks!(
        move || add(&a.0, &a.1, 0, 20),
        move || {
            b.0.run(|tx| {
                let (savings, checking) = pair(tx, &b.1);
                let fee = if savings + checking < 210 { 11 } else { 10 };
                Ok::<_, ()>(tx.insert(&b.1, 1, checking - fee))
            })
            .expect("no error");
        },
        move || {
            let seen = c.0.view(|view| pair(view, &c.1));
            *c.2.lock().expect("not poisoned") = Some(seen);
        },
    );
    let last = db.view(|view| pair(view, &table));
    let seen = seen.lock().expect("not poisoned").expect("it was read");
    assert!(
        !(seen == (120, 100) && last == (120, 89)),
        "the reader saw the deposit before the withdrawal, which did not"
    );
}

/// A transaction sees its own writes, and they are all that is left of it.
pub(super) fn own_writes(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            a.0.run(|tx| {
                let before = *tx.get(&a.1, &0).expect(STAYS);
                tx.insert(&a.1, 0, before + 10);
                assert_eq!(tx.get(&a.1, &0), Some(&(before + 10)), "the own write");
                tx.remove(&a.1, &1);
                assert_eq!(tx.get(&a.1, &1), None, "the own removal");
                tx.insert(&a.1, 1, 7);
                assert_eq!(tx.get(&a.1, &1), Some(&7), "the own insert");
                Ok::<_, ()>(())
            })
            .expect("no error");
        },
        move || add(&b.0, &b.1, 0, 1),
    );
    assert_eq!(db.view(|view| pair(view, &table)), (11, 7));
}

/// Even a transaction that is going to be aborted sees one state: here it would divide by zero
/// otherwise.
pub(super) fn opacity(world: World) {
    let (db, table) = numbers(world, &[(0, 1), (1, 2)]);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(
        move || (2..4).for_each(|i| write(&a.0, &a.1, &[(0, i), (1, i + 1)])),
        move || {
            b.0.run(|tx| {
                let absent = tx.get(&b.1, &9).is_none();
                let (first, second) = pair(tx, &b.1);
                assert!(
                    absent && second == first + 1,
                    "{first} and {second} were never there together"
                );
                Ok::<_, ()>(tx.insert(&b.1, 5, first))
            })
            .expect("no error");
        },
    );
}

/// More reads than are made without a timestamp, while all rows change together.
pub(super) fn many_untimed_reads(world: World) {
    let rows: Vec<_> = (0..10).map(|key| (key, 0)).collect();
    let (db, table) = numbers(world, &rows);
    let (a, b) = ((db.clone(), table.clone()), (db, table));
    tasks!(
        move || {
            let rows: Vec<_> = (0..10).map(|key| (key, 1)).collect();
            write(&a.0, &a.1, &rows);
        },
        move || {
            b.0.view(|view| {
                let read = |key| *view.get(&b.1, &key).expect(STAYS);
                let first = read(0);
                assert!((1..10).all(|key| read(key) == first), "two states");
            });
        },
    );
}

/// What is read while another commit holds it counts as changed: each of two reads the row that the
/// other one writes.
pub(super) fn locked_while_read(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let copy = |from: u32, to: u32| {
        let (db, table) = (db.clone(), table.clone());
        move || {
            db.run(|tx| {
                let value = *tx.get(&table, &from).expect(STAYS);
                Ok::<_, ()>(tx.insert(&table, to, value + 1))
            })
            .expect("no error");
        }
    };
    tasks!(copy(0, 1), copy(1, 0));
    let seen = db.view(|view| pair(view, &table));
    assert!(
        matches!(seen, (2, 1) | (1, 2)),
        "{seen:?} comes of no order of the two"
    );
}
