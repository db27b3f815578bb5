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
use super::peer::{About, FOUND, Peer};
use super::rows::{Action, Need, Op, Value};

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
