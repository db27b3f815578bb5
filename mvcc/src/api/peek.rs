//! Reads that the commit does not check.

use crate::api::read::{AnyTable, Lookup, RangeReader};
use crate::api::reader::{self, owned_bounds};
use crate::api::scan::RangeRows;
use crate::api::table::OrderedTable;
use crate::api::transaction::Transaction;
use crate::commit::reads::tuple_at;
use crate::commit::writes::Moment;
use crate::rows::core::TableCore;
use crate::rows::protected::Internal;
use crate::rows::ranges::{Ranges, Row, Rows};
use crate::rows::tree::{Direction, TreeKey, last_key, walk};
use crate::rows::version::value_of;
use crate::sync::bug;
use std::borrow::Borrow;
use std::ops::{Bound, RangeBounds};

impl Transaction<'_> {
    /// The value of a key, without a promise that it is still the same at the commit.
    ///
    /// For hints, statistics, and guesses that are checked otherwise, on rows that others write all
    /// the time: what was only peeked at causes no conflict. It is **outside serializability**: two
    /// transactions that each peek at what the other one writes may both commit (write skew).
    ///
    /// A peek sees the transaction's own writes, and else the committed state that the transaction
    /// reads from: never a part of another transaction. But the transaction may move on to a later
    /// state, when all that it has really read is the same there; so two peeks may be of two
    /// states.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let load = db.table::<&str, u64>("load")?;
    /// let jobs = db.table::<u64, &str>("jobs")?;
    /// let tx = db.begin();
    /// let busy = tx.peek(&load, "left") > tx.peek(&load, "right");
    /// tx.insert(&jobs, 1, if busy { "right" } else { "left" });
    /// db.run(|other| Ok::<_, ()>(other.insert(&load, "left", 9))).unwrap();
    /// assert!(tx.commit().is_ok(), "the load was only a hint");
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn peek<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
        self.check(table.core());
        let protected = self.protected();
        if let Some(tuple) = table.find(key, protected)
            && let Some(own) = self.own_write(tuple)
        {
            // SAFETY: buffered by us, of the table's type.
            return unsafe { value_of(own.as_ptr()) };
        }
        // SAFETY: our slot protects all timestamps that we ever have.
        unsafe { reader::get_at(table, key, self.peek_timestamp(), protected) }
    }

    /// The rows whose keys are in a range, without a promise that they are still the same at the
    /// commit; see [`peek`](Self::peek).
    ///
    /// All of them are of one state, that of the moment when the iterator was made: see
    /// [`range`](Self::range).
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn peek_range<'r, K, V, Q>(
        &'r self,
        table: &'r OrderedTable<K, V>,
        range: impl RangeBounds<Q>,
    ) -> impl DoubleEndedIterator<Item = (&'r K, &'r V)>
    where
        K: Borrow<Q> + Ord + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
        Q: ToOwned<Owned: Into<K>> + ?Sized,
    {
        self.check(table.core());
        // SAFETY: the table's kind and types.
        unsafe { RangeRows::new(Peek::of(self), &table.core, owned_bounds(range)) }
    }

    fn peek_timestamp(&self) -> u64 {
        if bug!("peek-at-newest") {
            return u64::MAX;
        }
        self.fix_timestamp()
    }
}

/// A transaction whose reads are not tracked.
#[repr(transparent)]
struct Peek<'db>(Transaction<'db>);

impl<'db> Peek<'db> {
    fn of<'t>(tx: &'t Transaction<'db>) -> &'t Self {
        // SAFETY: the same representation.
        unsafe { &*std::ptr::from_ref(tx).cast() }
    }
}

impl RangeReader for Peek<'_> {
    /// With the timestamp: the transaction may move on to a later one, the iterator does not.
    type Moment = (Moment, u64);

    fn moment(&self, internal: Internal) -> Self::Moment {
        (self.0.moment(internal), self.0.peek_timestamp())
    }

    fn with_ranges<R>(&self, _: Internal, see: impl FnOnce(&Ranges) -> R) -> R {
        see(&self.0.local.ranges)
    }

    unsafe fn read_range<K: TreeKey, V>(
        &self,
        table: &TableCore,
        (moment, timestamp): Self::Moment,
        bounds: (&Bound<K>, &Bound<K>),
        direction: Direction,
        limit: usize,
        room: Vec<Row>,
    ) -> Rows<K> {
        let tx = &self.0;
        // SAFETY: the caller's promise.
        let tree = unsafe { table.index.tree::<K>() };
        let walked = walk(tree, bounds, direction, limit, tx.protected());
        let last = last_key(&walked);
        Rows::new(&walked, room, last, None, |tuple| {
            match tx.own_write_as_of(tuple, moment) {
                // SAFETY: as in `peek`.
                Some(own) => unsafe { value_of::<V>(own.as_ptr()) },
                // SAFETY: as in `peek`; the table has values `V`.
                None => unsafe { tuple_at(tuple, timestamp) },
            }
        })
    }
}
