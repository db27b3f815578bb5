//! Attributing reads to writes.

use crate::history::{History, Outcome, Transaction};
use crate::operation::{Key, Op, Scan, Seen, Value};
use crate::verdict::{Anomaly, Violation};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// Who wrote a value, and where.
#[derive(Clone, Copy)]
pub(super) struct Writer {
    pub(super) tx: usize,
    key: Key,
    /// Whether it is the last that the transaction wrote to the key.
    last: bool,
}

/// All writes of a history, by value.
pub(super) struct Writes {
    by_value: HashMap<u64, Writer>,
}

/// What a transaction saw of a key before it wrote there itself.
pub(super) struct Observation {
    pub(super) tx: usize,
    pub(super) key: Key,
    pub(super) seen: Option<Value>,
}

impl Writes {
    /// `Err` if reads cannot be attributed.
    pub(super) fn of(history: &History) -> Result<Self, String> {
        let mut by_value = HashMap::new();
        for (tx, transaction) in history.transactions.iter().enumerate() {
            let mut overwritten = BTreeSet::new();
            for op in transaction.ops.iter().rev() {
                let Some(key) = op.written() else { continue };
                let last = overwritten.insert(key);
                let Some(value) = op.new_value() else {
                    continue;
                };
                let writer = Writer { tx, key, last };
                if let Some(other) = by_value.insert(value, writer) {
                    return Err(format!(
                        "{value} is written twice, by T{} and T{tx}",
                        other.tx
                    ));
                }
            }
        }
        Ok(Self { by_value })
    }

    /// Who wrote a value.
    pub(super) fn writer(&self, value: u64) -> Option<Writer> {
        self.by_value.get(&value).copied()
    }
}

/// What all transactions saw, each key once.
pub(super) fn observe(history: &History, writes: &Writes) -> Result<Vec<Observation>, Violation> {
    let keys = history.keys();
    let mut observations = Vec::new();
    for (index, tx) in history.transactions.iter().enumerate() {
        let mut observer = Observer {
            history,
            writes,
            keys: &keys,
            index,
            tx,
            known: BTreeMap::new(),
            observations: &mut observations,
        };
        for op in &tx.ops {
            observer.step(op)?;
        }
    }
    Ok(observations)
}

/// What a transaction knows of a key.
enum Known {
    /// This is its value.
    Value(Option<Value>),
    /// The list ends with these own elements.
    Suffix(Vec<u64>),
}

/// Goes through one transaction.
struct Observer<'h, 'o> {
    history: &'h History,
    writes: &'h Writes,
    keys: &'h BTreeSet<Key>,
    index: usize,
    tx: &'h Transaction,
    known: BTreeMap<Key, Known>,
    observations: &'o mut Vec<Observation>,
}

impl Observer<'_, '_> {
    fn step(&mut self, op: &Op) -> Result<(), Violation> {
        match op {
            Op::Read { key, value } => self.read(op, *key, value.as_ref()),
            Op::Scan(scan) => self.scan(op, scan),
            Op::Write { key, value } => {
                let value = value.map(Value::Register);
                self.known.insert(*key, Known::Value(value));
                Ok(())
            }
            Op::Append { key, value } => self.append(*key, *value),
        }
    }

    fn append(&mut self, key: Key, value: u64) -> Result<(), Violation> {
        let known = self.known.entry(key).or_insert(Known::Suffix(Vec::new()));
        match known {
            Known::Suffix(values) | Known::Value(Some(Value::List(values))) => values.push(value),
            Known::Value(none @ None) => *none = Some(Value::List(vec![value])),
            Known::Value(Some(Value::Register(_))) => {
                return Err(self.internal(&format!("{key} is no list")));
            }
        }
        Ok(())
    }

    fn read(&mut self, op: &Op, key: Key, seen: Option<&Value>) -> Result<(), Violation> {
        let list = |value: Option<&Value>| match value {
            Some(Value::List(values)) => values.clone(),
            Some(Value::Register(_)) | None => Vec::new(),
        };
        let observed = match self.known.get(&key) {
            Some(Known::Value(known)) if known.as_ref() == seen => return Ok(()),
            Some(Known::Value(known)) => {
                let known = Seen(known.as_ref()).to_string();
                return Err(self.internal(&format!(
                    "by its own earlier operations, `{op}` should have seen {known}"
                )));
            }
            Some(Known::Suffix(own)) => {
                let seen = list(seen);
                let Some(others) = seen.strip_suffix(own.as_slice()) else {
                    return Err(self.internal(&format!("`{op}` should have ended with {own:?}")));
                };
                Some(others)
                    .filter(|others| !others.is_empty())
                    .map(|others| Value::List(others.to_vec()))
            }
            None => seen.cloned(),
        };
        self.known.insert(key, Known::Value(seen.cloned()));
        self.attribute(op, key, observed.as_ref())?;
        self.observations.push(Observation {
            tx: self.index,
            key,
            seen: observed,
        });
        Ok(())
    }

