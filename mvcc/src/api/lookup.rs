//! How both kinds of table find keys, add them and show their rows.

#[cfg(feature = "durable")]
use crate::api::read::Piece;
use crate::api::read::{AnyTable, Lookup, Read};
use crate::api::scan::{RangeRows, UnorderedRows};
use crate::api::table::{OrderedTable, Table};
use crate::commit::evidence::{Absence, RangeRead};
use crate::rows::cause::ConflictCause;
use crate::rows::core::TableCore;
use crate::rows::hash::{Hash, Inserts};
use crate::rows::protected::{Internal, Protected};
use crate::rows::tree::{Direction, TreeKey, Vacancy, walk};
use crate::rows::tuple::{KeyedTuple, OwnedTuple, Tuple, key_of};
use crate::rows::unlinked::Unlinked;
use std::borrow::Borrow;
use std::hash::Hash as StdHash;
use std::ops::Bound;
use std::ptr::NonNull;

/// Rows of a piece of an ordered table.
#[cfg(feature = "durable")]
const PIECE: usize = 4096;

impl<K, V> AnyTable for Table<K, V>
where
    K: StdHash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    type Key = K;
    type Value = V;
    type Rows<'r, R: Read + 'r> = UnorderedRows<'r, R, K, V>;
    type Vacancy<'p> = (Hash, Inserts);

    #[inline]
    fn core(&self) -> &TableCore {
        &self.core
    }

    fn locate(&self, key: &K, protected: Protected<'_>) -> Result<NonNull<Tuple>, (Hash, Inserts)> {
        let hash = self.core.hash(key);
        let index = self.core.index.hash();
        let inserts = index.inserts(hash.position());
        // SAFETY: found in this table by a protected thread.
        let is_it = |tuple| unsafe { key_of::<K>(tuple) } == key;
        index.find(hash, protected, is_it).ok_or((hash, inserts))
    }

    fn add(
        &self,
        (hash, inserts): (Hash, Inserts),
        key: K,
        _protected: Protected<'_>,
        mut unlinked: impl FnMut(Unlinked),
        added: impl FnOnce(NonNull<Tuple>),
    ) -> Result<(), K> {
        let tuple = KeyedTuple::boxed(key, hash.position());
        let index = self.core.index.hash();
        let Ok(replaced) = index.insert(hash, tuple.as_ptr(), inserts) else {
            return Err(tuple.into_key());
        };
        added(tuple.into_raw());
        if let Some(replaced) = replaced {
            unlinked(Unlinked::Array(replaced));
        }
        Ok(())
    }

    fn rows<'r, R: Read>(&'r self, reader: &'r R, _: Internal) -> UnorderedRows<'r, R, K, V> {
        // SAFETY: the table's kind and types.
        unsafe { UnorderedRows::new(reader, &self.core) }
    }

    #[cfg(feature = "durable")]
    fn piece<'r, R: Read>(
        &'r self,
        reader: &'r R,
        from: &mut Piece<K>,
        internal: Internal,
    ) -> Option<Vec<(&'r K, &'r V)>> {
        let shard = match *from {
            Piece::Shards(shards) => shards,
            _ => 0,
        };
        if shard == self.core.index.hash().shards() {
            return None;
        }
        *from = Piece::Shards(shard + 1);
        let moment = reader.moment(internal);
        // SAFETY: the table's types.
        Some(unsafe { reader.read_shard(&self.core, moment, shard) })
    }

    fn current<'r>(&self, read: &'r impl Read, key: &K, _: Internal) -> Option<&'r V> {
        read.get(self, key)
    }
}

