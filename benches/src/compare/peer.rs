//! What an engine has to do to be compared.

use super::rows::{Need, Op};
use std::ops::RangeInclusive;

/// Why a read cannot come back without a value.
pub(super) const FOUND: &str = "every key that a row reads has been loaded";

/// What a reader needs to know about an engine.
#[derive(Clone, Copy)]
pub(super) struct About {
    /// What `--peers` takes.
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) isolation: &'static str,
    /// How reads, writes and conflicts are done here.
    pub(super) how: &'static str,
}

/// An engine with one table from `u64` to [`Value`](super::rows::Value).
///
/// `see` gets every key that is read with its value, again in every attempt.
pub(super) trait Peer: Sync + Sized + 'static {
    const ABOUT: About;
    /// What it cannot do, and why.
    const LACKS: &'static [(Need, &'static str)] = &[];
    /// What runs the rows of scans; itself, unless it has another kind of table for them.
    type Ordered: Peer;

    /// An empty table.
    fn new() -> Self;

    /// A table with these keys.
    fn load(keys: &[u64]) -> Self {
        let peer = Self::new();
        for keys in keys.chunks(1_000) {
            let inserts: Vec<Op> = keys.iter().map(|&key| Op::insert(key)).collect();
            peer.write(&inserts, |_, _| ());
        }
        peer
    }

    /// A read-only transaction of reads.
    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8]));

    /// A read-write transaction, until it commits. Returns how many attempts failed before.
    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64;

    /// A read-only transaction that reads the keys of a range, ascending. Only called where order
    /// is not lacking.
    fn scan(&self, _range: RangeInclusive<u64>, _see: impl Fn(u64, &[u8])) {
        unreachable!("it lacks order")
    }

    /// Holds a snapshot meanwhile, then reads a key from it. Only called where snapshots are not
    /// lacking.
    fn hold<R>(&self, _key: u64, _meanwhile: impl FnOnce() -> R, _see: impl Fn(u64, &[u8])) -> R {
        unreachable!("it lacks snapshots")
    }

    /// What the engine leaves to its user from time to time. Called between samples.
    fn tidy(&self) {}
}
