//! Ranges of ordered tables: reading them from both ends, and telling at the commit whether one would read the same.

use crate::conflict::ConflictCause;
use crate::prefetch::prefetch_newest;
use crate::protected::Protected;
use crate::read::RangeReader;
use crate::sync::SMALL;
use crate::table::{OrderedTable, TableCore, key_of};
use crate::tree::{NodeRead, Tree, TreeKey, Walked};
use crate::tuple::Tuple;
use std::cmp::Ordering as Order;
use std::marker::PhantomData;
use std::ops::Bound;
use std::ptr::NonNull;
use std::vec;

/// From which end a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key on.
    Up,
    /// From the largest key on.
    Down,
}

/// Tuples read at a time: few at first, since many ranges are left after a row or two; then more.
const FIRST_BATCH: usize = if SMALL { 1 } else { 8 };
const LARGEST_BATCH: usize = if SMALL { 4 } else { 64 };

/// Some rows of a range.
pub struct Rows<'r, K, V> {
    found: Vec<Row<'r, K, V>>,
    /// The key of the last tuple that was looked at, if there may be more beyond.
    last: Option<K>,
    /// What the reader calls this read.
    read: Option<usize>,
}

struct Row<'r, K, V> {
    /// Of a table with keys `K`. It has a value that the reader sees, so it stays as long as the reader.
    tuple: NonNull<Tuple>,
    value: &'r V,
    key: PhantomData<&'r K>,
}

impl<'r, K, V> Rows<'r, K, V> {
    /// The rows of a walk, in its order: those tuples that have a value. `last` comes from [`last_key`].
    pub(crate) fn new(
        walked: &Walked,
        last: Option<K>,
        read: Option<usize>,
        mut value_of: impl FnMut(NonNull<Tuple>) -> Option<&'r V>,
    ) -> Self {
        walked.tuples().for_each(|tuple| {
            // SAFETY: found by a protected reader, who still is.
            prefetch_newest(unsafe { tuple.as_ref() });
        });
        let mut found = Vec::with_capacity(walked.len());
        walked.tuples().for_each(|tuple| {
            found.extend(value_of(tuple).map(|value| Row {
                tuple,
                value,
                key: PhantomData,
            }));
        });
        Self { found, last, read }
    }
}

impl<'r, K, V> Row<'r, K, V> {
    fn parts(&self) -> (&'r K, &'r V) {
        // SAFETY: see the field.
        (unsafe { key_of(self.tuple) }, self.value)
    }
}

/// The key of the last tuple of a walk, unless there is nothing beyond. For those who are still protected as they were during the walk.
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

/// The rows of a range, from both ends.
pub(crate) struct RangeRows<'r, R: RangeReader, K: TreeKey, V> {
    reader: &'r R,
    table: &'r TableCore,
    /// What has not been read yet.
    bounds: Option<(Bound<K>, Bound<K>)>,
    batch: usize,
    front: End<'r, K, V>,
    back: End<'r, K, V>,
}

/// Rows that were read from one end, ascending.
struct End<'r, K, V> {
    rows: vec::IntoIter<Row<'r, K, V>>,
    read: Option<usize>,
    /// The last row that this end has handed out of these.
    last: Option<NonNull<Tuple>>,
    /// Whether the other end has handed out rows of this one.
    is_shared: bool,
}

impl<K, V> Default for End<'_, K, V> {
    fn default() -> Self {
        Self {
            rows: Vec::new().into_iter(),
            read: None,
            last: None,
            is_shared: false,
        }
    }
}

impl<'r, R: RangeReader, K: TreeKey, V> RangeRows<'r, R, K, V> {
    pub(crate) fn new(
        reader: &'r R,
        table: &'r OrderedTable<K, V>,
        bounds: (Bound<K>, Bound<K>),
    ) -> Self {
        Self {
            reader,
            table: &table.core,
            bounds: Some(bounds),
            batch: FIRST_BATCH,
            front: End::default(),
            back: End::default(),
        }
    }

