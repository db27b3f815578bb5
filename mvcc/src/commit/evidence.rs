//! What a commit looks at to tell whether what a transaction has found absent, or in a range, is
//! still the same.

use crate::rows::cause::ConflictCause;
use crate::rows::core::TableCore;
use crate::rows::hash::Hash;
use crate::rows::protected::Protected;
use crate::rows::tree::{Direction, NodeRead, TreeKey, walk};
use crate::rows::tuple::{Tuple, key_of};
use std::ops::Bound;
use std::ptr::NonNull;

/// How a commit can tell whether a key is still absent that had no value, or not even a tuple.
pub enum Absence {
    /// It looks the hash up again.
    Hash {
        hash: Hash,
        /// The tuples of other keys with the same hash.
        others: Vec<NonNull<Tuple>>,
    },
    /// It looks at the place in the order of keys.
    Range(RangeRead),
}

/// A range that a read-write transaction has read (I10). It can tell whether the same tuples are
/// there still, or find out which are.
pub struct RangeRead {
    pub(crate) table: NonNull<TableCore>,
    /// What it means to the transaction if it changes.
    pub(crate) cause: ConflictCause,
    /// Where the range was found, in the order of a walk in this direction. `None`: it has to be
    /// walked through again.
    nodes: Option<(Direction, Vec<NodeRead>)>,
    /// Gone while user code runs with them that may use the transaction.
    bounds: Option<Box<dyn WalkAgain>>,
}

impl RangeRead {
    /// What a walk has found between two bounds.
    pub(crate) fn new<K: TreeKey>(
        table: &TableCore,
        direction: Direction,
        nodes: Vec<NodeRead>,
        bounds: (Bound<K>, Bound<K>),
        cause: ConflictCause,
    ) -> Self {
        Self {
            table: NonNull::from(table),
            cause,
            nodes: Some((direction, nodes)),
            bounds: Some(Box::new(TypedBounds(bounds.0, bounds.1))),
        }
    }

    /// Whether a walk would find the same tuples. Runs no user code.
    pub(crate) fn is_unchanged(&self) -> bool {
        let nodes = self.nodes.as_ref();
        nodes.is_some_and(|(_, nodes)| nodes.iter().all(NodeRead::is_unchanged))
    }

    pub(crate) fn tuples(&self) -> impl Iterator<Item = NonNull<Tuple>> {
        let nodes = self.nodes.iter().flat_map(|(_, nodes)| nodes);
        nodes.flat_map(NodeRead::tuples).copied()
    }

    /// Finds out which tuples are there now. Compares keys.
    pub(crate) fn walk_again(&mut self, protected: Protected<'_>) {
        if let Some(bounds) = &self.bounds {
            self.found_again(bounds.walk(self.table, protected));
        }
    }

    /// Notes which tuples there are now.
    pub(crate) fn found_again(&mut self, nodes: Vec<NodeRead>) {
        self.nodes = Some((Direction::Up, nodes));
    }

    /// Takes the bounds, for what runs user code. `None`: something of the kind is under way.
    pub(crate) fn take_bounds(&mut self) -> Option<Box<dyn WalkAgain>> {
        self.bounds.take()
    }

    pub(crate) fn put_back(&mut self, bounds: Box<dyn WalkAgain>) {
        self.bounds = Some(bounds);
    }

    /// Forgets what a read in this direction has found beyond a tuple; see [`WalkAgain::stop`].
    pub(crate) fn stop(&mut self, direction: Direction, last: NonNull<Tuple>) {
        let Some((order, mut nodes)) = self.nodes.take() else {
            return;
        };
        let position = |node: &NodeRead| node.tuples().iter().position(|&tuple| tuple == last);
        let mut numbered = nodes.iter().enumerate();
        let found = numbered.find_map(|(number, node)| Some((number, position(node)?)));
        if let Some((number, position)) = found
            && order == direction
        {
            nodes.truncate(number + 1);
            nodes[number].cut(direction, position);
            self.nodes = Some((order, nodes));
        }
    }
}

/// The bounds of a range, for those who do not know their type. Runs user code: compares, clones
/// and drops keys.
pub(crate) trait WalkAgain {
    /// What there is now between them, in their table.
    fn walk(&self, table: NonNull<TableCore>, protected: Protected<'_>) -> Vec<NodeRead>;

    /// Lets a read in this direction end with a tuple that it has found.
    fn stop(&mut self, direction: Direction, last: NonNull<Tuple>);
}

struct TypedBounds<K>(Bound<K>, Bound<K>);

impl<K: TreeKey> WalkAgain for TypedBounds<K> {
    fn walk(&self, table: NonNull<TableCore>, protected: Protected<'_>) -> Vec<NodeRead> {
        // SAFETY: the database keeps the table.
        let table = unsafe { table.as_ref() };
        // SAFETY: bounds are made with their table's key type.
        let tree = unsafe { table.index.tree() };
        let bounds = (&self.0, &self.1);
        walk(tree, bounds, Direction::Up, usize::MAX, protected).nodes
    }

    fn stop(&mut self, direction: Direction, last: NonNull<Tuple>) {
        // SAFETY: a row that the reader has seen.
        let last = Bound::Included(unsafe { key_of::<K>(last) }.clone());
        match direction {
            Direction::Up => self.1 = last,
            Direction::Down => self.0 = last,
        }
    }
}

#[cfg(test)]
mod tests;
