//! `redb`, in memory.

use super::super::rows::VALUE;
use super::{About, Action, FOUND, Op, Peer};
use redb::{Database, Durability, ReadOnlyTable, ReadTransaction};
use redb::{ReadableDatabase, ReadableTable, TableDefinition, backends::InMemoryBackend};
use std::ops::RangeInclusive;

/// A database whose file is a vector.
pub(super) struct Redb(Database);

const TABLE: TableDefinition<'_, u64, &[u8; VALUE]> = TableDefinition::new("table");
const MEMORY: &str = "memory does not fail";

fn table(tx: &ReadTransaction) -> ReadOnlyTable<u64, &'static [u8; VALUE]> {
    tx.open_table(TABLE).expect(MEMORY)
}

impl Redb {
    fn reading(&self) -> ReadTransaction {
        self.0.begin_read().expect(MEMORY)
    }

    fn commit(&self, durability: Durability, ops: &[Op], see: impl Fn(u64, &[u8])) {
        let mut tx = self.0.begin_write().expect(MEMORY);
        tx.set_durability(durability).expect("no savepoints");
        let mut table = tx.open_table(TABLE).expect(MEMORY);
        for op in ops {
            match op.action {
                Action::Read => {
                    let value = table.get(op.key).expect(MEMORY).expect(FOUND);
                    see(op.key, value.value());
                }
                Action::Update | Action::Insert => {
                    table.insert(op.key, &op.value()).expect(MEMORY);
                }
            }
        }
        drop(table);
        tx.commit().expect(MEMORY);
    }
}

impl Peer for Redb {
    const ABOUT: About = About {
        name: "redb",
        version: env!("VERSION_OF_redb"),
        isolation: "strict serializability",
        how: "in-memory backend; commits with `Durability::None`, and a durable one between samples",
    };
    type Ordered = Self;

    fn new() -> Self {
        let backend = InMemoryBackend::new();
        let db = Database::builder()
            .create_with_backend(backend)
            .expect(MEMORY);
        let redb = Self(db);
        // Creates the table.
        redb.tidy();
        redb
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        let table = table(&self.reading());
        for op in ops {
            let value = table.get(op.key).expect(MEMORY).expect(FOUND);
            see(op.key, value.value());
        }
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        self.commit(Durability::None, ops, see);
        0
    }

    fn scan(&self, range: RangeInclusive<u64>, see: impl Fn(u64, &[u8])) {
        for entry in table(&self.reading()).range(range).expect(MEMORY) {
            let (key, value) = entry.expect(MEMORY);
            see(key.value(), value.value());
        }
    }

    fn hold<R>(&self, key: u64, meanwhile: impl FnOnce() -> R, see: impl Fn(u64, &[u8])) -> R {
        let tx = self.reading();
        let result = meanwhile();
        let value = table(&tx).get(key).expect(MEMORY).expect(FOUND);
        see(key, value.value());
        result
    }

    fn tidy(&self) {
        self.commit(Durability::Immediate, &[], |_, _| ());
    }
}
