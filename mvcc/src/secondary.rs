//! Secondary indexes: other keys to find a table's rows by.
//!
//! An index is an ordered table of *entries*, each an index key with the key of a row. Whoever
//! writes a row writes its entries along with it, in the same transaction; whoever reads entries is
//! protected against phantoms as with any range. So the protocol knows nothing of indexes, but for
//! the [schema version](crate::commit::shared::Shared::schema): a transaction that has written rows
//! before their table got an index does not commit after that.

mod build;
mod entry;
mod write;

#[cfg(feature = "durable")]
pub(crate) use build::Fill;
pub use build::IndexError;
use entry::{Bounds, Entry};

use crate::api::read::{AnyTable, Lookup, Read};
use crate::api::reader::owned_bounds;
use crate::api::table::OrderedTable;
use crate::clock::timestamp::Timestamp;
use crate::rows::protected::Internal;
use std::borrow::Borrow;
use std::fmt;
use std::ops::{Bound, Deref, RangeBounds};
use std::sync::Arc;

/// An index of a table: finds its rows by a key that is computed from them. Several rows may have
/// the same one.
///
/// It is made by [`Database::index`](crate::Database::index), is kept up to date by every write to
/// the table, and is read through a transaction, a view or a snapshot. A cheap handle; clones stand
/// for the same index.
///
/// In a read-write transaction, what was read through it is protected against changes until the
/// commit, new rows included. An iterator yields the rows as the transaction saw them when it was
/// made, whatever the transaction writes meanwhile.
///
/// ```
/// use mvcc::Index;
///
/// struct Book { title: &'static str, year: u32 }
///
/// let db = mvcc::Database::new();
/// let books = db.table::<u64, Book>("books")?;
/// let by_year: Index<u32, _> = db.index(&books, "by_year", |_, book: &Book| [book.year])?;
/// db.run(|tx| {
///     tx.insert(&books, 1, Book { title: "Emma", year: 1815 });
///     tx.insert(&books, 2, Book { title: "Ulysses", year: 1922 });
///     Ok::<_, ()>(tx.insert(&books, 3, Book { title: "Persuasion", year: 1817 }))
/// }).unwrap();
/// let old: Vec<_> = db.view(|view| by_year.range(view, ..1900).map(|(_, book)| book.title).collect());
/// assert_eq!(old, ["Emma", "Persuasion"]);
/// # Ok::<(), mvcc::IndexError>(())
/// ```
pub struct Index<I, T: AnyTable> {
    core: Arc<IndexCore<I, T::Key, T::Value>>,
    table: T,
}

/// An index of a table whose keys no two rows share; made by
/// [`Database::unique_index`](crate::Database::unique_index).
///
/// It has the methods of an [`Index`] as well.
///
/// ```
/// use mvcc::{Duplicate, UniqueIndex};
///
/// struct User { email: String }
///
/// let db = mvcc::Database::new();
/// let users = db.table::<u64, User>("users")?;
/// let by_email: UniqueIndex<String, _> = db.unique_index(&users, "by_email", |_, user: &User| [user.email.clone()])?;
/// let sign_up = |id: u64, email: &str| {
///     db.run(|tx| tx.insert_unique(&users, id, User { email: email.to_owned() }))
/// };
/// assert!(sign_up(1, "ann@example.org").is_ok());
/// let taken: Duplicate = sign_up(2, "ann@example.org").unwrap_err();
/// assert_eq!(taken.index.as_deref(), Some("by_email"));
/// assert_eq!(db.view(|view| by_email.get(view, "ann@example.org").map(|(id, _)| *id)), Some(1));
/// # Ok::<(), mvcc::IndexError>(())
/// ```
pub struct UniqueIndex<I, T: AnyTable> {
    index: Index<I, T>,
}

#[cfg(feature = "durable")]
impl<I, T: AnyTable> UniqueIndex<I, T> {
    pub(crate) fn of(index: Index<I, T>) -> Self {
        Self { index }
    }
}

/// What the handles of an index share.
struct IndexCore<I, K, V> {
    name: Arc<str>,
    table: Arc<str>,
    is_unique: bool,
    /// The keys of a row, ascending, each once.
    keys: Box<Keys<I, K, V>>,
    entries: OrderedTable<Entry<I, K>, ()>,
    /// The commit that added the entries of the rows that were there already.
    built: Timestamp,
}

type Keys<I, K, V> = dyn Fn(&K, &V) -> Vec<I> + Send + Sync;

