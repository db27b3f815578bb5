//! What a workload needs of a transaction engine.
//!
//! A workload is generic over [`Engine`], so each engine runs the very same code, compiled for it:
//! no dynamic dispatch and no copy of a row stands between the workload and the engine.

pub mod durable;
mod tplock;

use durable::Durability;
use std::convert::Infallible;
use std::hash::Hash;
use std::ops::RangeBounds;

/// What a key is: the engines hash it, order it and keep it.
pub trait Key: Hash + Ord + Clone + Send + Sync + 'static {}
impl<K: Hash + Ord + Clone + Send + Sync + 'static> Key for K {}

/// What a row is.
pub trait Row: Clone + Send + Sync + 'static {}
impl<V: Clone + Send + Sync + 'static> Row for V {}

/// A transaction engine: tables, read-write transactions that retry, read-only views and snapshots.
pub trait Engine: Clone + Send + Sync + 'static {
    /// The name that `--engine` takes.
    const NAME: &'static str;
    /// A typed table for point access.
    type Table<K: Key, V: Row>: Clone + Send + Sync;
    /// A typed table that is ordered by its keys.
    type OrderedTable<K: Key, V: Row>: Clone + Send + Sync;
    /// A read-write transaction.
    type Transaction<'t>: Write<Self>;
    /// A short read-only transaction.
    type View<'v>: Read<Self>;
    /// A read-only transaction that may take long.
    type Snapshot: Read<Self>;

    /// Opens or creates a table.
    ///
    /// # Errors
    /// The engine's message if the name is taken by a table of other types.
    fn table<K: Key, V: Row>(&self, name: &str) -> Result<Self::Table<K, V>, String>;

    /// Opens or creates an ordered table.
    ///
    /// # Errors
    /// The engine's message if the name is taken by a table of other types or of the other kind.
    fn ordered_table<K: Key, V: Row>(&self, name: &str)
    -> Result<Self::OrderedTable<K, V>, String>;

    /// Runs a read-write transaction until it commits; the closure runs once for each attempt.
    ///
    /// # Errors
    /// What the closure returns, after an abort.
    fn run<T, E>(&self, body: impl FnMut(&Self::Transaction<'_>) -> Result<T, E>) -> Result<T, E>;

    /// Runs a transaction that only reads, and takes a timestamp even if the engine could do
    /// without. An engine without timestamps runs it as any other.
    fn run_timestamped<T>(&self, mut body: impl FnMut(&Self::Transaction<'_>) -> T) -> T {
        let Ok(value) = self.run(|tx| Ok::<_, Infallible>(body(tx)));
        value
    }

    /// Runs a short read-only transaction. An engine whose readers can be in conflict runs the
    /// closure once for each attempt.
    fn view<T>(&self, body: impl FnMut(&Self::View<'_>) -> T) -> T;

    /// Runs a read-only transaction that may take long, on the state that is committed now. The
    /// closure runs once for each attempt, as in [`Engine::view`].
    fn snapshot<T>(&self, body: impl FnMut(&Self::Snapshot) -> T) -> T;

    /// What orders the transactions, for reports.
    fn clock(&self) -> String;

    /// How many versions are kept of all rows together; `None` for an engine that has one value of
    /// each.
    fn live_versions(&self) -> Option<u64> {
        None
    }

    /// Whether the tables hold already what a load would put there.
    fn is_loaded(&self) -> bool {
        false
    }

    /// Says that all is loaded.
    fn loaded(&self) {}

    /// Says that what is measured begins now.
    fn begin(&self) {}

    /// Ends what is measured: what has committed is as durable as it gets. Then what durability has
    /// cost, of an engine that has it.
    fn end(&self) -> Option<Durability> {
        None
    }
}

/// Reading.
pub trait Read<E: Engine> {
    /// A row, without a copy.
    fn get<'r, K: Key, V: Row>(&'r self, table: &E::Table<K, V>, key: &K) -> Option<&'r V>;

    /// Rows, in the order of the keys. An engine may look for several of them at a time; each is
    /// read when the iterator comes to it.
    fn get_many<'r, K: Key, V: Row>(
        &'r self,
        table: &'r E::Table<K, V>,
        keys: &'r [K],
    ) -> impl Iterator<Item = Option<&'r V>> {
        keys.iter().map(|key| self.get(table, key))
    }

    /// A row of an ordered table, without a copy.
    fn get_ordered<'r, K: Key, V: Row>(
        &'r self,
        table: &E::OrderedTable<K, V>,
        key: &K,
    ) -> Option<&'r V>;

    /// The rows of an ordered table whose keys are in a range, ascending; from both ends.
    fn range<'r, K: Key, V: Row>(
        &'r self,
        table: &'r E::OrderedTable<K, V>,
        range: impl RangeBounds<K> + 'r,
    ) -> impl DoubleEndedIterator<Item = (&'r K, &'r V)>;
}

/// Writing.
pub trait Write<E: Engine>: Read<E> {
    /// Inserts or overwrites a row.
    fn insert<K: Key, V: Row>(&self, table: &E::Table<K, V>, key: K, row: V);

