//! Making an index.

use super::entry::Entry;
use super::write::{Maintain, Maintained};
use super::{Index, IndexCore, IndexKey, UniqueIndex};
use crate::api::database::{Database, Name};
use crate::api::duplicate::Duplicate;
use crate::api::read::AnyTable;
use crate::api::table::OrderedTable;
use crate::clock::timestamp::Timestamp;
use crate::rows::core::TableError;
use crate::sync::bug;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Why an index could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// There is an index of this name with keys of another type. Its entries are the table
    /// `TABLE.INDEX` of the message.
    Table(TableError),
    /// Two rows of the table have the same key of the unique index that was to be made.
    Duplicate(Duplicate),
    /// There is an index of this name, and it is unique where this one is not to be, or the other
    /// way round.
    WrongKind {
        /// The name of the table.
        table: Arc<str>,
        /// The name of the index.
        index: Arc<str>,
        /// Whether the index that is there is unique.
        is_unique: bool,
    },
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(error) => write!(f, "cannot make an index: {error}"),
            Self::Duplicate(Duplicate { table, index }) => write!(
                f,
                "cannot make unique index {:?}: two rows of table {table:?} have the same key; change one of them first, or make an index that is not unique",
                index.as_deref().unwrap_or_default()
            ),
            Self::WrongKind {
                table,
                index,
                is_unique,
            } => {
                let (found, method) = match is_unique {
                    true => ("unique", "unique_index"),
                    false => ("not unique", "index"),
                };
                write!(
                    f,
                    "cannot open index {index:?} of table {table:?}: it is {found}; open it with Database::{method}, or use another name"
                )
            }
        }
    }
}

impl std::error::Error for IndexError {}

impl From<TableError> for IndexError {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl Database {
    /// Opens the index of this name on a table, or makes it.
    ///
    /// `keys` computes the index keys of a row: as many as it likes, so `[key]` or `Some(key)` for
    /// one, `None` to leave a row out. It must always compute the same for the same row. If there
    /// is an index of this name already, it stays as it is and `keys` is not used.
    ///
    /// The rows that the table has already are added in one step: whatever happens beside it, the
    /// index is never seen half full. Other threads' commits wait meanwhile, and transactions that
    /// have written to the table before run into a [`Conflict`](crate::Conflict).
    ///
    /// # Errors
    /// [`IndexError`] if `TABLE.NAME` is the name of something else.
    ///
    /// # Panics
    /// If the table belongs to another database, or if `keys` panics.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let words = db.ordered_table::<u64, String>("words")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&words, 1, "mit Kind und Kegel".to_owned()))).unwrap();
    /// let by_word = db.index(&words, "by_word", |_, line: &String| {
    ///     line.split(' ').map(str::to_owned).collect::<Vec<_>>()
    /// })?;
    /// let snapshot = db.snapshot();
    /// assert_eq!(by_word.rows(&snapshot, "Kind").count(), 1);
    /// assert_eq!(by_word.range::<str>(&snapshot, ..).count(), 4);
    /// # Ok::<(), mvcc::IndexError>(())
    /// ```
    pub fn index<T, I, X>(
        &self,
        table: &T,
        name: &str,
        keys: impl Fn(&T::Key, &T::Value) -> X + Send + Sync + 'static,
    ) -> Result<Index<I, T>, IndexError>
    where
        T: AnyTable<Key: Ord + Clone> + Clone,
        I: Ord + Clone + Send + Sync + 'static,
        X: IntoIterator<Item = I>,
    {
        self.open_index(table, name, false, keys)
    }

