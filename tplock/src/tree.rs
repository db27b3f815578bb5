//! The tree of ordered tables. It has two levels, so that its locks are sharded by ranges of keys,
//! as those of a `DashMap` are by hashes.
//!
//! A *segment* has the entries of a range. Who looks something up shares the *shape*, which says
//! where each segment begins, and then a segment. Who adds or removes an entry shares the shape as
//! well, and excludes others from one segment. Only to split or to merge segments, others are
//! excluded from the shape.
//!
//! Whatever is looked up in several segments is looked up from above to below; `ordered.rs` relies
//! on it: an entry that [`Tree::first`] or [`Tree::last`] misses was added after its place was
//! looked at, so after all that lies above was looked at.
//!
//! Comparisons may panic: none is made while entries are on their way from one segment to another.

use crate::sync::{AtomicUsize, RwLock, ShardedLock};
use arrayvec::ArrayVec;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Entries of a segment. An insertion moves half of them, on average; a search in the shape is the
/// shorter the more they are.
const MOST: usize = if cfg!(any(shuttle, test)) { 4 } else { 64 };

pub(crate) struct Tree<K, T> {
    shape: ShardedLock<Shape<K, T>>,
}

struct Shape<K, T> {
    first: Arc<Segment<K, T>>,
    /// By the least key that belongs to them.
    others: BTreeMap<K, Arc<Segment<K, T>>>,
}

struct Segment<K, T> {
    /// Ascending.
    entries: RwLock<ArrayVec<(K, Arc<T>), MOST>>,
    /// How often something was added or moved. Changes while others are excluded from the entries.
    changes: AtomicUsize,
}

/// An entry, and some that follow it if they were asked for.
pub(crate) type Found<K, T> = (Arc<T>, Option<Run<K, T>>);

/// Entries that follow one another in a segment.
pub(crate) struct Run<K, T> {
    segment: Arc<Segment<K, T>>,
    changes: usize,
    values: std::vec::IntoIter<Arc<T>>,
}

impl<K, T> Iterator for Run<K, T> {
    type Item = Arc<T>;

    fn next(&mut self) -> Option<Arc<T>> {
        self.values.next()
    }
}

impl<K, T> Run<K, T> {
    /// Whether nothing came in between them since they were looked up. Of what did, the caller was
    /// made aware by a lock that both have taken. So: Relaxed.
    pub(crate) fn is_current(&self) -> bool {
        self.segment.changes.load(Relaxed) == self.changes
    }
}

impl<K: Ord + Clone, T> Tree<K, T> {
    pub(crate) fn new() -> Self {
        Self {
            shape: ShardedLock::new(Shape {
                first: Segment::new(),
                others: BTreeMap::new(),
            }),
        }
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<Arc<T>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let shape = self.shape.read();
        let entries = shape.segment_of(key).entries.read();
        let at = entries.binary_search_by(|(other, _)| other.borrow().cmp(key));
        at.ok().map(|at| entries[at].1.clone())
    }

    /// The first entry from a bound on, and so many that follow it, or fewer.
    pub(crate) fn first<Q>(&self, from: Bound<&Q>, more: usize) -> Option<Found<K, T>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let shape = self.shape.read();
        let (home, above) = match from {
            Bound::Included(key) | Bound::Excluded(key) => {
                (shape.segment_of(key), Bound::Excluded(key))
            }
            Bound::Unbounded => (&shape.first, Bound::Unbounded),
        };
        let above = shape.others.range::<Q, _>((above, Bound::Unbounded));
        first_of(home, above.map(|(_, segment)| segment), from, more)
    }

    /// The last entry up to a bound.
    pub(crate) fn last(&self, to: Bound<&K>) -> Option<Arc<T>> {
        let shape = self.shape.read();
        let segments = shape.others.range::<K, _>((Bound::Unbounded, to));
        let found = segments.rev().find_map(|(_, segment)| segment.last(to));
        found.or_else(|| shape.first.last(to))
    }

    /// Adds an entry. False: there is one already.
    pub(crate) fn insert(&self, key: K, value: Arc<T>) -> bool {
        loop {
            let shape = self.shape.read();
            let segment = shape.segment_of(&key);
            let mut entries = segment.entries.write();
            let Err(at) = entries.binary_search_by(|(other, _)| other.cmp(&key)) else {
                return false;
            };
            if !entries.is_full() {
                entries.insert(at, (key, value));
                segment.changes.fetch_add(1, Relaxed);
                return true;
            }
            drop(entries);
            drop(shape);
            self.shape.write().split(&key);
        }
    }

    /// Removes an entry, if it still is this one.
    pub(crate) fn remove(&self, key: &K, value: &T) {
        let shape = self.shape.read();
        let segment = shape.segment_of(key);
        let is_first = Arc::ptr_eq(segment, &shape.first);
        let mut entries = segment.entries.write();
        let at = entries.binary_search_by(|(other, _)| other.cmp(key)).ok();
        let at = at.filter(|&at| std::ptr::eq(&raw const *entries[at].1, value));
        let removed = at.map(|at| entries.remove(at));
        let too_few = removed.is_some() && entries.len() <= MOST / 4 && !is_first;
        drop(entries);
        drop(shape);
        if too_few {
            self.shape.write().merge(key);
        }
    }

    /// All values there are.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let shape = self.shape.read();
        let segments = std::iter::once(&shape.first).chain(shape.others.values());
        let mut values = Vec::new();
        for segment in segments {
            let entries = segment.entries.read();
            values.extend(entries.iter().map(|(_, value)| value.clone()));
        }
        values
    }
}

