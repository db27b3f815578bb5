//! What can go wrong. Each message says what was tried, what was found, and where.

use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

/// An operation of the disk that failed.
#[derive(Debug)]
pub struct Fault {
    /// What was tried, as a verb: "write", "sync".
    pub operation: &'static str,
    /// The file; the directory, where it was no file.
    pub file: String,
    /// The disk's reason.
    pub source: io::Error,
}

impl Fault {
    /// Whether the disk had no room.
    pub fn is_full(&self) -> bool {
        is_full(&self.source)
    }

    /// Whether the process, or the system, has as many files open as it may have.
    pub(crate) fn has_no_handle(&self) -> bool {
        has_no_handle(&self.source)
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

fn has_no_handle(error: &io::Error) -> bool {
    // `ENFILE` and `EMFILE`, the same on all systems of this family.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// Whether a disk had no room for a new file, or the system no handle.
pub(crate) fn has_no_room(error: &io::Error) -> bool {
    is_full(error) || has_no_handle(error)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            file,
            source,
        } = self;
        write!(f, "cannot {operation} {file}: {source}")
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Bytes that were whole once, and are not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// The offset in bytes at which the file stops making sense.
    pub offset: u64,
    /// What should stand there.
    pub expected: String,
    /// What stands there instead.
    pub found: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            offset,
            expected,
            found,
        } = self;
        write!(
            f,
            "{file} is damaged at byte {offset}: expected {expected}, found {found}"
        )
    }
}

impl Error for Damage {}

/// Why a journal cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The disk failed.
    Disk(Fault),
    /// The directory holds files, and none that says that it is a journal.
    NoJournal {
        /// The directory.
        directory: String,
        /// A file that does not belong to a new journal; `None`: the directory is empty.
        found: Option<String>,
    },
    /// Another version wrote it.
    Version {
        /// The file.
        file: String,
        /// The version of its format.
        found: u16,
    },
    /// What was synced is damaged.
    Damaged(Damage),
    /// The receiver of the records refused one.
    Refused(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(fault) => fault.fmt(f),
            Self::NoJournal {
                directory,
                found: Some(file),
            } if file == crate::frame::IDENTITY => {
                write!(
                    f,
                    "{directory} is not a journal: its file `journal` is another's"
                )
            }
            Self::NoJournal {
                directory,
                found: Some(file),
            } => write!(
                f,
                "{directory} is not a journal: it has the file {file}, but no file `journal`"
            ),
            Self::NoJournal {
                directory,
                found: None,
            } => {
                write!(f, "{directory} is not a journal: it is empty")
            }
            Self::Version { file, found } => write!(
                f,
                "{file} is of format {found}; this program reads format {}: use a version of \
                 tsc-journal that reads format {found}",
                crate::frame::FORMAT
            ),
            Self::Damaged(damage) => damage.fmt(f),
            Self::Refused(reason) => write!(f, "a record was refused: {reason}"),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Disk(fault) => fault.source(),
            Self::Refused(reason) => Some(&**reason),
            _ => None,
        }
    }
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        Self::Disk(fault)
    }
}

impl From<Damage> for ReadError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// Why a journal cannot be opened for writing.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle of this one, has it open.
    Locked {
        /// The directory.
        directory: String,
    },
    /// It is a side of a mirror, and was opened without the other one.
    Side {
        /// The directory.
        directory: String,
    },
    /// It cannot be read.
    Read(ReadError),
    /// The disk has no room for what opening writes.
    Full(Full),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { directory } => {
                write!(
                    f,
                    "{directory} is in use: another process, or this one, has it open"
                )
            }
            Self::Side { directory } => write!(
                f,
                "{directory} is a side of a mirror: open it with the other side, or part it from that one first"
            ),
            Self::Read(error) => error.fmt(f),
            Self::Full(full) => full.fmt(f),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read(error) => error.source(),
            _ => None,
        }
    }
}

impl<E: Into<ReadError>> From<E> for OpenError {
    fn from(error: E) -> Self {
        Self::Read(error.into())
    }
}

/// No room: the disk is full, the log is as large as it may be, or too many files are open for one
/// more. Nothing happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    /// What had no room, and why.
    pub reason: String,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no room: {}", self.reason)
    }
}

impl Error for Full {}

/// The log has stopped for good. Opening it again recovers what is durable.
#[derive(Debug, Clone)]
pub struct Stopped {
    /// What failed; `None`: it was closed.
    pub fault: Option<Arc<Fault>>,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Some(fault) => write!(f, "the log has stopped: {fault}"),
            None => write!(f, "the log is closed"),
        }
    }
}

impl Error for Stopped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.as_deref().map(|fault| fault as _)
    }
}

/// Why the log did not do what was asked. Nothing happened, except where it has stopped.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LogError {
    /// There is no room now.
    Full(Full),
    /// It never has room for so much in one piece.
    TooLarge {
        /// The bytes that were asked for.
        bytes: usize,
        /// The most that there is room for.
        limit: usize,
    },
    /// A checkpoint is being written already.
    Busy,
    /// A checkpoint may not hold what the log does not hold durably yet.
    Ahead {
        /// What it is up to.
        up_to: u64,
        /// What the log is durable up to.
        durable: u64,
    },
    /// A checkpoint must hold what the log held durably when it was begun.
    Behind {
        /// What it is up to.
        up_to: u64,
        /// What the log was durable up to.
        at_least: u64,
    },
    /// It has stopped.
    Stopped(Stopped),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(full) => full.fmt(f),
            Self::TooLarge { bytes, limit } => write!(
                f,
                "{bytes} bytes are too many for one segment: {limit} fit; raise `segment_bytes`"
            ),
            Self::Ahead { up_to, durable } => {
                write!(
                    f,
                    "a checkpoint up to {up_to} is ahead of the log, durable up to {durable}"
                )
            }
            Self::Behind { up_to, at_least } => {
                write!(
                    f,
                    "a checkpoint up to {up_to} is behind the log, which was durable up to \
                     {at_least} when it was begun"
                )
            }
            Self::Busy => write!(f, "a checkpoint is being written already"),
            Self::Stopped(stopped) => stopped.fmt(f),
        }
    }
}

impl Error for LogError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Stopped(stopped) => stopped.source(),
            _ => None,
        }
    }
}

impl From<Stopped> for LogError {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

impl From<Full> for LogError {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}
