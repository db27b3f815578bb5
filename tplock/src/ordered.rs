//! The index of ordered tables: a skip list, and next-key locking.
//!
//! Each tuple has two locks, one for its key and one for the *gap* between it and the tuple before it; the gap behind the last one belongs to the
//! table's end. What reads that something is absent shares the gap it is absent from:
//! - a lookup of an absent key shares the gap around the key;
//! - a range shares the gap before each key it comes to, shares that key, and shares the gap behind its last key.
//!
//! A key is inserted while its gap is held exclusively, which needs to last no longer than the insertion: from then on the new key, locked exclusively until the
//! commit, stops every reader. It divides the gap. Nobody but perhaps the inserter shares the gap at that moment, and the inserter then shares both halves.
//!
//! A gap is found before it is locked, so it may have changed in between: it is looked up again afterwards, until the lookup before and the one after agree.
//! While a gap is held, shared or exclusively, it cannot be divided, and the tuple that it belongs to cannot leave the index. It can grow, when the tuple
//! before it leaves the index; that tuple has no locks then, and a lock on more than was read is safe.
//!
//! A deleted key keeps its tuple, exclusively locked, until the commit, and for longer while anyone has a lock on it or its gap. So a deletion needs no lock
//! on the next key.
//!
//! The skip list is used through `get`, `get_or_insert`, `lower_bound`, `upper_bound`, `next`, `prev` and the removal of an entry. A value is never replaced, which that
//! list does not do atomically, and its iterators are not used, for they leak the entries that they visit.

use crate::conflict::Conflict;
use crate::core::{Core, Failure, Key, evict};
use crate::lock::Mode;
use crate::table::Row;
use crate::tuple::{End, Home, Locked, Tuple};
use crossbeam_skiplist::SkipMap;
use crossbeam_skiplist::map::Entry;
use std::borrow::Borrow;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Weak};

pub(crate) struct OrderedIndex<K, V> {
    tuples: SkipMap<K, Arc<Tuple<K, V>>>,
    end: Arc<dyn Locked>,
    itself: Weak<Self>,
}

/// A place in the list: an entry, or the end.
type Place<'i, K, V> = Option<Entry<'i, K, Arc<Tuple<K, V>>>>;

impl<K, V> OrderedIndex<K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new() -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            tuples: SkipMap::new(),
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
                if let Some(key) = lock_found(core, found.value(), mode)? {
                    return Ok(Some(key));
                }
                continue;
            }
            let at = self.share_gap(core, || self.tuples.lower_bound(Bound::Included(key)))?;
            if at.is_none_or(|at| at.key().borrow() != key) {
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
            let find = || self.tuples.lower_bound::<K>(Bound::Included(&key));
            let at = find();
            if let Some(found) = at.as_ref().filter(|at| *at.key() == key) {
                if let Some(key) = lock_found(core, found.value(), Mode::Exclusive)? {
                    return Ok(key);
                }
                continue;
            }
            let owner = self.owner(&at);
            let entered = match core.enter_gap(&owner) {
                Ok(entered) => entered,
                Err(Failure::Conflict(conflict)) => return Err(conflict),
                Err(Failure::Dead) => {
                    evict(&*owner);
                    continue;
                }
            };
            if !same(&at, &find()) {
                continue;
            }
            let (tuple, locked) =
                core.new_tuple(key.clone(), self.itself.clone(), entered.shared_before);
            let inserted = self.tuples.get_or_insert(key, tuple.clone());
            debug_assert!(Arc::ptr_eq(inserted.value(), &tuple), "the gap was ours");
            return Ok(locked);
        }
    }

    /// The rows of a range, locked one by one as they are reached, from both ends.
    pub(crate) fn rows<'c, R: RangeBounds<K>>(
        &'c self,
        core: &'c Core,
        range: R,
    ) -> Rows<'c, K, V, R> {
        Rows {
            index: self,
            core,
            range,
            front: None,
            back: None,
            over: false,
        }
    }

    /// The tuples and the locks on them.
    pub(crate) fn count(&self) -> (usize, usize) {
        let (mut tuples, mut locks) = (0, self.end.locks().count());
        let mut at = self.tuples.front();
        while let Some(entry) = at {
            tuples += 1;
            locks += entry.value().locks().count();
            at = entry.next();
        }
        (tuples, locks)
    }

    /// Shares the gap before the place that `find` finds, once that is stable.
    fn share_gap<'i>(
        &'i self,
        core: &Core,
        find: impl Fn() -> Place<'i, K, V>,
    ) -> Result<Place<'i, K, V>, Conflict> {
        let mut at = find();
        loop {
            let owner = self.owner(&at);
            match core.share_gap(&owner) {
                Ok(()) => {}
                Err(Failure::Conflict(conflict)) => return Err(conflict),
                Err(Failure::Dead) => {
                    evict(&*owner);
                    at = find();
                    continue;
                }
            }
            let again = find();
            if same(&at, &again) {
                return Ok(at);
            }
            at = again;
        }
    }

    /// To whom the gap before a place belongs.
    fn owner(&self, at: &Place<'_, K, V>) -> Arc<dyn Locked> {
        match at {
            Some(entry) => entry.value().clone(),
            None => self.end.clone(),
        }
    }
}

