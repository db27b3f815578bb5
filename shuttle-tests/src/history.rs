//! Histories: what transactions did and saw, and when.

use crate::operation::{Key, Op};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// How a transaction was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Begun and committed by hand.
    Begin,
    /// A closure that is retried until it commits. Its timestamp is not told.
    Run,
    /// A short read-only closure. Its timestamp is not told.
    View,
    /// A read-only handle.
    Snapshot,
}

impl Kind {
    /// Whether it cannot write.
    pub fn is_read_only(self) -> bool {
        matches!(self, Self::View | Self::Snapshot)
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its writes took effect; also a read-only one that ended.
    Committed,
    /// Nothing happened.
    Aborted,
    /// Either: it was cut off.
    Unknown,
}

/// One attempt of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transaction {
    /// The thread that it ran on.
    pub thread: usize,
    /// How it was run.
    pub kind: Kind,
    /// A tick not after its begin.
    pub begin: u64,
    /// A tick not before its end.
    pub end: u64,
    /// What it did, in program order.
    pub ops: Vec<Op>,
    /// How it ended.
    pub outcome: Outcome,
    /// The engine's commit timestamp, or that of the snapshot, where it was told.
    pub timestamp: Option<u64>,
}

/// Transactions over an empty database. They are called by their index: T0, T1, ...
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct History {
    /// The transactions, in order of their begin.
    pub transactions: Vec<Transaction>,
}

impl Transaction {
    /// Whether it wrote anything, in effect or not.
    pub fn writes(&self) -> bool {
        self.ops.iter().any(|op| op.written().is_some())
    }

    /// Whether it returned before the other one began.
    pub fn ended_before(&self, other: &Self) -> bool {
        self.end < other.begin
    }
}

impl History {
    /// Every key that is written or read by name.
    pub fn keys(&self) -> BTreeSet<Key> {
        let mut keys = BTreeSet::new();
        for op in self.transactions.iter().flat_map(|tx| &tx.ops) {
            match op {
                Op::Read { key, .. } | Op::Write { key, .. } | Op::Append { key, .. } => {
                    keys.insert(*key);
                }
                Op::Scan(scan) => keys.extend(scan.rows.iter().map(|&(key, _)| Key {
                    table: scan.table,
                    key,
                })),
            }
        }
        keys
    }
}

impl History {
    /// The same history for those who check it, and one that is equal where only the ticks are
    /// different: by thread, and with ticks that move on only from an end to a begin.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        let mut ticks: Vec<(u64, bool, usize)> = Vec::new();
        for (index, tx) in self.transactions.iter().enumerate() {
            ticks.push((tx.begin, false, index));
            ticks.push((tx.end, true, index));
        }
        ticks.sort_unstable();
        let (mut now, mut after_end) = (0, false);
        for (_, is_end, index) in ticks {
            now += u64::from(after_end && !is_end);
            after_end = is_end;
            let tx = &mut self.transactions[index];
            *if is_end { &mut tx.end } else { &mut tx.begin } = now;
        }
        self.transactions.sort_by_key(|tx| (tx.thread, tx.begin));
        self
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin => "begin",
            Self::Run => "run",
            Self::View => "view",
            Self::Snapshot => "snapshot",
        })
    }
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            thread,
            kind,
            begin,
            end,
            ..
        } = self;
        write!(f, "{kind} on thread {thread}, {begin} to {end}, ")?;
        f.write_str(match self.outcome {
            Outcome::Committed => "committed",
            Outcome::Aborted => "aborted",
            Outcome::Unknown => "outcome unknown",
        })?;
        if let Some(timestamp) = self.timestamp {
            write!(f, " at {timestamp}")?;
        }
        for (index, op) in self.ops.iter().enumerate() {
            write!(f, "{} {op}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

/// One line for each transaction.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, tx) in self.transactions.iter().enumerate() {
            writeln!(f, "T{index} {tx}")?;
        }
        Ok(())
    }
}
