//! Running recorded operations against a state.

use crate::operation::{Key, Op, Rows, Scan, Seen, Value};
use std::collections::BTreeMap;

/// What a database holds.
pub type State = BTreeMap<Key, Value>;

/// An operation that saw something else than the state has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The operation's index in its transaction.
    pub op: usize,
    /// What it should have seen.
    pub expected: String,
}

/// Runs operations against a state, which they change. Every read must see what the state has then.
///
/// # Errors
/// The first operation that does not. The state is then as it was before that operation.
pub fn replay(ops: &[Op], state: &mut State) -> Result<(), Mismatch> {
    for (op, operation) in ops.iter().enumerate() {
        step(operation, state).map_err(|expected| Mismatch { op, expected })?;
    }
    Ok(())
}

/// Does what operations write, whatever they saw.
pub(crate) fn apply(ops: &[Op], state: &mut State) {
    for op in ops.iter().filter(|op| op.written().is_some()) {
        // Writing never fails, but for an append to what is no list, which `replay` is to find.
        let _ = step(op, state);
    }
}

fn step(op: &Op, state: &mut State) -> Result<(), String> {
    match op {
        Op::Read { key, value } => {
            let expected = state.get(key);
            if expected != value.as_ref() {
                return Err(Seen(expected).to_string());
            }
        }
        Op::Scan(scan) => {
            let expected = expected_rows(scan, state);
            if expected != scan.rows {
                return Err(Rows(&expected).to_string());
            }
        }
        Op::Write { key, value: None } => {
            state.remove(key);
        }
        Op::Write {
            key,
            value: Some(value),
        } => {
            state.insert(*key, Value::Register(*value));
        }
        Op::Append { key, value } => {
            let list = state.entry(*key).or_insert(Value::List(Vec::new()));
            match list {
                Value::List(values) => values.push(*value),
                Value::Register(_) => return Err(format!("a list, not {list}")),
            }
        }
    }
    Ok(())
}

fn expected_rows(scan: &Scan, state: &State) -> Vec<(u32, u64)> {
    let key = |key| Key {
        table: scan.table,
        key,
    };
    if scan.from >= scan.to {
        return Vec::new();
    }
    let rows = state.range(key(scan.from)..key(scan.to));
    let rows = rows.filter_map(|(key, value)| match value {
        Value::Register(value) => Some((key.key, *value)),
        Value::List(_) => None,
    });
    let limit = if scan.exhausted {
        usize::MAX
    } else {
        scan.rows.len()
    };
    if scan.reverse {
        rows.rev().take(limit).collect()
    } else {
        rows.take(limit).collect()
    }
}