impl<K: Ord + Clone, T> Shape<K, T> {
    /// The segment that a key belongs to.
    fn segment_of<Q>(&self, key: &Q) -> &Arc<Segment<K, T>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let segments = (Bound::Unbounded, Bound::Included(key));
        let last = self.others.range::<Q, _>(segments).next_back();
        last.map_or(&self.first, |(_, segment)| segment)
    }

    /// Splits the segment of a key, if it still is full.
    fn split(&mut self, key: &K) {
        let lower = self.segment_of(key).clone();
        let mut entries = lower.entries.write();
        if !entries.is_full() {
            return;
        }
        let upper = Segment::new();
        let least = entries[MOST / 2].0.clone();
        self.others.insert(least, upper.clone());
        // No comparison from here on.
        upper.entries.write().extend(entries.drain(MOST / 2..));
        lower.changes.fetch_add(1, Relaxed);
    }

    /// Merges the segment of a key with the one before it, if few entries are left in both. The
    /// first segment stays.
    fn merge(&mut self, key: &K) {
        let mut segments = self.others.range(..=key).rev();
        let Some((least, upper)) = segments.next() else {
            return;
        };
        let (least, upper) = (least.clone(), upper.clone());
        let lower = segments.next().map_or(&self.first, |(_, segment)| segment);
        let lower = lower.clone();
        let (mut entries, mut lower_entries) = (upper.entries.write(), lower.entries.write());
        if entries.len() + lower_entries.len() > MOST / 2 && !entries.is_empty() {
            return;
        }
        self.others.remove(&least);
        // No comparison from here on.
        lower_entries.extend(entries.drain(..));
        upper.changes.fetch_add(1, Relaxed);
        lower.changes.fetch_add(1, Relaxed);
    }
}

impl<K, T> Segment<K, T> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            entries: RwLock::new(ArrayVec::new()),
            changes: AtomicUsize::new(0),
        })
    }

    /// The first entry from a bound on, and those that follow it.
    fn first<Q>(self: &Arc<Self>, from: Bound<&Q>, more: usize) -> Option<Found<K, T>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let entries = self.entries.read();
        let at = match from {
            Bound::Included(from) => entries.partition_point(|(key, _)| key.borrow() < from),
            Bound::Excluded(from) => entries.partition_point(|(key, _)| key.borrow() <= from),
            Bound::Unbounded => 0,
        };
        let mut values = entries[at..].iter().map(|(_, value)| value.clone());
        let first = values.next()?;
        let run = || Run {
            segment: self.clone(),
            changes: self.changes.load(Relaxed),
            values: values.take(more).collect::<Vec<_>>().into_iter(),
        };
        Some((first, (more > 0).then(run)))
    }

    /// The last entry up to a bound.
    fn last(&self, to: Bound<&K>) -> Option<Arc<T>>
    where
        K: Ord,
    {
        let entries = self.entries.read();
        let end = match to {
            Bound::Included(to) => entries.partition_point(|(key, _)| key <= to),
            Bound::Excluded(to) => entries.partition_point(|(key, _)| key < to),
            Bound::Unbounded => entries.len(),
        };
        entries[..end].last().map(|(_, value)| value.clone())
    }
}

/// The first entry of a segment from a bound on, or else of those above it.
fn first_of<'s, K, T, Q>(
    segment: &'s Arc<Segment<K, T>>,
    mut above: impl Iterator<Item = &'s Arc<Segment<K, T>>>,
    from: Bound<&Q>,
    more: usize,
) -> Option<Found<K, T>>
where
    K: Borrow<Q> + 's,
    T: 's,
    Q: Ord + ?Sized,
{
    segment.first(from, more).or_else(|| {
        let found_above = first_of(above.next()?, above, from, more);
        // Looked at again, now that all above has been looked at.
        segment.first(from, more).or(found_above)
    })
}

#[cfg(test)]
mod tests;
