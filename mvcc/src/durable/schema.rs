//! Which tables are durable, and how their rows become bytes and come from them.

use super::error::OpenError;
use crate::api::database::{Database, Name};
use crate::api::read::{AnyTable, Lookup, Piece};
use crate::api::table::{OrderedTable, Table};
use crate::api::transaction::Transaction;
use crate::commit::log::logging::{codec_of, encode_row};
use crate::commit::log::record;
use crate::commit::log::record::Corrupt;
use crate::rows::core::TableError;
use crate::rows::protected::Internal;
use crate::secondary::{Fill, Index, IndexError, IndexKey, UniqueIndex};
use journal::codec::{Decode, DecodeError, Encode, from_bytes};
use std::any::{Any, type_name};
use std::fmt;
use std::hash::Hash;

/// What a program declares when it opens a [`Store`](super::Store): its durable tables, their
/// indexes.
pub struct Schema {
    pub(super) database: Database,
    pub(super) tables: Vec<Declared>,
    pub(super) fills: Vec<Fill>,
    /// The table and the name of each declared index.
    indexes: Vec<(String, String)>,
    pub(super) error: Option<OpenError>,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.tables.iter().map(|table| &table.shape.name).collect();
        f.debug_struct("Schema")
            .field("tables", &names)
            .finish_non_exhaustive()
    }
}

/// The largest number of a table that is believed when it is read: new ones get the next.
const MOST_TABLES: u32 = 1 << 30;

/// What the log knows of a table: this stands in a record of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) is_ordered: bool,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) version: u32,
}

impl Shape {
    /// Adds the record of the table that has this number.
    pub(super) fn encode(&self, number: u32, into: &mut Vec<u8>) {
        record::with_length(into, |into| {
            into.push(record::TABLE);
            number.encode(into);
            self.name.encode(into);
            self.is_ordered.encode(into);
            self.key.encode(into);
            self.value.encode(into);
            self.version.encode(into);
        });
    }

    /// The number and the table of a record.
    pub(super) fn decode(mut record: &[u8]) -> Result<(u32, Self), Corrupt> {
        let mut decode = || -> Result<_, DecodeError> {
            let from = &mut record;
            let number = u32::decode(from)?;
            if number > MOST_TABLES {
                return Err(DecodeError {
                    expected: "a table's number",
                });
            }
            let shape = Self {
                name: Decode::decode(from)?,
                is_ordered: Decode::decode(from)?,
                key: Decode::decode(from)?,
                value: Decode::decode(from)?,
                version: Decode::decode(from)?,
            };
            Ok((number, shape))
        };
        decode().map_err(|_| Corrupt("a table's description"))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_ordered {
            "OrderedTable"
        } else {
            "Table"
        };
        // They were read, maybe from anybody's bytes: a message stays one line.
        let (key, value) = (self.key.escape_debug(), self.value.escape_debug());
        write!(f, "{kind}<{key}, {value}> of version {}", self.version)
    }
}