    /// The same for many rows, which an engine may look up at the same time.
    fn insert_many<K: Key, V: Row>(
        &self,
        table: &E::Table<K, V>,
        rows: impl IntoIterator<Item = (K, V)>,
    ) {
        for (key, row) in rows {
            self.insert(table, key, row);
        }
    }

    /// Removes a row.
    fn remove<K: Key, V: Row>(&self, table: &E::Table<K, V>, key: &K);

    /// Inserts or overwrites a row of an ordered table.
    fn insert_ordered<K: Key, V: Row>(&self, table: &E::OrderedTable<K, V>, key: K, row: V);

    /// Removes a row of an ordered table.
    fn remove_ordered<K: Key, V: Row>(&self, table: &E::OrderedTable<K, V>, key: &K);
}

/// Reading and writing for an engine whose tables and transactions are `mvcc`'s: all its readers
/// read through `mvcc::Read`.
macro_rules! mvcc_readers {
    ($engine:ty) => {
        impl<R: mvcc::Read> Read<$engine> for R {
            fn get<'r, K: Key, V: Row>(
                &'r self,
                table: &mvcc::Table<K, V>,
                key: &K,
            ) -> Option<&'r V> {
                mvcc::Read::get(self, table, key)
            }

            fn get_many<'r, K: Key, V: Row>(
                &'r self,
                table: &'r mvcc::Table<K, V>,
                keys: &'r [K],
            ) -> impl Iterator<Item = Option<&'r V>> {
                mvcc::Read::get_many(self, table, keys)
            }

            fn get_ordered<'r, K: Key, V: Row>(
                &'r self,
                table: &mvcc::OrderedTable<K, V>,
                key: &K,
            ) -> Option<&'r V> {
                mvcc::Read::get(self, table, key)
            }

            fn range<'r, K: Key, V: Row>(
                &'r self,
                table: &'r mvcc::OrderedTable<K, V>,
                range: impl RangeBounds<K> + 'r,
            ) -> impl DoubleEndedIterator<Item = (&'r K, &'r V)> {
                mvcc::Read::range(self, table, range)
            }
        }

        impl Write<$engine> for mvcc::Transaction<'_> {
            fn insert<K: Key, V: Row>(&self, table: &mvcc::Table<K, V>, key: K, row: V) {
                self.insert(table, key, row);
            }

            fn insert_many<K: Key, V: Row>(
                &self,
                table: &mvcc::Table<K, V>,
                rows: impl IntoIterator<Item = (K, V)>,
            ) {
                self.insert_many(table, rows);
            }

            fn remove<K: Key, V: Row>(&self, table: &mvcc::Table<K, V>, key: &K) {
                self.remove(table, key);
            }

            fn insert_ordered<K: Key, V: Row>(
                &self,
                table: &mvcc::OrderedTable<K, V>,
                key: K,
                row: V,
            ) {
                self.insert(table, key, row);
            }

            fn remove_ordered<K: Key, V: Row>(&self, table: &mvcc::OrderedTable<K, V>, key: &K) {
                self.remove(table, key);
            }
        }
    };
}
use mvcc_readers;

impl Engine for mvcc::Database {
    const NAME: &'static str = "mvcc";
    type Table<K: Key, V: Row> = mvcc::Table<K, V>;
    type OrderedTable<K: Key, V: Row> = mvcc::OrderedTable<K, V>;
    type Transaction<'t> = mvcc::Transaction<'t>;
    type View<'v> = mvcc::View<'v>;
    type Snapshot = mvcc::Snapshot;

    fn table<K: Key, V: Row>(&self, name: &str) -> Result<mvcc::Table<K, V>, String> {
        mvcc::Database::table(self, name).map_err(|error| error.to_string())
    }

    fn ordered_table<K: Key, V: Row>(
        &self,
        name: &str,
    ) -> Result<mvcc::OrderedTable<K, V>, String> {
        mvcc::Database::ordered_table(self, name).map_err(|error| error.to_string())
    }

    fn run<T, E>(&self, body: impl FnMut(&mvcc::Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        mvcc::Database::run(self, body)
    }

    fn run_timestamped<T>(&self, mut body: impl FnMut(&mvcc::Transaction<'_>) -> T) -> T {
        loop {
            let tx = self.begin();
            let value = body(&tx);
            // Not `run`, which leaves out the timestamp that nobody has asked for.
            if tx.commit().is_ok() {
                return value;
            }
        }
    }

    fn view<T>(&self, body: impl FnOnce(&mvcc::View<'_>) -> T) -> T {
        mvcc::Database::view(self, body)
    }

    fn snapshot<T>(&self, body: impl FnOnce(&mvcc::Snapshot) -> T) -> T {
        body(&mvcc::Database::snapshot(self))
    }

    fn clock(&self) -> String {
        mvcc::Database::clock(self).kind().to_string()
    }

    fn live_versions(&self) -> Option<u64> {
        Some(self.stats().live_versions)
    }
}

mvcc_readers!(mvcc::Database);
