//! Several threads against invariants. Each test states what must hold in every consistent state, and checks it from every kind of
//! reader while writers are at work.

use mvcc::{ClockChoice, Database, Read, Table};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long each test goes on; `MVCC_STRESS_MS` overrides it for a longer search.
fn deadline() -> Instant {
    let given = std::env::var("MVCC_STRESS_MS").ok();
    let millis = given.map_or(400, |ms| ms.parse().expect("a number of milliseconds"));
    Instant::now() + Duration::from_millis(millis)
}

fn databases() -> impl Iterator<Item = Database> {
    [ClockChoice::Auto, ClockChoice::Counter]
        .into_iter()
        .map(|clock| {
            let built = Database::builder().clock(clock).build();
            built.expect("both exist on every machine")
        })
}

/// Runs `work` on several threads, each with its own random numbers, until the deadline.
fn on_threads(threads: u64, work: impl Fn(u64, &mut fastrand::Rng) + Sync) {
    let end = deadline();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread);
                while Instant::now() < end {
                    for _ in 0..64 {
                        work(thread, &mut random);
                    }
                }
            });
        }
    });
}

fn assert_clean(db: &Database, rows: u64) {
    db.collect();
    let stats = db.stats();
    assert_eq!(stats.live_tuples, rows, "{stats:?}");
    assert_eq!(stats.live_versions, rows, "{stats:?}");
    assert_eq!((stats.retired, stats.live_snapshots), (0, 0), "{stats:?}");
}

const ACCOUNTS: u64 = 20;
const TOTAL: i64 = 1_000;

fn total(read: &impl Read, accounts: &Table<u64, i64>) -> i64 {
    (0..ACCOUNTS)
        .filter_map(|account| read.get(accounts, &account))
        .sum()
}

/// Money moves between accounts; an account without money is removed. Each row is made, changed and removed all the time, so index,
/// tombstones and collection are all at work. In every state the sum is the same, by keys and by scan.
#[test]
fn money_is_neither_made_nor_lost() {
    for db in databases() {
        let accounts = db.table::<u64, i64>("accounts").expect("new");
        db.run(|tx| Ok::<_, ()>(tx.insert(&accounts, 0, TOTAL)))
            .expect("no error");
        on_threads(4, |_, random| match random.u32(0..10) {
            0 => db.view(|view| assert_eq!(total(view, &accounts), TOTAL)),
            1 => {
                let snapshot = db.snapshot();
                let sum: i64 = snapshot.iter(&accounts).map(|(_, money)| money).sum();
                assert_eq!((sum, total(&snapshot, &accounts)), (TOTAL, TOTAL));
            }
            2 => {
                // Read-write transactions see consistent states even if they are going to fail.
                let tx = db.begin();
                let by_key = total(&tx, &accounts);
                let by_scan: i64 = tx.iter(&accounts).map(|(_, money)| money).sum();
                assert_eq!((by_key, by_scan), (TOTAL, TOTAL));
                tx.insert(&accounts, 0, *tx.get(&accounts, &0).unwrap_or(&0));
                if by_key % 2 == 0 {
                    let _ = tx.commit();
                }
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
        let snapshot = db.snapshot();
        assert_eq!(total(&snapshot, &accounts), TOTAL);
        let rows = snapshot.iter(&accounts).count() as u64;
        drop(snapshot);
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

/// Of two keys at least one is kept: each transaction checks both and takes one away. Write skew would lose both.
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

/// At most one of two keys exists: each transaction inserts one only where the other is absent. An unprotected absent read, or
/// a removal of tuples that loses one, would let both in.
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
            assert!(db.snapshot().iter(&table).count() <= 1);
        });
        let rows = db.snapshot().iter(&table).count() as u64;
        assert_clean(&db, rows);
    }
}

/// A scan counts the rows and writes the count under a new key: phantoms would make two transactions write the same count.
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
        let mut counts: Vec<_> = db.snapshot().iter(&rows).map(|(_, &count)| count).collect();
        counts.sort_unstable();
        assert!(counts.iter().copied().eq(0..counts.len() as u64));
    }
}