/// A declared table.
pub(super) struct Declared {
    pub(super) shape: Shape,
    pub(super) rows: Box<dyn Rows>,
    /// The versions that it can be migrated from, and what the old values' type is called.
    from: Vec<(u32, &'static str)>,
}

impl Declared {
    /// How rows that are stored with this shape are read: as they are, or by a migration.
    pub(super) fn reading(&self, stored: &Shape) -> Result<Reading, OpenError> {
        let wanted = &self.shape;
        if stored == wanted {
            return Ok(Reading::Current);
        }
        let from = self
            .from
            .iter()
            .position(|(version, _)| *version == stored.version);
        let (kind, key) = (wanted.is_ordered, &wanted.key);
        match from {
            Some(at)
                if kind == stored.is_ordered
                    && *key == stored.key
                    && self.from[at].1 == stored.value =>
            {
                Ok(Reading::Migration(at))
            }
            _ => Err(OpenError::Types {
                table: wanted.name.clone(),
                found: stored.to_string(),
                wanted: wanted.to_string(),
                version: stored.version,
            }),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Current,
    Migration(usize),
}

/// Where the rows of a checkpoint go.
pub(super) trait Blocks {
    /// What a row is added to.
    fn block(&mut self) -> &mut Vec<u8>;

    /// Called after each row.
    fn row(&mut self) -> Result<(), journal::LogError>;

    /// Called after each piece, when nothing is held.
    fn rest(&mut self);
}

/// The rows of a declared table, as bytes.
pub(super) trait Rows: Send + Sync {
    /// For those who know the types.
    fn as_any(&self) -> &dyn Any;

    /// Writes a row as the log has it.
    fn apply(
        &self,
        tx: &Transaction<'_>,
        reading: Reading,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), DecodeError>;

    /// Encodes all rows, in writes to the table of this number, piece by piece, each as of another
    /// time: as few versions are kept for it as that needs.
    fn encode_all(
        &self,
        database: &Database,
        number: u32,
        into: &mut dyn Blocks,
    ) -> Result<(), journal::LogError>;

    /// From now on commits log what they write to it.
    fn set_number(&self, number: u32);
}

/// Decodes an old value, and makes a new one of it.
type Migrate<V> = Box<dyn Fn(&[u8]) -> Result<V, DecodeError> + Send + Sync>;

pub(super) struct TypedRows<T: AnyTable> {
    table: T,
    from: Vec<Migrate<T::Value>>,
}

impl<T: AnyTable<Value: Decode>> TypedRows<T> {
    pub(super) fn decode(&self, reading: Reading, value: &[u8]) -> Result<T::Value, DecodeError> {
        match reading {
            Reading::Current => from_bytes(value),
            Reading::Migration(at) => self.from[at](value),
        }
    }
}

impl<T> Rows for TypedRows<T>
where
    T: AnyTable<Key: Encode + Decode, Value: Encode + Decode>
        + Lookup<<T as AnyTable>::Key>
        + Send
        + Sync
        + 'static,
{
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn apply(
        &self,
        tx: &Transaction<'_>,
        reading: Reading,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), DecodeError> {
        let key: T::Key = from_bytes(key)?;
        let Some(value) = value else {
            tx.remove(&self.table, &key);
            return Ok(());
        };
        tx.insert(&self.table, key, self.decode(reading, value)?);
        Ok(())
    }

    fn encode_all(
        &self,
        database: &Database,
        number: u32,
        into: &mut dyn Blocks,
    ) -> Result<(), journal::LogError> {
        let mut from = Piece::Start;
        loop {
            let snapshot = database.snapshot();
            let piece = self.table.piece(&snapshot, &mut from, Internal::new());
            let Some(rows) = piece else {
                return Ok(());
            };
            for (key, value) in rows {
                let block = into.block();
                block.extend_from_slice(&number.to_le_bytes());
                encode_row(key, Some(value), block);
                into.row()?;
            }
            drop(snapshot);
            into.rest();
        }
    }

    fn set_number(&self, number: u32) {
        let codec = codec_of::<T::Key, T::Value>(number);
        let _ = self.table.core().logged.set(codec);
    }
}

/// A table of a given version, from [`Schema::version`].
#[must_use = "it declares nothing until `table` or `ordered_table`"]
pub struct Versioned<'s, V> {
    schema: &'s mut Schema,
    versions: Versions<V>,
}

/// A table's version, and those that it can be migrated from.
struct Versions<V> {
    version: u32,
    from: Vec<Migrate<V>>,
    /// For each of `from`: the version, and what the old values' type is called.
    names: Vec<(u32, &'static str)>,
}

impl<V> fmt::Debug for Versioned<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Versioned")
            .field("version", &self.versions.version)
            .finish_non_exhaustive()
    }
}

impl Schema {
    pub(super) fn new(database: Database) -> Self {
        Self {
            database,
            tables: Vec::new(),
            fills: Vec::new(),
            indexes: Vec::new(),
            error: None,
        }
    }

    /// A durable table of version 1. It has the rows that are stored under this name once the store
    /// is open.
    ///
    /// A name that was declared with other types makes the opening fail.
    pub fn table<K, V>(&mut self, name: &str) -> Table<K, V>
    where
        K: Hash + Eq + Encode + Decode + Send + Sync + 'static,
        V: Encode + Decode + Send + Sync + 'static,
    {
        self.version(1).table(name)
    }

    /// A durable ordered table of version 1. It has the rows that are stored under this name once
    /// the store is open.
    ///
    /// A name that was declared with other types makes the opening fail.
    pub fn ordered_table<K, V>(&mut self, name: &str) -> OrderedTable<K, V>
    where
        K: Ord + Clone + Encode + Decode + Send + Sync + 'static,
        V: Encode + Decode + Send + Sync + 'static,
    {
        self.version(1).ordered_table(name)
    }

    /// Declares a table whose values' type or encoding has changed: each such change is a new
    /// version.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("mvcc-doc-version-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&path);
    /// use mvcc::{Store, Table};
    ///
    /// let (store, ages): (Store, Table<String, u8>) = Store::open(&path, |tables| tables.table("ages"))?;
    /// store.run(|tx| Ok::<_, std::convert::Infallible>(tx.insert(&ages, "ann".into(), 44)))?;
    /// store.close()?;
    ///
    /// // The next version of the program has years of birth.
    /// let (store, born): (Store, Table<String, u16>) = Store::open(&path, |tables| {
    ///     tables.version(2).from(1, |age: u8| 2026 - u16::from(age)).table("ages")
    /// })?;
    /// assert_eq!(store.view(|view| view.get(&born, "ann").copied()), Some(1982));
    /// # drop(store);
    /// # std::fs::remove_dir_all(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn version<V>(&mut self, version: u32) -> Versioned<'_, V> {
        Versioned {
            schema: self,
            versions: Versions {
                version,
                from: Vec::new(),
                names: Vec::new(),
            },
        }
    }