    /// Opens the unique index of this name on a table, or makes it. No two rows of the table can
    /// have the same key of it from then on: whoever tries to write one gets [`Duplicate`] from
    /// [`Transaction::insert_unique`](crate::Transaction::insert_unique), `try_insert` or
    /// `try_update`, and a panic from `insert` and `update`.
    ///
    /// For the rest, see [`index`](Self::index).
    ///
    /// # Errors
    /// [`IndexError`] if two rows of the table have the same key, or if `TABLE.NAME` is the name of
    /// something else.
    ///
    /// # Panics
    /// If the table belongs to another database, or if `keys` panics.
    pub fn unique_index<T, I, X>(
        &self,
        table: &T,
        name: &str,
        keys: impl Fn(&T::Key, &T::Value) -> X + Send + Sync + 'static,
    ) -> Result<UniqueIndex<I, T>, IndexError>
    where
        T: AnyTable<Key: Ord + Clone> + Clone,
        I: Ord + Clone + Send + Sync + 'static,
        X: IntoIterator<Item = I>,
    {
        let index = self.open_index(table, name, true, keys)?;
        Ok(UniqueIndex { index })
    }

    fn open_index<T, I, X>(
        &self,
        table: &T,
        name: &str,
        is_unique: bool,
        keys: impl Fn(&T::Key, &T::Value) -> X + Send + Sync + 'static,
    ) -> Result<Index<I, T>, IndexError>
    where
        T: AnyTable<Key: Ord + Clone> + Clone,
        I: IndexKey,
        X: IntoIterator<Item = I>,
    {
        self.inner().check(table.core());
        let table_name = table.core().shared_name();
        let entries = self.ordered(Name::Entries {
            table: table_name.as_ref().into(),
            index: name.into(),
        })?;
        // Made first, so that it is dropped when others need not wait any more: what it has is the
        // user's.
        let keys = sorted(keys);
        // One at a time, and nobody else commits. What was committed before is seen by whoever
        // reads from now on, or locked until it is.
        let local = self.inner().local();
        let _inside = (!bug!("index-built-beside-commits")).then(|| local.enter());
        if let Some(found) = find(table, name) {
            let found: Arc<dyn Any + Send + Sync> = found;
            let core = found.downcast::<IndexCore<I, T::Key, T::Value>>();
            let core = core.expect("its entries are of these types");
            return if core.is_unique == is_unique {
                Ok(Index {
                    core,
                    table: table.clone(),
                })
            } else {
                Err(IndexError::WrongKind {
                    table: core.table.clone(),
                    index: core.name.clone(),
                    is_unique: core.is_unique,
                })
            };
        }
        let built = self
            .fill(table, &entries, is_unique, &keys)
            .ok_or_else(|| {
                IndexError::Duplicate(Duplicate {
                    table: table_name.clone(),
                    index: Some(name.into()),
                })
            })?;
        let core = Arc::new(IndexCore {
            name: name.into(),
            table: table_name,
            is_unique,
            keys: Box::new(keys),
            entries,
            built,
        });
        let shared = &self.inner().shared;
        Maintained::new(core.clone()).add_to(table.core(), shared);
        Ok(Index {
            core,
            table: table.clone(),
        })
    }

    /// Adds the entries of all rows. `None`: two rows have the same key of a unique index.
    /// An index of a table that nobody uses yet, and what fills it once the table has its rows.
    #[cfg(feature = "durable")]
    pub(crate) fn declare_index<T, I, X>(
        &self,
        table: &T,
        name: &str,
        is_unique: bool,
        keys: impl Fn(&T::Key, &T::Value) -> X + Send + Sync + 'static,
    ) -> (Index<I, T>, Fill)
    where
        T: AnyTable<Key: Ord + Clone> + Clone + Send + 'static,
        I: IndexKey,
        X: IntoIterator<Item = I>,
    {
        self.inner().check(table.core());
        let table_name = table.core().shared_name();
        let entries = Name::Entries {
            table: table_name.as_ref().into(),
            index: name.into(),
        };
        let (entries, is_declared) = match self.ordered(entries) {
            Ok(entries) => (entries, Ok(())),
            Err(error) => (self.unlisted(name), Err(IndexError::Table(error))),
        };
        let core = Arc::new(IndexCore {
            name: name.into(),
            table: table_name,
            is_unique,
            keys: Box::new(sorted(keys)),
            entries,
            // Whoever reads the table begins after it is filled.
            built: self.snapshot().timestamp(),
        });
        let index = Index {
            core: core.clone(),
            table: table.clone(),
        };
        let table = table.clone();
        let fill = move |database: &Self| {
            is_declared?;
            database.fill_declared(&table, &core)?;
            let shared = &database.inner().shared;
            Maintained::new(core).add_to(table.core(), shared);
            Ok(())
        };
        (index, Box::new(fill))
    }

