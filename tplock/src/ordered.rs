//! The index of ordered tables: a tree, and next-key locking.
//!
//! Each tuple has two locks, one for its key and one for the *gap* between it and the tuple before
//! it; the gap behind the last one belongs to the table's end. What reads that something is absent
//! shares the gap it is absent from:
//! - a lookup of an absent key shares the gap around the key;
//! - a range shares the gap before each key it comes to, shares that key, and shares the gap behind
//!   its last key.
//!
//! A key is inserted while its gap is held exclusively, which needs to last no longer than the
//! insertion: from then on the new key, locked exclusively until the commit, stops every reader. It
//! divides the gap. Nobody but perhaps the inserter shares the gap at that moment, and the inserter
//! then shares both halves.
//!
//! A gap is found before it is locked, so it may have changed in between: it is looked up again
//! afterwards, until the lookup before and the one after agree. While a gap is held, shared or
//! exclusively, it cannot be divided, and the tuple that it belongs to cannot leave the index. It
//! can grow, when the tuple before it leaves the index; that tuple has no locks then, and a lock on
//! more than was read is safe.
//!
//! A deleted key keeps its tuple, exclusively locked, until the commit, and for longer while anyone
//! has a lock on it or its gap. So a deletion needs no lock on the next key.
//!
//! A lookup that finds a tuple, with a gap before it that has been locked already, is right about
//! the gap, although it does not look at all of it at the same time. If it missed a key, that key
//! was put where it had looked before; its gap then belonged to another missed key, above it. That
//! one, too, was put where the lookup had looked before, for it looks from above to below. And so
//! on up to the highest, whose gap belonged to the found tuple: but that is locked.

use crate::conflict::Conflict;
use crate::core::{Core, Key};
use crate::lock::Mode;
use crate::sync::bug;
use crate::tree::{Found, Tree};
use crate::tuple::{End, Home, Locked, Tuple};
use std::borrow::Borrow;
use std::ops::Bound;
use std::sync::{Arc, Weak};

pub(crate) struct OrderedIndex<K, V> {
    tuples: Tree<K, Tuple<K, V>>,
    end: Arc<End>,
    itself: Weak<Self>,
}

/// A place in the table: a tuple, or the end.
pub(crate) type Place<K, V> = Option<Arc<Tuple<K, V>>>;

/// A place, with some tuples that follow it.
type FoundTuple<K, V> = Option<Found<K, Tuple<K, V>>>;

impl<K, V> OrderedIndex<K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new() -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            tuples: Tree::new(),
            end: Arc::new(End::new()),
            itself: itself.clone(),
        })
    }

    /// Locks a key. `None`: it is absent, and stays so, for its gap is shared.
    pub(crate) fn lock<'c, Q>(
        &self,
        core: &'c Core,
        key: &Q,
        mode: Mode,
    ) -> Result<Option<Key<'c, K, V>>, Conflict>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        loop {
            if let Some(found) = self.tuples.get(key) {
                match core.lock_key(found, mode)? {
                    Some(key) => return Ok(Some(key)),
                    None => continue,
                }
            }
            if bug!("gap-of-absent-key-not-shared") {
                return Ok(None);
            }
            let found = self.share_gap(core, Bound::Included(key), 0)?;
            if found.is_none_or(|(at, _)| at.key.borrow() != key) {
                return Ok(None);
            }
        }
    }

    /// Locks a key that is to be given a value, and makes a tuple for it if there is none.
    pub(crate) fn lock_to_insert<'c>(
        &self,
        core: &'c Core,
        key: K,
    ) -> Result<Key<'c, K, V>, Conflict> {
        loop {
            let at = self.first(Bound::Included(&key));
            if let Some(found) = at.as_ref().filter(|at| at.key == key) {
                match core.lock_key(found.clone(), Mode::Exclusive)? {
                    Some(key) => return Ok(key),
                    None => continue,
                }
            }
            let entered = match &at {
                Some(tuple) => core.enter_gap(tuple.clone())?,
                None => core.enter_gap(self.end.clone())?,
            };
            let Some(entered) = entered else { continue };
            if !same(&at, &self.first(Bound::Included(&key))) {
                continue;
            }
            let (tuple, locked) =
                core.new_tuple(key.clone(), self.itself.clone(), entered.shared_before);
            let is_new = self.tuples.insert(key, tuple);
            debug_assert!(is_new, "the gap was ours");
            return Ok(locked);
        }
    }

    /// The tuples and the locks on them.
    pub(crate) fn count(&self) -> (usize, usize) {
        let tuples = self.tuples.all();
        let locks: usize = tuples.iter().map(|tuple| tuple.locks().count()).sum();
        (tuples.len(), locks + self.end.locks().count())
    }

    /// Shares the gap before the first place from a bound on. Returns that place, with so many
    /// tuples that follow it, or fewer.
    pub(crate) fn share_gap<Q>(
        &self,
        core: &Core,
        from: Bound<&Q>,
        more: usize,
    ) -> Result<FoundTuple<K, V>, Conflict>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let mut at = self.first(from);
        loop {
            let is_shared = self.share_gap_before(core, at.clone())?;
            let found = self.tuples.first(from, more);
            let again = found.as_ref().map(|(first, _)| first.clone());
            if is_shared && (same(&at, &again) || bug!("gap-not-looked-up-again")) {
                return Ok(found);
            }
            at = again;
        }
    }

    /// Shares the gap before a place. False: the place was dead.
    pub(crate) fn share_gap_before(&self, core: &Core, at: Place<K, V>) -> Result<bool, Conflict> {
        let is_shared = match at {
            Some(tuple) => core.share_gap(tuple)?,
            None if bug!("gap-before-the-end-not-shared") => Some(false),
            None => core.share_gap(self.end.clone())?,
        };
        Ok(is_shared.is_some())
    }

    fn first<Q>(&self, from: Bound<&Q>) -> Place<K, V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.tuples.first(from, 0).map(|(first, _)| first)
    }

    /// The last tuple up to a bound.
    pub(crate) fn last(&self, to: Bound<&K>) -> Option<Arc<Tuple<K, V>>> {
        self.tuples.last(to)
    }
}

impl<K, V> Home<K, V> for OrderedIndex<K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn evict(&self, tuple: &Tuple<K, V>) {
        self.tuples.remove(&tuple.key, tuple);
    }
}

fn same<K, V>(left: &Place<K, V>, right: &Place<K, V>) -> bool {
    left.as_ref().map(Arc::as_ptr) == right.as_ref().map(Arc::as_ptr)
}
