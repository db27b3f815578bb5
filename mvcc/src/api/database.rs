//! The database: a handle, and what it opens.

use crate::api::read::AnyTable;
use crate::api::table::{OrderedTable, Table};
use crate::clock::{Clock, ClockChoice, ClockError};
use crate::collect;
use crate::collect::local::Local;
use crate::commit::shared::Shared;
use crate::memory::expiry::LimitedSnapshots;
use crate::memory::retired::Retired;
use crate::rows::core::{Index, TableCore, TableError};
use crate::rows::hash::HashIndex;
use crate::rows::tree::Tree;
use crate::sync::{Arc, Mutex, Ordering, counter, freed};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// An in-memory database: named tables, and transactions over them.
///
/// A cheap handle: clones stand for the same database, and it may be shared between threads. It is
/// dropped, with all that it holds, when the last handle and the last [`Snapshot`](crate::Snapshot)
/// are gone. See the [crate's page](crate) for an example.
///
/// ```
/// use mvcc::Database;
///
/// let db = Database::new();
/// let hits = db.table::<&str, u64>("hits")?;
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| db.run(|tx| {
///             let count = tx.get(&hits, "page").copied().unwrap_or(0);
///             Ok::<_, ()>(tx.insert(&hits, "page", count + 1))
///         }));
///     }
/// });
/// assert_eq!(db.view(|view| view.get(&hits, "page").copied()), Some(4));
/// # Ok::<(), mvcc::TableError>(())
/// ```
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Unique in the process.
    pub(crate) id: u64,
    /// As it was given, or the number.
    pub(crate) label: Box<str>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tables: Mutex<HashMap<Name, Arc<TableCore>>>,
}

/// What a table is found by. The entries of indexes are tables as well, which no name of a user's
/// may meet.
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// A table that a user has named.
    Table(Box<str>),
    /// The entries of an index of a table.
    Entries { table: Box<str>, index: Box<str> },
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) => f.write_str(name),
            Self::Entries { table, index } => write!(f, "{table}.{index}"),
        }
    }
}

/// Settings for a new [`Database`].
///
/// ```
/// use mvcc::{ClockChoice, ClockKind, Database};
///
/// let db = Database::builder().clock(ClockChoice::Counter).build()?;
/// assert_eq!(db.clock().kind(), ClockKind::Counter);
/// # Ok::<(), mvcc::ClockError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    clock: ClockChoice,
    skew: u64,
    snapshot_limit: Option<Duration>,
    name: Option<String>,
}

impl Builder {
    /// A name for messages: a program that uses a table with another database than its own is told
    /// the names of both. By default a number.
    ///
    /// ```should_panic
    /// use mvcc::Database;
    ///
    /// let shop = Database::builder().name("shop").build().unwrap();
    /// let archive = Database::builder().name("archive").build().unwrap();
    /// let orders = shop.table::<u64, String>("orders").unwrap();
    /// // Panics: table "orders" belongs to another database ...: to database "shop", not to database "archive"; ...
    /// archive.view(|view| view.contains_key(&orders, &1));
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Which clock to use. By default the processor's counter where it can be trusted, else a
    /// shared counter.
    ///
    /// The processor's counter is shared by nobody, so it scales. The shared counter is strict on
    /// every machine, and may be the faster one on very few cores.
    ///
    /// ```
    /// use mvcc::{ClockChoice, ClockKind, Database};
    ///
    /// let db = Database::builder().clock(ClockChoice::Counter).build()?;
    /// assert_eq!(db.clock().kind(), ClockKind::Counter);
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    pub fn clock(mut self, choice: ClockChoice) -> Self {
        self.clock = choice;
        self
    }

    /// How far the counters of two cores may be apart, in ticks, beyond what handing a cache line
    /// over takes. By default 0.
    ///
    /// [`Audit::skew`](crate::Audit::skew) says what this machine needs. Each reading then waits
    /// this long, so there is a limit, 2<sup>30</sup> ticks, beyond which [`build`](Self::build)
    /// fails.
    ///
    /// ```
    /// let db = mvcc::Database::builder().clock_skew(1_000).build()?;
    /// assert_eq!(db.clock().skew(), 1_000);
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    pub fn clock_skew(mut self, ticks: u64) -> Self {
        self.skew = ticks;
        self
    }

