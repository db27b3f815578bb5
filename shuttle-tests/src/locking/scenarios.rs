//! The scenarios: those of `mvcc` that need neither snapshots nor a clock, from the same sources,
//! and some of its own.

use super::Scenario;
use crate::scenarios::tasks;
use rows::{STAYS, add, numbers, pair, write};
use tplock_shuttle as library;

#[allow(clippy::duplicate_mod, reason = "that is the point")]
#[path = "../scenarios/anomalies.rs"]
mod anomalies;
#[allow(clippy::duplicate_mod, reason = "that is the point")]
#[path = "../scenarios/ordered.rs"]
mod ordered;
#[allow(clippy::duplicate_mod, reason = "that is the point")]
#[path = "../scenarios/rows.rs"]
mod rows;
mod waiting;

/// What a scenario runs in: there is nothing to choose.
#[derive(Clone, Copy)]
struct World;

impl World {
    #[expect(clippy::unused_self, reason = "as that of `mvcc`")]
    fn database(self) -> library::Database {
        library::Database::new()
    }
}

macro_rules! scenarios {
    ($($module:ident: $($name:ident),+;)+) => {
        /// All scenarios.
        pub const SCENARIOS: &[Scenario] = &[$($(Scenario {
            name: stringify!($name),
            run: || $module::$name(World),
        },)+)+];
    };
}

scenarios! {
    anomalies:
        lost_update, write_skew, read_skew, long_fork, dirty_write, aborted_read, intermediate_read, circular_information_flow,
        observed_transaction_vanishes, read_only_anomaly, own_writes, opacity, many_untimed_reads, locked_while_read;
    ordered:
        phantom_by_insert, phantom_by_delete, phantom_by_absent_key, predicate_many_preceders, phantom_in_a_hashed_table, limited_range,
        own_writes_under_a_scan, counted_range;
    waiting:
        raised_locks_beside_a_waiting_writer, losers_keep_their_age, scan_beside_an_insert;
}