    /// Reads on at one end until there is a row, or nothing more.
    #[cold]
    fn fetch(&mut self, direction: Direction) {
        let end = match direction {
            Direction::Up => &mut self.front,
            Direction::Down => &mut self.back,
        };
        while end.rows.len() == 0
            && let Some((start, stop)) = self.bounds.take()
        {
            // SAFETY: the table's types.
            let mut rows = unsafe {
                self.reader
                    .read_range(self.table, (&start, &stop), direction, self.batch)
            };
            self.batch = (8 * self.batch).min(LARGEST_BATCH);
            self.bounds = rows.last.map(|last| match direction {
                Direction::Up => (Bound::Excluded(last), stop),
                Direction::Down => (start, Bound::Excluded(last)),
            });
            if direction == Direction::Down {
                rows.found.reverse();
            }
            *end = End {
                rows: rows.found.into_iter(),
                read: rows.read,
                last: None,
                is_shared: false,
            };
        }
    }
}

impl<'r, R: RangeReader, K: TreeKey, V> Iterator for RangeRows<'r, R, K, V> {
    type Item = (&'r K, &'r V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.front.rows.len() == 0 {
            self.fetch(Direction::Up);
        }
        let row = if let Some(row) = self.front.rows.next() {
            self.front.last = Some(row.tuple);
            row
        } else {
            self.back.is_shared = true;
            self.back.rows.next()?
        };
        Some(row.parts())
    }
}

impl<R: RangeReader, K: TreeKey, V> DoubleEndedIterator for RangeRows<'_, R, K, V> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.back.rows.len() == 0 {
            self.fetch(Direction::Down);
        }
        let row = if let Some(row) = self.back.rows.next_back() {
            self.back.last = Some(row.tuple);
            row
        } else {
            self.front.is_shared = true;
            self.front.rows.next_back()?
        };
        Some(row.parts())
    }
}

impl<R: RangeReader, K: TreeKey, V> Drop for RangeRows<'_, R, K, V> {
    /// Lets the reader forget what was read ahead.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let ends = [(&self.front, Direction::Up), (&self.back, Direction::Down)];
        for (end, direction) in ends {
            if let (Some(read), Some(last)) = (end.read, end.last)
                && !end.is_shared
                && end.rows.len() > 0
            {
                // SAFETY: the table's key type.
                unsafe { self.reader.stop_range::<K>(read, direction, last) };
            }
        }
    }
}

/// A range that a read-write transaction has read. It can tell whether the same tuples are there still, or find out which are.
pub struct RangeRead {
    pub(crate) table: NonNull<TableCore>,
    /// What it means to the transaction if it changes.
    pub(crate) cause: ConflictCause,
    /// Where the range was found, in the order of a walk in this direction. `None`: it has to be walked through again.
    nodes: Option<(Direction, Vec<NodeRead>)>,
    bounds: Box<dyn WalkAgain>,
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
            bounds: Box::new(TypedBounds(bounds.0, bounds.1)),
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
        // SAFETY: the database keeps the table.
        let table = unsafe { self.table.as_ref() };
        self.nodes = Some((Direction::Up, self.bounds.walk(table, protected)));
    }

    /// Forgets what a read in this direction has found beyond a tuple.
    pub(crate) fn stop(&mut self, direction: Direction, last: NonNull<Tuple>) {
        self.bounds.stop(direction, last);
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

/// The bounds of a range, for those who do not know their type.
trait WalkAgain {
    fn walk(&self, table: &TableCore, protected: Protected<'_>) -> Vec<NodeRead>;
    fn stop(&mut self, direction: Direction, last: NonNull<Tuple>);
}

struct TypedBounds<K>(Bound<K>, Bound<K>);

impl<K: TreeKey> WalkAgain for TypedBounds<K> {
    fn walk(&self, table: &TableCore, protected: Protected<'_>) -> Vec<NodeRead> {
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
