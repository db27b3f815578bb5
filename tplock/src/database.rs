//! The database: a handle, and what it opens.

use crate::age::Age;
use crate::attempt::Attempt;
use crate::core::Core;
use crate::sync::Mutex;
use crate::table::{AnyTable, OrderedTable, Table, TableError};
use crate::transaction::{Transaction, View};
use crate::unwind;
use std::any::{Any, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An in-memory database: named tables, and transactions over them.
///
/// A cheap handle: clones stand for the same database, and it may be shared between threads. See
/// the [crate's page](crate) for an example.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    /// Unique in the process.
    id: u64,
    tables: Mutex<HashMap<String, Opened>>,
}

/// A table, with its types forgotten.
struct Opened {
    /// The handle.
    table: Box<dyn Any + Send + Sync>,
    kind: &'static str,
    type_name: &'static str,
    count: fn(&dyn Any) -> (usize, usize),
}

impl Opened {
    /// Why it cannot be opened as a `T`.
    fn mismatch<T: AnyTable>(&self, name: &str) -> TableError {
        let name = name.to_owned();
        if self.kind == T::KIND {
            return TableError::WrongTypes {
                name,
                wanted: type_name::<T>(),
                found: self.type_name,
            };
        }
        TableError::WrongKind {
            name,
            wanted: T::KIND,
            found: self.kind,
        }
    }
}

