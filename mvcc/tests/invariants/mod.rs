//! What must hold in every consistent state, whatever the library: each test says it, and checks it
//! from every kind of reader while writers are at work.
//!
//! The test crate has a module `library` with the library under test: `databases`, one for each
//! configuration; `each_reader`, which runs a check in each way of reading; and `assert_clean`,
//! which knows what may be left when all is quiet.

use crate::library::{Read, Table, assert_clean, databases, each_reader};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// How long each test goes on; `MVCC_STRESS_MS` overrides it for a longer search.
pub(crate) fn deadline() -> Instant {
    let given = std::env::var("MVCC_STRESS_MS").ok();
    let millis = given.map_or(400, |ms| ms.parse().expect("a number of milliseconds"));
    Instant::now() + Duration::from_millis(millis)
}

/// Runs `work` on several threads, each with its own random numbers, until the deadline.
pub(crate) fn on_threads(threads: u64, work: impl Fn(u64, &mut fastrand::Rng) + Sync) {
    let end = deadline();
    std::thread::scope(|scope| {
        let spawn = |thread| {
            let work = &work;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread);
                while Instant::now() < end {
                    for _ in 0..64 {
                        work(thread, &mut random);
                    }
                }
            })
        };
        join((0..threads).map(spawn).collect());
    });
}

/// Waits for threads and for what is done at their ends. The end of a scope waits for their
/// closures only, not for the destructors of their thread-locals; and as long as a thread is in the
/// library's own, not everything can be collected.
pub(crate) fn join(threads: Vec<ScopedJoinHandle<'_, ()>>) {
    for thread in threads {
        thread.join().expect("a thread that does not panic");
    }
}

const ACCOUNTS: u64 = 20;
const TOTAL: i64 = 1_000;

fn total(read: &impl Read, accounts: &Table<u64, i64>) -> i64 {
    (0..ACCOUNTS)
        .filter_map(|account| read.get(accounts, &account))
        .sum()
}

/// Money moves between accounts; an account without money is removed. Each row is made, changed and
/// removed all the time, so index, tombstones and collection are all at work. In every state the
/// sum is the same, by keys and by scan.
#[test]
fn money_is_neither_made_nor_lost() {
    for db in databases() {
        let accounts = db.table::<u64, i64>("accounts").expect("new");
        db.run(|tx| Ok::<_, ()>(tx.insert(&accounts, 0, TOTAL)))
            .expect("no error");
        on_threads(4, |_, random| match random.u32(0..10) {
            0 => each_reader!(db, |read| {
                let sum: i64 = read.iter(&accounts).map(|(_, money)| money).sum();
                assert_eq!((sum, total(read, &accounts)), (TOTAL, TOTAL));
            }),
            1 => db.view(|view| assert_eq!(total(view, &accounts), TOTAL)),
            2 => {
                // Writes although it has read everything.
                db.run(|tx| {
                    assert_eq!(total(tx, &accounts), TOTAL);
                    let money = tx.get(&accounts, &0).copied();
                    Ok::<_, ()>(tx.insert(&accounts, 0, money.unwrap_or(0)))
                })
                .expect("no error");
            }
            _ => {
                let (from, to) = (random.u64(0..ACCOUNTS), random.u64(0..ACCOUNTS));
                let refused = random.u32(0..10) == 0;
                let _ = db.run(|tx| {
                    let Some(&money) = tx.get(&accounts, &from) else {
                        return Ok(());
                    };
                    let amount = 1 + money / 2;
                    if money == amount {
                        tx.remove(&accounts, &from);
                    } else {
                        tx.insert(&accounts, from, money - amount);
                    }
                    let there = tx.get(&accounts, &to).copied().unwrap_or(0);
                    tx.insert(&accounts, to, there + amount);
                    if refused { Err(()) } else { Ok(()) }
                });
            }
        });
        let rows = db.view(|view| {
            assert_eq!(total(view, &accounts), TOTAL);
            view.iter(&accounts).count() as u64
        });
        assert_clean(&db, rows);
    }
}

/// Every committed increment counts, on a key that all threads fight for.
#[test]
fn no_increment_is_lost() {
    for db in databases() {
        let counters = db.table::<u64, u64>("counters").expect("new");
        let committed = AtomicU64::new(0);
        on_threads(4, |_, _| {
            db.run(|tx| {
                let count = tx.get(&counters, &0).copied().unwrap_or(0);
                tx.insert(&counters, 0, count + 1);
                Ok::<_, ()>(())
            })
            .expect("no error");
            committed.fetch_add(1, Relaxed);
        });
        let count = db.view(|view| view.get(&counters, &0).copied());
        assert_eq!(count, Some(committed.into_inner()));
        assert_clean(&db, 1);
    }
}

