//! New keys.

use crate::tables::Value;
use criterion::{BatchSize, Criterion, Throughput};
use mvcc::{AnyTable, Database};
use std::convert::Infallible;

/// So many, into a table that begins empty, one for each transaction.
const KEYS: u64 = 1_000;

pub(crate) fn new_keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("insert of 1000 keys");
    group.throughput(Throughput::Elements(KEYS));
    let mut keys: Vec<u64> = (0..KEYS).collect();
    fastrand::Rng::with_seed(4).shuffle(&mut keys);

    group.bench_function("hashed", |bencher| {
        let empty = || {
            let db = Database::new();
            let table = db.table("table").expect("the only table");
            (db, table)
        };
        bencher.iter_batched_ref(
            empty,
            |(db, table)| insert(db, table, &keys),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("ordered", |bencher| {
        let empty = || {
            let db = Database::new();
            let table = db.ordered_table("table").expect("the only table");
            (db, table)
        };
        bencher.iter_batched_ref(
            empty,
            |(db, table)| insert(db, table, &keys),
            BatchSize::PerIteration,
        );
    });
}

fn insert(db: &Database, table: &impl AnyTable<Key = u64, Value = Value>, keys: &[u64]) {
    for &key in keys {
        let Ok(()) = db.run(|tx| Ok::<_, Infallible>(tx.insert(table, key, [1; 100])));
    }
}
