//! A store to be measured, and what is found.

use crate::compare::rows::Value;
use mvcc::{Store, Table, Transaction};
use std::convert::Infallible;
use std::path::Path;
use workloads::ycsb::fnv1a;

/// What a sample has found.
pub(super) struct Sample {
    pub(super) what: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
}

impl Sample {
    pub(super) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        let what = what.into();
        Self { what, value, unit }
    }
}

pub(super) const WORKS: &str = "the disk works";
/// Rows of a transaction that fills a table.
const BATCH: usize = 100;
/// The most bytes that the log may take: as good as no limit.
const LOG: u64 = 1 << 40;

/// When checkpoints are written.
#[derive(Clone, Copy)]
pub(super) enum Checkpoints {
    /// As a store does that nobody has given options.
    Due,
    ByHand,
}

/// A store with a table.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) table: Table<u64, Value>,
}

impl Opened {
    /// In a directory that is not there yet, or what was closed there.
    pub(super) fn new(directory: &Path, checkpoints: Checkpoints) -> Self {
        let options = match checkpoints {
            Checkpoints::Due => Store::options(),
            Checkpoints::ByHand => Store::options().checkpoint_bytes(LOG).log_bytes(LOG),
        };
        let opened = options.open(directory, |tables| tables.table("table"));
        let (store, table) = opened.expect(WORKS);
        Self { store, table }
    }

    /// Gives all keys a first value, and writes a checkpoint.
    pub(super) fn load(directory: &Path, keys: u64, value: Value) -> Self {
        let opened = Self::new(directory, Checkpoints::ByHand);
        opened.fill(&opened.table, keys, value);
        opened.store.checkpoint().expect(WORKS);
        opened
    }

    /// Gives all keys a value in a table.
    pub(super) fn fill(&self, table: &Table<u64, Value>, keys: u64, value: Value) {
        for first in (0..keys).step_by(BATCH) {
            let keys = first..keys.min(first + BATCH as u64);
            let keys: Vec<u64> = keys.map(fnv1a).collect();
            self.submit(table, &keys, value);
        }
    }

    /// Gives rows a value in one transaction that nobody waits for.
    pub(super) fn submit(&self, table: &Table<u64, Value>, keys: &[u64], value: Value) {
        let put = |tx: &Transaction<'_>| {
            for key in keys {
                tx.insert(table, *key, value);
            }
            Ok::<_, Infallible>(())
        };
        drop(self.store.submit(put).expect(WORKS));
    }

    /// Gives a row a value, and waits for that.
    pub(super) fn run(&self, key: u64, value: Value) {
        let put = |tx: &Transaction<'_>| Ok::<_, Infallible>(tx.insert(&self.table, key, value));
        self.store.run(put).expect(WORKS);
    }

    pub(super) fn get(&self, table: &Table<u64, Value>, key: u64) -> Option<Value> {
        self.store.view(|view| view.get(table, &key).copied())
    }

    pub(super) fn close(self) {
        self.store.close().expect(WORKS);
    }
}

/// The bytes of a directory's files.
pub(super) fn bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let files = entries.filter_map(|entry| entry.ok()?.metadata().ok());
    files.map(|file| file.len()).sum()
}
