//! The engine over a library with the names of `mvcc`.

use super::library::{
    Database, OrderedTable, Read, Snapshot, Table, TableError, Transaction, View,
};
use crate::execute::{Begun, Lost, Reads, Subject, Writes};
use crate::operation::{Key, ORDERED};
use crate::program::Range;
use std::ops::Deref;

/// A database with the tables that programs use.
#[derive(Debug)]
pub struct Engine {
    db: Database,
    points: Table<u32, u64>,
    ordered: OrderedTable<u32, u64>,
    lists: Table<u32, Vec<u64>>,
}

/// Something to read from, in an engine.
struct Reader<'e, R> {
    engine: &'e Engine,
    read: R,
}

impl Engine {
    /// An engine on a new database with the default settings.
    ///
    /// # Errors
    /// None, for an empty database has no tables of other types.
    pub fn new() -> Result<Self, TableError> {
        Self::on(Database::new())
    }

    /// An engine on a database.
    ///
    /// # Errors
    /// If the database has tables of these names and other types.
    pub fn on(db: Database) -> Result<Self, TableError> {
        Ok(Self {
            points: db.table("points")?,
            ordered: db.ordered_table("ordered")?,
            lists: db.table("lists")?,
            db,
        })
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.db
    }

    fn reader<R>(&self, read: R) -> Reader<'_, R> {
        Reader { engine: self, read }
    }
}

impl Subject for Engine {
    fn begin(&self) -> Box<dyn Begun + '_> {
        Box::new(self.reader(Box::new(self.db.begin())))
    }

    fn run(&self, body: &mut dyn FnMut(&dyn Writes) -> bool) {
        // An error only means that the closure gave up.
        let _ = self
            .db
            .run(|tx| body(&self.reader(tx)).then_some(()).ok_or(()));
    }

    fn view(&self, body: &mut dyn FnMut(&dyn Reads)) {
        self.db.view(|view: &View<'_>| body(&self.reader(view)));
    }

    fn snapshot(&self) -> (Box<dyn Reads + '_>, Option<u64>) {
        let snapshot: Snapshot = self.db.snapshot();
        let timestamp = snapshot.timestamp().ticks();
        (Box::new(self.reader(Box::new(snapshot))), Some(timestamp))
    }
}

impl<R: Read, D: Deref<Target = R>> Reads for Reader<'_, D> {
    fn get(&self, key: Key) -> Option<u64> {
        let value = if key.table == ORDERED {
            self.read.get(&self.engine.ordered, &key.key)
        } else {
            self.read.get(&self.engine.points, &key.key)
        };
        value.copied()
    }

    fn list(&self, key: Key) -> Vec<u64> {
        let list = self.read.get(&self.engine.lists, &key.key);
        list.cloned().unwrap_or_default()
    }

    fn scan(&self, range: &Range) -> Vec<(u32, u64)> {
        if range.table == ORDERED {
            self.scan_ordered(range)
        } else {
            self.scan_points(range)
        }
    }
}

impl<R: Read, D: Deref<Target = R>> Reader<'_, D> {
    fn scan_points(&self, range: &Range) -> Vec<(u32, u64)> {
        let rows = self.read.iter(&self.engine.points);
        let rows = rows.filter(|(key, _)| (range.from..range.to).contains(key));
        let mut rows: Vec<_> = rows.map(|(key, value)| (*key, *value)).collect();
        rows.sort_unstable();
        if range.reverse {
            rows.reverse();
        }
        rows.truncate(range.limit.unwrap_or(usize::MAX));
        rows
    }

    fn scan_ordered(&self, range: &Range) -> Vec<(u32, u64)> {
        let rows = self.read.range(&self.engine.ordered, range.from..range.to);
        let rows = rows.map(|(key, value)| (*key, *value));
        let limit = range.limit.unwrap_or(usize::MAX);
        if range.reverse {
            rows.rev().take(limit).collect()
        } else {
            rows.take(limit).collect()
        }
    }
}

impl<'t, D: Deref<Target = Transaction<'t>>> Writes for Reader<'_, D> {
    fn insert(&self, key: Key, value: u64) {
        if key.table == ORDERED {
            self.read.insert(&self.engine.ordered, key.key, value);
        } else {
            self.read.insert(&self.engine.points, key.key, value);
        }
    }

    fn remove(&self, key: Key) {
        if key.table == ORDERED {
            self.read.remove(&self.engine.ordered, &key.key);
        } else {
            self.read.remove(&self.engine.points, &key.key);
        }
    }

    fn update(&self, key: Key, value: u64) -> Option<u64> {
        let mut seen = None;
        let replace = |old: &u64| {
            seen = Some(*old);
            value
        };
        if key.table == ORDERED {
            self.read.update(&self.engine.ordered, &key.key, replace);
        } else {
            self.read.update(&self.engine.points, &key.key, replace);
        }
        seen
    }

    fn append(&self, key: Key, value: u64) {
        let lists = &self.engine.lists;
        let appended = self.read.update(lists, &key.key, |list| {
            let mut list = list.clone();
            list.push(value);
            list
        });
        if !appended {
            self.read.insert(lists, key.key, vec![value]);
        }
    }
}

impl Begun for Reader<'_, Box<Transaction<'_>>> {
    fn commit(self: Box<Self>) -> Result<Option<u64>, Lost> {
        let committed = self.read.commit();
        committed.map(|at| Some(at.ticks())).map_err(|_| Lost)
    }
}
