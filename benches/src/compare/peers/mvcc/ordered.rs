//! `mvcc` with an ordered table.

use super::{About, Op, Peer, Value, hold, read, write};
use mvcc::{Database, OrderedTable};
use std::ops::RangeInclusive;

/// An `mvcc::OrderedTable`.
pub(in super::super) struct Mvcc {
    db: Database,
    table: OrderedTable<u64, Value>,
}

impl Peer for Mvcc {
    const ABOUT: About = About {
        name: "mvcc-ordered",
        how: "`mvcc` with an ordered table",
        ..super::Mvcc::ABOUT
    };
    type Ordered = Self;

    fn new() -> Self {
        let db = Database::new();
        let table = db.ordered_table("table").expect("the only table");
        Self { db, table }
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        read(&self.db, &self.table, ops, see);
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        write(&self.db, &self.table, ops, see)
    }

    fn scan(&self, range: RangeInclusive<u64>, see: impl Fn(u64, &[u8])) {
        self.db.view(|view| {
            for (key, value) in view.range(&self.table, range) {
                see(*key, value);
            }
        });
    }

    fn hold<R>(&self, key: u64, meanwhile: impl FnOnce() -> R, see: impl Fn(u64, &[u8])) -> R {
        hold(&self.db, &self.table, key, meanwhile, see)
    }

    fn tidy(&self) {
        self.db.collect();
    }
}
