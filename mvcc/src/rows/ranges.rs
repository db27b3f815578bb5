//! Rows of ranges, and what a thread keeps from one range to the next.

use crate::rows::core::TableCore;
use crate::rows::prefetch::prefetch_newest;
use crate::rows::tree::Walked;
use crate::rows::tuple::Tuple;
use crate::rows::version::ValueVersion;
use crate::sync::SMALL;
use std::cell::Cell;
use std::hint::assert_unchecked;
use std::ptr::NonNull;

/// Tuples read at a time: few at first, unless the last ranges made use of more, since many ranges
/// are left after a row or two; then more.
pub(crate) const FIRST_BATCH: usize = if SMALL { 1 } else { 8 };
pub(crate) const LARGEST_BATCH: usize = if SMALL { 4 } else { 128 };

/// What a thread keeps from one range to the next.
#[derive(Default)]
pub struct Ranges {
    /// How many rows the last two ranges of each table have handed out. Tables share a place here
    /// when there are many.
    handed_out: [Cell<[u8; 2]>; 16],
    /// Room for rows. Those that are in it are of a range that has ended.
    room: Cell<Vec<Row>>,
}

impl Ranges {
    fn handed_out(&self, table: &TableCore) -> &Cell<[u8; 2]> {
        &self.handed_out[table.id % self.handed_out.len()]
    }

    /// How many tuples to read first, and room for them. As many as the last two ranges both made
    /// use of: what is read in vain costs time, and may cost a transaction its commit.
    pub(crate) fn begin(&self, table: &TableCore) -> (usize, Vec<Row>) {
        let [last, before] = self.handed_out(table).get();
        let both = usize::from(last.min(before));
        (both.max(FIRST_BATCH), self.room.take())
    }

    /// Takes note of a range.
    pub(crate) fn end(&self, table: &TableCore, rows: usize, room: Vec<Row>) {
        let rows = u8::try_from(rows.min(LARGEST_BATCH)).expect("at most the largest batch");
        let handed_out = self.handed_out(table);
        let [last, _] = handed_out.get();
        handed_out.set([rows, last]);
        self.room.set(room);
    }
}

/// Some rows of a range.
pub struct Rows<K> {
    pub(crate) found: Vec<Row>,
    /// The key of the last tuple that was looked at, if there may be more beyond.
    pub(crate) last: Option<K>,
    /// What the reader calls this read.
    pub(crate) read: Option<usize>,
}

/// A row of a table whose types are known to whoever has it. It has a value that the reader sees,
/// so it stays as long as the reader.
#[derive(Clone, Copy)]
pub struct Row {
    pub(crate) tuple: NonNull<Tuple>,
    pub(crate) value: NonNull<()>,
}

impl<K> Rows<K> {
    /// The rows of a walk, ascending: those tuples that have a value. `last` comes from
    /// [`last_key`](crate::rows::tree::last_key). They are put into `found`, which is empty.
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

#[cfg(test)]
mod tests;
