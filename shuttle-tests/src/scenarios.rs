//! Named scenarios: small programs with an assertion each that every schedule must keep.

mod anomalies;
mod begin;
mod feeds;
mod garbage;
mod indexes;
mod memory;
mod nodes;
mod ordered;
mod panics;
mod progress;
mod rows;
mod time;
mod transactions;

use mvcc_shuttle as library;
use mvcc_shuttle::{Builder, ClockChoice, Database};
use rows::{Numbers, STAYS, add, numbers, pair, remove, write};
use serde::{Deserialize, Serialize};
use shuttle::thread;
use std::fmt;

/// The clock that a scenario runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum World {
    /// Readings that follow each other may be equal; `settle` makes up for it.
    Coarse,
    /// In addition, the tasks' clocks are apart by as much as is allowed for.
    Skewed,
    /// A strict counter.
    Strict,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Coarse => "coarse",
            Self::Skewed => "skewed",
            Self::Strict => "strict",
        })
    }
}

impl World {
    /// A database with such a clock.
    ///
    /// # Panics
    /// Outside of a schedule.
    pub fn database(self) -> Database {
        let built = self.builder().build();
        built.expect("all clocks exist in the scheduler's world")
    }

    fn builder(self) -> Builder {
        match self {
            Self::Coarse => Database::builder(),
            Self::Skewed => Database::builder().clock_skew(3),
            Self::Strict => Database::builder().clock(ClockChoice::Counter),
        }
    }
}

/// A scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it does once, under the scheduler. It panics if an assertion fails.
    pub run: fn(World),
    /// The worlds in which it makes a difference.
    pub worlds: &'static [World],
    /// How many times as many schedules as others it is worth: it waits for one preemption at one
    /// place, and a run of it is short.
    pub effort: usize,
}

const ALL: &[World] = &[World::Coarse, World::Skewed, World::Strict];
const ONE: &[World] = &[World::Strict];
const CLOCKS: &[World] = &[World::Coarse, World::Strict];

macro_rules! scenarios {
    ($($module:ident: $($name:ident $(* $effort:literal)? in $worlds:ident),+;)+) => {
        /// All scenarios.
        pub const SCENARIOS: &[Scenario] = &[$($(Scenario {
            name: stringify!($name),
            run: $module::$name,
            worlds: $worlds,
            effort: 1 $(* $effort)?,
        },)+)+];
    };
}

scenarios! {
    anomalies:
        lost_update in CLOCKS, write_skew in CLOCKS, read_skew in CLOCKS, long_fork in ALL,
        dirty_write in ONE, aborted_read in ONE, intermediate_read in ONE, circular_information_flow in CLOCKS,
        observed_transaction_vanishes in CLOCKS, read_only_anomaly in ALL, own_writes in ONE, opacity in CLOCKS,
        many_untimed_reads in CLOCKS, locked_while_read in CLOCKS;
    ordered:
        phantom_by_insert in CLOCKS, phantom_by_delete in CLOCKS, phantom_by_absent_key in CLOCKS, predicate_many_preceders in CLOCKS,
        phantom_in_a_hashed_table in CLOCKS, limited_range in ONE, own_writes_under_a_scan in ONE,
        counted_range in CLOCKS;
    nodes:
        scans_beside_splits_and_merges in ONE, scans_beside_a_merge in ONE, inserts_beside_a_merge * 4 in ONE,
        root_beside_inserts_and_reads in ONE, roots_beside_inserts_and_reads in ONE, removals_beside_a_collapse * 4 in ONE, removal_beside_inserts * 4 in ONE, split_beside_a_collapse * 20 in ONE;
    begin:
        snapshot_begins_beside_collection in CLOCKS, view_beside_collection in CLOCKS, view_against_watermark * 10 in CLOCKS,
        snapshot_against_watermark * 10 in CLOCKS;
    garbage:
        old_snapshot in CLOCKS, two_old_snapshots in CLOCKS, walk_beside_unlinking in CLOCKS, insert_delete_reinsert in CLOCKS,
        aborted_insert in ONE, empty_tuple_is_taken_over in ONE, removal_against_stale_tuples in CLOCKS, tombstone_reuse in CLOCKS,
        reuse_of_a_place_in_the_index in ONE, neighbours_come_and_go in ONE, threads_come_and_go in ONE, everything_is_collected in CLOCKS,
        collectors_collide in ONE, ordered_removal in CLOCKS, tombstone_that_comes_back in CLOCKS;
    memory:
        versions_in_the_middle in CLOCKS, removal_under_a_snapshot in CLOCKS, removal_above_a_freed_version * 4 in CLOCKS,
        removed_again_and_again in CLOCKS, given_up_side_by_side in ONE, limited_snapshot_expires * 8 in CLOCKS, limited_snapshot_is_dropped in ONE;
    time:
        hand_over in ALL, hand_over_of_disjoint_keys in ALL, commit_then_snapshot in ALL, timestamps_order_commits in ALL,
        timestamps_order_reads in ALL, read_skew_of_a_snapshot in CLOCKS, extension in CLOCKS, clock_ties in ALL;
    progress:
        opposite_lock_orders in ONE, the_long_transaction_wins * 16 in ONE, nested_transactions in ONE, partial_acquisition in ONE,
        conflict_leaves_no_lock in ONE, reserved_row in CLOCKS, crossing_reservations in ONE;
    indexes:
        unique_keys in CLOCKS, index_built_beside_writers in CLOCKS, rows_move_in_an_index in CLOCKS;
    feeds:
        feed_in_order in CLOCKS, feed_agrees_with_snapshots in CLOCKS, feed_starts_beside_commits in CLOCKS, feed_keeps_what_it_delivers in ONE, full_feed in ONE;
    transactions:
        peeks_see_whole_transactions in CLOCKS, undone_writes in CLOCKS, writes_under_an_iterator in ONE;
    panics:
        panic_in_a_closure in ONE, panic_in_ord in ONE, panic_in_hash_and_eq in ONE, panic_in_drop in ONE, forgotten_and_out_of_order in ONE;
}

/// Runs tasks side by side and waits for them.
pub(crate) fn side_by_side(tasks: Vec<Box<dyn FnOnce() + Send>>) {
    let tasks: Vec<_> = tasks.into_iter().map(thread::spawn).collect();
    for task in tasks {
        task.join().expect("a task panicked");
    }
}

/// The tasks of [`side_by_side`], each a closure.
macro_rules! tasks {
    ($($task:expr),+ $(,)?) => {
        $crate::scenarios::side_by_side(vec![$(Box::new($task)),+])
    };
}
pub(crate) use tasks;

/// When nothing is going on, nothing is left over.
fn check_clean(db: &Database, rows: u64) {
    db.collect();
    let stats = db.stats();
    assert_eq!(stats.live_snapshots, 0, "slots in use: {stats:?}");
    assert_eq!(
        (stats.live_tuples, stats.live_versions),
        (rows, rows),
        "left over: {stats:?}"
    );
}
