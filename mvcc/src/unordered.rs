//! All rows of a hashed table, one shard after the other.

use crate::core::TableCore;
use crate::protected::Internal;
use crate::read::RowReader;
use std::ops::Range;
use std::vec;

/// All rows of a [`Table`](crate::Table). They have no order, so there are no two ends to read them from; for that, open an
/// [`OrderedTable`](crate::OrderedTable).
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