    /// How old a [`LimitedSnapshot`](crate::LimitedSnapshot) may get. By default there is no limit.
    ///
    /// Those that are older are given up when somebody collects garbage, which commits do every now
    /// and then. A [`Snapshot`](crate::Snapshot) is never given up.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let db = mvcc::Database::builder().snapshot_limit(Duration::from_secs(60)).build()?;
    /// let snapshot = db.limited_snapshot();
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    pub fn snapshot_limit(mut self, limit: Duration) -> Self {
        self.snapshot_limit = Some(limit);
        self
    }

    /// The database.
    ///
    /// # Errors
    /// [`ClockError`] if this machine does not have the clock that was chosen, or the allowance for
    /// [skew](Self::clock_skew) is too large.
    ///
    /// ```
    /// let db = mvcc::Database::builder().build()?;
    /// assert_eq!(db.stats().commits, 0);
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    pub fn build(self) -> Result<Database, ClockError> {
        static NEXT: counter::AtomicU64 = counter::AtomicU64::new(0);
        let clock = Clock::new(self.clock, self.skew)?;
        let limited = LimitedSnapshots::new(self.snapshot_limit);
        freed::forget();
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = match &self.name {
            Some(name) => format!("database {name:?}"),
            None => format!("unnamed database {id}"),
        };
        let label = self.name.unwrap_or_else(|| id.to_string());
        Ok(Database {
            inner: Arc::new(Inner {
                id,
                label: label.into(),
                shared: Arc::new(Shared::new(name.into(), clock, limited)),
                tables: Mutex::default(),
            }),
        })
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Database {
    /// An empty database with the default settings.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let same = db.clone();
    /// let names = db.table::<u64, &str>("names")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&names, 1, "ann"))).unwrap();
    /// assert_eq!(same.stats().commits, 1);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn new() -> Self {
        let Ok(database) = Self::builder().build() else {
            unreachable!("the default settings fit every machine")
        };
        database
    }

    /// Settings for a new database.
    ///
    /// ```
    /// use mvcc::{ClockChoice, Database};
    ///
    /// let db = Database::builder().clock(ClockChoice::Auto).build()?;
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// Opens the table of this name, or creates it.
    ///
    /// # Errors
    /// [`TableError::WrongTypes`] if the name belongs to a table of other types.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, String>("names")?;
    /// assert!(db.table::<u64, u64>("names").is_err());
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn table<K, V>(&self, name: &str) -> Result<Table<K, V>, TableError>
    where
        Table<K, V>: AnyTable<Key = K, Value = V>,
        K: 'static,
        V: 'static,
    {
        let name = Name::Table(name.into());
        let core = self.core::<K, V>(name, "Table", || Index::Hash(HashIndex::new()))?;
        Ok(Table::from_core(core))
    }

    /// Opens the ordered table of this name, or creates it.
    ///
    /// # Errors
    /// [`TableError`] if the name belongs to a table of other types or of the other kind.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.ordered_table::<u64, String>("names")?;
    /// assert!(db.table::<u64, String>("names").is_err());
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn ordered_table<K, V>(&self, name: &str) -> Result<OrderedTable<K, V>, TableError>
    where
        K: Ord + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        self.ordered(Name::Table(name.into()))
    }

