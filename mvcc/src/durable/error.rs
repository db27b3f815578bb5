//! What can go wrong.

use crate::clock::ClockError;
use crate::rows::core::TableError;
use crate::secondary::IndexError;
use journal::LogError;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;

/// Why a store cannot be opened. Nothing was changed in the directory, but for a file `lock`.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be created or opened.
    Directory {
        /// Its path.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The journal in it cannot be opened: it is in use, is none, is of another version, or
    /// damaged.
    Journal(journal::OpenError),
    /// It and its mirror cannot be opened together.
    Mirror(journal::MirrorError),
    /// A table is declared twice, with different types.
    Table(TableError),
    /// An index cannot be built: two rows have the same key of a unique one, or it is declared
    /// twice.
    Index(IndexError),
    /// An index is declared twice.
    IndexTwice {
        /// The table's name.
        table: String,
        /// The index's name.
        index: String,
    },
    /// The rows of a table are of other types than it is declared with.
    Types {
        /// The table's name.
        table: String,
        /// What is stored: kind, types and version.
        found: String,
        /// What is declared.
        wanted: String,
        /// The version that is stored.
        version: u32,
    },
    /// A row cannot be decoded, though it is whole.
    Row {
        /// The table's name.
        table: String,
        /// Of the key or of the value.
        source: journal::codec::DecodeError,
    },
    /// A thread cannot be started.
    Thread(io::Error),
    /// The database cannot be made as it was asked for.
    Clock(ClockError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path, source } => {
                write!(f, "cannot open the store in {path}: {source}")
            }
            Self::Journal(error @ journal::OpenError::Side { .. }) => write!(
                f,
                "cannot open the store: {error} (`StoreOptions::mirror`, `StoreOptions::without_mirror`)"
            ),
            Self::Journal(error) => write!(f, "cannot open the store: {error}"),
            Self::Mirror(error) => write!(f, "cannot open the store: {error}"),
            Self::Table(error) => write!(f, "cannot open the store: {error}"),
            Self::Index(error) => write!(f, "cannot open the store: {error}"),
            Self::IndexTwice { table, index } => write!(
                f,
                "cannot open the store: index {index:?} of table {table:?} is declared twice; declare it once, and clone what that returns"
            ),
            Self::Types {
                table,
                found,
                wanted,
                version,
            } => write!(
                f,
                "cannot open the store: table {table:?} is stored as {found} and declared as {wanted}; declare a higher version with \
                 `version(..).from({version}, |old| new)`, or what is stored"
            ),
            Self::Row { table, source } => write!(
                f,
                "cannot open the store: a row of table {table:?} was read whole and is not of its types: {source}; if its encoding has \
                 changed, declare a higher version of the table"
            ),
            Self::Thread(source) => {
                write!(
                    f,
                    "cannot open the store: a thread cannot be started: {source}"
                )
            }
            Self::Clock(error) => write!(f, "cannot open the store: {error}"),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Directory { source, .. } | Self::Thread(source) => Some(source),
            Self::Journal(error) => error.source(),
            Self::Mirror(error) => error.source(),
            Self::Table(error) => error.source(),
            Self::Index(error) => error.source(),
            Self::Row { source, .. } => Some(source),
            Self::Clock(error) => error.source(),
            Self::Types { .. } | Self::IndexTwice { .. } => None,
        }
    }
}

impl From<journal::MirrorError> for OpenError {
    fn from(error: journal::MirrorError) -> Self {
        Self::Mirror(error)
    }
}

impl From<journal::OpenError> for OpenError {
    fn from(error: journal::OpenError) -> Self {
        Self::Journal(error)
    }
}

/// An error of the log while the store is opened.
pub(super) fn open_error(error: LogError) -> OpenError {
    let error = match error {
        LogError::Full(full) => journal::OpenError::Full(full),
        other => journal::OpenError::Read(journal::ReadError::Refused(Box::new(other))),
    };
    error.into()
}

/// Why a store did not do what was asked. `E` is the error of the closure that it ran, if there was
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError<E = Infallible> {
    /// The closure has returned this error, which aborts: nothing happened.
    Closure(E),
    /// The log has stopped, or the store was closed: nothing happened.
    /// [`Store::stopped`](super::Store::stopped) says why.
    Stopped,
    /// The log has no room, on its disk or within its limit: nothing happened, and it may have room
    /// later.
    Full,
    /// The transaction has written more than the log takes in one piece: nothing happened.
    TooLarge {
        /// What it has written, in bytes.
        bytes: usize,
        /// The most that it could write.
        limit: usize,
    },
    /// The log has stopped before this was known to be durable. It is visible here; what will be
    /// recovered has it, or does not.
    Unknown,
}

impl<E: fmt::Display> fmt::Display for StoreError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closure(error) => error.fmt(f),
            Self::Stopped => f.write_str(
                "the log has stopped, and nothing was changed; `Store::stopped` says why, and opening the store again recovers what is durable",
            ),
            Self::Full => f.write_str(
                "the log has no room, and nothing was changed; make room on its disk, or raise its limit",
            ),
            Self::TooLarge { bytes, limit } => write!(
                f,
                "the transaction has written {bytes} bytes, of which the log takes {limit} at once, and nothing was changed; write less in one transaction, or raise `segment_bytes`"
            ),
            Self::Unknown => f.write_str(
                "the log has stopped before the transaction was known to be durable; opening the store again says whether it is",
            ),
        }
    }
}

impl<E: Error + 'static> Error for StoreError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Closure(error) => error.source(),
            _ => None,
        }
    }
}
