//! What happens seldom, as events.
#![cfg(feature = "tracing")]

use mvcc::{Database, RetryPolicy};
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Events as lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("it is a string");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "mvcc"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        unreachable!("there are none");
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().expect("no panic").push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn conflicts_exclusive_runs_and_expired_snapshots_are_told() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let builder = Database::builder().snapshot_limit(Duration::ZERO);
        let db = builder.build().expect("every clock");
        let table = db.table::<u64, u64>("t").expect("new");
        let put = |value| db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, value)));
        put(1).expect("no error");
        let policy = RetryPolicy::new().exclusive_after(1);
        db.run_with(&policy, |tx| {
            tx.get(&table, &1);
            if tx.attempt() == 1 {
                put(2).expect("no error");
            }
            Ok::<_, ()>(tx.insert(&table, 2, 2))
        })
        .expect("the second time");
        let snapshot = db.limited_snapshot();
        std::thread::sleep(Duration::from_millis(1));
        db.collect();
        assert!(snapshot.is_expired());
    });
    let lines = lines.0.lock().expect("no panic");
    assert_eq!(
        *lines,
        [
            "DEBUG message=conflict table=\"t\" cause=\"read_overwritten\" attempt=1",
            "INFO message=exclusive run attempts=1",
            "WARN message=snapshots expired expired=1 limit=0ns",
        ]
    );
}
