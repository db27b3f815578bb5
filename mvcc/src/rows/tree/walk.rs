//! Walks along the leaves, upwards and downwards, and whether they would find the same again.

use super::content::Content;
use super::{Node, Tree, TreeKey};
use crate::rows::prefetch::{prefetch, prefetch_tuple};
use crate::rows::protected::Protected;
use crate::rows::tuple::{Tuple, key_of};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, Wait, bug};
use std::cmp::Ordering as Order;
use std::ops::Bound;
use std::ptr::NonNull;

/// From which end a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key on.
    Up,
    /// From the largest key on.
    Down,
}

/// Part of a leaf that was walked through, entries `from..to`. Without types, so that a commit can
/// look at it.
///
/// The node, and the content as it was, stay allocated as long as the slot of the transaction is
/// open.
#[derive(Clone, Copy)]
pub(crate) struct NodeRead {
    node: NonNull<AtomicPtr<()>>,
    content: NonNull<()>,
    len_word: NonNull<AtomicUsize>,
    tuples: NonNull<NonNull<Tuple>>,
    len: usize,
    from: usize,
    to: usize,
}

impl NodeRead {
    fn new<K>(node: &Node<K>, content: &Content<K>, len: usize, from: usize, to: usize) -> Self {
        Self {
            node: NonNull::from(&node.content).cast(),
            content: NonNull::from(content).cast(),
            len_word: NonNull::from(content.len_word()),
            tuples: content.tuples(),
            len,
            from,
            to,
        }
    }

    /// Whether a walk would find the same tuples here. For a transaction whose slot is open since
    /// the walk.
    pub(crate) fn is_unchanged(&self) -> bool {
        // SAFETY: see the type. Acquire: what we look at next is at least as new.
        let (content, len) = unsafe {
            (
                self.node.as_ref().load(Ordering::Acquire),
                self.len_word.as_ref().load(Ordering::Acquire),
            )
        };
        content == self.content.as_ptr() && (self.to < self.len || len == self.len)
    }

    /// Keeps what a walk in this direction has found up to the tuple at a position.
    pub(crate) fn cut(&mut self, direction: Direction, position: usize) {
        match direction {
            Direction::Up => self.to = self.from + position + usize::from(!bug!("range-cut-short")),
            Direction::Down => self.from += position,
        }
    }

    /// The tuples that the walk found here.
    pub(crate) fn tuples(&self) -> &[NonNull<Tuple>] {
        // SAFETY: see the type; entries below the length never change.
        unsafe {
            std::slice::from_raw_parts(self.tuples.add(self.from).as_ptr(), self.to - self.from)
        }
    }
}

/// What a walk has found.
pub(crate) struct Walked {
    direction: Direction,
    /// In the order of the walk.
    pub(crate) nodes: Vec<NodeRead>,
    /// How many tuples there are in them.
    len: usize,
    /// Whether there is nothing more in the range.
    pub(crate) is_complete: bool,
}

impl<K: TreeKey> Tree<K> {
    /// Walks upwards through the keys to the right of `start` and to the left of `end`, as far as
    /// `limit` tuples. Each tells on which side of the bound a key is: `Less` is left, `Greater` is
    /// right.
    pub(crate) fn walk_up(
        &self,
        protected: Protected<'_>,
        start: impl Fn(&K) -> Order,
        end: impl Fn(&K) -> Order,
        limit: usize,
    ) -> Walked {
        let mut walked = Walked::new(Direction::Up);
        let (mut node, mut content) = self.descend(0, protected, &start);
        // The keys below are done with.
        let mut low: Option<&K> = None;
        loop {
            let len = content.len();
            let right = content.right();
            if let Some(right) = right {
                prefetch(right.as_ptr());
            }
            content.prefetch_entries();
            let from = match low {
                None => bound(content, len, &start),
                // As a rule, all of the next leaf is to the right of the last one.
                Some(low) if len > 0 && content.key(0) < low && !bug!("walk-begins-anew") => {
                    bound(content, len, side_of(low))
                }
                Some(_) => 0,
            };
            let to = match content.high() {
                // So are all of its keys.
                Some(high) if end(high).is_lt() || bug!("walk-beyond-its-end") => len,
                _ => bound(content, len, &end).max(from),
            };
            let taken = (to - from).min(limit - walked.len);
            if from + taken == len
                && let Some(right) = right
            {
                // SAFETY: linked from a content that we may use.
                prefetch(unsafe { right.as_ref() }.content(protected));
            }
            walked.take(node, content, len, from, from + taken);
            if from + taken < to {
                return walked;
            }
            let next = content.high().filter(|high| to == len && end(high).is_lt());
            let (Some(high), Some(right)) = (next, right) else {
                walked.is_complete = true;
                return walked;
            };
            if walked.len == limit {
                return walked;
            }
            low = Some(high);
            // SAFETY: linked from a content that we may use.
            node = unsafe { right.as_ref() };
            content = node.content(protected);
            while let Some(next) = content.beyond(|key| {
                if key > high {
                    Order::Greater
                } else {
                    Order::Less
                }
            }) {
                // SAFETY: as above.
                node = unsafe { next.as_ref() };
                content = node.content(protected);
            }
        }
    }

