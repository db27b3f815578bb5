//! The statistics as metrics.
#![cfg(feature = "metrics")]

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use mvcc::Database;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// What was recorded, by name and labels.
#[derive(Default)]
struct Recorded {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    described: Mutex<Vec<String>>,
}

fn named(key: &Key) -> String {
    let labels = key
        .labels()
        .map(|label| format!(" {}={}", label.key(), label.value()));
    std::iter::once(key.name().to_owned())
        .chain(labels)
        .collect()
}

impl Recorder for Recorded {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.described
            .lock()
            .expect("no panic")
            .push(key.as_str().to_owned());
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.described
            .lock()
            .expect("no panic")
            .push(key.as_str().to_owned());
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        unreachable!("there are none");
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.counters.lock().expect("no panic");
        Counter::from_arc(counters.entry(named(key)).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut gauges = self.gauges.lock().expect("no panic");
        Gauge::from_arc(gauges.entry(named(key)).or_default().clone())
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        unreachable!("there are none");
    }
}

#[test]
fn the_statistics_are_recorded_under_their_names() {
    let db = Database::builder()
        .name("shop")
        .build()
        .expect("every clock");
    let table = db.table::<u64, u64>("t").expect("new");
    let put = || db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 1)));
    put().expect("no error");
    let loser = db.begin();
    loser.get(&table, &1);
    loser.insert(&table, 2, 2);
    put().expect("no error");
    loser.commit().expect_err("it was overwritten");
    db.collect();

    let recorded = Recorded::default();
    metrics::with_local_recorder(&recorded, || {
        db.record_metrics();
        // A counter is set, not added to.
        db.record_metrics();
    });
    let value = |metrics: &Mutex<BTreeMap<String, Arc<AtomicU64>>>, name: &str| {
        let metrics = metrics.lock().expect("no panic");
        metrics.get(name).map(|value| value.load(Relaxed))
    };
    let counter = |name| value(&recorded.counters, name);
    assert_eq!(counter("mvcc_commits_total database=shop"), Some(2));
    let conflict = "mvcc_conflicts_total database=shop table=t cause=read_overwritten";
    assert_eq!(counter(conflict), Some(1));
    assert_eq!(counter("mvcc_retries_total database=shop"), Some(0));
    let gauge = |name| value(&recorded.gauges, name).map(f64::from_bits);
    let stats = db.stats();
    let versions = gauge("mvcc_live_versions database=shop");
    assert_eq!(versions, Some(stats.live_versions as f64));
    let bytes = gauge("mvcc_live_bytes database=shop");
    assert_eq!(bytes, Some(stats.live_bytes as f64));
    let age = gauge("mvcc_oldest_snapshot_age_seconds database=shop");
    assert_eq!(age, Some(0.0));

    // Each is described.
    let counters = recorded.counters.lock().expect("no panic");
    let gauges = recorded.gauges.lock().expect("no panic");
    let described = recorded.described.lock().expect("no panic");
    for name in counters.keys().chain(gauges.keys()) {
        let name = name.split(' ').next().expect("a name");
        assert!(described.iter().any(|one| one == name), "{name}");
    }
}
