//! Reads.

use crate::tables::{MANY, SIZES, Value, hashed, ordered};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use mvcc::{AnyTable, Database, Lookup};
use std::hint::black_box;

/// Point reads of uniform keys: each in a view of its own, all at the timestamp of one snapshot,
/// and of keys that are not there.
pub(crate) fn gets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("get");
    for keys in SIZES {
        let (db, table) = hashed(keys);
        of_table(&mut group, "hashed", &db, &table, keys);
        let (db, table) = ordered(keys);
        of_table(&mut group, "ordered", &db, &table, keys);
    }
}

fn of_table<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    kind: &str,
    db: &Database,
    table: &T,
    keys: u64,
) where
    T: AnyTable<Key = u64, Value = Value> + Lookup<u64>,
{
    let mut random = fastrand::Rng::with_seed(2);
    let mut of = |what: &str, get: &dyn Fn(u64)| {
        let id = BenchmarkId::new(format!("{kind}, {what}"), keys);
        group.bench_function(id, |bencher| bencher.iter(|| get(random.u64(..keys))));
    };
    of("view", &|key| {
        db.view(|view| touch(view.get(table, &key).expect("loaded")));
    });
    of("absent, view", &|key| {
        assert!(!db.view(|view| view.contains_key(table, &(keys + key))));
    });
    let snapshot = db.snapshot();
    of("snapshot", &|key| {
        touch(snapshot.get(table, &key).expect("loaded"));
    });
}

/// Scans of 100 keys, in both directions.
pub(crate) fn scans(criterion: &mut Criterion) {
    const SCAN: u64 = 100;
    let mut group = criterion.benchmark_group("scan of 100");
    group.throughput(Throughput::Elements(SCAN));
    let (db, table) = ordered(MANY);
    let mut random = fastrand::Rng::with_seed(3);
    let mut range = || {
        let first = random.u64(..MANY - SCAN);
        first..first + SCAN
    };
    group.bench_function("view", |bencher| {
        bencher.iter(|| {
            db.view(|view| {
                let rows = view.range(&table, range());
                rows.for_each(|(_, value)| touch(value));
            });
        });
    });
    group.bench_function("backwards, view", |bencher| {
        bencher.iter(|| {
            db.view(|view| {
                let rows = view.range(&table, range()).rev();
                rows.for_each(|(_, value)| touch(value));
            });
        });
    });
    let snapshot = db.snapshot();
    group.bench_function("snapshot", |bencher| {
        bencher.iter(|| {
            let rows = snapshot.range(&table, range());
            rows.for_each(|(_, value)| touch(value));
        });
    });
}

/// Reads from both cache lines of a value.
fn touch(value: &Value) {
    black_box(value[0].wrapping_add(value[value.len() - 1]));
}
