//! Writing a checkpoint beside the log, and removing what it makes superfluous.

use crate::disk::Lock;
use crate::error::{Fault, Full, LogError};
use crate::files::{self, Missing};
use crate::frame::{self, Header, Kind};
use crate::log::{Log, Shared};
use crate::stored;
use crate::walk::Position;
use std::fmt;
use std::sync::{Arc, PoisonError};

/// A checkpoint that is being written. Dropping it gives it up.
///
/// It takes the place of the log up to the moment at which it was begun. So what goes into it must
/// hold all that was durable then; it may hold more, which the log then repeats.
pub struct Checkpoint {
    shared: Arc<Shared>,
    position: Position,
    /// What the log was durable up to at that place.
    at_least: u64,
    name: String,
    offset: u64,
    before: u64,
    /// The frames that are written.
    frames: u64,
    /// Of the blocks' payloads.
    payload: u64,
    bytes: Vec<u8>,
    /// The number of the frame that the log must reach for this to be a state of it; 0 until that
    /// is known.
    needs: u64,
    /// Why it cannot go on: something of it is missing.
    failed: Option<Full>,
    is_finished: bool,
    /// The last field: it goes when nothing is done to files any more.
    _lock: Arc<Lock>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Begins a checkpoint. One is written at a time; the log goes on beside it.
    ///
    /// # Errors
    /// [`LogError::Busy`], [`LogError::Full`], [`LogError::Stopped`].
    pub fn checkpoint(&self) -> Result<Checkpoint, LogError> {
        let shared = Arc::clone(&self.shared);
        let (position, at_least, lock) = shared.begin_checkpoint()?;
        let mut checkpoint = Checkpoint {
            shared,
            position,
            at_least,
            name: files::checkpoint(position.sequence),
            offset: 0,
            before: 0,
            frames: 0,
            payload: 0,
            bytes: Vec::new(),
            needs: 0,
            failed: None,
            is_finished: false,
            _lock: lock,
        };
        let begun = checkpoint.shared.files.begin(&checkpoint.name);
        begun.map_err(|fault| checkpoint.fail(fault.into()))?;
        checkpoint.put(Kind::Checkpoint, &position.encode(), 0)?;
        Ok(checkpoint)
    }
}

impl Checkpoint {
    /// Adds a block. Larger ones cost less; each is read into memory whole.
    ///
    /// # Errors
    /// [`LogError::Full`]: the log goes on, this checkpoint cannot, now and whenever it is tried
    /// again. [`LogError::Stopped`].
    pub fn block(&mut self, payload: &[u8]) -> Result<(), LogError> {
        self.put(Kind::Block, payload, 0)?;
        self.payload += payload.len() as u64;
        Ok(())
    }

    /// What the log was durable up to when it was begun. It must hold all up to there.
    pub fn at_least(&self) -> u64 {
        self.at_least
    }

    /// Finishes the checkpoint: it holds all up to `up_to`. Once it is durable, older checkpoints
    /// are removed, and the segments that it makes superfluous. Waits while a backup is copied.
    ///
    /// An error gives it up. So where it holds what may not be durable yet, wait until
    /// [`Log::durable`] is there first.
    ///
    /// # Errors
    /// [`LogError::Ahead`] if the log is not durable up to there: had this checkpoint to be read,
    /// it would not be the state that the log leads to. [`LogError::Behind`] if it was durable
    /// further when the checkpoint was begun: what is missing would be in neither.
    /// [`LogError::Full`], [`LogError::Stopped`].
    pub fn finish(mut self, up_to: u64) -> Result<(), LogError> {
        let durable = self.shared.durable();
        if up_to > durable {
            return Err(LogError::Ahead { up_to, durable });
        }
        if up_to < self.at_least {
            let at_least = self.at_least;
            return Err(LogError::Behind { up_to, at_least });
        }
        // The first frame is not a block.
        let counts = stored::encode_counts(self.frames - 1, self.payload);
        // What it holds that is later than its place, the log repeats up to here.
        self.needs = self.shared.end().sequence;
        self.put(Kind::Footer, &counts, up_to)?;
        // While files are copied, none is removed, nor replaced: the checkpoint before has the same
        // name if it was begun at the same place.
        let shared = Arc::clone(&self.shared);
        let _removal = shared
            .removal
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let finished = self.shared.files.finish(&self.name);
        finished.map_err(|missing| self.fail(missing))?;
        self.is_finished = true;
        self.remove_superfluous()
            .map_err(|fault| self.shared.stop(Some(fault)))?;
        Ok(())
    }

    fn put(&mut self, kind: Kind, payload: &[u8], up_to: u64) -> Result<(), LogError> {
        self.shared.check()?;
        if let Some(full) = &self.failed {
            return Err(full.clone().into());
        }
        let header = Header {
            kind,
            store: self.shared.store,
            incarnation: self.position.incarnation,
            sequence: self.frames,
            up_to,
            synced_to: self.needs,
            length: payload.len() as u64,
            before: self.before,
        };
        let checksum = frame::encode(&header, payload, &mut self.bytes);
        let name = files::temporary(&self.name);
        let written = self.shared.files.write_at(&name, self.offset, &self.bytes);
        written.map_err(|fault| self.fail(fault.into()))?;
        self.offset += self.bytes.len() as u64;
        self.frames += 1;
        self.before = checksum;
        Ok(())
    }

    fn fail(&mut self, missing: Missing) -> LogError {
        match missing {
            Missing::Full(full) => self.failed.insert(full).clone().into(),
            Missing::Fault(fault) => self.shared.stop(Some(fault)).into(),
        }
    }

    /// The checkpoint is durable: what only older ones need may go, in any order.
    fn remove_superfluous(&self) -> Result<(), Fault> {
        let files = &self.shared.files;
        let listing = match files.list() {
            // They go with the next checkpoint.
            Err(fault) if fault.has_no_handle() => return Ok(()),
            listing => listing?,
        };
        for sequence in listing.checkpoints {
            if sequence != self.position.sequence {
                files.remove(&files::checkpoint(sequence))?;
            }
        }
        for number in listing.segments {
            if number < self.position.segment {
                files.remove(&files::segment(number))?;
            }
        }
        self.shared.forget_before(self.position.segment);
        files.sync_dir()
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        if !self.is_finished && self.shared.check().is_ok() {
            let removed = self.shared.files.remove(&files::temporary(&self.name));
            if let Err(fault) = removed {
                self.shared.stop(Some(fault));
            }
        }
        self.shared.end_checkpoint();
    }
}
