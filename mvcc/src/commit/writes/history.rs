//! What a transaction had written at earlier moments, for the iterators that were made then.
//!
//! Time passes only when an iterator is made, and only if something is buffered then. So a
//! transaction without iterators, and an iterator before the first write, cost nothing here.

use crate::rows::tuple::Tuple;
use crate::rows::version::Version;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::ptr::NonNull;

/// When an iterator of a transaction was made, or a write buffered. An iterator sees the writes of
/// earlier moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Earlier than every write.
    pub(super) const BEFORE_ALL: Self = Self(0);
}

/// What was buffered once and is no more.
#[derive(Default)]
pub(super) struct History {
    now: Moment,
    /// For each tuple, oldest first, what some iterator may still ask for.
    past: HashMap<NonNull<Tuple>, Vec<Past>, FixedState>,
}

/// A version that was what the transaction would install, from one moment to another. It stays
/// allocated until the transaction ends: in the log, or among what was undone.
struct Past {
    since: Moment,
    until: Moment,
    version: NonNull<Version>,
}

impl History {
    /// The moment of what is written next.
    #[inline]
    pub(super) fn now(&self) -> Moment {
        self.now
    }

    /// A moment after all that was written, and before all that is written next.
    pub(super) fn pass(&mut self) -> Moment {
        self.now.0 += 1;
        self.now
    }

    /// Notes that a version, buffered for a tuple since then, is so no more.
    #[inline]
    pub(super) fn note(&mut self, tuple: NonNull<Tuple>, since: Moment, version: NonNull<Version>) {
        if since < self.now {
            self.note_seen(tuple, since, version);
        }
    }

    #[cold]
    fn note_seen(&mut self, tuple: NonNull<Tuple>, since: Moment, version: NonNull<Version>) {
        let until = self.now;
        self.past.entry(tuple).or_default().push(Past {
            since,
            until,
            version,
        });
    }

    /// What was buffered for a tuple at a moment, if it is so no more.
    #[inline(never)]
    pub(super) fn get(&self, tuple: NonNull<Tuple>, moment: Moment) -> Option<NonNull<Version>> {
        let past = self.past.get(&tuple)?;
        let at = past.partition_point(|past| past.until < moment);
        let found = past.get(at).filter(|past| past.since < moment);
        found.map(|past| past.version)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.past.is_empty()
    }

    /// Forgets everything. Returns how many entries there is room for.
    pub(super) fn clear(&mut self) -> usize {
        self.past.clear();
        self.past.capacity()
    }
}
