//! The engine over a library with the names of `tplock`.

use super::library::{
    Attempt, Conflict, Database, OrderedTable, Table, TableError, Transaction, View,
};
use crate::execute::{Begun, Lost, Reads, Subject, Writes};
use crate::operation::{Key, ORDERED};
use crate::program::Range;
use std::convert::identity;
use std::panic::resume_unwind;

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
    /// An engine on a new database.
    ///
    /// # Errors
    /// None, for an empty database has no tables of other types.
    pub fn new() -> Result<Self, TableError> {
        let db = Database::new();
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
        Box::new(self.reader(self.db.begin()))
    }

    fn run(&self, body: &mut dyn FnMut(&dyn Writes) -> bool) {
        // An error only means that the closure gave up.
        let _ = self
            .db
            .run(|tx| body(&self.reader(tx)).then_some(()).ok_or(()));
    }

    fn view(&self, body: &mut dyn FnMut(&dyn Reads)) {
        self.db.view(|view| body(&self.reader(view)));
    }

    /// There are no snapshots. This is a transaction that locks what it reads until it is dropped,
    /// for when nobody else is there.
    fn snapshot(&self) -> (Box<dyn Reads + '_>, Option<u64>) {
        (Box::new(self.reader(self.db.begin())), None)
    }
}

/// What an operation returned, unless its transaction has lost.
fn or_lost<T>(result: Result<T, Conflict>) -> T {
    result.unwrap_or_else(|_| resume_unwind(Box::new(Lost)))
}

fn limited<'r>(
    rows: impl Iterator<Item = (&'r u32, &'r u64)>,
    limit: Option<usize>,
) -> Vec<(u32, u64)> {
    let rows = rows.take(limit.unwrap_or(usize::MAX));
    rows.map(|(key, value)| (*key, *value)).collect()
}

/// `$sure` gets what an operation returns to what it came to.
macro_rules! impl_reads {
    ($reader:ty, $sure:path) => {
        impl Reads for Reader<'_, $reader> {
            fn get(&self, key: Key) -> Option<u64> {
                let value = if key.table == ORDERED {
                    self.read.get(&self.engine.ordered, &key.key)
                } else {
                    self.read.get(&self.engine.points, &key.key)
                };
                $sure(value).copied()
            }

            fn list(&self, key: Key) -> Vec<u64> {
                let list = self.read.get(&self.engine.lists, &key.key);
                $sure(list).cloned().unwrap_or_default()
            }

            fn scan(&self, range: &Range) -> Vec<(u32, u64)> {
                if range.table == ORDERED {
                    let keys = range.from..range.to;
                    let rows = self.read.range(&self.engine.ordered, keys).map($sure);
                    return if range.reverse {
                        limited(rows.rev(), range.limit)
                    } else {
                        limited(rows, range.limit)
                    };
                }
                let rows = self.read.iter(&self.engine.points).map($sure);
                let rows = rows.filter(|(key, _)| (range.from..range.to).contains(*key));
                let mut rows = limited(rows, None);
                rows.sort_unstable();
                if range.reverse {
                    rows.reverse();
                }
                rows.truncate(range.limit.unwrap_or(usize::MAX));
                rows
            }
        }
    };
}

impl_reads!(&Transaction, identity);
impl_reads!(&View, identity);
impl_reads!(Attempt, or_lost);

macro_rules! impl_writes {
    ($reader:ty, $sure:path) => {
        impl Writes for Reader<'_, $reader> {
            fn insert(&self, key: Key, value: u64) {
                $sure(if key.table == ORDERED {
                    self.read.insert(&self.engine.ordered, key.key, value)
                } else {
                    self.read.insert(&self.engine.points, key.key, value)
                });
            }

            fn remove(&self, key: Key) {
                $sure(if key.table == ORDERED {
                    self.read.remove(&self.engine.ordered, &key.key)
                } else {
                    self.read.remove(&self.engine.points, &key.key)
                });
            }

            fn update(&self, key: Key, value: u64) -> Option<u64> {
                let mut seen = None;
                let replace = |old: &u64| {
                    seen = Some(*old);
                    value
                };
                $sure(if key.table == ORDERED {
                    self.read.update(&self.engine.ordered, &key.key, replace)
                } else {
                    self.read.update(&self.engine.points, &key.key, replace)
                });
                seen
            }

            fn append(&self, key: Key, value: u64) {
                let lists = &self.engine.lists;
                let appended = $sure(self.read.update(lists, &key.key, |list| {
                    let mut list = list.clone();
                    list.push(value);
                    list
                }));
                if !appended {
                    $sure(self.read.insert(lists, key.key, vec![value]));
                }
            }
        }
    };
}

impl_writes!(&Transaction, identity);
impl_writes!(Attempt, or_lost);

impl Begun for Reader<'_, Attempt> {
    fn commit(self: Box<Self>) -> Result<Option<u64>, Lost> {
        self.read.commit().map(|()| None).map_err(|_| Lost)
    }
}
