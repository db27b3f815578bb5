//! How many rows a range reads at once.

use super::*;
use crate::Database;

/// So whoever reads a hundred rows at a time waits for memory once, and whoever reads one now and
/// then does not wait for more.
#[test]
fn a_range_reads_at_once_what_the_last_two_of_its_table_handed_out() {
    let db = Database::new();
    let table = db.ordered_table::<u64, u64>("t").expect("new");
    db.run(|tx| Ok::<_, ()>((0..20).for_each(|key| tx.insert(&table, key, key))))
        .expect("it commits");
    let other = db.ordered_table::<u64, u64>("other").expect("new");
    let ranges = Ranges::default();
    let core = &table.core;
    assert_eq!(ranges.begin(core).0, FIRST_BATCH);
    ranges.end(core, LARGEST_BATCH - 1, Vec::new());
    assert_eq!(ranges.begin(core).0, FIRST_BATCH);
    ranges.end(core, 10 * LARGEST_BATCH, Vec::with_capacity(7));
    let (rows, room) = ranges.begin(core);
    assert_eq!((rows, room.capacity()), (LARGEST_BATCH - 1, 7));
    assert_eq!(ranges.begin(&other.core).0, FIRST_BATCH);
    ranges.end(core, 10 * LARGEST_BATCH, room);
    assert_eq!(ranges.begin(core).0, LARGEST_BATCH);
    ranges.end(core, 0, Vec::new());
    assert_eq!(ranges.begin(core).0, FIRST_BATCH);

    let read = |rows: usize| {
        let tx = db.begin();
        assert_eq!(tx.range(&table, ..).take(rows).count(), rows);
        assert_eq!(tx.range(&table, ..).rev().take(1).count(), 1);
        tx.local.ranges.handed_out(core).get()
    };
    assert_eq!([read(3), read(2)], [[1, 3], [1, 2]]);
    let room = db.begin().local.ranges.begin(core).1;
    assert!(room.capacity() > 0, "kept from either end");
}
