//! What all handles of an open log share: its room, where it stands, and whether it has stopped.

use crate::disk::Lock;
use crate::error::{Fault, Full, LogError, Stopped};
use crate::files::Files;
use crate::frame;
use crate::walk::Position;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

mod handle;
mod room;

pub use handle::Log;
pub use room::Reservation;

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// The size of a segment in bytes, rounded up to whole sectors. What is appended with one call
    /// must fit into one.
    pub segment_bytes: u64,
    /// The most bytes that all segments may take. Where they do, reserving fails with [`Full`]
    /// until a checkpoint has made old ones superfluous. At least four segments are allowed.
    pub log_bytes: u64,
    /// Whether a thread makes segments ahead; else who reserves does.
    pub helper: bool,
    /// The number that a new journal gets; `None`: a random one.
    pub store: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            log_bytes: 4 << 30,
            helper: true,
            store: None,
        }
    }
}

impl Options {
    pub(crate) fn capacity(&self) -> u64 {
        let sector = frame::SECTOR as u64;
        self.segment_bytes.next_multiple_of(sector).max(3 * sector)
    }
}

pub(crate) struct Shared {
    pub(crate) files: Files,
    pub(crate) store: u64,
    capacity: u64,
    limit: u64,
    helper: bool,
    state: Mutex<State>,
    changed: Condvar,
    /// The last cut that is on the disk.
    durable: AtomicU64,
    /// Held while files are removed that a checkpoint made superfluous, and while files are copied.
    pub(crate) removal: Mutex<()>,
    _lock: Lock,
}

struct State {
    /// Room that is promised, in bytes of whole frames.
    reserved: u64,
    /// What is left of the segment that is written.
    rest: u64,
    /// The segment that will be written next, empty.
    spare: Option<u64>,
    /// Somebody makes a spare segment.
    is_making: bool,
    /// Somebody waits for a spare segment.
    is_wanted: bool,
    /// How often one was to be made, and whether the last attempt had no room.
    attempts: u64,
    full: Option<Full>,
    /// The segments, ascending, and their sizes in bytes.
    segments: VecDeque<(u64, u64)>,
    /// After the last frame that is synced.
    end: Position,
    /// A checkpoint is being written.
    is_checkpointing: bool,
    stopped: Option<Stopped>,
}

impl Shared {
    pub(crate) fn new(
        files: Files,
        lock: Lock,
        store: u64,
        options: &Options,
        segments: VecDeque<(u64, u64)>,
        (end, up_to): (Position, u64),
    ) -> Arc<Self> {
        let capacity = segments.back().expect("one is written").1;
        let state = State {
            reserved: 0,
            rest: room::rest(capacity, end.offset),
            spare: None,
            is_making: false,
            is_wanted: options.helper,
            attempts: 0,
            full: None,
            segments,
            end,
            is_checkpointing: false,
            stopped: None,
        };
        let capacity = options.capacity();
        Arc::new(Self {
            files,
            store,
            capacity,
            limit: options.log_bytes.max(4 * capacity),
            helper: options.helper,
            state: Mutex::new(state),
            changed: Condvar::new(),
            durable: AtomicU64::new(up_to),
            removal: Mutex::default(),
            _lock: lock,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, and nothing that panics between two changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn check(&self) -> Result<(), Stopped> {
        self.state().check()
    }

    /// Stops the log for good. The first reason is the one that is told.
    pub(crate) fn stop(&self, fault: Option<Fault>) -> Stopped {
        let stopped = Stopped {
            fault: fault.map(Arc::new),
        };
        let stopped = self.state().stopped.get_or_insert(stopped).clone();
        self.changed.notify_all();
        stopped
    }

    pub(crate) fn durable(&self) -> u64 {
        // Acquire, with the release in `publish`: who sees the cut sees what led to it.
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn publish(&self, end: Position, up_to: u64) {
        self.state().end = end;
        self.durable.store(up_to, Ordering::Release);
    }

    /// The place that a checkpoint, begun now, takes the place of the log up to.
    pub(crate) fn begin_checkpoint(&self) -> Result<Position, LogError> {
        let mut state = self.state();
        state.check()?;
        if std::mem::replace(&mut state.is_checkpointing, true) {
            return Err(LogError::Busy);
        }
        Ok(state.end)
    }

    /// After the last frame that is synced.
    pub(crate) fn end(&self) -> Position {
        self.state().end
    }

    pub(crate) fn end_checkpoint(&self) {
        self.state().is_checkpointing = false;
    }

    /// Forgets the segments that were removed.
    pub(crate) fn forget_before(&self, number: u64) {
        let mut state = self.state();
        state.segments.retain(|(segment, _)| *segment >= number);
    }
}

impl State {
    pub(crate) fn check(&self) -> Result<(), Stopped> {
        self.stopped
            .as_ref()
            .map_or(Ok(()), |stopped| Err(stopped.clone()))
    }

    /// The bytes of all segments.
    fn bytes(&self) -> u64 {
        self.segments.iter().map(|(_, bytes)| bytes).sum()
    }
}
