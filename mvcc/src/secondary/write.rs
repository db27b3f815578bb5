//! Writing rows together with their entries.

use super::entry::{Entry, bounds_of};
use super::{IndexCore, IndexKey};
use crate::api::duplicate::Duplicate;
use crate::api::read::{AnyTable, Lookup, Read};
use crate::api::transaction::Transaction;
use crate::commit::shared::Shared;
use crate::commit::writes::Mark;
use crate::rows::core::TableCore;
use crate::rows::protected::Internal;
use crate::sync::bug;
use std::any::Any;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

/// What a write to a table has to do for an index of it.
pub(crate) trait Maintain<K, V>: Any + Send + Sync {
    /// Replaces the entries of a row's old value by those of its new one.
    fn replace(
        &self,
        tx: &Transaction<'_>,
        table: &TableCore,
        rows: &AllRows<'_, K, V>,
        key: &K,
        old: Option<&V>,
        new: Option<&V>,
    ) -> Result<(), Duplicate>;

    fn name(&self) -> &str;
}

/// All rows of the table as the transaction sees them.
type AllRows<'r, K, V> = dyn Fn() -> Vec<(&'r K, &'r V)> + 'r;

/// A table's indexes: a list that only grows.
pub(crate) struct Maintained<K, V> {
    pub(super) index: Arc<dyn Maintain<K, V>>,
    next: OnceLock<Box<Self>>,
}

impl<K: 'static, V: 'static> Maintained<K, V> {
    /// The first of the indexes of a table with these types.
    pub(super) fn first_of(table: &TableCore) -> Option<&Self> {
        let first = table.indexes.get()?;
        Some(first.downcast_ref().expect("the table's types"))
    }

    /// Adds it to its table's, of which all who begin from now on know. For those inside the gate.
    pub(super) fn add_to(self, table: &TableCore, shared: &Shared) {
        match Self::first_of(table) {
            None => drop(table.indexes.set(Box::new(self))),
            Some(first) => first.append(self),
        }
        shared.add_index(|schema| *table.indexed_at.lock() = Some(schema));
    }

    pub(super) fn new(index: Arc<dyn Maintain<K, V>>) -> Self {
        let next = OnceLock::new();
        Self { index, next }
    }

    fn append(&self, index: Self) {
        let last = self.all().last();
        let added = last.map(|last| last.next.set(Box::new(index)));
        assert!(
            matches!(added, Some(Ok(()))),
            "indexes are added one at a time"
        );
    }

    /// This and those that were added later.
    pub(super) fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |one| one.next.get().map(|next| &**next))
    }
}

impl<I: IndexKey, K: IndexKey, V: Send + Sync + 'static> Maintain<K, V> for IndexCore<I, K, V> {
    fn replace(
        &self,
        tx: &Transaction<'_>,
        table: &TableCore,
        rows: &AllRows<'_, K, V>,
        key: &K,
        old: Option<&V>,
        new: Option<&V>,
    ) -> Result<(), Duplicate> {
        let keys = |value: Option<&V>| value.map_or_else(Vec::new, |value| (self.keys)(key, value));
        let (old, new) = (keys(old), keys(new));
        for index_key in old.iter().filter(|old| new.binary_search(old).is_err()) {
            tx.remove(&self.entries, &Entry::new(index_key.clone(), key.clone()));
        }
        for index_key in new {
            if old.binary_search(&index_key).is_ok() {
                continue;
            }
            if self.is_unique && self.is_taken(tx, table, rows, &index_key) {
                return Err(Duplicate {
                    table: self.table.clone(),
                    index: Some(self.name.clone()),
                });
            }
            tx.insert(&self.entries, Entry::new(index_key, key.clone()), ());
        }
        Ok(())
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl<I: IndexKey, K: IndexKey, V> IndexCore<I, K, V> {
    /// Whether any row has this key. It stays so until the commit.
    fn is_taken(
        &self,
        tx: &Transaction<'_>,
        table: &TableCore,
        rows: &AllRows<'_, K, V>,
        key: &I,
    ) -> bool {
        if !tx.sees_entries(self.built, table, Internal::new()) {
            let has_it = |(row, value)| (self.keys)(row, value).binary_search(key).is_ok();
            return rows().into_iter().any(has_it);
        }
        let same = || Bound::Included(key.clone());
        let bounds = bounds_of((same(), same()));
        if bug!("uniqueness-only-peeked-at") {
            let mut taken = tx.peek_range::<_, _, Entry<I, K>>(&self.entries, bounds);
            return taken.next().is_some();
        }
        let mut taken = tx.range::<_, _, Entry<I, K>>(&self.entries, bounds);
        taken.next().is_some()
    }
}

/// Undoes what was written since it was made, also if that panicked, unless it is told otherwise.
struct AllOrNothing<'t> {
    tx: &'t Transaction<'t>,
    savepoint: Mark,
    keep: bool,
}