/// What a database holds, from [`Database::stats`]. Exact when the database is quiet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys in the indexes: those with a value, and those without one that somebody has locked.
    pub tuples: usize,
    /// Locks that are held.
    pub locks: usize,
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Database {
    /// An empty database.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            inner: Arc::new(Inner {
                // Relaxed: only that no two are the same matters.
                id: NEXT.fetch_add(1, Ordering::Relaxed),
                tables: Mutex::default(),
            }),
        }
    }

    /// Opens the table of this name, or creates it.
    ///
    /// # Errors
    /// [`TableError`] if the name belongs to a table of other types or of the other kind.
    ///
    /// ```
    /// let db = tplock::Database::new();
    /// let table = db.table::<u64, String>("names")?;
    /// assert!(db.table::<u64, u64>("names").is_err());
    /// # Ok::<(), tplock::TableError>(())
    /// ```
    pub fn table<K, V>(&self, name: &str) -> Result<Table<K, V>, TableError>
    where
        Table<K, V>: AnyTable<Key = K, Value = V> + Send + Sync,
        K: 'static,
        V: 'static,
    {
        self.open(name)
    }

    /// Opens the ordered table of this name, or creates it.
    ///
    /// # Errors
    /// [`TableError`] if the name belongs to a table of other types or of the other kind.
    ///
    /// ```
    /// let db = tplock::Database::new();
    /// let orders = db.ordered_table::<(u32, u64), u64>("orders")?;
    /// db.run(|tx| {
    ///     for order in 1..=3 {
    ///         tx.insert(&orders, (7, order), order * 100);
    ///     }
    ///     tx.insert(&orders, (8, 1), 5);
    ///     Ok::<_, ()>(())
    /// }).unwrap();
    /// let newest = db.view(|view| view.range(&orders, (7, 0)..(8, 0)).next_back().map(|(&key, _)| key));
    /// assert_eq!(newest, Some((7, 3)));
    /// # Ok::<(), tplock::TableError>(())
    /// ```
    pub fn ordered_table<K, V>(&self, name: &str) -> Result<OrderedTable<K, V>, TableError>
    where
        OrderedTable<K, V>: AnyTable<Key = K, Value = V> + Send + Sync,
        K: 'static,
        V: 'static,
    {
        self.open(name)
    }

    fn open<T: AnyTable + Any + Clone + Send + Sync>(&self, name: &str) -> Result<T, TableError> {
        let mut tables = self.inner.tables.lock();
        if let Some(found) = tables.get(name) {
            let table = found.table.downcast_ref::<T>();
            return table.cloned().ok_or_else(|| found.mismatch::<T>(name));
        }
        let table = T::open(name, self.inner.id);
        let opened = Opened {
            table: Box::new(table.clone()),
            kind: T::KIND,
            type_name: type_name::<T>(),
            count: |table| table.downcast_ref::<T>().map_or((0, 0), T::count),
        };
        tables.insert(name.to_owned(), opened);
        Ok(table)
    }

    /// Runs a read-write transaction until it commits, and returns what the closure returned.
    ///
    /// The closure may run several times: when an older transaction is in the way, the closure is
    /// left in the middle of an operation, by unwinding (see the [crate's page](crate#dying)), all
    /// locks are given up, and it is run again once the other one is done. The transaction keeps
    /// its age, so in the end nobody is older.
    ///
    /// # Errors
    /// What the closure returns as `Err`. The transaction is aborted then and not run again.
    ///
    /// # Panics
    /// If the closure panics. The transaction is aborted then.
    ///
    /// ```
    /// let db = tplock::Database::new();
    /// let counters = db.table::<String, u64>("counters")?;
    /// let count = db.run(|tx| {
    ///     let count = tx.get(&counters, "visits").copied().unwrap_or(0) + 1;
    ///     tx.insert(&counters, "visits".to_owned(), count);
    ///     Ok::<_, std::convert::Infallible>(count)
    /// });
    /// assert_eq!(count, Ok(1));
    /// let refused = db.run(|tx| {
    ///     tx.insert(&counters, "visits".to_owned(), 7);
    ///     Err::<(), _>("changed my mind")
    /// });
    /// assert_eq!(refused, Err("changed my mind"));
    /// assert_eq!(db.view(|view| view.get(&counters, "visits").copied()), Some(1));
    /// # Ok::<(), tplock::TableError>(())
    /// ```
    pub fn run<T, E>(
        &self,
        mut transaction: impl FnMut(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut age = Age::next();
        loop {
            let core = Core::new(self.inner.id, age);
            let tx = Transaction { core };
            match unwind::attempt(&tx.core, || transaction(&tx)) {
                Some(result) => {
                    let value = result?;
                    tx.core.commit();
                    return Ok(value);
                }
                None => age = tx.core.step_aside(),
            }
        }
    }

    /// Runs a read-only transaction. Like [`Database::run`] it may run several times.
    ///
    /// # Panics
    /// If the closure panics.
    ///
    /// ```
    /// let db = tplock::Database::new();
    /// let table = db.table::<u64, u64>("t")?;
    /// assert_eq!(db.view(|view| view.get(&table, &1).copied()), None);
    /// # Ok::<(), tplock::TableError>(())
    /// ```
    pub fn view<T>(&self, mut read: impl FnMut(&View) -> T) -> T {
        let mut age = Age::next();
        loop {
            let core = Core::new(self.inner.id, age);
            let view = View { core };
            match unwind::attempt(&view.core, || read(&view)) {
                Some(value) => return value,
                None => age = view.core.step_aside(),
            }
        }
    }

    /// Begins a read-write transaction to be committed by hand. [`Database::run`] is simpler, and
    /// retries.
    pub fn begin(&self) -> Attempt {
        Attempt {
            core: Core::new(self.inner.id, Age::next()),
        }
    }

    /// What the database holds. It looks at every key.
    ///
    /// ```
    /// let db = tplock::Database::new();
    /// let table = db.table::<u64, u64>("t")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 1))).unwrap();
    /// assert_eq!((db.stats().tuples, db.stats().locks), (1, 0));
    /// # Ok::<(), tplock::TableError>(())
    /// ```
    pub fn stats(&self) -> Stats {
        let tables = self.inner.tables.lock();
        let counts = tables.values().map(|opened| (opened.count)(&*opened.table));
        counts.fold(Stats::default(), |stats, (tuples, locks)| Stats {
            tuples: stats.tuples + tuples,
            locks: stats.locks + locks,
        })
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.inner.tables.lock();
        let names: Vec<_> = tables.keys().collect();
        f.debug_struct("Database").field("tables", &names).finish()
    }
}
