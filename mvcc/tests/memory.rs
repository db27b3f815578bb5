//! Bytes on the heap, by a counting allocator. One test at a time, for the counter is the process's. The figures are in `docs/memory.md`;
//! `cargo test --release -p tsc-mvcc --test memory -- --nocapture` prints them.

mod counting;

use counting::heap_bytes;
use mvcc::{Database, Lookup};
use std::convert::Infallible;
use std::sync::Mutex;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const ROWS: u64 = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};

/// What this thread keeps when all is collected, besides the database: its state for the database with the buffers of a transaction,
/// an epoch participant with a bag of 64 deferred calls, and a bag or two in the epoch's queue, of about 2 KiB each.
const SLACK: i64 = 16 << 10;

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
    let round = |number: u64| {
        std::thread::scope(|scope| {
            for thread in 0..100 {
                let (db, table, ordered) = (&db, &table, &ordered);
                scope.spawn(move || {
                    let key = (number * 7 + thread) % 500;
                    let Ok(()) = db.run(|tx| {
                        tx.insert(table, key, [0_u8; 100]);
                        tx.insert(ordered, key, [0_u8; 100]);
                        tx.remove(table, &(key * 3 % 500));
                        tx.remove(ordered, &(key * 3 % 500));
                        Ok::<_, Infallible>(())
                    });
                });
            }
        });
        heap_bytes() - before
    };
    // No `collect` meanwhile: those who commit collect what those who are gone have left.
    let warm = (0..20).map(&round).max().unwrap_or(0);
    let last = (20..rounds).map(&round).collect::<Vec<_>>();
    let most = last.iter().copied().max().unwrap_or(0);
    println!(
        "{rounds} rounds: at most {warm} bytes in the first 20, {most} later, {} at the end",
        last[last.len() - 1]
    );
    let stats = db.stats();
    assert!(
        most <= warm + warm / 10,
        "{most} bytes after {warm}: {stats:?}"
    );
    assert_eq!(stats.commits, 100 * rounds);
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
    threads_that_come_and_go(if cfg!(debug_assertions) { 60 } else { 200 });
}

#[test]
#[ignore = "a million threads take minutes"]
fn a_million_threads_leave_nothing() {
    threads_that_come_and_go(10_000);
}
