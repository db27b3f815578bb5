//! This workspace's engine, with either kind of table.

use super::{About, Action, FOUND, Need, Op, Peer, Value};
use mvcc::{AnyTable, Database, Lookup, OrderedTable, Table, View};
use std::convert::Infallible;
use std::ops::RangeInclusive;

/// A database with a table.
pub(super) struct Engine<T> {
    db: Database,
    table: T,
}

/// With a table for point access.
pub(super) type Mvcc = Engine<Table<u64, Value>>;
/// With an ordered one.
pub(super) type Ordered = Engine<OrderedTable<u64, Value>>;

/// What is particular to a kind of table.
pub(super) trait Kind:
    AnyTable<Key = u64, Value = Value> + Lookup<u64> + Sync + 'static
{
    const NAME: &'static str;
    const HOW: &'static str;
    const LACKS: &'static [(Need, &'static str)] = &[];

    fn table(db: &Database) -> Self;

    /// As [`Peer::scan`].
    fn scan(&self, _view: &View<'_>, _range: RangeInclusive<u64>, _see: impl Fn(u64, &[u8])) {
        unreachable!("it lacks order")
    }
}

impl Kind for Table<u64, Value> {
    const NAME: &'static str = "mvcc";
    const HOW: &'static str = "`view` and `run`; one `snapshot` is held; scans in an ordered table";

    fn table(db: &Database) -> Self {
        db.table("table").expect("the only table")
    }
}

impl Kind for OrderedTable<u64, Value> {
    const NAME: &'static str = "mvcc-ordered";
    const HOW: &'static str = "as mvcc, all rows in an ordered table";

    fn table(db: &Database) -> Self {
        db.ordered_table("table").expect("the only table")
    }

    #[inline]
    fn scan(&self, view: &View<'_>, range: RangeInclusive<u64>, see: impl Fn(u64, &[u8])) {
        for (key, value) in view.range(self, range) {
            see(*key, value);
        }
    }
}

impl<T: Kind> Peer for Engine<T> {
    const ABOUT: About = About {
        name: T::NAME,
        version: env!("CARGO_PKG_VERSION"),
        isolation: "strict serializability",
        how: T::HOW,
    };
    const LACKS: &'static [(Need, &'static str)] = T::LACKS;
    type Ordered = Ordered;

    fn new() -> Self {
        let db = Database::new();
        let table = T::table(&db);
        Self { db, table }
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        self.db.view(|view| {
            for op in ops {
                see(op.key, view.get(&self.table, &op.key).expect(FOUND));
            }
        });
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        let mut attempts = 0;
        let Ok(()) = self.db.run(|tx| {
            attempts += 1;
            for op in ops {
                match op.action {
                    Action::Read => see(op.key, tx.get(&self.table, &op.key).expect(FOUND)),
                    Action::Update | Action::Insert => tx.insert(&self.table, op.key, op.value()),
                }
            }
            Ok::<_, Infallible>(())
        });
        attempts - 1
    }

    fn scan(&self, range: RangeInclusive<u64>, see: impl Fn(u64, &[u8])) {
        self.db.view(|view| self.table.scan(view, range, see));
    }

    fn hold<R>(&self, key: u64, meanwhile: impl FnOnce() -> R, see: impl Fn(u64, &[u8])) -> R {
        let snapshot = self.db.snapshot();
        let result = meanwhile();
        see(key, snapshot.get(&self.table, &key).expect(FOUND));
        result
    }

    fn tidy(&self) {
        self.db.collect();
    }
}
