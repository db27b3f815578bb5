//! Tables with keys.

use mvcc::{AnyTable, Database, OrderedTable, Table};
use std::convert::Infallible;

pub(crate) type Value = [u8; 100];

/// Few keys are in the caches all the time; of many, hardly one is when it is wanted.
pub(crate) const SIZES: [u64; 2] = [1_000, 1_000_000];
pub(crate) const MANY: u64 = SIZES[1];

/// A table with the keys below `keys`.
pub(crate) fn hashed(keys: u64) -> (Database, Table<u64, Value>) {
    let db = Database::new();
    let table = db.table("table").expect("the only table");
    fill(&db, &table, keys);
    (db, table)
}

/// An ordered table with the keys below `keys`.
pub(crate) fn ordered(keys: u64) -> (Database, OrderedTable<u64, Value>) {
    let db = Database::new();
    let table = db.ordered_table("table").expect("the only table");
    fill(&db, &table, keys);
    (db, table)
}

/// In random order: neighbours in an index are no neighbours in memory.
fn fill(db: &Database, table: &impl AnyTable<Key = u64, Value = Value>, keys: u64) {
    let mut unordered: Vec<u64> = (0..keys).collect();
    fastrand::Rng::with_seed(1).shuffle(&mut unordered);
    for keys in unordered.chunks(1_000) {
        let Ok(()) = db.run(|tx| {
            for &key in keys {
                tx.insert(table, key, [1; 100]);
            }
            Ok::<_, Infallible>(())
        });
    }
}
