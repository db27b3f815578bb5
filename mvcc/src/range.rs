//! Ranges of ordered tables: reading them from both ends, and telling at the commit whether one would read the same.

use crate::cause::ConflictCause;
use crate::core::TableCore;
use crate::prefetch::prefetch_newest;
use crate::protected::{Internal, Protected};
use crate::read::RangeReader;
use crate::sync::SMALL;
use crate::table::OrderedTable;
use crate::tree::{Direction, NodeRead, Tree, TreeKey, Walked};
use crate::tuple::{Tuple, key_of};
use crate::version::ValueVersion;
use std::cell::Cell;
use std::cmp::Ordering as Order;
use std::hint::assert_unchecked;
use std::marker::PhantomData;
use std::ops::{Bound, Range};
use std::ptr::NonNull;

/// Tuples read at a time: few at first, unless the last ranges made use of more, since many ranges are left after a row or two; then more.
const FIRST_BATCH: usize = if SMALL { 1 } else { 8 };
const LARGEST_BATCH: usize = if SMALL { 4 } else { 128 };

/// What a thread keeps from one range to the next.
#[derive(Default)]
pub struct Ranges {
    /// How many rows the last two ranges of each table have handed out. Tables share a place here when there are many.
    handed_out: [Cell<[u8; 2]>; 16],
    /// Room for rows. Those that are in it are of a range that has ended.
    room: Cell<Vec<Row>>,
}

impl Ranges {
    fn handed_out(&self, table: &TableCore) -> &Cell<[u8; 2]> {
        &self.handed_out[table.id % self.handed_out.len()]
    }

    /// How many tuples to read first, and room for them. As many as the last two ranges both made use of: what is read in vain costs time, and may cost a
    /// transaction its commit.
    fn begin(&self, table: &TableCore) -> (usize, Vec<Row>) {
        let [last, before] = self.handed_out(table).get();
        let both = usize::from(last.min(before));
        (both.max(FIRST_BATCH), self.room.take())
    }

    /// Takes note of a range.
    fn end(&self, table: &TableCore, rows: usize, room: Vec<Row>) {
        let rows = u8::try_from(rows.min(LARGEST_BATCH)).expect("at most the largest batch");
        let handed_out = self.handed_out(table);
        let [last, _] = handed_out.get();
        handed_out.set([rows, last]);
        self.room.set(room);
    }
}

/// Some rows of a range.
pub struct Rows<K> {
    found: Vec<Row>,
    /// The key of the last tuple that was looked at, if there may be more beyond.
    last: Option<K>,
    /// What the reader calls this read.
    read: Option<usize>,
}

/// A row of a table whose types are known to whoever has it. It has a value that the reader sees, so it stays as long as the reader.
#[derive(Clone, Copy)]
pub struct Row {
    tuple: NonNull<Tuple>,
    value: NonNull<()>,
}

impl<K> Rows<K> {
    /// The rows of a walk, ascending: those tuples that have a value. `last` comes from [`last_key`]. They are put into `found`, which is empty.
    pub(crate) fn new<'r, V: 'r>(
        walked: &Walked,
        mut found: Vec<Row>,
        last: Option<K>,
        read: Option<usize>,
        mut value_of: impl FnMut(NonNull<Tuple>) -> Option<&'r V>,
    ) -> Self {
        walked.tuples().for_each(|tuple| {
            // SAFETY: found by a protected reader, who still is.
            prefetch_newest(unsafe { tuple.as_ref() }, size_of::<ValueVersion<V>>());
        });
        found.reserve(walked.len());
        walked.tuples().for_each(|tuple| {
            if let Some(value) = value_of(tuple) {
                let value = NonNull::from(value).cast();
                // SAFETY: there is room for all of them.
                unsafe { assert_unchecked(found.len() < found.capacity()) };
                found.push(Row { tuple, value });
            }
        });
        Self { found, last, read }
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
pub struct RangeRows<'r, R: RangeReader, K: TreeKey, V> {
    reader: &'r R,
    table: &'r TableCore,
    moment: R::Moment,
    /// What has not been read yet.
    bounds: Option<(Bound<K>, Bound<K>)>,
    /// How many tuples to read next, once some have been read.
    batch: usize,
    /// How many rows were read.
    found: usize,
    front: End,
    back: End,
    types: PhantomData<(&'r K, &'r V)>,
}

/// Rows that were read from one end, ascending.
#[derive(Default)]
struct End {
    rows: Vec<Row>,
    /// Those of them that have not been handed out.
    left: Range<usize>,
    read: Option<usize>,
    /// Whether the other end has handed out rows of this one.
    is_shared: bool,
}

impl End {
    #[inline]
    fn smallest(&mut self) -> Option<Row> {
        self.left.next().map(|at| self.rows[at])
    }

