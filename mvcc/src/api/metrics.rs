//! The statistics of a database as metrics.

use crate::api::database::Database;
use crate::api::stats::Stats;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

impl Database {
    /// Hands the [statistics](Self::stats) to the recorder of the `metrics` crate. Transactions
    /// know nothing of it, so it costs them nothing: call it at regular times, or whenever the
    /// metrics are collected.
    ///
    /// Each has the label `database`: the [name](crate::Builder::name), or a number.
    ///
    /// | metric | |
    /// | --- | --- |
    /// | `mvcc_commits_total` | [`Stats::commits`] |
    /// | `mvcc_conflicts_total` | [`conflicts`](Self::conflicts), with the labels `table` and `cause` |
    /// | `mvcc_retries_total`, `mvcc_exclusive_runs_total`, `mvcc_aborts_total` | the fields of [`Stats`] of these names |
    /// | `mvcc_expired_snapshots_total` | [`Stats::expired_snapshots`] |
    /// | `mvcc_live_snapshots`, `mvcc_live_tuples`, `mvcc_live_versions`, `mvcc_live_bytes`, `mvcc_retired` | gauges: the fields of [`Stats`] of these names |
    /// | `mvcc_oldest_snapshot_age_seconds`, `mvcc_watermark_age_seconds` | gauges, if the clock has a rate; the first is 0 if nothing is alive |
    ///
    /// ```
    /// let db = mvcc::Database::builder().name("shop").build()?;
    /// db.record_metrics();
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn record_metrics(&self) {
        describe();
        let label = self.name();
        let stats = self.stats();
        for (name, _, value) in counters(&stats) {
            counter!(name, "database" => label.to_string()).absolute(value);
        }
        for conflict in self.conflicts() {
            counter!(
                "mvcc_conflicts_total",
                "database" => label.to_string(),
                "table" => conflict.table.to_string(),
                "cause" => conflict.cause.name(),
            )
            .absolute(conflict.count);
        }
        for (name, _, _, value) in gauges(&stats) {
            if let Some(value) = value {
                gauge!(name, "database" => label.to_string()).set(value);
            }
        }
    }
}

fn counters(stats: &Stats) -> [(&'static str, &'static str, u64); 5] {
    [
        (
            "mvcc_commits_total",
            "Read-write transactions that committed.",
            stats.commits,
        ),
        (
            "mvcc_retries_total",
            "Transactions that were run again after a conflict.",
            stats.retries,
        ),
        (
            "mvcc_exclusive_runs_total",
            "Transactions that were run while all other commits waited.",
            stats.exclusive_runs,
        ),
        (
            "mvcc_aborts_total",
            "Transactions that their closure has aborted with an error.",
            stats.aborts,
        ),
        (
            "mvcc_expired_snapshots_total",
            "Limited snapshots that were given up.",
            stats.expired_snapshots,
        ),
    ]
}

type Gauge = (&'static str, &'static str, Unit, Option<f64>);

fn gauges(stats: &Stats) -> [Gauge; 7] {
    let oldest = stats.oldest_snapshot.map(|oldest| oldest.age.duration);
    let seconds = |age: Option<std::time::Duration>| age.map(|age| age.as_secs_f64());
    let count = |name, text, count: u64| (name, text, Unit::Count, Some(count as f64));
    [
        count(
            "mvcc_live_snapshots",
            "Snapshots, views and transactions that are alive.",
            stats.live_snapshots,
        ),
        count("mvcc_live_tuples", "Keys in all tables.", stats.live_tuples),
        count(
            "mvcc_live_versions",
            "Versions of all keys.",
            stats.live_versions,
        ),
        count("mvcc_retired", "What waits to be freed.", stats.retired),
        (
            "mvcc_live_bytes",
            "The bytes of keys and versions.",
            Unit::Bytes,
            Some(stats.live_bytes as f64),
        ),
        (
            "mvcc_oldest_snapshot_age_seconds",
            "How far back the oldest snapshot, view or transaction reads.",
            Unit::Seconds,
            oldest.map_or(Some(0.0), seconds),
        ),
        (
            "mvcc_watermark_age_seconds",
            "How long ago the watermark is.",
            Unit::Seconds,
            seconds(stats.watermark_age.duration),
        ),
    ]
}

fn describe() {
    let stats = Stats::default();
    for (name, text, _) in counters(&stats) {
        describe_counter!(name, Unit::Count, text);
    }
    describe_counter!(
        "mvcc_conflicts_total",
        Unit::Count,
        "Commits that failed because of a concurrent transaction."
    );
    for (name, text, unit, _) in gauges(&stats) {
        describe_gauge!(name, unit, text);
    }
}