/// Of two keys at least one is kept: each transaction checks both and takes one away. Write skew
/// would lose both.
#[test]
fn write_skew_never_happens() {
    for db in databases() {
        let duty = db.table::<u8, bool>("duty").expect("new");
        db.run(|tx| {
            tx.insert(&duty, 0, true);
            tx.insert(&duty, 1, true);
            Ok::<_, ()>(())
        })
        .expect("no error");
        on_threads(4, |_, random| {
            let (mine, on) = (random.u8(0..2), random.bool());
            db.run(|tx| {
                let other = *tx.get(&duty, &(1 - mine)).expect("never removed");
                if on || other {
                    tx.insert(&duty, mine, on);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
            let covered = db.view(|view| [0, 1].map(|who| *view.get(&duty, &who).expect("there")));
            assert!(covered[0] || covered[1]);
        });
    }
}

/// At most one of two keys exists: each transaction inserts one only where the other is absent. An
/// unprotected absent read, or a removal of tuples that loses one, would let both in.
#[test]
fn absence_is_protected() {
    for db in databases() {
        let table = db.table::<u8, u64>("t").expect("new");
        on_threads(4, |thread, random| {
            let mine = random.u8(0..2);
            db.run(|tx| {
                match tx.get(&table, &mine) {
                    Some(_) => tx.remove(&table, &mine),
                    None if tx.get(&table, &(1 - mine)).is_none() => {
                        tx.insert(&table, mine, thread);
                    }
                    None => {}
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
            let both = db.view(|view| [0, 1].map(|key| view.contains_key(&table, &key)));
            assert_ne!(both, [true, true]);
            each_reader!(db, |read| assert!(read.iter(&table).count() <= 1));
        });
        let rows = db.view(|view| view.iter(&table).count() as u64);
        assert_clean(&db, rows);
    }
}

/// A scan counts the rows and writes the count under a new key: phantoms would make two
/// transactions write the same count.
#[test]
fn a_scan_sees_no_phantoms() {
    for db in databases() {
        let rows = db.table::<u64, u64>("rows").expect("new");
        let next = AtomicU64::new(0);
        on_threads(3, |_, _| {
            if next.load(Relaxed) > 2_000 {
                return;
            }
            db.run(|tx| {
                let count = tx.iter(&rows).count() as u64;
                tx.insert(&rows, next.fetch_add(1, Relaxed), count);
                Ok::<_, ()>(())
            })
            .expect("no error");
        });
        let mut counts: Vec<_> =
            db.view(|view| view.iter(&rows).map(|(_, &count)| count).collect());
        counts.sort_unstable();
        assert!(counts.iter().copied().eq(0..counts.len() as u64));
    }
}

/// Who is told of a commit sees it: a thread commits, tells another through an atomic, and that one
/// reads.
#[test]
fn real_time_order_is_kept() {
    for db in databases() {
        let tables = [0, 1].map(|i| db.table::<u64, u64>(&format!("t{i}")).expect("new"));
        let told = [AtomicU64::new(0), AtomicU64::new(0)];
        let end = deadline();
        std::thread::scope(|scope| {
            for me in 0..2 {
                let (db, tables, told) = (&db, &tables, &told);
                scope.spawn(move || {
                    let mut step = 0;
                    while Instant::now() < end {
                        step += 1;
                        db.run(|tx| Ok::<_, ()>(tx.insert(&tables[me], step % 3, step)))
                            .expect("no error");
                        told[me].store(step, Relaxed);
                        let other = told[1 - me].load(Relaxed);
                        if other == 0 {
                            continue;
                        }
                        let key = other % 3;
                        let seen = db.view(|view| view.get(&tables[1 - me], &key).copied());
                        assert!(
                            seen >= Some(other),
                            "{seen:?} although {other} was committed"
                        );
                        // Through the timestamped path as well: an absent key takes a timestamp
                        // first.
                        let seen = db.view(|view| {
                            assert!(!view.contains_key(&tables[me], &99));
                            view.get(&tables[1 - me], &key).copied()
                        });
                        assert!(
                            seen >= Some(other),
                            "{seen:?} although {other} was committed"
                        );
                    }
                });
            }
        });
    }
}

/// Keys come and go while the index grows, shrinks and is scanned; those that stay are always
/// found.
#[test]
fn keys_that_stay_are_always_found() {
    for db in databases() {
        let table = db.table::<u64, u64>("t").expect("new");
        for key in 0..50 {
            db.run(|tx| Ok::<_, ()>(tx.insert(&table, key, key)))
                .expect("no error");
        }
        on_threads(4, |thread, random| {
            if thread == 0 {
                each_reader!(db, |read| {
                    let rows = read.iter(&table).map(|(key, _)| *key);
                    let mut stayed: Vec<_> = rows.filter(|key| *key < 50).collect();
                    stayed.sort_unstable();
                    assert!(stayed.iter().copied().eq(0..50), "{stayed:?}");
                });
                let key = random.u64(0..50);
                assert_eq!(db.view(|view| view.get(&table, &key).copied()), Some(key));
            } else {
                let from = 1_000 * thread + random.u64(0..5) * 100;
                db.run(|tx| {
                    for key in from..from + 100 {
                        if tx.contains_key(&table, &from) {
                            tx.remove(&table, &key);
                        } else {
                            tx.insert(&table, key, key);
                        }
                    }
                    Ok::<_, ()>(())
                })
                .expect("no error");
            }
        });
        let rows = db.view(|view| view.iter(&table).count() as u64);
        assert_clean(&db, rows);
    }
}

/// Ranges guard an invariant that no single row knows of: at most so many rows in each hundred
/// keys. Whoever adds one has counted them first, whoever finds it full empties a part. A lost
/// phantom would let two add the last one.
#[test]
fn a_counted_range_never_overflows() {
    const LIMIT: usize = 10;
    for db in databases() {
        let table = db.ordered_table::<u64, u64>("t").expect("new");
        on_threads(2, |_, random| {
            let start = random.u64(..3) * 100;
            let key = start + random.u64(..100);
            db.run(|tx| {
                let rows: Vec<u64> = if random.bool() {
                    tx.range(&table, start..start + 100)
                        .map(|row| *row.0)
                        .collect()
                } else {
                    tx.range(&table, start..start + 100)
                        .rev()
                        .map(|row| *row.0)
                        .collect()
                };
                assert!(rows.len() <= LIMIT, "seen inside: {rows:?}");
                if rows.len() == LIMIT {
                    for key in rows.iter().take(random.usize(1..LIMIT)) {
                        tx.remove(&table, key);
                    }
                } else if tx.get(&table, &key).is_none() {
                    tx.insert(&table, key, key);
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
            each_reader!(db, |read| for start in [0, 100, 200] {
                let rows = read.range(&table, start..start + 100);
                let count = if random.bool() {
                    rows.count()
                } else {
                    rows.rev().count()
                };
                assert!(count <= LIMIT, "{count} rows from {start} on");
            });
        });
        let rows = db.view(|view| view.iter(&table).count() as u64);
        assert_clean(&db, rows);
    }
}

/// A queue: producers append, consumers take the first row. Everything is taken once, in order for
/// each producer, and the tree does not keep what has been taken.
#[test]
fn a_queue_loses_nothing() {
    for db in databases() {
        let queue = db.ordered_table::<(u64, u64), u64>("queue").expect("new");
        let taken = std::sync::Mutex::new(Vec::new());
        on_threads(2, |thread, random| {
            if random.bool() {
                db.run(|tx| {
                    let next = tx
                        .range(&queue, (thread, 0)..(thread, u64::MAX))
                        .next_back();
                    let next = next.map_or(0, |(key, _)| key.1) + 1;
                    let counter = tx.get(&queue, &(99, thread)).copied().unwrap_or(0);
                    let next = next.max(counter + 1);
                    tx.insert(&queue, (99, thread), next);
                    Ok::<_, ()>(tx.insert(&queue, (thread, next), next))
                })
                .expect("no error");
            } else {
                let first = db
                    .run(|tx| {
                        let first = tx.range(&queue, ..(99, 0)).next().map(|(key, _)| *key);
                        if let Some(key) = &first {
                            tx.remove(&queue, key);
                        }
                        Ok::<_, ()>(first)
                    })
                    .expect("no error");
                taken.lock().expect("not poisoned").extend(first);
            }
        });
        let mut taken = taken.into_inner().expect("not poisoned");
        let (left, made) = db.view(|view| {
            let rows = view.range(&queue, ..(99, 0));
            let left: Vec<_> = rows.map(|(key, _)| *key).collect();
            let made = [0, 1].map(|thread| view.get(&queue, &(99, thread)).copied());
            (left, made)
        });
        let rows = left.len() + made.iter().flatten().count();
        taken.extend(left);
        taken.sort_unstable();
        let expected = (0..).zip(made).flat_map(|(thread, made)| {
            let numbers = 1..=made.unwrap_or(0);
            numbers.map(move |number| (thread, number))
        });
        assert!(taken.into_iter().eq(expected));
        assert_clean(&db, rows as u64);
    }
}
