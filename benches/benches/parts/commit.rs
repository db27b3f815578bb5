//! Commits.

use crate::tables::{MANY, SIZES, hashed};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::convert::Infallible;

/// Updates of so many uniform keys in a transaction, which does not read what it overwrites.
const WRITES: [u64; 4] = [1, 4, 16, 64];

pub(crate) fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    for keys in SIZES {
        let (db, table) = hashed(keys);
        let mut random = fastrand::Rng::with_seed(5);
        for writes in WRITES {
            group.throughput(Throughput::Elements(writes));
            let id = BenchmarkId::new(format!("{writes} writes"), keys);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let Ok(()) = db.run(|tx| {
                        for _ in 0..writes {
                            tx.insert(&table, random.u64(..keys), [2; 100]);
                        }
                        Ok::<_, Infallible>(())
                    });
                });
            });
        }
        if keys == MANY {
            group.throughput(Throughput::Elements(1));
            let id = BenchmarkId::new("read, then write", keys);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let key = random.u64(..keys);
                    let Ok(()) = db.run(|tx| {
                        let mut value = *tx.get(&table, &key).expect("loaded");
                        value[0] = value[0].wrapping_add(1);
                        Ok::<_, Infallible>(tx.insert(&table, key, value))
                    });
                });
            });
        }
    }
}