    fn scan(&mut self, op: &Op, scan: &Scan) -> Result<(), Violation> {
        let range = scan.from..scan.to;
        let ordered = |keys: [u32; 2]| (keys[0] < keys[1]) != scan.reverse && keys[0] != keys[1];
        let keys: Vec<_> = scan.rows.iter().map(|row| row.0).collect();
        if !keys.iter().all(|key| range.contains(key)) || !keys.array_windows().all(|k| ordered(*k))
        {
            return Err(self.internal(&format!(
                "the rows of `{op}` are not in its range and order"
            )));
        }
        let covered = self.keys_in(scan.table, &scan.covered());
        for key in covered {
            let row = scan.rows.iter().find(|row| row.0 == key.key);
            let value = row.map(|row| Value::Register(row.1));
            self.read(op, key, value.as_ref())?;
        }
        Ok(())
    }

    /// The keys of the history in a range.
    fn keys_in(&self, table: u8, range: &Range<u32>) -> Vec<Key> {
        let keys = self.keys.iter();
        keys.filter(|key| key.table == table && range.contains(&key.key))
            .copied()
            .collect()
    }

    /// Checks what was seen of others.
    fn attribute(&self, op: &Op, key: Key, seen: Option<&Value>) -> Result<(), Violation> {
        let (values, newest) = match seen {
            None => return Ok(()),
            Some(Value::Register(value)) => (std::slice::from_ref(value), *value),
            Some(Value::List(values)) => match values.last() {
                Some(&newest) => (values.as_slice(), newest),
                None => return Ok(()),
            },
        };
        let mut distinct = BTreeSet::new();
        for &value in values {
            let writer = self.writer(op, key, value)?;
            let last = writer.last || value != newest;
            if !last {
                return Err(self.violation(
                    Anomaly::IntermediateRead,
                    &format!(
                        "`{op}` saw {value}, which T{} itself replaced before it committed",
                        writer.tx
                    ),
                    Some(writer.tx),
                ));
            }
            if !distinct.insert(value) {
                let text = format!("`{op}` has {value} twice");
                return Err(self.violation(Anomaly::Garbage, &text, Some(writer.tx)));
            }
        }
        Ok(())
    }

    /// The writer of a value that was seen, another transaction that may have committed.
    fn writer(&self, op: &Op, key: Key, value: u64) -> Result<Writer, Violation> {
        let Some(writer) = self.writes.writer(value).filter(|writer| writer.key == key) else {
            let text = format!("`{op}` saw {value}, which nobody wrote to {key}");
            return Err(self.violation(Anomaly::Garbage, &text, None));
        };
        if writer.tx == self.index {
            return Err(self.internal(&format!("`{op}` saw what it had not written yet")));
        }
        if self.history.transactions[writer.tx].outcome == Outcome::Aborted {
            let replaced = self.tx.outcome == Outcome::Committed
                && self.tx.ops.iter().any(|op| op.written() == Some(key));
            let (anomaly, text) = if replaced {
                (Anomaly::DirtyUpdate, ", replaced it, and committed")
            } else {
                (Anomaly::AbortedRead, "")
            };
            let text = format!("`{op}` saw {value} of T{}, which aborted{text}", writer.tx);
            return Err(self.violation(anomaly, &text, Some(writer.tx)));
        }
        Ok(writer)
    }

    fn internal(&self, text: &str) -> Violation {
        self.violation(Anomaly::Internal, text, None)
    }

    fn violation(&self, anomaly: Anomaly, text: &str, other: Option<usize>) -> Violation {
        let mut text = format!("in T{}, {text}\n  T{} {}", self.index, self.index, self.tx);
        if let Some(other) = other {
            text += &format!("\n  T{other} {}", self.history.transactions[other]);
        }
        Violation::new(anomaly, text)
    }
}
