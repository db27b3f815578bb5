//! What the tests that count bytes have in common.

use mvcc::{Database, Lookup};
use std::convert::Infallible;

pub(crate) type Value = [u8; 100];

/// Writes a value to each key, or removes it, a hundred keys a transaction.
pub(crate) fn write<T: Lookup<u64, Key = u64, Value = Value>>(
    db: &Database,
    table: &T,
    keys: impl Iterator<Item = u64>,
    value: Option<Value>,
) {
    let mut keys = keys.peekable();
    while keys.peek().is_some() {
        let batch: Vec<_> = keys.by_ref().take(100).collect();
        let Ok(()) = db.run(|tx| {
            for &key in &batch {
                match value {
                    Some(value) => tx.insert(table, key, value),
                    None => tx.remove(table, &key),
                }
            }
            Ok::<_, Infallible>(())
        });
    }
}
