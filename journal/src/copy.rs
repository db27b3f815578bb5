//! Copying a journal up to a place in its log; a backup is one up to what is durable.

use crate::disk::Disk;
use crate::error::{Fault, Full, ReadError};
use crate::files::{self, Files, Missing};
use crate::log::Log;
use crate::open;
use crate::scan;
use crate::walk::Position;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, PoisonError};

/// How much is copied with one call.
const CHUNK: u64 = 1 << 20;

/// Why a journal was not copied.
#[derive(Debug)]
#[non_exhaustive]
pub enum CopyError {
    /// What is to be copied cannot be read.
    Read(ReadError),
    /// The other directory cannot be written.
    Write(Fault),
    /// The other directory has no room.
    Full(Full),
    /// The other directory holds files.
    NotEmpty {
        /// The directory.
        directory: String,
    },
    /// The journal is closed.
    Closed,
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Write(fault) => fault.fmt(f),
            Self::Full(full) => full.fmt(f),
            Self::NotEmpty { directory } => {
                write!(
                    f,
                    "{directory} is not empty: a copy goes into an empty directory"
                )
            }
            Self::Closed => f.write_str("the journal is closed: copy it before, or open it again"),
        }
    }
}

impl Error for CopyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read(error) => error.source(),
            Self::Write(fault) => fault.source(),
            _ => None,
        }
    }
}

impl<E: Into<ReadError>> From<E> for CopyError {
    fn from(error: E) -> Self {
        Self::Read(error.into())
    }
}

impl From<Missing> for CopyError {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Full(full) => Self::Full(full),
            Missing::Fault(fault) => Self::Write(fault),
        }
    }
}

impl Log {
    /// Copies the journal into an empty directory, up to what is durable now. The log goes on
    /// meanwhile; checkpoints wait before they are finished. What is copied is a journal once this
    /// has returned: until then it has no file `journal`.
    ///
    /// # Errors
    /// If the journal cannot be read or is closed, or the copy not be written.
    pub fn backup(&self, to: Arc<dyn Disk>) -> Result<(), CopyError> {
        let shared = &self.shared;
        let _lock = shared.locked().ok_or(CopyError::Closed)?;
        let _removal = shared
            .removal
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let listing = shared.files.list()?;
        let (checkpoint, _) = scan::newest_checkpoint(&shared.files, shared.store, &listing)?;
        // Read after the checkpoint was found: it reaches no further than the log then did.
        let end = shared.end();
        let target = target(to)?;
        if let Some(checkpoint) = &checkpoint {
            copy_file(&shared.files, &target, checkpoint.name(), checkpoint.len())?;
        }
        let begin = checkpoint.map_or(Position::START, |checkpoint| checkpoint.position);
        copy_log(&shared.files, &target, begin, end)?;
        // Last: what was not copied to the end is no journal.
        open::create_identity(&target, shared.store)?;
        Ok(())
    }
}

/// A directory that a journal is copied into: an empty one.
pub(crate) fn target(to: Arc<dyn Disk>) -> Result<Files, CopyError> {
    let target = Files::new(to);
    if target.is_empty().map_err(CopyError::Write)? {
        return Ok(target);
    }
    Err(CopyError::NotEmpty {
        directory: target.place(),
    })
}

/// Copies the log between two places in it.
pub(crate) fn copy_log(
    files: &Files,
    target: &Files,
    begin: Position,
    end: Position,
) -> Result<(), CopyError> {
    for number in begin.segment..=end.segment {
        let name = files::segment(number);
        let until = if number == end.segment {
            end.offset
        } else {
            files.len(&name)?
        };
        copy_file(files, target, &name, until)?;
    }
    Ok(())
}

/// Which of two sides a copy of a file has failed on.
pub(crate) enum Failed {
    Reading(Fault),
    Writing(Missing),
}

impl From<Failed> for CopyError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Reading(fault) => fault.into(),
            Failed::Writing(missing) => missing.into(),
        }
    }
}

/// Copies a file up to an offset; after that the copy has zeros. It takes the place of a file that
/// has its name, durably and in one step.
pub(crate) fn copy_file(from: &Files, to: &Files, name: &str, until: u64) -> Result<(), Failed> {
    let write = |fault: Fault| Failed::Writing(fault.into());
    let len = from.len(name).map_err(Failed::Reading)?;
    let temporary = to.begin(name).map_err(write)?;
    let mut chunk = Vec::new();
    let mut offset = 0;
    while offset < len {
        let length = CHUNK.min(len - offset);
        chunk.clear();
        chunk.resize(usize::try_from(length).expect("a chunk is small"), 0);
        let copied = usize::try_from(until.saturating_sub(offset).min(length)).expect("it is less");
        let read = from.read_at(name, offset, &mut chunk[..copied]);
        read.map_err(Failed::Reading)?;
        to.write_at(&temporary, offset, &chunk).map_err(write)?;
        offset += length;
    }
    to.finish(name).map_err(Failed::Writing)
}
