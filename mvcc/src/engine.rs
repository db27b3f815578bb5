//! One closure for every engine: in memory, durable, and on another machine.
//!
//! A program that is generic over [`Engine`] runs on a [`Database`](crate::Database), where nothing
//! can fail; on a [`Store`](crate::Store), whose log may stop; and on an engine that is reached
//! over a network, where each read may fail and a value has no place here that a reference could
//! point to. Whoever stays with one of the first two needs none of this: their own methods are
//! shorter, and as fast.
//!
//! ```
//! use mvcc::engine::{Engine, Failed, Read, Write};
//! use mvcc::{Database, Store, Table};
//!
//! #[derive(Debug, PartialEq)]
//! struct BalanceTooLow;
//!
//! fn transfer<X: Engine>(
//!     engine: &X,
//!     balances: &X::Table<String, i64>,
//!     [from, to]: [&str; 2],
//!     amount: i64,
//! ) -> Result<(), Failed<BalanceTooLow, X::Error>> {
//!     engine.run(|tx| {
//!         let balance = |name: &str| Ok::<_, X::Error>(tx.get(balances, &name.into())?.map_or(0, |it| *it));
//!         let left = balance(from)? - amount;
//!         if left < 0 {
//!             return Err(Failed::Closure(BalanceTooLow));
//!         }
//!         tx.insert(balances, from.into(), left);
//!         tx.insert(balances, to.into(), balance(to)? + amount);
//!         Ok(())
//!     })
//! }
//!
//! let db = Database::new();
//! let balances: Table<String, i64> = db.table("balances")?;
//! db.run(|tx| Ok::<_, ()>(tx.insert(&balances, "ann".into(), 100))).unwrap();
//! assert_eq!(transfer(&db, &balances, ["ann", "bob"], 30), Ok(()));
//! assert_eq!(transfer(&db, &balances, ["ann", "bob"], 80), Err(Failed::Closure(BalanceTooLow)));
//!
//! # let path = std::env::temp_dir().join(format!("mvcc-doc-engine-{}", std::process::id()));
//! # let _ = std::fs::remove_dir_all(&path);
//! let (store, balances): (Store, Table<String, i64>) = Store::open(&path, |tables| tables.table("balances"))?;
//! assert_eq!(transfer(&store, &balances, ["ann", "bob"], 0), Ok(())); // it survives
//! # drop(store);
//! # std::fs::remove_dir_all(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is the same everywhere
//!
//! - Transactions are strictly serializable, and even one that will be aborted sees one consistent
//!   state.
//! - [`Engine::run`] runs the closure again until it commits. When it returns, what it has written
//!   and all that it has read is as durable as the engine makes it. The same holds for what
//!   [`Engine::view`] and [`Engine::snapshot`] have seen: of a store, they wait for what is not
//!   durable yet, as [`Store::view_durable`](crate::Store::view_durable) does.
//! - A transaction has one of three [outcomes](Outcome), and the error says which, if it can.
//! - Writes are buffered and cannot fail. What they are refused for, the commit tells.
//!
//! A closure leaves with `?` when a read fails; nothing unwinds. An engine whose read has failed
//! does not commit that transaction, even if the closure goes on and returns `Ok`.

mod memory;
mod store;

use journal::codec::{Decode, Encode};
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::hash::Hash;
use std::ops::{Deref, RangeBounds};

/// What a key is: engines hash it, order it, keep it, or send it elsewhere.
pub trait Key: Hash + Ord + Clone + Encode + Decode + Send + Sync + 'static {}
impl<K: Hash + Ord + Clone + Encode + Decode + Send + Sync + 'static> Key for K {}

/// What a value is.
pub trait Value: Encode + Decode + Send + Sync + 'static {}
impl<V: Encode + Decode + Send + Sync + 'static> Value for V {}

