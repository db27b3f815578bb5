//! What stands in the journal's frames and blocks.
//!
//! A payload begins with the number of transactions in the log before it, 8 bytes. Records follow,
//! each with its length in 4 bytes, then its kind in one:
//! - a *transaction*: its writes one after the other. A write is the table's number, 4 bytes; the
//!   key's length, 4 bytes, and the key; then 0 if the row was removed, or 1, the value's length, 4
//!   bytes, and the value.
//! - a *table*: see [`crate::durable::Schema`].
//! - *rows* of a checkpoint: the same as a transaction, but that it counts for none.

use journal::codec::{Decode, take};
use std::error::Error;
use std::fmt;

pub(crate) const TRANSACTION: u8 = 0;
pub(crate) const TABLE: u8 = 1;
pub(crate) const ROWS: u8 = 2;

/// The bytes before all records.
pub(crate) const START: usize = 8;

/// Begins a payload.
pub(crate) fn begin(logged: u64, payload: &mut Vec<u8>) {
    payload.extend_from_slice(&logged.to_le_bytes());
}

/// Adds the length of what `write` adds, and that.
///
/// # Panics
/// If it is 4 GiB or more: no segment holds as much.
pub(crate) fn with_length<R>(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let at = into.len();
    into.extend_from_slice(&[0; 4]);
    let written = write(into);
    let length = into.len() - at - 4;
    let length = u32::try_from(length).expect("a key, a value or a record is shorter than 4 GiB");
    into[at..at + 4].copy_from_slice(&length.to_le_bytes());
    written
}

/// A write.
pub(crate) struct RowChange<'p> {
    pub(crate) table: u32,
    pub(crate) key: &'p [u8],
    pub(crate) value: Option<&'p [u8]>,
}

/// Adds a write.
pub(crate) fn write(change: &RowChange<'_>, into: &mut Vec<u8>) {
    into.extend_from_slice(&change.table.to_le_bytes());
    with_length(into, |into| into.extend_from_slice(change.key));
    into.push(u8::from(change.value.is_some()));
    if let Some(value) = change.value {
        with_length(into, |into| into.extend_from_slice(value));
    }
}

/// Takes the number of transactions before a payload off it.
pub(crate) fn take_start(payload: &mut &[u8]) -> Result<u64, Corrupt> {
    u64::decode(payload).map_err(|_| Corrupt("the number of its first transaction"))
}

/// Takes the next record off the payload: its kind, and what it holds.
pub(crate) fn take_record<'p>(payload: &mut &'p [u8]) -> Result<Option<(u8, &'p [u8])>, Corrupt> {
    if payload.is_empty() {
        return Ok(None);
    }
    let record = take_with_length(payload, Corrupt("a record"))?;
    let (kind, rest) = record
        .split_first()
        .ok_or(Corrupt("the kind of a record"))?;
    Ok(Some((*kind, rest)))
}

/// Takes the next write off a transaction.
pub(crate) fn take_change<'p>(from: &mut &'p [u8]) -> Result<Option<RowChange<'p>>, Corrupt> {
    if from.is_empty() {
        return Ok(None);
    }
    let table = u32::decode(from).map_err(|_| Corrupt("the number of a table"))?;
    let key = take_with_length(from, Corrupt("a key"))?;
    let value = match u8::decode(from) {
        Ok(0) => None,
        Ok(1) => Some(take_with_length(from, Corrupt("a value"))?),
        _ => return Err(Corrupt("whether a row has a value")),
    };
    Ok(Some(RowChange { table, key, value }))
}

fn take_with_length<'p>(from: &mut &'p [u8], what: Corrupt) -> Result<&'p [u8], Corrupt> {
    let length = u32::decode(from).map_err(|_| what)?;
    take(from, length as usize, what.0).map_err(|_| what)
}

/// A record is not what it should be: it says what was expected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Corrupt(pub(crate) &'static str);

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected {}, in a record whose checksum is right",
            self.0
        )
    }
}

impl Error for Corrupt {}