impl<K, V, Q> Lookup<Q> for Table<K, V>
where
    K: StdHash + Eq + Borrow<Q> + Send + Sync + 'static,
    V: Send + Sync + 'static,
    Q: StdHash + Eq + ?Sized,
{
    fn hash(&self, key: &Q, _: Internal) -> Option<Hash> {
        Some(self.core.hash(key))
    }

    #[inline]
    fn find(&self, key: &Q, protected: Protected<'_>) -> Option<NonNull<Tuple>> {
        let hash = self.core.hash(key);
        self.core.index.hash().find(hash, protected, |tuple| {
            // SAFETY: found in this table by a protected thread.
            unsafe { key_of::<K>(tuple) }.borrow() == key
        })
    }

    #[inline]
    fn find_at_once(&self, key: &Q, protected: Protected<'_>) -> Option<NonNull<Tuple>> {
        let hash = self.core.hash(key);
        // SAFETY: the kind was checked when the table was opened.
        let index = unsafe { self.core.index.hash_unchecked() };
        index.find_at_once(hash, protected, |&tuple| {
            // SAFETY: found in this table by a protected thread.
            unsafe { key_of::<K>(tuple) }.borrow() == key
        })
    }

    fn absence(
        &self,
        key: &Q,
        found: Option<NonNull<Tuple>>,
        protected: Protected<'_>,
    ) -> Option<Absence> {
        let hash = self.core.hash(key);
        let mut others = Vec::new();
        let is_other = |tuple| {
            // SAFETY: found in this table by a protected thread.
            let is_other = unsafe { key_of::<K>(tuple) }.borrow() != key;
            if is_other {
                others.push(tuple);
            }
            is_other || Some(tuple) == found
        };
        let index = self.core.index.hash();
        index
            .all_match(hash, protected, is_other)
            .then_some(Absence::Hash { hash, others })
    }
}

impl<K, V> AnyTable for OrderedTable<K, V>
where
    K: TreeKey,
    V: Send + Sync + 'static,
{
    type Key = K;
    type Value = V;
    type Rows<'r, R: Read + 'r> = RangeRows<'r, R, K, V>;
    type Vacancy<'p> = Vacancy<'p, K>;

    #[inline]
    fn core(&self) -> &TableCore {
        &self.core
    }

    fn locate<'p>(
        &'p self,
        key: &K,
        protected: Protected<'p>,
    ) -> Result<NonNull<Tuple>, Vacancy<'p, K>> {
        self.tree().locate(key, protected)
    }

    fn add(
        &self,
        vacancy: Vacancy<'_, K>,
        key: K,
        protected: Protected<'_>,
        unlinked: impl FnMut(Unlinked),
        added: impl FnOnce(NonNull<Tuple>),
    ) -> Result<(), K> {
        let tuple = KeyedTuple::boxed(key, 0);
        self.tree()
            .add(&vacancy, tuple, protected, unlinked, added)
            .map_err(OwnedTuple::into_key)
    }

    fn rows<'r, R: Read>(&'r self, reader: &'r R, _: Internal) -> RangeRows<'r, R, K, V> {
        // SAFETY: the table's kind and types.
        unsafe { RangeRows::new(reader, &self.core, (Bound::Unbounded, Bound::Unbounded)) }
    }

    #[cfg(feature = "durable")]
    fn piece<'r, R: Read>(
        &'r self,
        reader: &'r R,
        from: &mut Piece<K>,
        _: Internal,
    ) -> Option<Vec<(&'r K, &'r V)>> {
        let start = match from {
            Piece::Key(last) => Bound::Excluded(last.clone()),
            _ => Bound::Unbounded,
        };
        // SAFETY: the table's kind and types.
        let rows = unsafe { RangeRows::new(reader, &self.core, (start, Bound::Unbounded)) };
        let rows: Vec<(&K, &V)> = rows.take(PIECE).collect();
        *from = Piece::Key(rows.last()?.0.clone());
        Some(rows)
    }

    fn current<'r>(&self, read: &'r impl Read, key: &K, _: Internal) -> Option<&'r V> {
        read.get(self, key)
    }
}

impl<K, V, Q> Lookup<Q> for OrderedTable<K, V>
where
    K: TreeKey + Borrow<Q>,
    V: Send + Sync + 'static,
    Q: Ord + ToOwned<Owned: Into<K>> + ?Sized,
{
    fn hash(&self, _: &Q, _: Internal) -> Option<Hash> {
        None
    }

    #[inline]
    fn find(&self, key: &Q, protected: Protected<'_>) -> Option<NonNull<Tuple>> {
        self.tree().find(protected, |other| other.borrow().cmp(key))
    }

    fn absence(
        &self,
        key: &Q,
        found: Option<NonNull<Tuple>>,
        protected: Protected<'_>,
    ) -> Option<Absence> {
        let owned = || key.to_owned().into();
        let bounds = (Bound::Included(owned()), Bound::Included(owned()));
        let walked = walk(
            self.tree(),
            (&bounds.0, &bounds.1),
            Direction::Up,
            usize::MAX,
            protected,
        );
        let same = walked.tuples().all(|tuple| Some(tuple) == found);
        let cause = ConflictCause::AbsentKeyAppeared;
        let read = RangeRead::new(&self.core, Direction::Up, walked.nodes, bounds, cause);
        same.then_some(Absence::Range(read))
    }
}

#[cfg(test)]
mod tests;