/// Something that runs transactions. A cheap handle: clone it for other threads.
pub trait Engine: Clone + Send + Sync + 'static {
    /// What the engine itself may fail with. In memory nothing does: [`Infallible`].
    type Error: Failure;
    /// A table for point access.
    type Table<K: Key, V: Value>: Clone + Send + Sync;
    /// A table that is ordered by its keys.
    type OrderedTable<K: Key, V: Value>: Clone + Send + Sync;
    /// What a read returns: a reference where the value is in memory, the value itself where it is
    /// not.
    type Ref<'r, T: Send + Sync + 'static>: Deref<Target = T>;
    /// A read-write transaction.
    type Transaction<'t>: Write<Self>;
    /// A read-only transaction.
    type View<'v>: Read<Self>;
    /// A state that is kept.
    type Snapshot: Read<Self> + Send + Sync;

    /// Runs a read-write transaction until it commits, and returns what the closure returned. The
    /// closure may run several times.
    ///
    /// # Errors
    /// What the closure returns as `Err`, after an abort; the engine's error, of which [`outcome`]
    /// tells what has become of the transaction.
    ///
    /// [`outcome`]: Failure::outcome
    fn run<T, E: From<Self::Error>>(
        &self,
        transaction: impl FnMut(&Self::Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E>;

    /// Runs a read-only transaction. The closure may run several times.
    ///
    /// # Errors
    /// What the closure returns as `Err`; the engine's error.
    fn view<T, E: From<Self::Error>>(
        &self,
        read: impl FnMut(&Self::View<'_>) -> Result<T, E>,
    ) -> Result<T, E>;

    /// The state that is committed now, to keep.
    ///
    /// # Errors
    /// The engine's.
    fn snapshot(&self) -> Result<Self::Snapshot, Self::Error>;

    /// What has become of a transaction that ended with this error: asked later, of an engine that
    /// can tell. One that cannot says what the error says.
    ///
    /// # Errors
    /// The engine's: it does not know yet, ask again.
    fn resolve(&self, error: &Self::Error) -> Result<Outcome, Self::Error> {
        Ok(error.outcome())
    }
}

/// Where a program opens its tables, before it runs transactions: a
/// [`Database`](crate::Database) for itself, a [`Schema`](crate::Schema) for the store that is
/// being opened.
///
/// ```
/// use mvcc::engine::{Declare, Engine};
/// use mvcc::{Database, Store};
///
/// struct Mail<X: Engine> {
///     messages: X::OrderedTable<(u32, u64), Vec<u8>>,
///     arrivals: X::Table<u32, u64>,
/// }
///
/// impl<X: Engine> Mail<X> {
///     fn declare<D: Declare<X>>(tables: &mut D) -> Result<Self, D::Error> {
///         Ok(Self {
///             messages: tables.ordered_table("messages")?,
///             arrivals: tables.table("arrivals")?,
///         })
///     }
/// }
///
/// let mut db = Database::new();
/// let in_memory: Mail<Database> = Mail::declare(&mut db)?;
///
/// # let path = std::env::temp_dir().join(format!("mvcc-doc-declare-{}", std::process::id()));
/// # let _ = std::fs::remove_dir_all(&path);
/// let (store, mail) = Store::open(&path, |tables| Mail::<Store>::declare(tables))?;
/// let Ok(durable) = mail; // of a store, opening it reports what is wrong
/// # drop(store);
/// # std::fs::remove_dir_all(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Declare<X: Engine> {
    /// Why a table is refused here.
    type Error: Error;

    /// Opens or creates a table.
    ///
    /// # Errors
    /// If the name is taken by a table of other types or of the other kind.
    fn table<K: Key, V: Value>(&mut self, name: &str) -> Result<X::Table<K, V>, Self::Error>;

    /// Opens or creates an ordered table.
    ///
    /// # Errors
    /// If the name is taken by a table of other types or of the other kind.
    fn ordered_table<K: Key, V: Value>(
        &mut self,
        name: &str,
    ) -> Result<X::OrderedTable<K, V>, Self::Error>;
}

/// A key and its value, as an engine returns them.
pub type Row<'r, X, K, V> = (<X as Engine>::Ref<'r, K>, <X as Engine>::Ref<'r, V>);

/// The reads of a transaction, a view, a snapshot.
pub trait Read<X: Engine> {
    /// The value of a key.
    ///
    /// # Errors
    /// The engine's.
    ///
    /// # Panics
    /// If the table belongs to another engine; so do all others.
    fn get<'r, K: Key, V: Value>(
        &'r self,
        table: &X::Table<K, V>,
        key: &K,
    ) -> Result<Option<X::Ref<'r, V>>, X::Error>;

    /// The values of many keys, in the order of the keys: in one round trip where an engine needs
    /// one, with lookups that wait for memory together where the values are in memory.
    ///
    /// Each may be the engine's error. Then the iterator has ended.
    fn get_many<'r, K: Key, V: Value>(
        &'r self,
        table: &'r X::Table<K, V>,
        keys: &'r [K],
    ) -> impl Iterator<Item = Result<Option<X::Ref<'r, V>>, X::Error>>;

    /// The value of a key of an ordered table.
    ///
    /// # Errors
    /// The engine's.
    fn get_ordered<'r, K: Key, V: Value>(
        &'r self,
        table: &X::OrderedTable<K, V>,
        key: &K,
    ) -> Result<Option<X::Ref<'r, V>>, X::Error>;

    /// The rows whose keys are in a range, ascending; from both ends. In a read-write transaction
    /// it is protected against changes until the commit, as far as the iteration has gone.
    ///
    /// Each row may be the engine's error. Then the iterator has ended.
    fn range<'r, K: Key, V: Value>(
        &'r self,
        table: &'r X::OrderedTable<K, V>,
        range: impl RangeBounds<K>,
    ) -> impl DoubleEndedIterator<Item = Result<Row<'r, X, K, V>, X::Error>>;
}

