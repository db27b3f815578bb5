//! Bytes on the heap for each row, by a counting allocator. The figures are in
//! `docs/memory.md`; `cargo test --release -p tsc-mvcc --test memory -- --nocapture` prints them.

mod counting;
mod rows;

use counting::heap_bytes;
use mvcc::{Database, Lookup};
use rows::{Value, write};

const ROWS: u64 = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};

/// What a row may cost in bytes. Key and value have 108.
struct Bounds {
    /// A tuple, a version, and the row's part of the index.
    loaded: i64,
    /// With a snapshot that sees another version of the row: that one, and an entry that remembers
    /// it, in a vector that has grown by doubling.
    held: i64,
}

/// All keys, in an order without pattern: the multiplier has no common factor with the number of
/// rows.
fn scattered() -> impl Iterator<Item = u64> {
    (0..ROWS).map(|i| i * 618_033_989 % ROWS)
}

fn life_of_a_table<T: Lookup<u64, Key = u64, Value = Value>>(
    name: &str,
    bounds: &Bounds,
    open: impl Fn(&Database) -> T,
    keys: impl Fn() -> Box<dyn Iterator<Item = u64>>,
) {
    let before = heap_bytes();
    let db = Database::new();
    let table = open(&db);
    let made = heap_bytes() - before;
    // With its first transaction, a thread gets its state for the database.
    write(&db, &table, 0..1, Some([0; 100]));
    write(&db, &table, 0..1, None);
    db.collect();
    let empty = heap_bytes() - before;
    println!("{name}, empty: {made} bytes when made, {empty} bytes after a transaction");
    let rows = i64::try_from(ROWS).expect("fewer than 2^63");
    let row_is_at_most = |state: &str, bound: i64| {
        let bytes = heap_bytes() - before - empty;
        println!(
            "{name}, {state}: {:.1} bytes per row",
            bytes as f64 / rows as f64
        );
        assert!(bytes <= bound * rows, "{name}, {state}: {bytes} bytes");
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
    println!("{name}, all removed, and one collect: {bytes} bytes");
    let stats = db.stats();
    assert_eq!(
        (stats.live_tuples, stats.live_versions, stats.retired),
        (0, 0, 0)
    );
    assert!(bytes <= empty + empty / 10, "{bytes} bytes against {empty}");

    write(&db, &table, keys(), Some([0; 100]));
    row_is_at_most("loaded again", bounds.loaded);
}

fn a_row_of_a_table_costs_little() {
    let bounds = Bounds {
        loaded: 176,
        held: 176 + 120 + 64,
    };
    let open = |db: &Database| db.table("t").expect("new");
    life_of_a_table("Table", &bounds, open, || Box::new(scattered()));
}

fn a_row_of_an_ordered_table_costs_little() {
    let bounds = Bounds {
        loaded: 176,
        held: 176 + 120 + 64,
    };
    let open = |db: &Database| db.ordered_table("t").expect("new");
    let ascending = || -> Box<dyn Iterator<Item = u64>> { Box::new(0..ROWS) };
    life_of_a_table("OrderedTable, ascending", &bounds, open, ascending);
    let scattered = || -> Box<dyn Iterator<Item = u64>> { Box::new(scattered()) };
    life_of_a_table("OrderedTable, scattered", &bounds, open, scattered);
}

/// One test, for the heap is the process's: beside another one, the harness allocates when it
/// begins that.
#[test]
fn a_row_costs_little() {
    a_row_of_a_table_costs_little();
    a_row_of_an_ordered_table_costs_little();
}
