//! Going back to an earlier point of a transaction.

use crate::api::transaction::Transaction;
use crate::commit::writes::Mark;

/// A point of a read-write transaction to go back to, from [`Transaction::savepoint`].
///
/// Rolling back undoes what was written since, as if it had never been. What was read since stays
/// read: it may be why the transaction was rolled back, so the commit still checks it. References
/// that the transaction has handed out stay valid, those to undone values included. An iterator
/// goes on with what the transaction saw when it was made, undone values included. Dropping a
/// savepoint undoes nothing.
///
/// ```
/// let db = mvcc::Database::new();
/// let stock = db.table::<&str, u32>("stock")?;
/// let taken = db.run(|tx| {
///     tx.insert(&stock, "bolts", 5);
///     tx.insert(&stock, "nuts", 1);
///     let savepoint = tx.savepoint();
///     for part in ["bolts", "nuts"] {
///         tx.update(&stock, part, |left| left.saturating_sub(2));
///     }
///     if tx.get(&stock, "nuts") < Some(&1) {
///         savepoint.roll_back();
///     }
///     Ok::<_, ()>((tx.get(&stock, "bolts").copied(), tx.get(&stock, "nuts").copied()))
/// });
/// assert_eq!(taken, Ok((Some(5), Some(1))));
/// # Ok::<(), mvcc::TableError>(())
/// ```
#[derive(Debug)]
#[must_use = "a savepoint undoes nothing until it is rolled back"]
pub struct Savepoint<'t> {
    tx: &'t Transaction<'t>,
    mark: Mark,
}

impl Transaction<'_> {
    /// A point to go back to: [`Savepoint::roll_back`] undoes what is written from now on.
    pub fn savepoint(&self) -> Savepoint<'_> {
        Savepoint::new(self)
    }
}

impl<'t> Savepoint<'t> {
    pub(crate) fn new(tx: &'t Transaction<'t>) -> Self {
        Self {
            tx,
            mark: tx.mark_writes(),
        }
    }

    /// Undoes all that the transaction has written since the savepoint was made. The savepoint
    /// stays, and can be rolled back to again.
    ///
    /// # Panics
    /// If the transaction was rolled back to an earlier savepoint since: that has undone this one
    /// too.
    pub fn roll_back(&self) {
        assert!(
            self.tx.undo_writes(self.mark),
            "cannot roll back to a savepoint that an earlier savepoint's roll_back has undone; make it anew"
        );
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        self.tx.forget_mark(self.mark);
    }
}
