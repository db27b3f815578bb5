//! That one transaction is before another, and why.

use crate::operation::Key;
use std::fmt;

/// The kinds of dependency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Dependency {
    /// One overwrites the other.
    Ww,
    /// One reads what the other wrote.
    Wr,
    /// One overwrites what the other read.
    Rw,
    /// One began after the other had ended.
    RealTime,
}

/// One transaction is before another.
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) reason: Reason,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// `to` wrote to the key directly after `from` wrote this.
    Replaced(Key, u64),
    /// Nobody has seen what `to` appended, and this is the last element that was seen, which `from`
    /// appended.
    Unseen(Key, u64),
    /// `to` wrote what the third one saw, who is after `from`, which wrote there as well.
    SeenLater(Key, u64, usize),
    /// `to` saw what `from` wrote.
    Saw(Key, u64),
    /// `from` saw this, or nothing, and `to` replaced it.
    SawReplaced(Key, Option<u64>),
    /// `from` saw this, and `to`, which is after the writer of that, wrote there as well.
    SawOlder(Key, u64, usize),
    RealTime,
}

impl Reason {
    pub(super) fn dependency(&self) -> Dependency {
        match self {
            Self::Replaced(..) | Self::Unseen(..) | Self::SeenLater(..) => Dependency::Ww,
            Self::Saw(..) => Dependency::Wr,
            Self::SawReplaced(..) | Self::SawOlder(..) => Dependency::Rw,
            Self::RealTime => Dependency::RealTime,
        }
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ww => "ww",
            Self::Wr => "wr",
            Self::Rw => "rw",
            Self::RealTime => "real time",
        })
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, reason } = self;
        write!(f, "T{from} is before T{to} ({}): ", reason.dependency())?;
        match reason {
            Reason::Replaced(key, value) => {
                write!(
                    f,
                    "T{to} wrote {key} directly after T{from} wrote {value} there"
                )
            }
            Reason::Unseen(key, value) => {
                write!(
                    f,
                    "T{to} appended to {key} what nobody saw, and {value} of T{from} was the last that was seen"
                )
            }
            Reason::SeenLater(key, value, reader) => {
                write!(
                    f,
                    "both wrote {key}; T{reader}, which is after T{from}, saw {value} of T{to}"
                )
            }
            Reason::Saw(key, value) => write!(f, "T{to} saw {key} = {value} of T{from}"),
            Reason::SawReplaced(key, Some(value)) => {
                write!(f, "T{from} saw {key} = {value}, which T{to} replaced")
            }
            Reason::SawReplaced(key, None) => {
                write!(f, "T{from} saw {key} absent, before T{to} wrote it")
            }
            Reason::SawOlder(key, value, writer) => {
                write!(
                    f,
                    "T{from} saw {key} = {value} of T{writer}; T{to}, which is after T{writer}, wrote it too"
                )
            }
            Reason::RealTime => write!(f, "T{from} ended before T{to} began"),
        }
    }
}
