//! Reading, whatever from.

use crate::database::Inner;
use crate::index::Hash;
use crate::protected::Protected;
use crate::reads::{Seen, read_at};
use crate::table::{AnyTable, Lookup, key_of};
use crate::tuple::Tuple;
use crate::version::{ValueVersion, Version};
use crate::{Snapshot, Transaction, View};
use std::ptr::NonNull;

/// The reads that a [`Transaction`], a [`View`] and a [`Snapshot`] have in common.
///
/// The same methods exist on each of them, so this is only needed by functions that take any of the three:
///
/// ```
/// use mvcc::{Database, Read, Table};
///
/// fn total(read: &impl Read, balances: &Table<u64, i64>) -> i64 {
///     read.iter(balances).map(|(_, balance)| balance).sum()
/// }
///
/// let db = Database::new();
/// let balances = db.table("balances")?;
/// db.run(|tx| {
///     tx.insert(&balances, 1, 10);
///     tx.insert(&balances, 2, 20);
///     Ok::<_, ()>(assert_eq!(total(tx, &balances), 30))
/// }).unwrap();
/// assert_eq!(db.view(|view| total(view, &balances)), 30);
/// assert_eq!(total(&db.snapshot(), &balances), 30);
/// # Ok::<(), mvcc::TableError>(())
/// ```
pub trait Read: sealed::Sealed {
    /// The value of a key.
    ///
    /// # Panics
    /// If the table belongs to another database.
    fn get<'r, T: Lookup<Q>, Q: ?Sized>(&'r self, table: &T, key: &Q) -> Option<&'r T::Value>;

    /// Whether a key has a value.
    ///
    /// # Panics
    /// If the table belongs to another database.
    fn contains_key<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> bool {
        self.get(table, key).is_some()
    }

    /// All keys with their values, in no particular order.
    ///
    /// # Panics
    /// If the table belongs to another database.
    fn iter<'r, T: AnyTable>(
        &'r self,
        table: &'r T,
    ) -> impl Iterator<Item = (&'r T::Key, &'r T::Value)>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Transaction<'_> {}
    impl Sealed for crate::View<'_> {}
    impl Sealed for crate::Snapshot {}
}

/// The trait's methods through the inherent ones of the same names.
macro_rules! impl_read {
    ($reader:ty) => {
        impl Read for $reader {
            #[inline]
            fn get<'r, T: Lookup<Q>, Q: ?Sized>(
                &'r self,
                table: &T,
                key: &Q,
            ) -> Option<&'r T::Value> {
                self.get(table, key)
            }

            fn iter<'r, T: AnyTable>(
                &'r self,
                table: &'r T,
            ) -> impl Iterator<Item = (&'r T::Key, &'r T::Value)> {
                self.iter(table)
            }
        }
    };
}

impl_read!(Transaction<'_>);
impl_read!(View<'_>);
impl_read!(Snapshot);

/// The tuple of a key.
#[inline]
pub(crate) fn find<T: Lookup<Q>, Q: ?Sized>(
    table: &T,
    hash: Hash,
    key: &Q,
    protected: Protected<'_>,
) -> Option<NonNull<Tuple>> {
    let index = &table.typed().core.index;
    index.find(hash, protected, |tuple| {
        // SAFETY: found in this table by a protected thread.
        T::matches(unsafe { key_of(tuple) }, key)
    })
}

/// The value of a version, if it is one and not a tombstone.
///
/// # Safety
/// The version is null or of a table with values `V`, and stays allocated for `'r`.
#[inline]
pub(crate) unsafe fn value_of<'r, V>(version: *mut Version) -> Option<&'r V> {
    // SAFETY: the caller's promise.
    let version = unsafe { version.cast::<ValueVersion<V>>().as_ref() };
    version.and_then(|version| version.value.as_ref())
}

/// The value of a key at a timestamp.
///
/// # Safety
/// The caller's slot protects `timestamp` for `'r`.
pub(crate) unsafe fn get_at<'r, T: Lookup<Q>, Q: ?Sized>(
    database: &Inner,
    table: &T,
    key: &Q,
    timestamp: u64,
    protected: Protected<'_>,
) -> Option<&'r T::Value> {
    table.typed().core.check_database(database.id);
    let hash = Hash::new(table.hash_lookup(key));
    // SAFETY: passed on to the caller.
    unsafe { get_hashed_at(table, hash, key, timestamp, protected) }
}

/// The value of a key with this hash at a timestamp.
///
/// # Safety
/// As for [`get_at`].
pub(crate) unsafe fn get_hashed_at<'r, T: Lookup<Q>, Q: ?Sized>(
    table: &T,
    hash: Hash,
    key: &Q,
    timestamp: u64,
    protected: Protected<'_>,
) -> Option<&'r T::Value> {
    loop {
        let tuple = find(table, hash, key, protected)?;
        // SAFETY: we are protected; the caller's promise.
        match unsafe { read_at(tuple, timestamp) } {
            // SAFETY: visible at a timestamp that the slot protects.
            Seen::Version(version, _) => return unsafe { value_of(version) },
            Seen::Dead => {}
        }
    }
}

/// The rows of one shard at a timestamp.
///
/// # Safety
/// The caller's slot protects `timestamp` for `'r`. That goes for the keys as well: a tuple whose visible version has a value is
/// not removed, for the tombstone that would allow it is not below the watermark.
pub(crate) unsafe fn shard_at<'r, T: AnyTable>(
    table: &T,
    shard: usize,
    timestamp: u64,
    protected: Protected<'_>,
) -> Vec<(&'r T::Key, &'r T::Value)> {
    let (_, tuples) = table.typed().core.index.walk(shard, protected);
    let row = |tuple| {
        // SAFETY: we are protected; the caller's promise.
        let Seen::Version(version, _) = (unsafe { read_at(tuple, timestamp) }) else {
            return None;
        };
        // SAFETY: see above.
        unsafe { value_of(version).map(|value| (key_of(tuple), value)) }
    };
    tuples.filter_map(row).collect()
}
