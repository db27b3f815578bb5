//! Writing histories down.

use shuttle_tests::history::{History, Kind, Outcome, Transaction};
use shuttle_tests::operation::{Key, Op, POINTS, Scan, Value};

/// Some key of the table for points.
pub(crate) fn p(key: u32) -> Key {
    Key::point(key)
}

/// Some list.
pub(crate) fn l(key: u32) -> Key {
    Key::list(key)
}

/// A transaction that begins and ends at these ticks and is committed.
pub(crate) fn tx(begin: u64, end: u64) -> Tx {
    Tx(Transaction {
        thread: 0,
        kind: Kind::Begin,
        begin,
        end,
        ops: Vec::new(),
        outcome: Outcome::Committed,
        timestamp: None,
    })
}

pub(crate) fn history<const N: usize>(transactions: [Tx; N]) -> History {
    History {
        transactions: transactions.map(|tx| tx.0).into(),
    }
}

pub(crate) struct Tx(pub(crate) Transaction);

impl Tx {
    fn op(mut self, op: Op) -> Self {
        self.0.ops.push(op);
        self
    }

    pub(crate) fn at(mut self, timestamp: u64) -> Self {
        self.0.timestamp = Some(timestamp);
        self
    }

    pub(crate) fn aborted(mut self) -> Self {
        self.0.outcome = Outcome::Aborted;
        self
    }

    pub(crate) fn unknown(mut self) -> Self {
        self.0.outcome = Outcome::Unknown;
        self
    }

    pub(crate) fn read(self, key: Key, value: u64) -> Self {
        let value = Some(Value::Register(value));
        self.op(Op::Read { key, value })
    }

    pub(crate) fn absent(self, key: Key) -> Self {
        self.op(Op::Read { key, value: None })
    }

    pub(crate) fn list(self, key: Key, values: &[u64]) -> Self {
        let value = Some(Value::List(values.to_vec()));
        self.op(Op::Read { key, value })
    }

    /// All of the table for points.
    pub(crate) fn scan(self, rows: &[(u32, u64)]) -> Self {
        self.op(Op::Scan(Scan {
            table: POINTS,
            from: 0,
            to: u32::MAX,
            reverse: false,
            exhausted: true,
            rows: rows.to_vec(),
        }))
    }

    /// The first rows, or the last ones.
    pub(crate) fn scan_some(self, reverse: bool, rows: &[(u32, u64)]) -> Self {
        self.op(Op::Scan(Scan {
            table: POINTS,
            from: 0,
            to: u32::MAX,
            reverse,
            exhausted: false,
            rows: rows.to_vec(),
        }))
    }

    pub(crate) fn write(self, key: Key, value: u64) -> Self {
        let value = Some(value);
        self.op(Op::Write { key, value })
    }

    pub(crate) fn remove(self, key: Key) -> Self {
        self.op(Op::Write { key, value: None })
    }

    pub(crate) fn append(self, key: Key, value: u64) -> Self {
        self.op(Op::Append { key, value })
    }
}
