//! Copying a journal up to a place in its log: a backup, up to what is durable; a salvage, up to
//! what is damaged.

use crate::disk::Disk;
use crate::error::{Damage, Fault, Full, ReadError};
use crate::files::{self, Files, Missing};
use crate::frame::{Kind, SECTOR};
use crate::log::Log;
use crate::open;
use crate::scan;
use crate::source::{self, Source};
use crate::stored::Stored;
use crate::walk::{Position, Walk};
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
    /// If the journal cannot be read, or the copy not be written.
    pub fn backup(&self, to: Arc<dyn Disk>) -> Result<(), CopyError> {
        let shared = &self.shared;
        let _removal = shared
            .removal
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let listing = shared.files.list()?;
        let (checkpoint, _) = scan::newest_checkpoint(&shared.files, shared.store, &listing)?;
        // Read after the checkpoint was found: it reaches no further than the log then did.
        let end = shared.end();
        copy(&shared.files, shared.store, checkpoint.as_ref(), end, to)
    }
}

/// What was salvaged, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// The checkpoint that was copied.
    pub checkpoint: Option<String>,
    /// All up to here was copied.
    pub up_to: u64,
    /// Frames with records that were copied.
    pub frames: u64,
    /// The damage that it ended at; `None`: it ended where the log does.
    pub damage: Option<Damage>,
    /// Frames with records behind the damage. They can be read, but what was before them is gone,
    /// so they are left out.
    pub left_out: u64,
    /// The greatest order in those.
    pub left_out_up_to: u64,
    /// Checkpoints that were passed over.
    pub ignored: Vec<Damage>,
}

/// Copies what can be read of a damaged journal into an empty directory: a state that once was, as
/// late as can be. The damaged one is not changed.
///
/// # Errors
/// If no checkpoint can be read to its end, and the log does not reach back to its begin; if the
/// copy cannot be written.
pub fn salvage(from: Arc<dyn Disk>, to: Arc<dyn Disk>) -> Result<Salvaged, CopyError> {
    let files = Files::new(from);
    let listing = files.list()?;
    let store = store(&files, &listing)?;
    let mut ignored = Vec::new();
    let mut checkpoint = None;
    for &sequence in listing.checkpoints.iter().rev() {
        match readable(&files, store, sequence) {
            Ok(found) => {
                checkpoint = Some(found);
                break;
            }
            Err(ReadError::Damaged(damage)) => ignored.push(damage),
            Err(error) => return Err(error.into()),
        }
    }
    let at = checkpoint
        .as_ref()
        .map_or(Position::START, |checkpoint| checkpoint.position);
    let mut walk = Walk::new(&files, store, &listing, at)?;
    let mut salvaged = Salvaged {
        checkpoint: checkpoint
            .as_ref()
            .map(|checkpoint| checkpoint.name().to_owned()),
        up_to: checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.up_to),
        frames: 0,
        damage: None,
        left_out: 0,
        left_out_up_to: 0,
        ignored,
    };
    let mut payload = Vec::new();
    salvaged.damage = loop {
        match walk.next(&mut payload) {
            Ok(Some(read)) if read.header.kind == Kind::Data => {
                salvaged.frames += 1;
                salvaged.up_to = salvaged.up_to.max(read.header.up_to);
            }
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(ReadError::Damaged(damage)) => break Some(damage),
            Err(error) => return Err(error.into()),
        }
    };
    let segments = listing
        .segments
        .iter()
        .filter(|number| **number >= walk.at.segment);
    for &number in segments {
        count_left_out(&files, store, number, walk.at, &mut salvaged)?;
    }
    copy(&files, store, checkpoint.as_ref(), walk.at, to)?;
    Ok(salvaged)
}

/// The journal's number, from whatever file still has it.
fn store(files: &Files, listing: &files::Listing) -> Result<u64, ReadError> {
    let missing = match source::identity(files, listing) {
        Err(error @ (ReadError::Damaged(_) | ReadError::NoJournal { .. })) => error,
        known => return known,
    };
    for &number in &listing.segments {
        let source = Source::open(files, files::segment(number))?;
        if let Ok(read) = source.first(Kind::Segment, &mut Vec::new())? {
            return Ok(read.header.store);
        }
    }
    Err(missing)
}

/// A checkpoint that can be read to its end.
fn readable(files: &Files, store: u64, sequence: u64) -> Result<Stored<'_>, ReadError> {
    let checkpoint = Stored::open(files, store, sequence)??;
    checkpoint.read(|_, _| Ok(()))?;
    Ok(checkpoint)
}

fn count_left_out(
    files: &Files,
    store: u64,
    number: u64,
    end: Position,
    salvaged: &mut Salvaged,
) -> Result<(), Fault> {
    let source = Source::open(files, files::segment(number))?;
    let mut payload = Vec::new();
    let mut offset = if number == end.segment { end.offset } else { 0 };
    while offset < source.len {
        let mut space = SECTOR as u64;
        if let Ok(read) = source.frame(offset, &mut payload)?
            && read.header.store == store
            && read.header.sequence > end.sequence
            && read.header.kind == Kind::Data
        {
            salvaged.left_out += 1;
            salvaged.left_out_up_to = salvaged.left_out_up_to.max(read.header.up_to);
            space = read.space().expect("it was read");
        }
        offset += space;
    }
    Ok(())
}

fn copy(
    files: &Files,
    store: u64,
    checkpoint: Option<&Stored<'_>>,
    end: Position,
    to: Arc<dyn Disk>,
) -> Result<(), CopyError> {
    let target = Files::new(to);
    if !target.is_empty().map_err(CopyError::Write)? {
        return Err(CopyError::NotEmpty {
            directory: target.place(),
        });
    }
    let at = checkpoint.map_or(Position::START, |checkpoint| checkpoint.position);
    if let Some(checkpoint) = checkpoint {
        copy_file(files, &target, checkpoint.name(), checkpoint.len())?;
    }
    for number in at.segment..=end.segment {
        let name = files::segment(number);
        let until = if number == end.segment {
            end.offset
        } else {
            files.len(&name)?
        };
        copy_file(files, &target, &name, until)?;
    }
    // Last: what was not copied to the end is no journal.
    open::create_identity(&target, store)?;
    Ok(())
}

/// Copies a file up to an offset; after that the copy has zeros.
fn copy_file(from: &Files, to: &Files, name: &str, until: u64) -> Result<(), CopyError> {
    let len = from.len(name)?;
    let write = |fault: Fault| CopyError::from(Missing::from(fault));
    let temporary = to.begin(name).map_err(write)?;
    let mut chunk = Vec::new();
    let mut offset = 0;
    while offset < len {
        let length = CHUNK.min(len - offset);
        chunk.clear();
        chunk.resize(usize::try_from(length).expect("a chunk is small"), 0);
        let copied = usize::try_from(until.saturating_sub(offset).min(length)).expect("it is less");
        from.read_at(name, offset, &mut chunk[..copied])?;
        to.write_at(&temporary, offset, &chunk).map_err(write)?;
        offset += length;
    }
    to.finish(name)?;
    Ok(())
}
