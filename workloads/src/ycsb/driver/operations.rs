//! Draws the operations and runs them as transactions.

use super::streams::Streams;
use super::{Run, Worker};
use crate::engine::{Engine, Read};
use crate::ycsb::record::{Record, touch};
use crate::ycsb::report::{Outcome, Scanned};
use crate::ycsb::settings::ReadOnly;
use crate::ycsb::table::Table;
use crate::ycsb::{Chooser, Properties};
use rand::{RngExt, rngs::SmallRng};
use std::convert::Infallible;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Update,
    Insert,
    Scan,
    ReadModifyWrite,
}

/// An operation with its key, drawn ahead.
#[derive(Debug)]
pub(super) struct Operation {
    kind: Kind,
    /// The most records of a scan.
    length: u32,
    key: u64,
}

impl Operation {
    fn only_reads(&self) -> bool {
        matches!(self.kind, Kind::Read | Kind::Scan)
    }
}

/// The kinds that a workload has, with their shares.
pub(super) struct Mix(Vec<(f64, Kind)>);

impl Mix {
    pub(super) fn new(properties: &Properties) -> Self {
        let kinds = [
            (properties.read, Kind::Read),
            (properties.update, Kind::Update),
            (properties.insert, Kind::Insert),
            (properties.scan, Kind::Scan),
            (properties.read_modify_write, Kind::ReadModifyWrite),
        ];
        Self(
            kinds
                .into_iter()
                .filter(|(share, _)| *share > 0.0)
                .collect(),
        )
    }

    fn draw(&self, random: &mut SmallRng) -> Kind {
        // What rounding leaves of the sum is the last one's.
        let ((_, last), others) = self.0.split_last().expect("the shares sum to 1");
        if others.is_empty() {
            return *last;
        }
        let mut dice = random.random::<f64>();
        for &(share, kind) in others {
            if dice < share {
                return kind;
            }
            dice -= share;
        }
        *last
    }
}

/// What a transaction's latency is reported under.
pub(super) fn kind(transaction: &[Operation]) -> &'static str {
    let [operation] = transaction else {
        return "transaction";
    };
    match operation.kind {
        Kind::Read => "read",
        Kind::Update => "update",
        Kind::Insert => "insert",
        Kind::Scan => "scan",
        Kind::ReadModifyWrite => "read-modify-write",
    }
}

