//! The clock.

use criterion::Criterion;
use mvcc::{ClockChoice, Database};
use std::time::Duration;

/// One reading among others, back to back. The library times it, for a reading is not public.
pub(crate) fn readings(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("clock");
    let choices = [
        ("default", ClockChoice::Auto),
        ("counter", ClockChoice::Counter),
    ];
    for (name, choice) in choices {
        let db = Database::builder().clock(choice).build();
        let clock = db.expect("usable on every machine").clock();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|readings| {
                Duration::from_secs_f64(clock.cost_ns() * 1e-9 * readings as f64)
            });
        });
    }
}