    /// Opens the ordered table that is found by this, or creates it.
    pub(crate) fn ordered<K, V>(&self, name: Name) -> Result<OrderedTable<K, V>, TableError>
    where
        K: Ord + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let core = self.core::<K, V>(name, "OrderedTable", || {
            Index::Tree(Box::new(Tree::<K>::new()))
        })?;
        Ok(OrderedTable::from_core(core))
    }

    /// An ordered table that nobody finds by its name: it stands in for one that cannot be opened.
    #[cfg(feature = "durable")]
    pub(crate) fn unlisted<K, V>(&self, name: &str) -> OrderedTable<K, V>
    where
        K: Ord + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let index = Index::Tree(Box::new(Tree::<K>::new()));
        let core = TableCore::new::<K, V>(usize::MAX, self.inner.identity(), name, index);
        OrderedTable::from_core(core.into())
    }

    /// A hashed table that is in no list.
    #[cfg(feature = "durable")]
    pub(crate) fn unlisted_hashed<K, V>(&self, name: &str) -> Table<K, V>
    where
        K: 'static,
        V: 'static,
    {
        let index = Index::Hash(HashIndex::new());
        let core = TableCore::new::<K, V>(usize::MAX, self.inner.identity(), name, index);
        Table::from_core(core.into())
    }

    fn core<K: 'static, V: 'static>(
        &self,
        name: Name,
        kind: &'static str,
        index: impl FnOnce() -> Index,
    ) -> Result<Arc<TableCore>, TableError> {
        let mut tables = self.inner.tables.lock();
        if let Some(core) = tables.get(&name) {
            core.check::<K, V>(kind)?;
            return Ok(core.clone());
        }
        let core = TableCore::new::<K, V>(
            tables.len(),
            self.inner.identity(),
            &name.to_string(),
            index(),
        );
        let core = Arc::new(core);
        tables.insert(name, core.clone());
        Ok(core)
    }

    /// Frees whatever is garbage now. It is done along with the commits anyway, a few transactions
    /// later; this is for those who want the memory back when no more commits follow.
    ///
    /// Inside of a transaction or a view on the same thread it frees less. So it does while a
    /// thread ends that has used the database: to wait for that, join the thread; the end of
    /// [`std::thread::scope`] only waits for its closure.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// for value in ["one", "two", "three"] {
    ///     db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, value))).unwrap();
    /// }
    /// db.collect();
    /// let stats = db.stats();
    /// assert_eq!((stats.live_versions, stats.retired), (1, 0));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn collect(&self) {
        collect::collect_all(&self.inner.local());
    }

    /// The [name](Builder::name) that it was given, or its number.
    ///
    /// ```
    /// let db = mvcc::Database::builder().name("shop").build()?;
    /// assert_eq!(db.name(), "shop");
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.inner.label
    }

    /// The clock in use.
    ///
    /// ```
    /// println!("transactions are ordered by the clock {}", mvcc::Database::new().clock().kind());
    /// ```
    pub fn clock(&self) -> Clock {
        self.inner.shared.memory.clock.clone()
    }
}

impl Inner {
    /// What its tables know it by.
    pub(crate) fn identity(&self) -> (u64, Arc<str>) {
        (self.id, self.shared.name.clone())
    }

    /// Panics if the table belongs to another database.
    #[inline]
    pub(crate) fn check(&self, table: &TableCore) {
        table.check_database(self.id, &self.shared.name);
    }

    /// This thread's state for the database.
    #[inline]
    pub(crate) fn local(&self) -> Rc<Local> {
        Local::of(self.id, &self.shared)
    }
}

impl Drop for Inner {
    /// No transaction, view or snapshot is alive: each borrows the database or owns a handle. So
    /// all garbage can go.
    fn drop(&mut self) {
        let local = self.local();
        let (mut versions, mut unlinked) = (Vec::new(), Vec::new());
        for worker in self.shared.memory.workers() {
            let (retired, left) = worker.garbage.lock().drain();
            versions.extend(retired.into_iter().map(Retired::into_version));
            unlinked.extend(left);
            worker.pool.clear();
        }
        self.shared.closed.store(true, Ordering::Relaxed);
        collect::flush(&local);
        self.shared.memory.spare.clear();
        drop(local);
        Local::forget(self.id);
        let tables = std::mem::take(&mut *self.tables.lock());
        // A list, for that is dropped as a whole, also if dropping something in it panics.
        let tables: Vec<_> = tables.into_values().collect();
        // Runs user code: last.
        drop(versions);
        drop(unlinked);
        drop(tables);
    }
}

#[cfg(test)]
mod tests;
