//! Reading a journal: the newest whole checkpoint, then the frames after it, in order.
//!
//! Nothing here writes. The crate's page argues why the end of the log is told from damage.

use crate::error::{Damage, ReadError};
use crate::files::{self, Files, Listing};
use crate::frame::Kind;
use crate::source;
use crate::stored::Stored;
use crate::walk::{Position, Walk};
use std::error::Error;

/// What is found in a journal, in this order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A checkpoint: its blocks follow.
    Checkpoint {
        /// All up to here is in it. Frames that follow may repeat some of that.
        up_to: u64,
        /// The number of its blocks.
        blocks: u64,
        /// The bytes in all of its blocks.
        bytes: u64,
    },
    /// A block of the checkpoint, as it was written.
    Block(&'a [u8]),
    /// A frame of the log.
    Frame {
        /// The cut that the log is complete to with this frame.
        up_to: u64,
        /// The payload, as it was appended.
        payload: &'a [u8],
    },
    /// All was read. Where a journal that exists is opened, nothing has been written so far:
    /// whoever refuses what was read by now leaves the directory as it was.
    End,
}

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub read: u64,
    /// Bytes that there may be to read. The log may end before them.
    pub total: u64,
}

/// Who receives what is found. An error ends the reading.
pub type Visit<'v> =
    dyn FnMut(Event<'_>, Progress) -> Result<(), Box<dyn Error + Send + Sync>> + 'v;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The order that all recovered is up to; new commits continue from it.
    pub up_to: u64,
    /// The checkpoint that was read, by its file.
    pub checkpoint: Option<String>,
    /// Frames with records that were read from the log.
    pub frames: u64,
    /// Where the reading of the log began.
    pub begin: Position,
    /// Where the log ends.
    pub end: Position,
    /// Whether it was closed: then nothing that was acknowledged is missing.
    pub is_closed: bool,
    /// Checkpoints that are damaged. What they held was read from older files.
    pub ignored: Vec<Damage>,
}

/// The newest checkpoint that ends in a footer, and those that were passed over.
pub(crate) fn newest_checkpoint<'f>(
    files: &'f Files,
    store: u64,
    listing: &Listing,
) -> Result<(Option<Stored<'f>>, Vec<Damage>), ReadError> {
    let mut ignored = Vec::new();
    for &sequence in listing.checkpoints.iter().rev() {
        match Stored::open(files, store, sequence)? {
            Ok(checkpoint) => return Ok((Some(checkpoint), ignored)),
            Err(damage) => ignored.push(damage),
        }
    }
    Ok((None, ignored))
}

/// What a whole reading leaves for who goes on to write.
pub(crate) struct Scan {
    pub(crate) store: u64,
    pub(crate) listing: Listing,
    pub(crate) summary: Summary,
    /// Where the last frame stands. No frame says that this one was synced.
    pub(crate) last: Option<(u64, u64)>,
}

/// Reads the journal, and hands on what is in it.
pub(crate) fn scan(files: &Files, visit: &mut Visit<'_>) -> Result<Scan, ReadError> {
    let listing = files.list()?;
    let store = source::identity(files, &listing)?;
    let (newest, ignored) = newest_checkpoint(files, store, &listing)?;
    let at = newest
        .as_ref()
        .map_or(Position::START, |checkpoint| checkpoint.position);
    let mut walk = match Walk::new(files, store, &listing, at) {
        // The log does not reach back to before the checkpoint: the checkpoint is what is wrong.
        Err(ReadError::Damaged(missing)) => {
            return Err(ignored.into_iter().next().unwrap_or(missing).into());
        }
        walk => walk?,
    };
    let mut progress = Progress {
        read: 0,
        total: newest.as_ref().map_or(0, Stored::len),
    };
    for &number in listing
        .segments
        .iter()
        .filter(|number| **number >= at.segment)
    {
        progress.total += files.len(&files::segment(number))?;
    }
    let mut up_to = 0;
    if let Some(checkpoint) = &newest {
        let Stored { blocks, bytes, .. } = *checkpoint;
        up_to = checkpoint.up_to;
        let event = Event::Checkpoint {
            up_to,
            blocks,
            bytes,
        };
        visit(event, progress).map_err(ReadError::Refused)?;
        checkpoint.read(|block, read| {
            progress.read = read;
            visit(Event::Block(block), progress).map_err(ReadError::Refused)
        })?;
        progress.read = checkpoint.len();
    }
    let (mut frames, mut is_closed) = (0, false);
    let mut payload = Vec::new();
    while let Some(read) = walk.next(&mut payload)? {
        progress.read += read.space().expect("it was read");
        is_closed = read.header.kind == Kind::Close;
        if read.header.kind == Kind::Data {
            frames += 1;
            up_to = up_to.max(read.header.up_to);
            let event = Event::Frame {
                up_to: read.header.up_to,
                payload: &payload,
            };
            visit(event, progress).map_err(ReadError::Refused)?;
        }
    }
    if let Some(checkpoint) = &newest
        && let Some(damage) = checkpoint.too_short(walk.at)
    {
        return Err(damage.into());
    }
    if let Some(damage) = walk.too_far() {
        return Err(damage.into());
    }
    visit(Event::End, progress).map_err(ReadError::Refused)?;
    let (end, last) = (walk.at, walk.last);
    let checkpoint = newest.map(|checkpoint| checkpoint.name().to_owned());
    let summary = Summary {
        up_to,
        checkpoint,
        frames,
        begin: at,
        end,
        is_closed,
        ignored,
    };
    Ok(Scan {
        store,
        listing,
        summary,
        last,
    })
}
