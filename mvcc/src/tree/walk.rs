//! Walks along the leaves, upwards and downwards, and whether they would find the same again.

use super::content::Content;
use super::{Node, Tree, TreeKey};
use crate::protected::Protected;
use crate::range::Direction;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, Wait, bug};
use crate::tuple::Tuple;
use std::cmp::Ordering as Order;
use std::ptr::NonNull;

/// Part of a leaf that was walked through, entries `from..to`. Without types, so that a commit can look at it.
///
/// The node, and the content as it was, stay allocated as long as the slot of the transaction is open.
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

    /// Whether a walk would find the same tuples here. For a transaction whose slot is open since the walk.
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
#[derive(Default)]
pub(crate) struct Walked {
    /// In the order of the walk.
    pub(crate) nodes: Vec<NodeRead>,
    /// The tuples in the order of the walk.
    pub(crate) tuples: Vec<NonNull<Tuple>>,
    /// Whether there is nothing more in the range.
    pub(crate) is_complete: bool,
}

impl<K: TreeKey> Tree<K> {
    /// Walks upwards through the keys to the right of `start` and to the left of `end`, as far as `limit` tuples. Each tells on
    /// which side of the bound a key is: `Less` is left, `Greater` is right.
    pub(crate) fn walk_up(
        &self,
        protected: Protected<'_>,
        start: impl Fn(&K) -> Order,
        end: impl Fn(&K) -> Order,
        limit: usize,
    ) -> Walked {
        let mut walked = Walked::default();
        let (mut node, mut content) = self.descend(0, protected, &start);
        // The keys below are done with.
        let mut low: Option<&K> = None;
        loop {
            let len = content.len();
            let side = |key: &K| match low {
                Some(low) if key >= low => Order::Greater,
                Some(_) => Order::Less,
                None => start(key),
            };
            let from = bound(content, len, side);
            let to = bound(content, len, &end).max(from);
            let taken = (to - from).min(limit - walked.tuples.len());
            walked.take(node, content, len, from, from + taken);
            if from + taken < to {
                return walked;
            }
            let next = content.high().filter(|high| to == len && end(high).is_lt());
            let (Some(high), Some(right)) = (next, content.right()) else {
                walked.is_complete = true;
                return walked;
            };
            if walked.tuples.len() == limit {
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
        let mut walked = Walked::default();
        let (mut node, mut content, mut low) = self.descend_from(protected, &end);
        let mut high: Option<&K> = None;
        loop {
            let len = content.len();
            let to = match high {
                Some(high) => bound(content, len, |key| {
                    if key < high {
                        Order::Less
                    } else {
                        Order::Greater
                    }
                }),
                None => bound(content, len, &end),
            };
            let from = bound(content, len, &start).min(to);
            let taken = (to - from).min(limit - walked.tuples.len());
            walked.take(node, content, len, to - taken, to);
            if taken > 0 {
                let count = walked.tuples.len();
                walked.tuples[count - taken..].reverse();
            }
            if to - taken > from {
                return walked;
            }
            let Some(next) = low.filter(|low| from == 0 && start(low).is_gt()) else {
                walked.is_complete = true;
                return walked;
            };
            if walked.tuples.len() == limit {
                return walked;
            }
            high = Some(next);
            (node, content, low) = self.descend_from(protected, |key| {
                if key < next {
                    Order::Less
                } else {
                    Order::Greater
                }
            });
        }
    }

    /// The leaf with the keys directly to the left of a place, and the lower bound of the keys in it.
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
                // The left neighbour begins further down, we do not know where. The merge has only to tell the parent. What was the root is so no more.
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
    fn take<K>(
        &mut self,
        node: &Node<K>,
        content: &Content<K>,
        len: usize,
        from: usize,
        to: usize,
    ) {
        self.nodes.push(NodeRead::new(node, content, len, from, to));
        self.tuples.extend((from..to).map(|at| content.tuple(at)));
    }
}

/// How many keys are to the left of a bound.
fn bound<K>(content: &Content<K>, len: usize, side: impl Fn(&K) -> Order) -> usize {
    content.find(len, side).unwrap_or_else(|left| left)
}