/// Snapshots of all ages, taken and dropped all the time, each see one state for good while versions between them are unlinked.
#[test]
fn old_snapshots_stay_as_they_were() {
    for db in databases() {
        let table = db.table::<u64, (u64, String)>("t").expect("new");
        let put = |round: u64| {
            db.run(|tx| {
                for key in 0..8 {
                    if (round + key).is_multiple_of(5) {
                        tx.remove(&table, &key);
                    } else {
                        tx.insert(&table, key, (round, round.to_string()));
                    }
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
        };
        put(1);
        let (stop, round) = (AtomicBool::new(false), AtomicU64::new(2));
        let end = deadline();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Relaxed) {
                        put(round.fetch_add(1, Relaxed));
                    }
                });
            }
            let check = || {
                let mut random = fastrand::Rng::new();
                let mut snapshots = Vec::new();
                while Instant::now() < end {
                    let snapshot = db.snapshot();
                    let (_, seen) = snapshot.iter(&table).next().expect("most keys have values");
                    snapshots.push((seen.0, snapshot));
                    if snapshots.len() > 12 {
                        snapshots.swap_remove(random.usize(..snapshots.len()));
                    }
                    for (round, snapshot) in &snapshots {
                        for key in 0..8 {
                            let expected =
                                ((round + key) % 5 != 0).then(|| (*round, round.to_string()));
                            assert_eq!(snapshot.get(&table, &key), expected.as_ref());
                        }
                    }
                }
            };
            let checkers = [scope.spawn(check), scope.spawn(check)];
            let checked = checkers.map(std::thread::ScopedJoinHandle::join);
            stop.store(true, Relaxed);
            assert!(checked.iter().all(Result::is_ok), "a snapshot changed");
        });
        let rows = db.snapshot().iter(&table).count() as u64;
        assert_clean(&db, rows);
    }
}

/// Who is told of a commit sees it: a thread commits, tells another through an atomic, and that one reads.
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
                        // Through the timestamped path as well: an absent key takes a timestamp first.
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

/// Keys come and go while the index grows, shrinks and is scanned; those that stay are always found.
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
                let snapshot = db.snapshot();
                let mut stayed: Vec<_> = snapshot
                    .iter(&table)
                    .filter(|(key, _)| **key < 50)
                    .map(|(key, _)| *key)
                    .collect();
                stayed.sort_unstable();
                assert!(stayed.iter().copied().eq(0..50), "{stayed:?}");
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
        let rows = db.snapshot().iter(&table).count() as u64;
        assert_clean(&db, rows);
    }
}

/// Ranges guard an invariant that no single row knows of: at most so many rows in each hundred keys. Whoever adds one has counted them first, whoever
/// finds it full empties a part. A lost phantom would let two add the last one.
#[test]
fn a_counted_range_never_overflows() {
    const LIMIT: usize = 10;
    for db in databases() {
        let table = db.ordered_table::<u64, u64>("t").expect("new");
        let count = |read: &dyn Fn(u64) -> usize| {
            for start in [0, 100, 200] {
                let count = read(start);
                assert!(count <= LIMIT, "{count} rows from {start} on");
            }
        };
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
            let snapshot = db.snapshot();
            count(&|start| snapshot.range(&table, start..start + 100).count());
            db.view(|view| count(&|start| view.range(&table, start..start + 100).rev().count()));
        });
        let rows = db.snapshot().iter(&table).count() as u64;
        assert_clean(&db, rows);
    }
}

/// A queue: producers append, consumers take the first row. Everything is taken once, in order for each producer, and the tree
/// does not keep what has been taken.
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
        let snapshot = db.snapshot();
        taken.extend(snapshot.range(&queue, ..(99, 0)).map(|(key, _)| *key));
        taken.sort_unstable();
        for thread in 0..2 {
            let made = snapshot.get(&queue, &(99, thread)).copied().unwrap_or(0);
            let expected = (1..=made).map(|number| (thread, number));
            assert!(
                taken
                    .iter()
                    .copied()
                    .filter(|key| key.0 == thread)
                    .eq(expected)
            );
        }
        let rows = snapshot.iter(&queue).count() as u64;
        drop(snapshot);
        assert_clean(&db, rows);
    }
}
