//! A transaction that is driven by hand.

use crate::conflict::Conflict;
use crate::core::Core;
use crate::table::{AnyTable, Lookup, OrderedTable};
use crate::tuple::Row;
use std::borrow::Borrow;
use std::ops::RangeBounds;

/// A read-write transaction to be committed by hand, from
/// [`Database::begin`](crate::Database::begin).
///
/// The same operations as those of a [`Transaction`](crate::Transaction), but each may fail with a
/// [`Conflict`]. From then on all of them fail, and so does [`Attempt::commit`]. The locks are held
/// until the attempt is dropped or begun again, so do that soon:
///
/// ```
/// use tplock::{Attempt, Conflict, Database, Table};
///
/// fn double(attempt: &Attempt, table: &Table<u64, u64>) -> Result<(), Conflict> {
///     attempt.update(table, &1, |value| value * 2)?;
///     Ok(())
/// }
///
/// let db = Database::new();
/// let table = db.table("numbers")?;
/// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 21))).unwrap();
/// let mut attempt = db.begin();
/// while double(&attempt, &table).is_err() {
///     attempt = attempt.again();
/// }
/// attempt.commit().expect("all operations have succeeded");
/// assert_eq!(db.view(|view| view.get(&table, &1).copied()), Some(42));
/// # Ok::<(), tplock::TableError>(())
/// ```
#[derive(Debug)]
pub struct Attempt {
    pub(crate) core: Core,
}

/// Each fails with a [`Conflict`] if an older transaction is in the way, and panics if the table
/// belongs to another database.
impl Attempt {
    /// The value of a key. Locks the key, or its absence, shared.
    ///
    /// # Errors
    /// [`Conflict`], as all operations.
    #[inline]
    pub fn get<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
    ) -> Result<Option<&T::Value>, Conflict> {
        self.core.get(table, key)
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// [`Conflict`], as all operations.
    pub fn contains_key<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
    ) -> Result<bool, Conflict> {
        Ok(self.core.get(table, key)?.is_some())
    }

    /// Gives a key a value, whether or not it has one (an upsert). Locks the key exclusively.
    ///
    /// # Errors
    /// [`Conflict`], as all operations.
    pub fn insert<T: AnyTable>(
        &self,
        table: &T,
        key: T::Key,
        value: T::Value,
    ) -> Result<(), Conflict> {
        self.core.insert(table, key, value)
    }

    /// Removes a key, whether or not it has a value. Locks the key exclusively.
    ///
    /// # Errors
    /// [`Conflict`], as all operations.
    pub fn remove<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Result<(), Conflict> {
        self.core.remove(table, key)
    }

    /// Replaces a key's value by a function of it; false if it has none. Locks the key exclusively
    /// from the start.
    ///
    /// # Errors
    /// [`Conflict`], as all operations.
    pub fn update<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        update: impl FnOnce(&T::Value) -> T::Value,
    ) -> Result<bool, Conflict> {
        self.core.update(table, key, update)
    }

    /// All keys with their values; ascending in an ordered table, else in no particular order.
    ///
    /// An item is a [`Conflict`] if the row could not be locked; then the iteration is over.
    pub fn iter<'r, T: AnyTable>(
        &'r self,
        table: &'r T,
    ) -> impl Iterator<Item = Result<Row<'r, T::Key, T::Value>, Conflict>> {
        self.core.rows(table)
    }

    /// The keys of a range with their values, ascending; from both ends.
    ///
    /// An item is a [`Conflict`] if the row could not be locked; then the iteration is over.
    pub fn range<'r, K, V, Q>(
        &'r self,
        table: &'r OrderedTable<K, V>,
        range: impl RangeBounds<Q>,
    ) -> impl DoubleEndedIterator<Item = Result<Row<'r, K, V>, Conflict>>
    where
        K: Borrow<Q> + Ord + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
        Q: ToOwned<Owned: Into<K>> + ?Sized,
    {
        self.core.range(table, range)
    }

    /// Commits: all writes take effect at one instant.
    ///
    /// # Errors
    /// [`Conflict`] if an earlier operation has failed. Otherwise it succeeds.
    pub fn commit(self) -> Result<(), Conflict> {
        if self.core.is_doomed() {
            return Err(Conflict(()));
        }
        self.core.commit();
        Ok(())
    }

    /// Gives up, waits until the transaction that was in the way is not there any more, and begins
    /// again. The age stays the same, so that an attempt that is begun again and again becomes the
    /// oldest of all, which never fails.
    #[must_use = "the new attempt does what the old one was to do"]
    pub fn again(self) -> Self {
        let database = self.core.database();
        let age = self.core.step_aside();
        Self {
            core: Core::new(database, age),
        }
    }

    /// Aborts: nothing happened. The same as dropping it.
    pub fn abort(self) {}
}