impl<E: Engine, V: Record, T: Table<E, V>> Run<'_, E, V, T> {
    /// Draws the operations of some transactions, with their keys.
    pub(super) fn plan(
        &self,
        streams: &mut Streams,
        chooser: &mut Chooser,
        worker: &Worker,
        transactions: u64,
        plan: &mut Vec<Operation>,
    ) {
        let committed = self.committed_records();
        plan.clear();
        for _ in 0..transactions * self.settings.ops_per_txn {
            let kind = self.mix.draw(&mut streams.operations);
            let place = if kind == Kind::Insert {
                // Announced before it is taken, so nobody chooses it before it is committed.
                if worker.inserting.load(Relaxed) == u64::MAX {
                    worker.inserting.store(self.next.load(Relaxed), SeqCst);
                }
                self.next.fetch_add(1, SeqCst)
            } else {
                chooser.choose(&mut streams.places, committed)
            };
            let length = if kind == Kind::Scan {
                u32::try_from(self.scan_lengths.draw(&mut streams.operations))
                    .expect("the longest is a u32")
            } else {
                1
            };
            plan.push(Operation {
                kind,
                length,
                key: self.key(place),
            });
        }
    }

    /// Runs one transaction. Reads only in `VIEWS`, or as the settings say: known when this is
    /// compiled, so that nothing is asked before each view.
    pub(super) fn transact<const VIEWS: bool>(
        &self,
        transaction: &[Operation],
        random: &mut SmallRng,
        outcome: &mut Outcome,
    ) {
        if !VIEWS && transaction.iter().all(Operation::only_reads) {
            return self.read_only(transaction, outcome);
        }
        let mut attempts = 0;
        // By itself: how far the cache misses of consecutive transactions overlap depends on the
        // instructions between them.
        if let &[
            Operation {
                kind: Kind::Read,
                key,
                ..
            },
        ] = transaction
        {
            let found = self.engine.view(|view| {
                attempts += 1;
                self.read(view, key)
            });
            outcome.missing += u64::from(!found);
            outcome.aborted += attempts - 1;
            return;
        }
        let before = (outcome.scanned, outcome.missing);
        if transaction.iter().all(Operation::only_reads) {
            self.engine.view(|view| {
                attempts += 1;
                (outcome.scanned, outcome.missing) = before;
                self.read_all(view, transaction, outcome);
            });
            outcome.aborted += attempts - 1;
            return;
        }
        let begin = random.clone();
        let Ok(()) = self.engine.run(|tx| {
            attempts += 1;
            (outcome.scanned, outcome.missing) = before;
            // Each attempt writes the same.
            *random = begin.clone();
            for operation in transaction {
                let key = operation.key;
                match operation.kind {
                    Kind::Read => outcome.missing += u64::from(!self.read(tx, key)),
                    Kind::Update => self.update(tx, key, random, outcome),
                    Kind::Insert => {
                        let record = V::new(&self.shape, key.to_le_bytes()[0], random);
                        self.table.insert(tx, key, record);
                    }
                    Kind::Scan => self.scan(tx, operation, outcome),
                    Kind::ReadModifyWrite => {
                        outcome.missing += u64::from(!self.read(tx, key));
                        self.update(tx, key, random, outcome);
                    }
                }
            }
            Ok::<_, Infallible>(())
        });
        outcome.aborted += attempts - 1;
    }

    /// Runs one transaction that only reads as the settings say. One read by itself, as in
    /// `transact`.
    fn read_only(&self, transaction: &[Operation], outcome: &mut Outcome) {
        let mut attempts = 0;
        let before = (outcome.scanned, outcome.missing);
        if let [operation] = transaction
            && operation.kind == Kind::Read
        {
            let key = operation.key;
            let mut read = |tx: &E::Transaction<'_>| {
                attempts += 1;
                self.read(tx, key)
            };
            let found = match self.settings.read_only {
                ReadOnly::View | ReadOnly::Transaction => {
                    let Ok(found) = self.engine.run(|tx| Ok::<_, Infallible>(read(tx)));
                    found
                }
                ReadOnly::Timestamped => self.engine.run_timestamped(read),
                ReadOnly::Snapshot => self.engine.snapshot(|snapshot| {
                    attempts += 1;
                    self.read(snapshot, key)
                }),
            };
            outcome.missing += u64::from(!found);
        } else {
            let mut read = |tx: &E::Transaction<'_>| {
                attempts += 1;
                (outcome.scanned, outcome.missing) = before;
                self.read_all(tx, transaction, outcome);
            };
            match self.settings.read_only {
                ReadOnly::View | ReadOnly::Transaction => {
                    let Ok(()) = self.engine.run(|tx| Ok::<_, Infallible>(read(tx)));
                }
                ReadOnly::Timestamped => self.engine.run_timestamped(read),
                ReadOnly::Snapshot => self.engine.snapshot(|snapshot| {
                    attempts += 1;
                    (outcome.scanned, outcome.missing) = before;
                    self.read_all(snapshot, transaction, outcome);
                }),
            }
        }
        outcome.aborted += attempts - 1;
    }

    #[inline]
    fn read_all(&self, from: &impl Read<E>, transaction: &[Operation], outcome: &mut Outcome) {
        for operation in transaction {
            match operation.kind {
                Kind::Scan => self.scan(from, operation, outcome),
                _ => outcome.missing += u64::from(!self.read(from, operation.key)),
            }
        }
    }

    /// Reads a record, if it is there: touches every cache line of the fields that are read.
    #[inline]
    pub(super) fn read(&self, from: &impl Read<E>, key: u64) -> bool {
        let record = self.table.get(from, key);
        record.inspect(|record| self.touch(record)).is_some()
    }

    #[inline]
    pub(super) fn touch(&self, record: &V) {
        if self.settings.properties.read_all_fields {
            touch(record.all());
        } else {
            touch(record.first_field(&self.shape));
        }
    }

    /// Reads the records from a key on, as many as the operation asks for and the table has.
    fn scan(&self, from: &impl Read<E>, operation: &Operation, outcome: &mut Outcome) {
        let mut rows = 0;
        for (key, record) in self.table.scan(from, operation.key, operation.length) {
            if rows == 0 && key != operation.key {
                outcome.missing += 1;
            }
            self.touch(record);
            rows += 1;
        }
        if rows == 0 {
            outcome.missing += 1;
        }
        let Scanned { scans, rows: sum } = &mut outcome.scanned;
        *scans += 1;
        *sum += rows;
    }

    /// Writes all fields of a record blindly, or one field and keeps the others.
    fn update(
        &self,
        tx: &E::Transaction<'_>,
        key: u64,
        random: &mut SmallRng,
        outcome: &mut Outcome,
    ) {
        let properties = &self.settings.properties;
        let fill = key.to_le_bytes()[1];
        if properties.write_all_fields || properties.fields == 1 {
            let record = V::new(&self.shape, fill, random);
            return self.table.insert(tx, key, record);
        }
        let Some(record) = self.table.get(tx, key) else {
            outcome.missing += 1;
            return;
        };
        let field = usize::from(fill) % properties.fields;
        let record = record.with_field(&self.shape, field, fill, random);
        self.table.insert(tx, key, record);
    }
}
