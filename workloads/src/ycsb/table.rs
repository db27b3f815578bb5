//! The table of records: for points, or ordered if the workload scans.

use super::record::Record;
use crate::engine::{Engine, Read, Write};

/// The table's name.
pub(super) const NAME: &str = "usertable";

/// What the operations need of a table. The kind of table is a type, so that points pay nothing for
/// the scans of other workloads.
pub(super) trait Table<E: Engine, V: Record>: Sized + Sync {
    fn open(engine: &E) -> Result<Self, String>;
    fn get<'r>(&self, from: &'r impl Read<E>, key: u64) -> Option<&'r V>;
    fn insert(&self, tx: &E::Transaction<'_>, key: u64, record: V);
    /// At most `length` records from this key on, ascending.
    fn scan<'r>(
        &'r self,
        from: &'r impl Read<E>,
        first: u64,
        length: u32,
    ) -> impl Iterator<Item = (u64, &'r V)>;
}

pub(super) struct Point<E: Engine, V: Record>(E::Table<u64, V>);

impl<E: Engine, V: Record> Table<E, V> for Point<E, V> {
    fn open(engine: &E) -> Result<Self, String> {
        engine.table(NAME).map(Self)
    }

    fn get<'r>(&self, from: &'r impl Read<E>, key: u64) -> Option<&'r V> {
        from.get(&self.0, &key)
    }

    fn insert(&self, tx: &E::Transaction<'_>, key: u64, record: V) {
        tx.insert(&self.0, key, record);
    }

    /// The one record: the others have no order here.
    fn scan<'r>(
        &'r self,
        from: &'r impl Read<E>,
        first: u64,
        _length: u32,
    ) -> impl Iterator<Item = (u64, &'r V)> {
        self.get(from, first)
            .map(|record| (first, record))
            .into_iter()
    }
}

pub(super) struct Ordered<E: Engine, V: Record>(E::OrderedTable<u64, V>);

impl<E: Engine, V: Record> Table<E, V> for Ordered<E, V> {
    fn open(engine: &E) -> Result<Self, String> {
        engine.ordered_table(NAME).map(Self)
    }

    fn get<'r>(&self, from: &'r impl Read<E>, key: u64) -> Option<&'r V> {
        from.get_ordered(&self.0, &key)
    }

    fn insert(&self, tx: &E::Transaction<'_>, key: u64, record: V) {
        tx.insert_ordered(&self.0, key, record);
    }

    fn scan<'r>(
        &'r self,
        from: &'r impl Read<E>,
        first: u64,
        length: u32,
    ) -> impl Iterator<Item = (u64, &'r V)> {
        from.range(&self.0, first..)
            .map(|(key, record)| (*key, record))
            .take(length as usize)
    }
}
