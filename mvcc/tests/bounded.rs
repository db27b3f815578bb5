//! What is on the heap stays bounded, whatever readers, threads and closures do: counted in bytes,
//! with a hashed and an ordered table.

mod counting;
mod rows;

use counting::heap_bytes;
use mvcc::{Database, OrderedTable, Table};
use rows::{Value, write};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Barrier, mpsc};

/// A database with both kinds of table, and the same rows in both.
struct Both {
    before: i64,
    db: Database,
    hashed: Table<u64, Value>,
    ordered: OrderedTable<u64, Value>,
}

impl Both {
    fn new(rows: u64) -> Self {
        let before = heap_bytes();
        let db = Database::new();
        let hashed = db.table("hashed").expect("new");
        let ordered = db.ordered_table("ordered").expect("new");
        let both = Self {
            before,
            db,
            hashed,
            ordered,
        };
        both.write(0..rows, Some([0; 100]));
        both.db.collect();
        both
    }

    fn write(&self, keys: impl Iterator<Item = u64> + Clone, value: Option<Value>) {
        write(&self.db, &self.hashed, keys.clone(), value);
        write(&self.db, &self.ordered, keys, value);
    }

    /// What it has on the heap.
    fn bytes(&self) -> i64 {
        heap_bytes() - self.before
    }
}

/// A version, and what remembers that a snapshot sees it.
const SEEN: i64 = 120 + 64;
/// What a thread's lists and pool of garbage hold of both tables, where no other thread brings
/// about a burst: 512 versions for recycling, some 300 that wait, and their entries.
const WAITING: i64 = 2 * (512 + 300) * (120 + 64);

fn a_long_snapshot_costs_what_it_sees() {
    let updates: u64 = if cfg!(debug_assertions) { 100 } else { 5_000 };
    let hot = 1_000;
    let both = Both::new(10_000);
    let loaded = both.bytes();
    let snapshot = both.db.snapshot();
    // Both scans stand still in the middle.
    let (mut hashed, mut ordered) = (snapshot.iter(&both.hashed), snapshot.iter(&both.ordered));
    assert!(hashed.next().is_some() && ordered.next().is_some());
    let mut most = 0;
    for round in 1..=updates {
        both.write(0..hot, Some([round.to_le_bytes()[0]; 100]));
        // A key that comes and goes; keys that come, go, and never come back; one that is not
        // inserted after all.
        both.write(10_000..10_001, (round % 2 == 0).then_some([0; 100]));
        let new = 20_000 + 100 * round..20_100 + 100 * round;
        both.write(new.clone(), Some([0; 100]));
        both.write(new, None);
        let tx = both.db.begin();
        tx.insert(&both.hashed, 11_000, [0; 100]);
        tx.insert(&both.ordered, 11_000, [0; 100]);
        tx.abort();
        most = most.max(both.bytes() - loaded);
    }
    println!(
        "{} updates of {hot} rows under a snapshot: at most {most} bytes more",
        2 * updates * hot
    );
    let rows = i64::try_from(hot).expect("few");
    assert!(most <= 2 * rows * SEEN + WAITING, "{most} bytes");
    let stats = both.db.stats();
    assert!(stats.live_tuples < 20_000 + 600, "{stats:?}");
    assert_eq!((hashed.count(), ordered.count()), (9_999, 9_999));
    assert_eq!(snapshot.get(&both.hashed, &7), Some(&[0; 100]));
    drop(snapshot);
    both.write(10_000..10_001, None);
    both.db.collect();
    let stats = both.db.stats();
    assert_eq!((stats.live_versions, stats.retired), (20_000, 0));
    // The hashed table's index may have grown once for the keys that came and went.
    let left = both.bytes();
    assert!(left <= loaded + loaded / 20, "{left} after {loaded}");
}

/// Lets a thread work, and then checks something while the thread lives on and does nothing.
fn while_idle(work: impl FnOnce() + Send, check: impl FnOnce()) {
    let (stopped, has_stopped) = mpsc::channel();
    std::thread::scope(|scope| {
        let (checked, is_checked) = mpsc::channel::<()>();
        let thread = scope.spawn(move || {
            work();
            stopped.send(()).expect("somebody waits for it");
            // Ends when the other end is gone, also by a panic.
            let _ = is_checked.recv();
        });
        has_stopped.recv().expect("the thread does not panic");
        check();
        drop(checked);
        // The end of the scope would not wait for the end of its thread-locals.
        thread.join().expect("it does not panic");
    });
}

fn a_thread_that_stops_strands_nothing() {
    let both = Both::new(0);
    while_idle(
        || both.write(0..1, Some([1; 100])),
        || both.write(0..1, None),
    );
    both.db.collect();
    let empty = both.bytes();
    let snapshot = both.db.snapshot();
    while_idle(
        || {
            for round in 0..20 {
                both.write(0..2_000, Some([round; 100]));
            }
        },
        || {
            drop(snapshot);
            both.write(0..2_000, None);
            both.db.collect();
            let stats = both.db.stats();
            assert_eq!((stats.live_tuples, stats.live_versions), (0, 0));
            assert_eq!((stats.retired, stats.live_snapshots), (0, 0));
            let more = both.bytes() - empty;
            println!("a thread that has stopped keeps {more} bytes");
            // An epoch participant with up to eight nodes of 2 KiB that the epoch's queue has done
            // with, 16 versions for each table, and a small footprint.
            assert!(more <= 24 << 10, "{more} bytes");
        },
    );
    // Nor does one that has ended.
    both.db.collect();
    let more = both.bytes() - empty;
    println!("and one that has ended {more}");
    assert!(more <= 4 << 10, "{more} bytes");
}