    #[inline]
    fn largest(&mut self) -> Option<Row> {
        self.left.next_back().map(|at| self.rows[at])
    }

    /// The last row that this end has handed out of these, if it reads in this direction.
    fn last(&self, direction: Direction) -> Option<NonNull<Tuple>> {
        let last = match direction {
            Direction::Up => self.rows[..self.left.start].last(),
            Direction::Down => self.rows[self.left.end..].first(),
        };
        last.map(|row| row.tuple)
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
            moment: reader.moment(Internal::new()),
            bounds: Some(bounds),
            batch: 0,
            found: 0,
            front: End::default(),
            back: End::default(),
            types: PhantomData,
        }
    }

    /// Reads on at one end until there is a row, or nothing more.
    #[cold]
    fn fetch(&mut self, direction: Direction) {
        let end = match direction {
            Direction::Up => &mut self.front,
            Direction::Down => &mut self.back,
        };
        while end.left.is_empty()
            && let Some((start, stop)) = self.bounds.take()
        {
            // Whatever becomes of it: comparing keys may panic.
            let mut room = std::mem::take(end).rows;
            if self.batch == 0 {
                (self.batch, room) = self
                    .reader
                    .with_ranges(Internal::new(), |ranges| ranges.begin(self.table));
            }
            room.clear();
            let bounds = (&start, &stop);
            let (table, moment) = (self.table, self.moment);
            // SAFETY: the table's types.
            let rows = unsafe {
                self.reader
                    .read_range::<K, V>(table, moment, bounds, direction, self.batch, room)
            };
            self.batch = (8 * self.batch).min(LARGEST_BATCH);
            self.found += rows.found.len();
            self.bounds = rows.last.map(|last| match direction {
                Direction::Up => (Bound::Excluded(last), stop),
                Direction::Down => (start, Bound::Excluded(last)),
            });
            *end = End {
                left: 0..rows.found.len(),
                rows: rows.found,
                read: rows.read,
                is_shared: false,
            };
        }
    }

    fn parts(row: Row) -> (&'r K, &'r V) {
        // SAFETY: see `Row`; it is of the table, whose types these are.
        unsafe { (key_of(row.tuple), row.value.cast().as_ref()) }
    }
}

impl<'r, R: RangeReader, K: TreeKey, V> Iterator for RangeRows<'r, R, K, V> {
    type Item = (&'r K, &'r V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.front.left.is_empty() {
            self.fetch(Direction::Up);
        }
        let row = self.front.smallest().or_else(|| {
            self.back.is_shared = true;
            self.back.smallest()
        });
        row.map(Self::parts)
    }
}

impl<R: RangeReader, K: TreeKey, V> DoubleEndedIterator for RangeRows<'_, R, K, V> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.back.left.is_empty() {
            self.fetch(Direction::Down);
        }
        let row = self.back.largest().or_else(|| {
            self.front.is_shared = true;
            self.front.largest()
        });
        row.map(Self::parts)
    }
}

impl<R: RangeReader, K: TreeKey, V> Drop for RangeRows<'_, R, K, V> {
    /// Lets the reader forget what was read ahead.
    fn drop(&mut self) {
        if self.batch == 0 || std::thread::panicking() {
            return;
        }
        for (end, direction) in [(&self.front, Direction::Up), (&self.back, Direction::Down)] {
            if let (Some(read), Some(last)) = (end.read, end.last(direction))
                && !end.is_shared
                && !end.left.is_empty()
            {
                // SAFETY: the table's key type.
                unsafe { self.reader.stop_range::<K>(read, direction, last) };
            }
        }
        let used = self.found - self.front.left.len() - self.back.left.len();
        let ends = [&mut self.front, &mut self.back];
        let rooms = ends.map(|end| std::mem::take(&mut end.rows));
        let room = rooms.into_iter().max_by_key(Vec::capacity);
        let room = room.expect("one of two");
        self.reader
            .with_ranges(Internal::new(), |ranges| ranges.end(self.table, used, room));
    }
}

/// A range that a read-write transaction has read. It can tell whether the same tuples are there still, or find out which are.
pub struct RangeRead {
    pub(crate) table: NonNull<TableCore>,
    /// What it means to the transaction if it changes.
    pub(crate) cause: ConflictCause,
    /// Where the range was found, in the order of a walk in this direction. `None`: it has to be walked through again.
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
