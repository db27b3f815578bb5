//! What a run is asked to be.

use super::mix::Mix;
use super::schema::Scale;
use super::transactions::Profile;
use std::time::Duration;

/// A run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Warehouses.
    pub warehouses: u32,
    /// The cardinalities within a warehouse.
    pub scale: Scale,
    /// Threads that run transactions, each a terminal.
    pub threads: usize,
    /// For how long.
    pub duration: Duration,
    /// The kinds of transactions.
    pub mix: Mix,
    /// How often one more thread scans the stock of a warehouse from a snapshot.
    pub stock_scan_interval: Option<Duration>,
    /// Whether the consistency conditions are checked, after loading, every second, and at the end;
    /// and what was asked for, at the end.
    pub check: bool,
    /// Whether terminals wait as clause 5.2.5 says.
    pub think_times: bool,
    /// How inputs are drawn.
    pub profile: Profile,
    /// For the random numbers.
    pub seed: u64,
}
