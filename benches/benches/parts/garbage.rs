//! Garbage.

use crate::tables::{MANY, Value, hashed};
use criterion::{BatchSize, Criterion, Throughput};
use mvcc::{Database, Table};
use std::convert::Infallible;
use std::ops::Range;

/// Keys whose garbage is collected at once.
const KEYS: u64 = 1_000;

/// What commits could not collect, because a snapshot was in the way.
pub(crate) fn collecting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("collect of 1000");
    group.throughput(Throughput::Elements(KEYS));
    let loaded = Loaded::new();
    let mut random = fastrand::Rng::with_seed(6);
    let mut some = || {
        let first = random.u64(..MANY - KEYS);
        first..first + KEYS
    };
    loaded.check(some());

    group.bench_function("versions", |bencher| {
        let updated = || loaded.leave(some(), Loaded::update);
        bencher.iter_batched(updated, |()| loaded.db.collect(), BatchSize::PerIteration);
    });
    group.bench_function("removed keys", |bencher| {
        let removed = || {
            let range = some();
            range.clone().for_each(|key| loaded.update(key));
            loaded.db.collect();
            loaded.leave(range, Loaded::remove);
        };
        bencher.iter_batched(removed, |()| loaded.db.collect(), BatchSize::PerIteration);
    });
}

struct Loaded {
    db: Database,
    table: Table<u64, Value>,
}

impl Loaded {
    fn new() -> Self {
        let (db, table) = hashed(MANY);
        Self { db, table }
    }

    fn update(&self, key: u64) {
        let Ok(()) = self
            .db
            .run(|tx| Ok::<_, Infallible>(tx.insert(&self.table, key, [3; 100])));
    }

    fn remove(&self, key: u64) {
        let Ok(()) = self
            .db
            .run(|tx| Ok::<_, Infallible>(tx.remove(&self.table, &key)));
    }

    /// Does something to each key while a snapshot is held.
    fn leave(&self, keys: Range<u64>, write: impl Fn(&Self, u64)) {
        let snapshot = self.db.snapshot();
        keys.for_each(|key| write(self, key));
        drop(snapshot);
    }

    /// That something is left, and collected.
    fn check(&self, keys: Range<u64>) {
        self.db.collect();
        self.leave(keys, Self::update);
        assert_eq!(self.db.stats().live_versions, MANY + KEYS);
        self.db.collect();
        assert_eq!(self.db.stats().live_versions, MANY);
    }
}
