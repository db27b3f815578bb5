//! All rows of a table, or those of a range.

use crate::api::read::{RangeReader, RowReader};
use crate::rows::core::TableCore;
use crate::rows::protected::Internal;
use crate::rows::ranges::{LARGEST_BATCH, Row};
use crate::rows::tree::{Direction, TreeKey};
use crate::rows::tuple::{Tuple, key_of};
use std::marker::PhantomData;
use std::ops::{Bound, Range};
use std::ptr::NonNull;
use std::vec;

/// All rows of a [`Table`](crate::Table). They have no order, so there are no two ends to read them
/// from; for that, open an [`OrderedTable`](crate::OrderedTable).
pub struct UnorderedRows<'r, R: RowReader, K, V> {
    reader: &'r R,
    table: &'r TableCore,
    moment: R::Moment,
    /// Those that have not been read yet.
    shards: Range<usize>,
    /// Of the shard that was read last.
    rows: vec::IntoIter<(&'r K, &'r V)>,
}

impl<'r, R: RowReader, K, V> UnorderedRows<'r, R, K, V> {
    /// # Safety
    /// It is a hashed table, and has these types.
    pub(crate) unsafe fn new(reader: &'r R, table: &'r TableCore) -> Self {
        Self {
            reader,
            table,
            moment: reader.moment(Internal::new()),
            shards: 0..table.index.hash().shards(),
            rows: Vec::new().into_iter(),
        }
    }
}

impl<'r, R: RowReader, K, V> Iterator for UnorderedRows<'r, R, K, V> {
    type Item = (&'r K, &'r V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(row);
            }
            let shard = self.shards.next()?;
            // SAFETY: the promise to `new`.
            let rows = unsafe { self.reader.read_shard(self.table, self.moment, shard) };
            self.rows = rows.into_iter();
        }
    }

    fn fold<A, F: FnMut(A, Self::Item) -> A>(self, first: A, mut add: F) -> A {
        let folded = self.rows.fold(first, &mut add);
        self.shards.fold(folded, |folded, shard| {
            // SAFETY: the promise to `new`.
            let rows = unsafe { self.reader.read_shard(self.table, self.moment, shard) };
            rows.into_iter().fold(folded, &mut add)
        })
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
    /// # Safety
    /// It is an ordered table, and has these types.
    pub(crate) unsafe fn new(
        reader: &'r R,
        table: &'r TableCore,
        bounds: (Bound<K>, Bound<K>),
    ) -> Self {
        Self {
            reader,
            table,
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