impl Drop for AllOrNothing<'_> {
    fn drop(&mut self) {
        if !self.keep {
            // If the index's function has gone back further, that has undone it all.
            self.tx.undo_writes(self.savepoint);
        }
        self.tx.forget_mark(self.savepoint);
    }
}

impl Transaction<'_> {
    /// Adds a row, unless there is one with the same key, or with the same key of a unique index.
    ///
    /// # Errors
    /// [`Duplicate`] if there is; nothing has changed then, and the transaction can go on.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let seats = db.table::<u32, &str>("seats")?;
    /// let book = |who| db.run(|tx| tx.insert_unique(&seats, 7, who));
    /// assert!(book("ann").is_ok());
    /// println!("{}", book("bob").unwrap_err());
    /// assert_eq!(db.view(|view| view.get(&seats, &7).copied()), Some("ann"));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn insert_unique<T>(&self, table: &T, key: T::Key, value: T::Value) -> Result<(), Duplicate>
    where
        T: AnyTable + Lookup<<T as AnyTable>::Key>,
    {
        if self.contains_key(table, &key) {
            return Err(Duplicate {
                table: table.core().shared_name(),
                index: None,
            });
        }
        self.try_insert(table, key, value)
    }

    /// Gives a key a value, whether or not it has one, unless another row has the same key of a
    /// unique index.
    ///
    /// # Errors
    /// [`Duplicate`] if there is such a row; nothing has changed then, and the transaction can go
    /// on.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn try_insert<T: AnyTable>(
        &self,
        table: &T,
        key: T::Key,
        value: T::Value,
    ) -> Result<(), Duplicate> {
        let core = self.core(table);
        if !core.is_indexed() {
            return Ok(self.put(table, key, value));
        }
        self.all_or_nothing(|| {
            let old = table.current(self, &key, Internal::new());
            self.maintain(table, &key, old, Some(&value))?;
            Ok(self.put(table, key, value))
        })
    }

    /// Replaces a key's value by a function of it, as [`update`](Self::update) does, unless another
    /// row has the same key of a unique index.
    ///
    /// # Errors
    /// [`Duplicate`] if there is such a row; nothing has changed then, and the transaction can go
    /// on.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn try_update<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        update: impl FnOnce(&T::Value) -> T::Value,
    ) -> Result<bool, Duplicate> {
        let Some((tuple, value)) = self.get_tuple(table, key) else {
            return Ok(false);
        };
        let new = update(value);
        if !self.core(table).is_indexed() {
            self.overwrite(table, tuple, Some(new));
            return Ok(true);
        }
        // SAFETY: a tuple of the table whose value we have read: it stays as long as we live.
        let key = unsafe { crate::rows::tuple::key_of::<T::Key>(tuple) };
        self.all_or_nothing(|| {
            self.maintain(
                table,
                key,
                table.current(self, key, Internal::new()),
                Some(&new),
            )?;
            self.overwrite(table, tuple, Some(new));
            Ok(true)
        })
    }

    /// For a table with indexes; see [`Transaction::insert`].
    #[inline(never)]
    pub(crate) fn insert_indexed<T: AnyTable>(&self, table: &T, key: T::Key, value: T::Value) {
        self.try_insert(table, key, value)
            .unwrap_or_else(Duplicate::refuse);
    }

    /// For a table with indexes; see [`Transaction::update`].
    #[inline(never)]
    pub(crate) fn remove_indexed<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) {
        let Some((tuple, value)) = self.get_tuple(table, key) else {
            return;
        };
        // SAFETY: as above.
        let key = unsafe { crate::rows::tuple::key_of::<T::Key>(tuple) };
        let removed: Result<(), Duplicate> = self.all_or_nothing(|| {
            self.maintain(table, key, Some(value), None)?;
            Ok(self.overwrite(table, tuple, None))
        });
        removed.unwrap_or_else(Duplicate::refuse);
    }

    fn all_or_nothing<R>(
        &self,
        write: impl FnOnce() -> Result<R, Duplicate>,
    ) -> Result<R, Duplicate> {
        let mut guard = AllOrNothing {
            tx: self,
            savepoint: self.mark_writes(),
            keep: false,
        };
        let written = write();
        guard.keep = written.is_ok();
        written
    }

    /// Writes the entries of a row in all indexes of its table.
    fn maintain<T: AnyTable>(
        &self,
        table: &T,
        key: &T::Key,
        old: Option<&T::Value>,
        new: Option<&T::Value>,
    ) -> Result<(), Duplicate> {
        let indexes = Maintained::<T::Key, T::Value>::first_of(table.core());
        let mut all = indexes.into_iter().flat_map(Maintained::all);
        let (core, rows) = (table.core(), || self.iter(table).collect());
        all.try_for_each(|one| one.index.replace(self, core, &rows, key, old, new))
    }
}
