//! What a run is asked to be.

use super::Properties;
use std::time::Duration;

/// How transactions that only read are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadOnly {
    /// As views.
    #[default]
    View,
    /// As transactions that could write.
    Transaction,
    /// As transactions that could write and take a timestamp, even if they could do without.
    Timestamped,
    /// From a snapshot each.
    Snapshot,
}

/// What the long readers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongReads {
    /// Each reads 10,000 records from one snapshot after the other.
    #[default]
    Steady,
    /// Each reads 10,000 records from a snapshot, keeps it until it is `hold` old, and is without
    /// one for `pause`. They begin one after the other, spread over `hold`, after a first `pause`.
    Kept {
        /// How long a snapshot is kept.
        hold: Duration,
        /// How long a reader is without one then.
        pause: Duration,
    },
}

/// Operations drawn ahead in a closed loop. The first transaction of a batch is timed: a clock
/// reading before each would keep the cache misses of neighbouring transactions from overlapping.
const BATCH: u64 = 64;
/// Runs of at most this many operations time all.
const SHORT: u64 = 100_000;

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// After this time.
    Duration(Duration),
    /// After this many operations.
    Operations(u64),
    /// After so many operations, or after this time if they take longer.
    Either(u64, Duration),
}

impl Limit {
    /// The most operations, if that is limited.
    pub fn operations(self) -> Option<u64> {
        match self {
            Self::Operations(operations) | Self::Either(operations, _) => Some(operations),
            Self::Duration(_) => None,
        }
    }

    pub(super) fn duration(self) -> Option<Duration> {
        match self {
            Self::Duration(duration) | Self::Either(_, duration) => Some(duration),
            Self::Operations(_) => None,
        }
    }
}

/// A run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the report calls the workload.
    pub name: String,
    /// The workload.
    pub properties: Properties,
    /// Operations of a transaction.
    pub ops_per_txn: u64,
    /// The exponent of the zipfian distributions.
    pub theta: f64,
    /// Threads that run transactions.
    pub threads: usize,
    /// Threads that read besides.
    pub long_readers: usize,
    /// What these do.
    pub long_reads: LongReads,
    /// Snapshots that are held from before the first transaction until after the last one.
    pub held_snapshots: usize,
    /// How transactions that only read are run.
    pub read_only: ReadOnly,
    /// When it is over.
    pub limit: Limit,
    /// Transactions per second that begin, all threads together; without it, a thread begins one
    /// when its last has ended.
    pub target: Option<f64>,
    /// For the random numbers.
    pub seed: u64,
}

impl Settings {
    /// Transactions that a thread draws ahead, so that drawing does not stand between the cache
    /// misses of consecutive ones. In an open loop they wait: for one at a time.
    pub(super) fn batch(&self) -> u64 {
        match self.target {
            Some(_) => 1,
            None => (BATCH / self.ops_per_txn).max(1),
        }
    }

    /// A thread times one transaction in so many.
    pub(super) fn timed_every(&self) -> u64 {
        match self.limit.operations() {
            Some(operations) if operations <= SHORT => 1,
            _ => self.batch(),
        }
    }
}