/// What an index's keys must be able to do.
pub trait IndexKey: Ord + Clone + Send + Sync + 'static {}
impl<I: Ord + Clone + Send + Sync + 'static> IndexKey for I {}

impl<I, T> Index<I, T>
where
    I: IndexKey,
    T: AnyTable<Key: Ord + Clone> + Lookup<<T as AnyTable>::Key>,
{
    /// The name that it was made by.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The rows whose index key is in a range, ascending by that and then by their own keys; from
    /// both ends.
    ///
    /// A snapshot that is older than the index has no entries to go by, nor has a transaction that
    /// has written to the table before there was the index: all rows are looked at then.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn range<'r, Q>(
        &'r self,
        read: &'r impl Read,
        range: impl RangeBounds<Q>,
    ) -> impl DoubleEndedIterator<Item = (&'r T::Key, &'r T::Value)>
    where
        I: Borrow<Q>,
        Q: ToOwned<Owned: Into<I>> + ?Sized,
    {
        let bounds: Bounds<I> = owned_bounds(range);
        let (mut indexed, mut scanned) = (None, Vec::new());
        if read.sees_entries(self.core.built, self.table.core(), Internal::new()) {
            let entries =
                read.range::<_, _, Entry<I, T::Key>>(&self.core.entries, entry::bounds_of(bounds));
            // The same moment as that of the entries: nothing was written in between.
            let internal = Internal::new();
            let moment = read.moment(internal);
            // Each entry has its row, if the index's function always computes the same for it.
            let row = move |entry: &'r Entry<I, T::Key>| {
                let key = entry.row();
                Some((key, read.get_as_of(&self.table, key, moment, internal)?))
            };
            indexed = Some(entries.filter_map(move |(entry, ())| row(entry)));
        } else {
            scanned = self.scan(read, &bounds);
        }
        indexed.into_iter().flatten().chain(scanned)
    }

    /// The rows with this index key, ascending by their own keys.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn rows<'r, Q>(
        &'r self,
        read: &'r impl Read,
        key: &Q,
    ) -> impl DoubleEndedIterator<Item = (&'r T::Key, &'r T::Value)>
    where
        I: Borrow<Q>,
        Q: ToOwned<Owned: Into<I>> + ?Sized,
    {
        self.range::<Q>(read, (Bound::Included(key), Bound::Included(key)))
    }

    /// The rows in a range without the help of entries.
    fn scan<'r>(
        &'r self,
        read: &'r impl Read,
        bounds: &Bounds<I>,
    ) -> Vec<(&'r T::Key, &'r T::Value)> {
        let keys = |(key, value)| {
            let mut keys = (self.core.keys)(key, value);
            keys.retain(|index_key| bounds.contains(index_key));
            keys.into_iter()
                .map(move |index_key| (index_key, key, value))
        };
        let mut found: Vec<_> = read.iter(&self.table).flat_map(keys).collect();
        found.sort_by(|left, right| (&left.0, left.1).cmp(&(&right.0, right.1)));
        let rows = found.into_iter().map(|(_, key, value)| (key, value));
        rows.collect()
    }
}

impl<I, T> UniqueIndex<I, T>
where
    I: IndexKey,
    T: AnyTable<Key: Ord + Clone> + Lookup<<T as AnyTable>::Key>,
{
    /// The row with this index key.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn get<'r, Q>(&'r self, read: &'r impl Read, key: &Q) -> Option<(&'r T::Key, &'r T::Value)>
    where
        I: Borrow<Q>,
        Q: ToOwned<Owned: Into<I>> + ?Sized,
    {
        self.rows(read, key).next()
    }
}

impl<I, T: AnyTable> Deref for UniqueIndex<I, T> {
    type Target = Index<I, T>;

    fn deref(&self) -> &Index<I, T> {
        &self.index
    }
}

impl<I, T: AnyTable + Clone> Clone for Index<I, T> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            table: self.table.clone(),
        }
    }
}

impl<I, T: AnyTable + Clone> Clone for UniqueIndex<I, T> {
    fn clone(&self) -> Self {
        Self {
            index: self.index.clone(),
        }
    }
}

impl<I, T: AnyTable> fmt::Debug for Index<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("name", &self.core.name)
            .field("table", &self.core.table)
            .finish_non_exhaustive()
    }
}

impl<I, T: AnyTable> fmt::Debug for UniqueIndex<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UniqueIndex").field(&self.index).finish()
    }
}
