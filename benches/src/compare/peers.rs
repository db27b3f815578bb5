//! The engines, each behind [`Peer`]. One more is a module here and a line in [`all`].

mod dashmap;
mod mvcc;
#[cfg(feature = "peers")]
mod mvcc_core;
#[cfg(feature = "peers")]
mod redb;
mod rwlock;
#[cfg(feature = "peers")]
mod skipdb;
#[cfg(feature = "peers")]
mod stm;
#[cfg(feature = "peers")]
mod surrealmx;
#[cfg(test)]
mod tests;
mod tplock;

use super::measure::{Job, Sample};
use super::rows::{Action, Need, Op};
use std::ops::RangeInclusive;

/// The size of a value in bytes.
pub(super) const VALUE: usize = 100;

/// A value, which every engine stores inline or in one piece.
pub(super) type Value = [u8; VALUE];

/// Why a read cannot come back without a value.
const FOUND: &str = "every key that a row reads has been loaded";

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

/// An engine with one table from `u64` to [`Value`].
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

    /// A read-only transaction that reads the keys of a range, ascending. Only called where order is not lacking.
    fn scan(&self, _range: RangeInclusive<u64>, _see: impl Fn(u64, &[u8])) {
        unreachable!("it lacks order")
    }

    /// Holds a snapshot meanwhile, then reads a key from it. Only called where snapshots are not lacking.
    fn hold<R>(&self, _key: u64, _meanwhile: impl FnOnce() -> R, _see: impl Fn(u64, &[u8])) -> R {
        unreachable!("it lacks snapshots")
    }

    /// What the engine leaves to its user from time to time. Called between samples.
    fn tidy(&self) {}
}

/// A loaded engine, its type erased.
pub(super) trait Engine {
    /// Runs a job.
    fn run(&self, job: &Job<'_>) -> Sample;
}

impl<P: Peer> Engine for P {
    fn run(&self, job: &Job<'_>) -> Sample {
        let sample = job.run(self);
        self.tidy();
        sample
    }
}

/// A kind of engine, its type erased.
pub(super) struct Entry {
    pub(super) about: About,
    lacks: &'static [(Need, &'static str)],
    pub(super) load: fn(&[u64]) -> Box<dyn Engine>,
    /// As `load`, for rows of scans.
    pub(super) load_ordered: fn(&[u64]) -> Box<dyn Engine>,
}

impl Entry {
    const fn of<P: Peer>() -> Self {
        Self {
            about: P::ABOUT,
            lacks: P::LACKS,
            load: |keys| Box::new(P::load(keys)),
            load_ordered: |keys| Box::new(P::Ordered::load(keys)),
        }
    }

    /// Why the engine cannot do something, if it cannot.
    pub(super) fn lacks(&self, need: Need) -> Option<&'static str> {
        let lack = self.lacks.iter().find(|(lacking, _)| *lacking == need);
        lack.map(|(_, reason)| *reason)
    }
}

/// The engines that were built in, `mvcc` first.
pub(super) fn all() -> Vec<Entry> {
    vec![
        Entry::of::<mvcc::Mvcc>(),
        Entry::of::<mvcc::Ordered>(),
        Entry::of::<tplock::TpLock>(),
        Entry::of::<rwlock::HashMap>(),
        Entry::of::<rwlock::FoldHashMap>(),
        Entry::of::<rwlock::BTreeMap>(),
        Entry::of::<dashmap::DashMap>(),
        #[cfg(feature = "peers")]
        Entry::of::<mvcc_core::Snapshot>(),
        #[cfg(feature = "peers")]
        Entry::of::<mvcc_core::Serializable>(),
        #[cfg(feature = "peers")]
        Entry::of::<surrealmx::SurrealMx>(),
        #[cfg(feature = "peers")]
        Entry::of::<skipdb::SkipDb>(),
        #[cfg(feature = "peers")]
        Entry::of::<redb::Redb>(),
        #[cfg(feature = "peers")]
        Entry::of::<stm::Stm>(),
    ]
}

/// Where the engines are that were not built in.
pub(super) const MORE: Option<&str> = if cfg!(feature = "peers") {
    None
} else {
    Some("`cargo compare` also has mvcc-core, redb, skipdb, stm and surrealmx")
};

/// The kind of `mvcc`'s clock on this machine.
pub(super) fn clock() -> String {
    ::mvcc::Database::new().clock().kind().to_string()
}
