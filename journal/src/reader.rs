//! Reading the log while it is written, for whoever follows it.

use crate::error::ReadError;
use crate::files::Listing;
use crate::frame::{Kind, Read};
use crate::log::{Log, Shared};
use crate::scan;
use crate::walk::{Position, Walk, missing};
use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError};

/// Follows the log: each frame once it is durable, in order.
///
/// It keeps nothing of the log from being removed by a checkpoint.
pub struct Reader {
    shared: Arc<Shared>,
    at: Position,
    begins_at: u64,
}

/// What a [`Reader`] has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A frame, whose payload was handed out. With it the log is complete up to here.
    Frame {
        /// The order.
        up_to: u64,
    },
    /// All that is durable was read.
    End,
    /// What comes next was removed, after a checkpoint took its place.
    Removed,
    /// The writer is gone: the directory may be another process's.
    Closed,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Begins to read where the newest checkpoint leaves off, or at the first frame. Waits while a
    /// checkpoint is finished or a backup copied.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        let shared = Arc::clone(&self.shared);
        let removal = shared
            .removal
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let listing = shared.files.list()?;
        let (checkpoint, _) = scan::newest_checkpoint(&shared.files, shared.store, &listing)?;
        let begin = checkpoint.map(|checkpoint| (checkpoint.position, checkpoint.up_to));
        let (at, begins_at) = begin.unwrap_or((Position::START, 0));
        drop(removal);
        Ok(Reader {
            shared,
            at,
            begins_at,
        })
    }
}

impl Reader {
    /// What it has begins after here: all up to here is in a checkpoint.
    pub fn begins_at(&self) -> u64 {
        self.begins_at
    }

    /// Reads the next frame.
    ///
    /// # Errors
    /// If the disk cannot be read, or what was synced is damaged.
    pub fn next(&mut self, payload: &mut Vec<u8>) -> Result<Next, ReadError> {
        // As long as this is held, nobody else has the directory.
        let Some(_lock) = self.shared.locked() else {
            return Ok(Next::Closed);
        };
        let end = self.shared.end();
        while self.at.sequence < end.sequence {
            match self.read(end, payload) {
                Ok(read) if read.header.kind == Kind::Data => {
                    let up_to = read.header.up_to;
                    return Ok(Next::Frame { up_to });
                }
                // An incarnation begins, or the log was closed here.
                Ok(_) => {}
                Err(ReadError::Disk(fault))
                    if fault.source.kind() == io::ErrorKind::NotFound && self.is_removed() =>
                {
                    return Ok(Next::Removed);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Next::End)
    }

    /// Whether a checkpoint has taken the place of the segment. Any other that is gone is missed.
    fn is_removed(&self) -> bool {
        // Whoever removes segments holds it until they are forgotten.
        let _removal = self
            .shared
            .removal
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.at.segment < self.shared.first_segment()
    }

    /// Reads a frame before `end`.
    fn read(&mut self, end: Position, payload: &mut Vec<u8>) -> Result<Read, ReadError> {
        let listing = Listing {
            segments: (self.at.segment..=end.segment).collect(),
            ..Listing::default()
        };
        let mut walk = Walk::new(&self.shared.files, self.shared.store, &listing, self.at)?;
        let read = walk.next(payload)?;
        self.at = walk.at;
        // It was synced, so it is there, or the segment is damaged.
        read.ok_or_else(|| missing(self.at.segment).into())
    }
}