fn closures_that_panic_or_give_up_leave_nothing() {
    let both = Both::new(100);
    let Both {
        db,
        hashed,
        ordered,
        ..
    } = &both;
    let round = |number: u64| {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            db.run::<(), ()>(|tx| {
                tx.insert(hashed, number, [1; 100]);
                tx.insert(ordered, number, [1; 100]);
                tx.remove(hashed, &(number % 100));
                assert!(tx.range(ordered, 10..20).count() == 10);
                // As `panic!`, without the message.
                resume_unwind(Box::new(()));
            })
        }));
        assert!(panicked.is_err());
        let refused = db.run(|tx| {
            tx.insert(ordered, number, [1; 100]);
            Err::<(), _>(())
        });
        assert_eq!(refused, Err(()));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            db.view(|view| {
                assert!(view.get(hashed, &(number % 100)).is_some());
                resume_unwind(Box::new(()));
            });
        }));
        assert!(panicked.is_err());
        // Somebody commits, and collects along the way.
        write(db, hashed, 0..1, Some([2; 100]));
    };
    (1_000..2_000).for_each(round);
    let early = both.bytes();
    (2_000..12_000).for_each(round);
    let late = both.bytes();
    println!("after 1,000 rounds of panics {early} bytes, after 11,000 {late}");
    assert!(late <= early + WAITING, "{late} bytes after {early}");
    db.collect();
    let stats = db.stats();
    assert_eq!((stats.live_tuples, stats.live_versions), (200, 200));
    assert_eq!((stats.retired, stats.live_snapshots), (0, 0));
}

/// `THREAD_ROUNDS` sets the number of rounds; 10,000 of them are a million threads, which take
/// minutes.
fn threads_that_come_and_go_leave_nothing() {
    const KEYS: u64 = 500;
    const THREADS: usize = 100;
    let rounds = std::env::var("THREAD_ROUNDS").map_or(200, |rounds| {
        rounds.parse().expect("THREAD_ROUNDS is a number of rounds")
    });
    let both = Both::new(KEYS);
    let transaction = |key: u64| {
        let Ok(()) = both.db.run(|tx| {
            tx.insert(&both.hashed, key, [0; 100]);
            tx.insert(&both.ordered, key, [0; 100]);
            tx.remove(&both.hashed, &(key * 3 % KEYS));
            tx.remove(&both.ordered, &(key * 3 % KEYS));
            Ok::<_, Infallible>(())
        });
    };
    let round = |number: u64| {
        // All of them are there at once, in each round.
        let all = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS as u64)
                .map(|thread| {
                    let (all, transaction) = (&all, &transaction);
                    scope.spawn(move || {
                        transaction((number * 7 + thread) % KEYS);
                        all.wait();
                    })
                })
                .collect();
            // The end of the scope would not wait for the end of their thread-locals.
            for thread in threads {
                thread.join().expect("it does not panic");
            }
        });
        both.bytes()
    };
    // No `collect` meanwhile: those who commit collect what those who are gone have left.
    let bytes: Vec<_> = (0..rounds).map(round).collect();
    let quarter = bytes.len() / 4;
    let early = median(&bytes[quarter..2 * quarter]);
    let late = median(&bytes[3 * quarter..]);
    println!(
        "{rounds} rounds of {THREADS} threads: {early} bytes in the second quarter, {late} in the last (medians)"
    );
    let stats = both.db.stats();
    assert!(
        late <= early + early / 10,
        "{late} bytes after {early}: {stats:?}"
    );
    assert_eq!(stats.commits, 2 * KEYS / 100 + THREADS as u64 * rounds);
    assert_eq!((stats.live_snapshots, stats.oldest_snapshot), (0, None));
    both.db.collect();
    let stats = both.db.stats();
    assert_eq!((stats.retired, stats.live_versions), (0, stats.live_tuples));
}

/// A row of an ordered table, with some room.
const ROW: i64 = 192;

/// A transaction that adds keys to an ordered table replaces a node's content, a kilobyte, for
/// nearly each. They wait for its end, and no longer.
fn what_large_transactions_replace_is_freed_as_they_end() {
    let rows = if cfg!(debug_assertions) {
        20_000
    } else {
        200_000
    };
    let at_once = 1_000;
    let before = heap_bytes();
    let db = Database::new();
    let table = db.ordered_table::<u64, Value>("ordered").expect("new");
    let scattered: Vec<u64> = (0..rows).map(|i| i * 618_033_989 % rows).collect();
    let mut most = 0;
    let mut added = 0;
    for keys in scattered.chunks(at_once) {
        let Ok(()) = db.run(|tx| {
            for &key in keys {
                tx.insert(&table, key, [0; 100]);
            }
            Ok::<_, Infallible>(())
        });
        added += i64::try_from(keys.len()).expect("few");
        most = most.max(heap_bytes() - before - ROW * added);
    }
    // Of the last transaction, and of some before it, for which the epoch has not moved on.
    let waiting = 8 * 1_200 * i64::try_from(at_once).expect("few");
    println!("beside the rows, {most} bytes at most while they were added");
    assert!(most < waiting, "{most} bytes beside the rows");
    db.collect();
    let bytes = heap_bytes() - before;
    assert!(bytes < ROW * added, "{bytes} bytes after a collection");
}

fn median(bytes: &[i64]) -> i64 {
    let mut sorted = bytes.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// One test, for the heap is the process's: beside another one, the harness allocates when it
/// begins that.
#[test]
fn memory_stays_bounded() {
    a_long_snapshot_costs_what_it_sees();
    a_thread_that_stops_strands_nothing();
    closures_that_panic_or_give_up_leave_nothing();
    threads_that_come_and_go_leave_nothing();
    what_large_transactions_replace_is_freed_as_they_end();
}