    /// The same downwards.
    pub(crate) fn walk_down(
        &self,
        protected: Protected<'_>,
        start: impl Fn(&K) -> Order,
        end: impl Fn(&K) -> Order,
        limit: usize,
    ) -> Walked {
        let mut walked = Walked::new(Direction::Down);
        let (mut node, mut content, mut low) = self.descend_from(protected, &end);
        let mut high: Option<&K> = None;
        loop {
            let len = content.len();
            let to = match high {
                Some(high) => bound(content, len, side_of(high)),
                None => bound(content, len, &end),
            };
            let from = bound(content, len, &start).min(to);
            let taken = (to - from).min(limit - walked.len);
            walked.take(node, content, len, to - taken, to);
            if to - taken > from {
                return walked;
            }
            let Some(next) = low.filter(|low| from == 0 && start(low).is_gt()) else {
                walked.is_complete = true;
                return walked;
            };
            if walked.len == limit {
                return walked;
            }
            high = Some(next);
            (node, content, low) = self.descend_from(protected, side_of(next));
        }
    }

    /// The leaf with the keys directly to the left of a place, and the lower bound of the keys in
    /// it.
    fn descend_from<'p>(
        &self,
        protected: Protected<'p>,
        side: impl Fn(&K) -> Order,
    ) -> (&'p Node<K>, &'p Content<K>, Option<&'p K>) {
        let mut node = self.root(protected);
        let mut low = None;
        let mut wait = Wait::new();
        loop {
            let content = node.content(protected);
            let next = if content.is_merged() {
                // The left neighbour begins further down, we do not know where. The merge has only
                // to tell the parent. What was the root is so no more.
                wait.turn();
                low = None;
                NonNull::from(self.root(protected))
            } else if let Some(right) = content.beyond(&side) {
                low = content.high();
                right
            } else if content.level() == 0 {
                return (node, content, low);
            } else {
                let number = content.child_number(&side);
                low = number.checked_sub(1).map(|at| content.key(at)).or(low);
                content.node(number)
            };
            // SAFETY: linked from a content that we may use.
            node = unsafe { next.as_ref() };
        }
    }
}

impl Walked {
    fn new(direction: Direction) -> Self {
        Self {
            direction,
            nodes: Vec::new(),
            len: 0,
            is_complete: false,
        }
    }

    fn take<K>(
        &mut self,
        node: &Node<K>,
        content: &Content<K>,
        len: usize,
        from: usize,
        to: usize,
    ) {
        let read = NodeRead::new(node, content, len, from, to);
        for tuple in read.tuples() {
            prefetch_tuple(tuple.as_ptr());
        }
        self.len += to - from;
        self.nodes.push(read);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The tuples, ascending. For those who are still protected as they were during the walk.
    #[inline]
    pub(crate) fn tuples(&self) -> impl Iterator<Item = NonNull<Tuple>> {
        let nodes = (0..self.nodes.len()).map(|at| match self.direction {
            Direction::Up => &self.nodes[at],
            Direction::Down => &self.nodes[self.nodes.len() - 1 - at],
        });
        nodes.flat_map(|node| node.tuples().iter().copied())
    }

    /// The last of them.
    pub(crate) fn last(&self) -> Option<NonNull<Tuple>> {
        let mut parts = self.nodes.iter().rev().map(NodeRead::tuples);
        let last = parts.find(|tuples| !tuples.is_empty())?;
        match self.direction {
            Direction::Up => last.last(),
            Direction::Down => last.first(),
        }
        .copied()
    }
}

/// On which side of the place directly to the left of a key another one is.
pub(super) fn side_of<K: Ord>(bound: &K) -> impl Fn(&K) -> Order {
    move |key| {
        if key < bound {
            Order::Less
        } else {
            Order::Greater
        }
    }
}

/// How many keys are to the left of a bound.
fn bound<K>(content: &Content<K>, len: usize, side: impl Fn(&K) -> Order) -> usize {
    content.find(len, side).unwrap_or_else(|left| left)
}

/// The key of the last tuple of a walk, unless there is nothing beyond. For those who are still
/// protected as they were during the walk.
pub(crate) fn last_key<K: Clone>(walked: &Walked) -> Option<K> {
    let last = walked.last().filter(|_| !walked.is_complete);
    // SAFETY: found in a tree of such keys, and the caller is protected.
    last.map(|tuple| unsafe { key_of::<K>(tuple) }.clone())
}

/// Walks through the keys between two bounds.
pub(crate) fn walk<K: TreeKey>(
    tree: &Tree<K>,
    (start, end): (&Bound<K>, &Bound<K>),
    direction: Direction,
    limit: usize,
    protected: Protected<'_>,
) -> Walked {
    let start = |key: &K| match start {
        Bound::Included(start) if key < start => Order::Less,
        Bound::Excluded(start) if key <= start => Order::Less,
        _ => Order::Greater,
    };
    let end = |key: &K| match end {
        Bound::Included(end) if key > end => Order::Greater,
        Bound::Excluded(end) if key >= end => Order::Greater,
        _ => Order::Less,
    };
    match direction {
        Direction::Up => tree.walk_up(protected, start, end, limit),
        Direction::Down => tree.walk_down(protected, start, end, limit),
    }
}
