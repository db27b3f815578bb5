//! `mvcc-core`.

use super::{About, Action, FOUND, Op, Peer, Value};
use mvcc_core::__private::{Encodable, Index, IndexDesc, IndexKey, TableId};
use mvcc_core::{Config, Database, Error, IsolationLevel, Transaction, Versioned};
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

/// At snapshot isolation.
pub(super) type Snapshot = MvccCore<mvcc_core::Snapshot, false>;
/// Serializable.
pub(super) type Serializable = MvccCore<mvcc_core::Serializable, false>;

/// The database at an isolation level. Its primary keys are not ordered, so scans need a secondary
/// index on them.
pub(super) struct MvccCore<I, const INDEXED: bool> {
    db: Database,
    level: PhantomData<I>,
}

/// A record. The crate's derive macro names its own crate `::mvcc`, which is another one here, so
/// this is by hand what it derives.
#[derive(Clone)]
struct Record<const INDEXED: bool> {
    key: u64,
    value: Value,
}

impl<const INDEXED: bool> Versioned for Record<INDEXED> {
    type Key = u64;
    const TABLE_NAME: &'static str = "Record";

    fn table_id_cell() -> &'static OnceLock<TableId> {
        static CELLS: [OnceLock<TableId>; 2] = [const { OnceLock::new() }; 2];
        &CELLS[usize::from(INDEXED)]
    }

    fn key(&self) -> u64 {
        self.key
    }

    fn key_bytes(&self) -> IndexKey {
        self.key.encode()
    }

    fn indexes() -> &'static [IndexDesc<Self>] {
        if !INDEXED {
            return &[];
        }
        const {
            &[IndexDesc {
                name: "key",
                unique: false,
                extract: |record| record.key.encode(),
            }]
        }
    }
}

/// An isolation level, and what the database is called at it.
pub(super) trait Level: IsolationLevel {
    const PEER: &'static str;
    const ISOLATION: &'static str;
}

impl Level for mvcc_core::Snapshot {
    const PEER: &'static str = "mvcc-core-snapshot";
    const ISOLATION: &'static str = "snapshot isolation";
}

impl Level for mvcc_core::Serializable {
    const PEER: &'static str = "mvcc-core-serializable";
    const ISOLATION: &'static str = "serializability";
}

impl<I: Level, const INDEXED: bool> MvccCore<I, INDEXED> {
    /// Runs a transaction until it commits, beyond the number of attempts that the crate makes.
    /// Returns how many failed.
    fn run(&self, body: impl Fn(&mut Transaction<'_, I>) -> Result<(), Error>) -> u64 {
        let mut attempts = 0;
        loop {
            let done = self.db.transaction_with::<I, _, _>(|tx| {
                attempts += 1;
                body(tx)
            });
            match done {
                Ok(()) => return attempts - 1,
                Err(error) => assert!(error.is_retriable(), "{error}"),
            }
        }
    }
}

impl<I: Level, const INDEXED: bool> Peer for MvccCore<I, INDEXED> {
    const ABOUT: About = About {
        name: I::PEER,
        version: env!("VERSION_OF_mvcc-core"),
        isolation: I::ISOLATION,
        how: "`begin_with` for reads, else `transaction_with`, with `update` to overwrite; scans through a secondary index on the key, in a table of their own",
    };
    type Ordered = MvccCore<I, true>;

    fn new() -> Self {
        let db = Database::open(Config::in_memory()).expect("in memory");
        db.register::<Record<INDEXED>>().expect("the only table");
        Self {
            db,
            level: PhantomData,
        }
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        let mut tx = self.db.begin_with::<I>();
        for op in ops {
            let record = tx
                .get::<Record<INDEXED>>(&op.key)
                .expect("reads do not fail");
            see(op.key, &record.expect(FOUND).value);
        }
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        self.run(|tx| {
            for op in ops {
                match op.action {
                    Action::Read => {
                        let record = tx.get::<Record<INDEXED>>(&op.key)?;
                        see(op.key, &record.expect(FOUND).value);
                    }
                    Action::Update => {
                        let value = op.value();
                        let write = |record: &mut Record<INDEXED>| record.value = value;
                        assert!(tx.update(&op.key, write)?, "{FOUND}");
                    }
                    Action::Insert => tx.insert(Record::<INDEXED> {
                        key: op.key,
                        value: op.value(),
                    })?,
                }
            }
            Ok(())
        })
    }

    fn scan(&self, range: RangeInclusive<u64>, see: impl Fn(u64, &[u8])) {
        let by_key = Index::<Record<INDEXED>, u64>::new(0, "key");
        self.run(|tx| {
            for record in tx.scan_index(by_key, range.clone())? {
                see(record.key, &record.value);
            }
            Ok(())
        });
    }

    fn hold<R>(&self, key: u64, meanwhile: impl FnOnce() -> R, see: impl Fn(u64, &[u8])) -> R {
        let mut tx = self.db.begin_with::<mvcc_core::Snapshot>();
        let result = meanwhile();
        let record = tx
            .get::<Record<INDEXED>>(&key)
            .expect("snapshots do not fail");
        see(key, &record.expect(FOUND).value);
        result
    }
}