/// The writes of a transaction. They are buffered, and the transaction sees its own.
pub trait Write<X: Engine>: Read<X> {
    /// Inserts or overwrites a row.
    fn insert<K: Key, V: Value>(&self, table: &X::Table<K, V>, key: K, value: V);

    /// Removes a row, if there is one.
    fn remove<K: Key, V: Value>(&self, table: &X::Table<K, V>, key: &K);

    /// Inserts or overwrites a row of an ordered table.
    fn insert_ordered<K: Key, V: Value>(&self, table: &X::OrderedTable<K, V>, key: K, value: V);

    /// Removes a row of an ordered table, if there is one.
    fn remove_ordered<K: Key, V: Value>(&self, table: &X::OrderedTable<K, V>, key: &K);
}

/// What has become of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has happened.
    Committed,
    /// Nothing has happened, and nothing will.
    Aborted,
    /// One or the other: nobody here can tell.
    Unknown,
}

/// An engine's error: it says what has become of the transaction that ended with it.
pub trait Failure: Error + Send + Sync + 'static {
    /// [`Outcome::Aborted`] or [`Outcome::Unknown`].
    fn outcome(&self) -> Outcome;
}

impl Failure for Infallible {
    fn outcome(&self) -> Outcome {
        match *self {}
    }
}

/// Why a transaction has not committed, for closures that refuse: by the closure, or by the engine.
/// A closure that never refuses takes the engine's error as its own; one that has an error type of
/// its own implements `From` of the engine's for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed<E, F> {
    /// The closure has returned this: nothing happened.
    Closure(E),
    /// The engine has failed.
    Engine(F),
}

impl<E, F> From<F> for Failed<E, F> {
    fn from(error: F) -> Self {
        Self::Engine(error)
    }
}

impl<E: fmt::Display, F: fmt::Display> fmt::Display for Failed<E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closure(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static, F: Error + 'static> Error for Failed<E, F> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Closure(error) => error.source(),
            Self::Engine(error) => error.source(),
        }
    }
}
