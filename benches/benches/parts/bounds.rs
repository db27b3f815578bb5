//! Beginning and ending.

use criterion::Criterion;
use mvcc::Database;
use std::convert::Infallible;

/// What a transaction costs that does nothing.
pub(crate) fn empty(criterion: &mut Criterion) {
    let db = Database::new();
    let mut group = criterion.benchmark_group("empty");
    group.bench_function("view", |bencher| bencher.iter(|| db.view(|_| ())));
    group.bench_function("run", |bencher| {
        bencher.iter(|| db.run(|_| Ok::<_, Infallible>(())));
    });
    group.bench_function("begin and abort", |bencher| {
        bencher.iter(|| db.begin().abort());
    });
    group.bench_function("snapshot", |bencher| bencher.iter(|| drop(db.snapshot())));
}
