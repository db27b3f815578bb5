//! This workspace's engine.

#[cfg(feature = "ordered")]
pub(super) mod ordered;

use super::{About, Action, FOUND, Need, Op, Peer, Value};
use mvcc::{AnyTable, Database, Lookup, Table};
use std::convert::Infallible;

/// An `mvcc::Table`.
pub(super) struct Mvcc {
    db: Database,
    table: Table<u64, Value>,
}

impl Peer for Mvcc {
    const ABOUT: About = About {
        name: "mvcc",
        version: env!("CARGO_PKG_VERSION"),
        isolation: "strict serializability",
        how: "`view` and `run`; one `snapshot` is held",
    };
    const LACKS: &'static [(Need, &'static str)] = if cfg!(feature = "ordered") {
        &[]
    } else {
        &[(Need::Order, "built without the feature `ordered`")]
    };
    #[cfg(feature = "ordered")]
    type Ordered = ordered::Mvcc;
    #[cfg(not(feature = "ordered"))]
    type Ordered = Self;

    fn new() -> Self {
        let db = Database::new();
        let table = db.table("table").expect("the only table");
        Self { db, table }
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        read(&self.db, &self.table, ops, see);
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        write(&self.db, &self.table, ops, see)
    }

    fn hold<R>(&self, key: u64, meanwhile: impl FnOnce() -> R, see: impl Fn(u64, &[u8])) -> R {
        hold(&self.db, &self.table, key, meanwhile, see)
    }

    fn tidy(&self) {
        self.db.collect();
    }
}

#[inline]
fn read<T>(db: &Database, table: &T, ops: &[Op], see: impl Fn(u64, &[u8]))
where
    T: AnyTable<Key = u64, Value = Value> + Lookup<u64>,
{
    db.view(|view| {
        for op in ops {
            see(op.key, view.get(table, &op.key).expect(FOUND));
        }
    });
}

#[inline]
fn write<T>(db: &Database, table: &T, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64
where
    T: AnyTable<Key = u64, Value = Value> + Lookup<u64>,
{
    let mut attempts = 0;
    let Ok(()) = db.run(|tx| {
        attempts += 1;
        for op in ops {
            match op.action {
                Action::Read => see(op.key, tx.get(table, &op.key).expect(FOUND)),
                Action::Update | Action::Insert => tx.insert(table, op.key, op.value()),
            }
        }
        Ok::<_, Infallible>(())
    });
    attempts - 1
}

fn hold<T, R>(
    db: &Database,
    table: &T,
    key: u64,
    meanwhile: impl FnOnce() -> R,
    see: impl Fn(u64, &[u8]),
) -> R
where
    T: AnyTable<Key = u64, Value = Value> + Lookup<u64>,
{
    let snapshot = db.snapshot();
    let result = meanwhile();
    see(key, snapshot.get(table, &key).expect(FOUND));
    result
}
