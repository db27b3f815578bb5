//! What a transaction did: keys, values and operations.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// The table for point access.
pub const POINTS: u8 = 0;
/// The table with ordered ranges.
pub const ORDERED: u8 = 1;
/// The table whose values are lists that transactions append to.
pub const LISTS: u8 = 2;

/// A key of one of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// [`POINTS`], [`ORDERED`] or [`LISTS`].
    pub table: u8,
    /// The key in that table. The largest number is not used, so that every scan has an end that is
    /// excluded.
    pub key: u32,
}

/// A value as a read sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// What was written, whole. No number is written twice in a history, so it tells its writer.
    Register(u64),
    /// All that was appended, in order. No number is appended twice.
    List(Vec<u64>),
}

/// A scan of a part of one table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scan {
    /// The table.
    pub table: u8,
    /// The smallest key that belongs to it.
    pub from: u32,
    /// The smallest key above it.
    pub to: u32,
    /// Whether it went from the largest key down.
    pub reverse: bool,
    /// Whether it went on to its end. Else it was stopped after the rows that it lists.
    pub exhausted: bool,
    /// The rows, in the scan's direction.
    pub rows: Vec<(u32, u64)>,
}

/// An operation, with what it saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// A read of a key.
    Read {
        /// The key.
        key: Key,
        /// What it had; an absent list and an empty one are the same.
        value: Option<Value>,
    },
    /// A read of a range.
    Scan(Scan),
    /// A write.
    Write {
        /// The key.
        key: Key,
        /// The value, unique in the history; nothing if the key was removed.
        value: Option<u64>,
    },
    /// An addition to the end of a list.
    Append {
        /// The key.
        key: Key,
        /// The element, unique in the history.
        value: u64,
    },
}

impl Key {
    /// A key of [`POINTS`].
    pub fn point(key: u32) -> Self {
        Self { table: POINTS, key }
    }

    /// A key of [`ORDERED`].
    pub fn ordered(key: u32) -> Self {
        Self {
            table: ORDERED,
            key,
        }
    }

    /// A key of [`LISTS`].
    pub fn list(key: u32) -> Self {
        Self { table: LISTS, key }
    }
}

impl Scan {
    /// The keys of which the scan says whether they are there.
    pub fn covered(&self) -> Range<u32> {
        match self.rows.last() {
            _ if self.exhausted => self.from..self.to,
            None => self.from..self.from,
            Some(&(last, _)) if self.reverse => last..self.to,
            Some(&(last, _)) => self.from..last + 1,
        }
    }
}

impl Op {
    /// The key that it writes, if it does.
    pub fn written(&self) -> Option<Key> {
        match self {
            Self::Write { key, .. } | Self::Append { key, .. } => Some(*key),
            Self::Read { .. } | Self::Scan(_) => None,
        }
    }

    /// Whether it reads or writes a key, or says whether it is there.
    pub fn touches(&self, key: Key) -> bool {
        match self {
            Self::Read { key: at, .. }
            | Self::Write { key: at, .. }
            | Self::Append { key: at, .. } => *at == key,
            Self::Scan(scan) => scan.table == key.table && scan.covered().contains(&key.key),
        }
    }

    /// The value that it writes, if it does and is not a removal.
    pub fn new_value(&self) -> Option<u64> {
        match self {
            Self::Write { value, .. } => *value,
            Self::Append { value, .. } => Some(*value),
            Self::Read { .. } | Self::Scan(_) => None,
        }
    }
}

/// The letter of a table.
pub(crate) fn table_letter(table: u8) -> char {
    match table {
        POINTS => 'p',
        ORDERED => 'o',
        LISTS => 'l',
        _ => '?',
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", table_letter(self.table), self.key)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(value) => value.fmt(f),
            Self::List(values) => write!(f, "{values:?}"),
        }
    }
}

/// An optional value, to be printed.
pub(crate) struct Seen<'v>(pub(crate) Option<&'v Value>);

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("absent"),
        }
    }
}

/// Rows, to be printed.
pub(crate) struct Rows<'r>(pub(crate) &'r [(u32, u64)]);

impl fmt::Display for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, (key, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{key}={value}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, .. } = self;
        write!(f, "scan {}[", table_letter(self.table))?;
        match to {
            &u32::MAX if *from == 0 => write!(f, "..]")?,
            _ => write!(f, "{from}..{to}]")?,
        }
        let down = if self.reverse { " down" } else { "" };
        let stopped = if self.exhausted { "" } else { ", stopped" };
        write!(f, "{down} = {}{stopped}", Rows(&self.rows))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { key, value } => write!(f, "read {key} = {}", Seen(value.as_ref())),
            Self::Scan(scan) => scan.fmt(f),
            Self::Write {
                key,
                value: Some(value),
            } => write!(f, "write {key} := {value}"),
            Self::Write { key, value: None } => write!(f, "remove {key}"),
            Self::Append { key, value } => write!(f, "append {value} to {key}"),
        }
    }
}