    /// Adds the entries of all rows, in small transactions: nobody else is there.
    #[cfg(feature = "durable")]
    fn fill_declared<T, I>(
        &self,
        table: &T,
        core: &IndexCore<I, T::Key, T::Value>,
    ) -> Result<(), IndexError>
    where
        T: AnyTable<Key: Ord + Clone>,
        I: IndexKey,
    {
        let snapshot = self.snapshot();
        let of_row = |(key, value)| {
            let entry = move |index_key| Entry::new(index_key, T::Key::clone(key));
            (core.keys)(key, value).into_iter().map(entry)
        };
        let mut all: Vec<_> = snapshot.iter(table).flat_map(of_row).collect();
        all.sort_unstable();
        if core.is_unique && all.windows(2).any(|pair| pair[0].key == pair[1].key) {
            return Err(IndexError::Duplicate(Duplicate {
                table: core.table.clone(),
                index: Some(core.name.clone()),
            }));
        }
        for some in all.chunks(ENTRIES) {
            let inserted: Result<(), std::convert::Infallible> = self.run(|tx| {
                for entry in some {
                    tx.insert(&core.entries, entry.clone(), ());
                }
                Ok(())
            });
            let Ok(()) = inserted;
        }
        Ok(())
    }

    fn fill<T, I>(
        &self,
        table: &T,
        entries: &OrderedTable<Entry<I, T::Key>, ()>,
        is_unique: bool,
        keys: &impl Fn(&T::Key, &T::Value) -> Vec<I>,
    ) -> Option<Timestamp>
    where
        T: AnyTable<Key: Ord + Clone>,
        I: IndexKey,
    {
        loop {
            let tx = self.begin();
            let of_row = |(key, value)| {
                let entry = move |index_key| Entry::new(index_key, T::Key::clone(key));
                keys(key, value).into_iter().map(entry)
            };
            let mut new: Vec<_> = tx.iter(table).flat_map(of_row).collect();
            new.sort_unstable();
            if is_unique && new.windows(2).any(|pair| pair[0].key == pair[1].key) {
                return None;
            }
            for entry in new {
                tx.insert(entries, entry, ());
            }
            // It fails if it has read beside a commit that was under way, and hardly more than
            // once.
            if let Ok(built) = tx.commit() {
                return Some(built);
            }
        }
    }
}

/// The table's index of this name.
/// What fills a declared index.
#[cfg(feature = "durable")]
pub(crate) type Fill = Box<dyn FnOnce(&Database) -> Result<(), IndexError> + Send>;

/// How many entries are added in one transaction.
#[cfg(feature = "durable")]
const ENTRIES: usize = 256;

/// The index keys of a row, each once.
fn sorted<K, V, I: IndexKey, X: IntoIterator<Item = I>>(
    keys: impl Fn(&K, &V) -> X + Send + Sync + 'static,
) -> impl Fn(&K, &V) -> Vec<I> + Send + Sync + 'static {
    move |key, value| {
        let mut keys: Vec<I> = keys(key, value).into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

fn find<T: AnyTable>(table: &T, name: &str) -> Option<Arc<dyn Maintain<T::Key, T::Value>>> {
    let indexes = Maintained::<T::Key, T::Value>::first_of(table.core());
    let mut all = indexes.into_iter().flat_map(Maintained::all);
    let found = all.find(|one| one.index.name() == name);
    found.map(|one| one.index.clone())
}
