//! Bytes on the heap, by a counting allocator. One test at a time, for the counter is the process's. The figures are in `docs/memory.md`;
//! `cargo test --release -p tsc-mvcc --test memory -- --nocapture` prints them.

mod counting;

use counting::heap_bytes;
use mvcc::{Database, Lookup};
use std::convert::Infallible;
use std::sync::{Barrier, Mutex};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const ROWS: u64 = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};

/// What this thread keeps when all is collected, besides the database: its state for the database with the buffers of a transaction,
/// an epoch participant with a bag of 64 deferred calls, and up to 16 bags in the epoch's queue, of about 2 KiB each.
const SLACK: i64 = 40 << 10;

type Value = [u8; 100];

/// What a row may cost in bytes. Key and value have 108.
struct Bounds {
    /// A tuple of 24, a version of 120, and its part of the index.
    loaded: i64,
    /// With a snapshot that sees another version of each row, an entry that remembers that one, in a vector that has grown by doubling.
    held: i64,
}

fn write<T: Lookup<u64, Key = u64, Value = Value>>(
    db: &Database,
    table: &T,
    keys: impl Iterator<Item = u64>,
    value: Option<Value>,
) {
    let keys: Vec<_> = keys.collect();
    for keys in keys.chunks(100) {
        let Ok(()) = db.run(|tx| {
            for &key in keys {
                match value {
                    Some(value) => tx.insert(table, key, value),
                    None => tx.remove(table, &key),
                }
            }
            Ok::<_, Infallible>(())
        });
    }
}

/// All keys, in an order without pattern: the multiplier has no common factor with the number of rows.
fn scattered() -> impl Iterator<Item = u64> {
    (0..ROWS).map(|i| i * 618_033_989 % ROWS)
}

fn life_of_a_table<T: Lookup<u64, Key = u64, Value = Value>>(
    name: &str,
    bounds: &Bounds,
    open: impl Fn(&Database) -> T,
    keys: impl Fn() -> Box<dyn Iterator<Item = u64>>,
) {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = heap_bytes();
    let db = Database::new();
    let table = open(&db);
    let empty = heap_bytes() - before;
    let rows = i64::try_from(ROWS).expect("fewer than 2^63");
    let row_is_at_most = |state: &str, bound: i64| {
        let bytes = heap_bytes() - before - empty;
        println!(
            "{name}, {state}: {:.1} bytes per row",
            bytes as f64 / rows as f64
        );
        assert!(
            bytes <= bound * rows + SLACK,
            "{name}, {state}: {bytes} bytes"
        );
    };

    write(&db, &table, keys(), Some([0; 100]));
    row_is_at_most("loaded", bounds.loaded);

    for round in 1..=10 {
        write(&db, &table, scattered(), Some([round; 100]));
    }
    row_is_at_most("each row updated ten times", bounds.loaded);

    let snapshot = db.snapshot();
    for round in 11..=20 {
        write(&db, &table, scattered(), Some([round; 100]));
    }
    row_is_at_most("each row updated ten times under a snapshot", bounds.held);
    let stats = db.stats();
    assert!(stats.live_versions < 2 * ROWS + 1_000, "{stats:?}");
    for key in (0..ROWS).step_by(1_000) {
        assert_eq!(snapshot.get(&table, &key), Some(&[10; 100]));
    }
    drop(snapshot);
    db.collect();
    row_is_at_most("the snapshot dropped, and one collect", bounds.loaded);

    write(&db, &table, scattered(), None);
    db.collect();
    let bytes = heap_bytes() - before;
    println!("{name}, all removed, and one collect: {bytes} bytes; empty: {empty}");
    let stats = db.stats();
    assert_eq!(
        (stats.live_tuples, stats.live_versions, stats.retired),
        (0, 0, 0)
    );
    assert!(
        bytes <= empty + empty / 10 + SLACK,
        "{bytes} bytes against {empty}"
    );

    write(&db, &table, keys(), Some([0; 100]));
    row_is_at_most("loaded again", bounds.loaded);
}

#[test]
fn a_row_of_a_table_costs_little() {
    let bounds = Bounds {
        loaded: 176,
        held: 176 + 120 + 64,
    };
    let open = |db: &Database| db.table("t").expect("new");
    life_of_a_table("Table", &bounds, open, || Box::new(scattered()));
}

#[test]
fn a_row_of_an_ordered_table_costs_little() {
    // Nodes of 64 entries have some 1,100 bytes; ascending loads fill them.
    let bounds = Bounds {
        loaded: 176,
        held: 176 + 120 + 64,
    };
    let open = |db: &Database| db.ordered_table("t").expect("new");
    life_of_a_table("OrderedTable, ascending", &bounds, open, || {
        Box::new(0..ROWS)
    });
    life_of_a_table("OrderedTable, scattered", &bounds, open, || {
        Box::new(scattered())
    });
}

fn median(bytes: &[i64]) -> i64 {
    let mut sorted = bytes.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// What the threads that come and go write to.
const KEYS: u64 = 500;

/// Rounds of 100 threads that run one transaction each and exit.
fn threads_that_come_and_go(rounds: u64) {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = heap_bytes();
    let db = Database::new();
    let (table, ordered) = (
        db.table("t").expect("new"),
        db.ordered_table("o").expect("new"),
    );
    write(&db, &table, 0..KEYS, Some([0; 100]));
    write(&db, &ordered, 0..KEYS, Some([0; 100]));
    let round = |number: u64| {
        // So that all of them are there at once, in each round.
        let all = Barrier::new(100);
        std::thread::scope(|scope| {
            for thread in 0..100 {
                let (db, table, ordered, all) = (&db, &table, &ordered, &all);
                scope.spawn(move || {
                    let key = (number * 7 + thread) % KEYS;
                    let Ok(()) = db.run(|tx| {
                        tx.insert(table, key, [0_u8; 100]);
                        tx.insert(ordered, key, [0_u8; 100]);
                        tx.remove(table, &(key * 3 % KEYS));
                        tx.remove(ordered, &(key * 3 % KEYS));
                        Ok::<_, Infallible>(())
                    });
                    all.wait();
                });
            }
        });
        heap_bytes() - before
    };
    // No `collect` meanwhile: those who commit collect what those who are gone have left.
    let bytes: Vec<_> = (0..rounds).map(&round).collect();
    let quarter = bytes.len() / 4;
    let (early, late) = (
        median(&bytes[quarter..2 * quarter]),
        median(&bytes[3 * quarter..]),
    );
    println!(
        "{rounds} rounds of 100 threads: {early} bytes in the second quarter, {late} in the last (medians)"
    );
    let stats = db.stats();
    assert!(
        late <= early + early / 3,
        "{late} bytes after {early}: {stats:?}"
    );
    assert_eq!(stats.commits, 2 * KEYS / 100 + 100 * rounds);
    assert_eq!((stats.live_snapshots, stats.oldest_snapshot), (0, None));
    // Each of 100 workers may have a batch of garbage.
    assert!(stats.retired <= 100 * 100, "{stats:?}");
    db.collect();
    let stats = db.stats();
    assert_eq!(
        (stats.retired, stats.live_versions),
        (0, stats.live_tuples),
        "{stats:?}"
    );
}

#[test]
fn threads_that_come_and_go_leave_nothing() {
    threads_that_come_and_go(200);
}

#[test]
#[ignore = "a million threads take minutes"]
fn a_million_threads_leave_nothing() {
    threads_that_come_and_go(10_000);
}
