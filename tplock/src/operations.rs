//! What a transaction does with tables of either kind.

use crate::conflict::Conflict;
use crate::core::Core;
use crate::lock::Mode;
use crate::table::{AnyTable, Lookup, OrderedTable};
use crate::tuple::Row;
use std::borrow::Borrow;
use std::ops::{Bound, RangeBounds};

impl Core {
    #[inline]
    pub(crate) fn get<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
    ) -> Result<Option<&T::Value>, Conflict> {
        self.check(table);
        let key = table.lock(self, key, Mode::Shared)?;
        Ok(key.and_then(|key| self.value(key)))
    }

    #[inline]
    pub(crate) fn insert<T: AnyTable>(
        &self,
        table: &T,
        key: T::Key,
        value: T::Value,
    ) -> Result<(), Conflict> {
        self.check(table);
        let key = table.lock_to_insert(self, key)?;
        Ok(self.write(key, Some(value)))
    }

    pub(crate) fn remove<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
    ) -> Result<(), Conflict> {
        self.check(table);
        if let Some(key) = table.lock(self, key, Mode::Exclusive)? {
            self.write(key, None);
        }
        Ok(())
    }

    pub(crate) fn update<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        update: impl FnOnce(&T::Value) -> T::Value,
    ) -> Result<bool, Conflict> {
        self.check(table);
        let Some(key) = table.lock(self, key, Mode::Exclusive)? else {
            return Ok(false);
        };
        let Some(value) = self.value(key) else {
            return Ok(false);
        };
        self.write(key, Some(update(value)));
        Ok(true)
    }

    pub(crate) fn rows<'c, T: AnyTable>(
        &'c self,
        table: &'c T,
    ) -> impl Iterator<Item = Result<Row<'c, T::Key, T::Value>, Conflict>> {
        self.check(table);
        table.rows(self)
    }

    pub(crate) fn range<'c, K, V, Q>(
        &'c self,
        table: &'c OrderedTable<K, V>,
        range: impl RangeBounds<Q>,
    ) -> impl DoubleEndedIterator<Item = Result<Row<'c, K, V>, Conflict>>
    where
        K: Borrow<Q> + Ord + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
        Q: ToOwned<Owned: Into<K>> + ?Sized,
    {
        self.check(table);
        let owned = |bound: Bound<&Q>| bound.map(|key| key.to_owned().into());
        table.range(self, (owned(range.start_bound()), owned(range.end_bound())))
    }

    /// Panics if the table belongs to another database.
    #[inline]
    fn check<T: AnyTable>(&self, table: &T) {
        assert!(
            table.database() == self.database(),
            "table {:?} belongs to another database than the transaction that uses it; open it with Database::table of the same database",
            table.label()
        );
    }
}