impl<K, V> Home<K, V> for OrderedIndex<K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn evict(&self, tuple: &Tuple<K, V>) {
        let found = self.tuples.get(&tuple.key);
        if let Some(entry) = found.filter(|entry| std::ptr::eq(Arc::as_ptr(entry.value()), tuple)) {
            entry.remove();
        }
    }
}

fn same<K, V>(left: &Place<'_, K, V>, right: &Place<'_, K, V>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => Arc::ptr_eq(left.value(), right.value()),
        (None, None) => true,
        _ => false,
    }
}

/// `None`: it was dead; now it has left the index.
fn lock_found<'c, K, V>(
    core: &'c Core,
    tuple: &Arc<Tuple<K, V>>,
    mode: Mode,
) -> Result<Option<Key<'c, K, V>>, Conflict>
where
    Tuple<K, V>: Locked + 'static,
{
    match core.lock_key(tuple, mode) {
        Ok(key) => Ok(Some(key)),
        Err(Failure::Conflict(conflict)) => Err(conflict),
        Err(Failure::Dead) => {
            evict(&**tuple);
            Ok(None)
        }
    }
}

/// See [`OrderedIndex::rows`].
pub(crate) struct Rows<'c, K, V, R> {
    index: &'c OrderedIndex<K, V>,
    core: &'c Core,
    range: R,
    /// The last entry that was reached from the front, and from the back. This transaction holds their keys, so they stay in the list.
    front: Place<'c, K, V>,
    back: Place<'c, K, V>,
    over: bool,
}

impl<'c, K, V, R> Rows<'c, K, V, R>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    R: RangeBounds<K>,
{
    /// The next row from the front: first the gap before it, then its key.
    fn step(&mut self) -> Result<Option<Row<'c, K, V>>, Conflict> {
        let tuples = &self.index.tuples;
        loop {
            let find = || match &self.front {
                Some(front) => front.next(),
                None => tuples.lower_bound(self.range.start_bound()),
            };
            let next = self.index.share_gap(self.core, find)?;
            let Some(entry) = next.filter(|at| self.is_before_back(at.key())) else {
                return Ok(None);
            };
            let Some(key) = lock_found(self.core, entry.value(), Mode::Shared)? else {
                continue;
            };
            self.front = Some(entry);
            if let Some(value) = self.core.value(key) {
                return Ok(Some((&key.tuple.key, value)));
            }
        }
    }

    /// The next row from the back: first the gap behind it, then its key.
    fn step_back(&mut self) -> Result<Option<Row<'c, K, V>>, Conflict> {
        let tuples = &self.index.tuples;
        loop {
            self.index.share_gap(self.core, || match &self.back {
                Some(back) => Some(back.clone()),
                None => match self.range.end_bound() {
                    Bound::Included(end) => tuples.lower_bound(Bound::Excluded(end)),
                    Bound::Excluded(end) => tuples.lower_bound(Bound::Included(end)),
                    Bound::Unbounded => None,
                },
            })?;
            // Nothing can come in between now.
            let previous = match &self.back {
                Some(back) => back.prev(),
                None => tuples.upper_bound(self.range.end_bound()),
            };
            let Some(entry) = previous.filter(|at| self.is_behind_front(at.key())) else {
                return Ok(None);
            };
            let Some(key) = lock_found(self.core, entry.value(), Mode::Shared)? else {
                continue;
            };
            self.back = Some(entry);
            if let Some(value) = self.core.value(key) {
                return Ok(Some((&key.tuple.key, value)));
            }
        }
    }

    fn is_before_back(&self, key: &K) -> bool {
        let back = self.back.as_ref();
        let in_range = match self.range.end_bound() {
            Bound::Included(end) => key <= end,
            Bound::Excluded(end) => key < end,
            Bound::Unbounded => true,
        };
        in_range && back.is_none_or(|back| key < back.key())
    }

    fn is_behind_front(&self, key: &K) -> bool {
        let front = self.front.as_ref();
        let in_range = match self.range.start_bound() {
            Bound::Included(start) => key >= start,
            Bound::Excluded(start) => key > start,
            Bound::Unbounded => true,
        };
        in_range && front.is_none_or(|front| key > front.key())
    }

    fn end_if_over<T>(&mut self, step: Result<Option<T>, Conflict>) -> Option<Result<T, Conflict>> {
        let row = step.transpose();
        self.over = !matches!(row, Some(Ok(_)));
        row
    }
}

impl<'c, K, V, R> Iterator for Rows<'c, K, V, R>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    R: RangeBounds<K>,
{
    type Item = Result<Row<'c, K, V>, Conflict>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let step = self.step();
        self.end_if_over(step)
    }
}

impl<K, V, R> DoubleEndedIterator for Rows<'_, K, V, R>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    R: RangeBounds<K>,
{
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let step = self.step_back();
        self.end_if_over(step)
    }
}
