//! The durable rows that say of `mvcc`'s store alone how it is opened and what its checkpoints
//! cost: each gives several figures.

use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Recovery,
    Checkpoint,
}

/// One row.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) kind: Kind,
}

/// All of them.
pub(super) const ROWS: [Row; 2] = [
    Row {
        name: "durable-recovery",
        title: "a checkpoint of all keys, and a log of as many updates, are opened; both were \
                written just before, so they are in the system's cache",
        kind: Kind::Recovery,
    },
    Row {
        name: "durable-checkpoint",
        title: "YCSB A whose commits nobody waits for, beside a client that waits for each of its \
                own: in a table that is not logged, in one that is, and with checkpoints as they \
                are due",
        kind: Kind::Checkpoint,
    },
];

/// A figure of a row.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Figure {
    pub(super) row: String,
    /// What it is.
    pub(super) what: String,
    pub(super) unit: String,
    /// The median.
    pub(super) value: f64,
    pub(super) repeats: Vec<f64>,
}
