//! The iteration over a range of an ordered table.

use crate::conflict::Conflict;
use crate::core::Core;
use crate::lock::Mode;
use crate::ordered::{OrderedIndex, Place};
use crate::sync::bug;
use crate::tree::Run;
use crate::tuple::{Row, Tuple};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// Tuples that are looked up at once, at most. They are locked one by one.
const FARTHEST: usize = 31;

/// The rows of a range, locked one by one as they are reached, from both ends.
pub(crate) struct Rows<'c, K, V> {
    index: &'c OrderedIndex<K, V>,
    core: &'c Core,
    range: (Bound<K>, Bound<K>),
    /// The last tuple that was reached from the front, and from the back. The transaction holds
    /// their keys, so they stay in the index.
    front: Option<Arc<Tuple<K, V>>>,
    back: Option<Arc<Tuple<K, V>>>,
    /// What was behind the front at the last look.
    run: Option<Run<K, Tuple<K, V>>>,
    /// How many tuples the next look is for: the more, the more rows there have been.
    reach: usize,
    over: bool,
}

impl<'c, K, V> Rows<'c, K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(crate) fn new(
        index: &'c OrderedIndex<K, V>,
        core: &'c Core,
        range: (Bound<K>, Bound<K>),
    ) -> Self {
        Self {
            index,
            core,
            range,
            front: None,
            back: None,
            run: None,
            reach: 0,
            over: false,
        }
    }

    /// The next row from the front: first the gap before it, then its key.
    fn step(&mut self) -> Result<Option<Row<'c, K, V>>, Conflict> {
        loop {
            let next = self.next_place()?;
            let Some(tuple) = next.filter(|tuple| self.is_before_back(&tuple.key)) else {
                return Ok(None);
            };
            let Some(key) = self.core.lock_key(tuple.clone(), Mode::Shared)? else {
                continue;
            };
            self.front = Some(tuple);
            if let Some(value) = self.core.value(key) {
                return Ok(Some((&key.tuple.key, value)));
            }
        }
    }

    /// What follows the front, with the gap between the two shared.
    fn next_place(&mut self) -> Result<Place<K, V>, Conflict> {
        if let Some(run) = &mut self.run
            && let Some(tuple) = run.next()
            && self
                .index
                .share_gap_before(self.core, Some(tuple.clone()))?
            && (run.is_current() || bug!("run-not-checked"))
        {
            return Ok(Some(tuple));
        }
        let from = match &self.front {
            Some(front) => Bound::Excluded(&front.key),
            None => self.range.0.as_ref(),
        };
        let found = self.index.share_gap(self.core, from, self.reach)?;
        self.reach = (2 * self.reach + 1).min(FARTHEST);
        let (place, run) = found.unzip();
        self.run = run.flatten();
        Ok(place)
    }

    /// The next row from the back: first the gap behind it, then its key.
    fn step_back(&mut self) -> Result<Option<Row<'c, K, V>>, Conflict> {
        loop {
            self.share_gap_before_back()?;
            // Nothing can come in between now.
            let to = match &self.back {
                Some(back) => Bound::Excluded(&back.key),
                None => self.range.1.as_ref(),
            };
            let previous = self.index.last(to);
            let Some(tuple) = previous.filter(|tuple| self.is_behind_front(&tuple.key)) else {
                return Ok(None);
            };
            let Some(key) = self.core.lock_key(tuple.clone(), Mode::Shared)? else {
                continue;
            };
            self.back = Some(tuple);
            if let Some(value) = self.core.value(key) {
                return Ok(Some((&key.tuple.key, value)));
            }
        }
    }

    fn share_gap_before_back(&self) -> Result<(), Conflict> {
        let behind = match (&self.back, &self.range.1) {
            (None, Bound::Included(end)) => Bound::Excluded(end),
            (None, Bound::Excluded(end)) => Bound::Included(end),
            (at, _) => {
                let is_shared = self.index.share_gap_before(self.core, at.clone())?;
                debug_assert!(is_shared, "what is locked does not die");
                return Ok(());
            }
        };
        self.index.share_gap(self.core, behind, 0)?;
        Ok(())
    }

    fn is_before_back(&self, key: &K) -> bool {
        let back = self.back.as_ref();
        (Bound::Unbounded, self.range.1.as_ref()).contains(key)
            && back.is_none_or(|back| *key < back.key)
    }

    fn is_behind_front(&self, key: &K) -> bool {
        let front = self.front.as_ref();
        (self.range.0.as_ref(), Bound::Unbounded).contains(key)
            && front.is_none_or(|front| *key > front.key)
    }

    fn end_if_over<T>(&mut self, step: Result<Option<T>, Conflict>) -> Option<Result<T, Conflict>> {
        let row = step.transpose();
        self.over = !matches!(row, Some(Ok(_)));
        row
    }
}

impl<'c, K, V> Iterator for Rows<'c, K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
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

impl<K, V> DoubleEndedIterator for Rows<'_, K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let step = self.step_back();
        self.end_if_over(step)
    }
}