    /// An index of a durable table, as [`Database::index`]. It is built when the store is opened,
    /// and not stored.
    ///
    /// An index that is declared twice, or of a table that this schema has not made, makes the
    /// opening fail or panics.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn index<T, I, X>(
        &mut self,
        table: &T,
        name: &str,
        keys: impl Fn(&T::Key, &T::Value) -> X + Send + Sync + 'static,
    ) -> Index<I, T>
    where
        T: AnyTable<Key: Ord + Clone> + Clone + Send + 'static,
        I: IndexKey,
        X: IntoIterator<Item = I>,
    {
        self.add_index(table, name, false, keys)
    }

    /// A unique index of a durable table, as [`Database::unique_index`]. It is built when the store
    /// is opened, and not stored; two stored rows with the same key of it make the opening fail.
    ///
    /// # Panics
    /// If the table belongs to another database.
    pub fn unique_index<T, I, X>(
        &mut self,
        table: &T,
        name: &str,
        keys: impl Fn(&T::Key, &T::Value) -> X + Send + Sync + 'static,
    ) -> UniqueIndex<I, T>
    where
        T: AnyTable<Key: Ord + Clone> + Clone + Send + 'static,
        I: IndexKey,
        X: IntoIterator<Item = I>,
    {
        UniqueIndex::of(self.add_index(table, name, true, keys))
    }

    fn add_index<T, I, X>(
        &mut self,
        table: &T,
        name: &str,
        is_unique: bool,
        keys: impl Fn(&T::Key, &T::Value) -> X + Send + Sync + 'static,
    ) -> Index<I, T>
    where
        T: AnyTable<Key: Ord + Clone> + Clone + Send + 'static,
        I: IndexKey,
        X: IntoIterator<Item = I>,
    {
        let (index, fill) = self.database.declare_index(table, name, is_unique, keys);
        let place = (table.core().name().to_owned(), name.to_owned());
        if self.indexes.contains(&place) {
            let (table, index) = place;
            self.refuse(OpenError::IndexTwice { table, index });
        } else {
            self.indexes.push(place);
            self.fills.push(fill);
        }
        index
    }

    /// Remembers the first error.
    fn refuse(&mut self, error: impl Into<OpenError>) {
        self.error.get_or_insert(error.into());
    }

    fn add<T>(&mut self, table: &T, is_ordered: bool, versions: Versions<T::Value>)
    where
        T: AnyTable<Key: Encode + Decode, Value: Encode + Decode>
            + Lookup<<T as AnyTable>::Key>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let Versions {
            version,
            from,
            names,
        } = versions;
        let shape = Shape {
            name: table.core().name().to_owned(),
            is_ordered,
            key: type_name::<T::Key>().to_owned(),
            value: type_name::<T::Value>().to_owned(),
            version,
        };
        if let Some(other) = self
            .tables
            .iter()
            .find(|other| other.shape.name == shape.name)
        {
            // The same table twice is one.
            if other.shape != shape {
                let error = OpenError::Types {
                    table: shape.name.clone(),
                    found: other.shape.to_string(),
                    wanted: shape.to_string(),
                    version: other.shape.version,
                };
                self.refuse(error);
            }
            return;
        }
        let rows = Box::new(TypedRows {
            table: table.clone(),
            from,
        });
        self.tables.push(Declared {
            shape,
            rows,
            from: names,
        });
    }
}

impl<V> Versioned<'_, V>
where
    V: Encode + Decode + Send + Sync + 'static,
{
    /// How values of an earlier version become values of this one. Rows of it are read so, and
    /// stored anew before the store is open.
    pub fn from<Old: Decode + 'static>(
        mut self,
        version: u32,
        migrate: impl Fn(Old) -> V + Send + Sync + 'static,
    ) -> Self {
        self.versions.names.push((version, type_name::<Old>()));
        self.versions.from.push(Box::new(move |bytes| {
            from_bytes::<Old>(bytes).map(&migrate)
        }));
        self
    }

    /// The table, as [`Schema::table`].
    pub fn table<K>(self, name: &str) -> Table<K, V>
    where
        K: Hash + Eq + Encode + Decode + Send + Sync + 'static,
    {
        let opened = self.schema.database.table(name);
        let table: Table<K, V> = opened.unwrap_or_else(|error| {
            self.schema.refuse(error);
            self.schema.database.unlisted_hashed(name)
        });
        self.schema.add(&table, false, self.versions);
        table
    }

    /// The table, as [`Schema::ordered_table`].
    pub fn ordered_table<K>(self, name: &str) -> OrderedTable<K, V>
    where
        K: Ord + Clone + Encode + Decode + Send + Sync + 'static,
    {
        let opened = self.schema.database.ordered(Name::Table(name.into()));
        let table: OrderedTable<K, V> = opened.unwrap_or_else(|error| {
            self.schema.refuse(error);
            self.schema.database.unlisted(name)
        });
        self.schema.add(&table, true, self.versions);
        table
    }
}

impl From<TableError> for OpenError {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl From<IndexError> for OpenError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}
