//! What all handles of an open log share: its room, where it stands, and whether it has stopped.
//!
//! The room is kept by one inequality: what is reserved fits in the rest of the segment that is
//! written, or in the spare one. An append takes a part of what is reserved, so in either case the
//! rest fits after it, and the writer never waits for a segment nor finds the disk full.

use crate::disk::Lock;
use crate::error::{Fault, Full, LogError, Stopped};
use crate::files::{self, Files, Missing};
use crate::frame;
use crate::segment;
use crate::walk::Position;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

/// So many segments are always allowed.
const SEGMENTS: usize = 4;

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// The size of a segment in bytes, rounded up to whole sectors. What is appended with one call
    /// must fit into one.
    pub segment_bytes: u64,
    /// The most bytes that all segments may take. Where they do, reserving fails with [`Full`]
    /// until a checkpoint has made old ones superfluous. At least four segments are allowed,
    /// whatever they take.
    pub log_bytes: u64,
    /// Whether a thread makes segments ahead. Without, or where none can be started, who reserves
    /// does.
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
        // More than any disk has, and little enough to be reckoned with.
        const MOST: u64 = 1 << 60;
        let sector = frame::SECTOR as u64;
        let bytes = self.segment_bytes.clamp(3 * sector, MOST);
        bytes.next_multiple_of(sector)
    }
}

/// A handle of an open log: reserves room, says what is durable, starts checkpoints and backups.
///
/// Cheap to clone. The directory stays locked until the [`Writer`](crate::Writer) is gone, and
/// until a checkpoint or a copy that was begun before that has ended.
#[derive(Clone)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("place", &self.shared.files.place())
            .finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    pub(crate) files: Files,
    pub(crate) store: u64,
    capacity: u64,
    limit: u64,
    helper: bool,
    state: Mutex<State>,
    /// Who reserves waits for it; `State::waiting` says how many.
    changed: Condvar,
    /// The helper waits for it.
    wanted: Condvar,
    /// The cut at `State::end`. Changed under the lock, with it.
    durable: AtomicU64,
    /// Held while a checkpoint gets its name, and files are removed that it made superfluous; and
    /// while files are copied.
    pub(crate) removal: Mutex<()>,
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
    /// The helper is to make one.
    is_wanted: bool,
    /// So many wait for room.
    waiting: usize,
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
    /// The directory's, until the writer is gone. Whoever is at work on files has it too.
    lock: Option<Arc<Lock>>,
}

impl Shared {
    pub(crate) fn new(
        files: Files,
        lock: Lock,
        store: u64,
        (options, helper): (&Options, bool),
        segments: VecDeque<(u64, u64)>,
        (end, up_to): (Position, u64),
    ) -> Arc<Self> {
        let capacity = segments.back().expect("one is written").1;
        let state = State {
            reserved: 0,
            rest: rest(capacity, end.offset),
            spare: None,
            is_making: false,
            is_wanted: helper,
            waiting: 0,
            attempts: 0,
            full: None,
            segments,
            end,
            is_checkpointing: false,
            stopped: None,
            lock: Some(Arc::new(lock)),
        };
        let capacity = options.capacity();
        Arc::new(Self {
            files,
            store,
            capacity,
            limit: options.log_bytes.max(SEGMENTS as u64 * capacity),
            helper,
            state: Mutex::new(state),
            changed: Condvar::new(),
            wanted: Condvar::new(),
            durable: AtomicU64::new(up_to),
            removal: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, and nothing that panics between two changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until room may have come.
    fn wait<'s>(&self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.waiting += 1;
        let mut state = wait(&self.changed, state);
        state.waiting -= 1;
        state
    }

    fn notify(&self, state: &State) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Asks the helper, if there is one, for a spare segment, unless there is that.
    fn want_spare(&self, state: &mut State) {
        if self.helper && state.spare.is_none() && !state.is_wanted {
            state.is_wanted = true;
            self.wanted.notify_one();
        }
    }

    pub(crate) fn check(&self) -> Result<(), Stopped> {
        self.state().check()
    }

    /// Stops the log for good. The first reason is the one that is told.
    pub(crate) fn stop(&self, fault: Option<Fault>) -> Stopped {
        let stopped = Stopped {
            fault: fault.map(Arc::new),
        };
        let mut state = self.state();
        let stopped = state.stopped.get_or_insert(stopped).clone();
        self.notify(&state);
        self.wanted.notify_all();
        stopped
    }

    pub(crate) fn durable(&self) -> u64 {
        // Acquire, with the release in `publish`: who sees the cut sees what led to it.
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn publish(&self, end: Position, up_to: u64) {
        let mut state = self.state();
        state.end = end;
        // Under the lock: a checkpoint that is begun finds the place and the cut of one moment.
        self.durable.store(up_to, Ordering::Release);
    }

    fn room(&self) -> u64 {
        rest(self.capacity, segment::FIRST)
    }

    fn try_reserve(&self, space: u64) -> Result<bool, Stopped> {
        let mut state = self.state();
        state.check()?;
        let promised = self.promise(&mut state, space);
        if !promised {
            self.want_spare(&mut state);
        }
        Ok(promised)
    }

    fn promise(&self, state: &mut State, space: u64) -> bool {
        let wanted = state.reserved + space;
        let fits = wanted <= state.rest || (state.spare.is_some() && wanted <= self.room());
        if fits {
            state.reserved = wanted;
        }
        fits
    }

    fn reserve(&self, space: u64) -> Result<(), LogError> {
        let mut state = self.state();
        // One that is under way may have found no room before there was some.
        let attempts = state.attempts + u64::from(state.is_making);
        loop {
            state.check()?;
            if self.promise(&mut state, space) {
                return Ok(());
            }
            if state.spare.is_some() || state.is_making {
                // All that is reserved ahead must be appended first, or the spare must be made.
                state = self.wait(state);
            } else if let Some(full) = &state.full
                && attempts < state.attempts
            {
                return Err(full.clone().into());
            } else if self.helper {
                self.want_spare(&mut state);
                state = self.wait(state);
            } else {
                state = self.make_spare(state);
            }
        }
    }

    /// Makes the next segment. The lock is not held meanwhile.
    fn make_spare<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.full = None;
        let number = state.segments.back().map_or(1, |(last, _)| last + 1);
        // A few are allowed whatever they take: one that is written cannot be removed, and may be
        // of a time when segments were larger.
        if state.segments.len() >= SEGMENTS && state.bytes() + self.capacity > self.limit {
            let reason = format!(
                "the log may take {} bytes, and a checkpoint is due",
                self.limit
            );
            state.full = Some(Full { reason });
        } else {
            state.is_making = true;
            let lock = state.lock.clone();
            drop(state);
            let unfinished = Unfinished {
                shared: self,
                operation: "create",
                file: &files::segment(number),
            };
            let is_stopped = || self.check().is_err();
            let (files, capacity) = (&self.files, self.capacity);
            let made = segment::create_unless(files, self.store, number, capacity, &is_stopped);
            unfinished.finish();
            drop(lock);
            state = self.state();
            state.is_making = false;
            match made {
                // The log has stopped.
                Ok(false) => {}
                Ok(true) => {
                    state.segments.push_back((number, self.capacity));
                    state.spare = Some(number);
                }
                Err(Missing::Full(full)) => state.full = Some(full),
                Err(Missing::Fault(fault)) => {
                    drop(state);
                    self.stop(Some(fault));
                    state = self.state();
                }
            }
        }
        state.attempts += 1;
        state.is_wanted = false;
        self.notify(&state);
        state
    }

    /// What the helper does until the log stops.
    pub(crate) fn help(&self) {
        let mut state = self.state();
        while state.stopped.is_none() {
            state = if state.is_wanted && state.spare.is_none() {
                self.make_spare(state)
            } else {
                wait(&self.wanted, state)
            };
        }
    }

    /// Finds the place for a frame of `space` bytes that `reserved` was promised for. `Some` is the
    /// segment that the writer goes on to, and its size.
    pub(crate) fn place(&self, space: u64, reserved: u64) -> Result<Option<(u64, u64)>, Stopped> {
        let mut state = self.state();
        state.check()?;
        let next = if space <= state.rest {
            None
        } else {
            let spare = state
                .spare
                .take()
                .expect("what is reserved fits here or in the spare");
            state.rest = self.room();
            self.want_spare(&mut state);
            Some((spare, self.capacity))
        };
        state.rest -= space;
        state.reserved -= reserved;
        self.notify(&state);
        Ok(next)
    }

    fn release(&self, space: u64) {
        let mut state = self.state();
        state.reserved -= space;
        self.notify(&state);
    }

    /// The place that a checkpoint is of, what the log was durable up to there, and the lock of the
    /// directory.
    pub(crate) fn begin_checkpoint(&self) -> Result<(Position, u64, Arc<Lock>), LogError> {
        let mut state = self.state();
        state.check()?;
        if state.is_checkpointing {
            return Err(LogError::Busy);
        }
        // Who drops the writer has stopped the log before.
        let lock = state.lock.clone().expect("the log has not stopped");
        state.is_checkpointing = true;
        Ok((state.end, self.durable(), lock))
    }

    /// The lock of the directory, unless the writer is gone.
    pub(crate) fn locked(&self) -> Option<Arc<Lock>> {
        self.state().lock.clone()
    }

    /// Gives the lock of the directory back. The log has stopped.
    pub(crate) fn unlock(&self) {
        let lock = self.state().lock.take();
        // Without the lock of the state: it is the disk's code.
        drop(lock);
    }

    /// After the last frame that is synced.
    pub(crate) fn end(&self) -> Position {
        self.state().end
    }

    pub(crate) fn end_checkpoint(&self) {
        self.state().is_checkpointing = false;
    }

    /// The first segment that is needed.
    pub(crate) fn first_segment(&self) -> u64 {
        self.state().segments.front().map_or(0, |(first, _)| *first)
    }

    /// Forgets the segments that were removed.
    pub(crate) fn forget_before(&self, number: u64) {
        let mut state = self.state();
        state.segments.retain(|(segment, _)| *segment >= number);
        self.want_spare(&mut state);
    }
}

/// Something of the disk that is under way. If it panics, nobody knows what has happened, and the
/// log stops.
pub(crate) struct Unfinished<'s> {
    pub(crate) shared: &'s Shared,
    pub(crate) operation: &'static str,
    pub(crate) file: &'s str,
}

impl Unfinished<'_> {
    /// It has not panicked.
    pub(crate) fn finish(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.shared.stop(Some(Fault {
            operation: self.operation,
            file: self.file.to_owned(),
            source: io::Error::other("the disk panicked"),
        }));
    }
}

fn wait<'s>(condition: &Condvar, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
    condition
        .wait(state)
        .unwrap_or_else(PoisonError::into_inner)
}

/// What may be written after `offset` in a segment. The last sector is kept for the frame that
/// closes the log.
fn rest(capacity: u64, offset: u64) -> u64 {
    (capacity - offset).saturating_sub(frame::space(0))
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

impl Log {
    /// Promises room for `bytes` of payload, so that a full disk is met before anything is done
    /// that cannot be taken back. Waits while more is reserved than a segment holds, so whoever
    /// calls it holds nothing that the thread with the [`Writer`](crate::Writer) needs.
    ///
    /// # Errors
    /// [`LogError::Full`] if the disk or the log has no room; it may have some later.
    /// [`LogError::TooLarge`] if a segment is smaller. [`LogError::Stopped`].
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, LogError> {
        let space = self.space(bytes)?;
        self.shared.reserve(space)?;
        Ok(self.promised(space))
    }

    fn space(&self, bytes: usize) -> Result<u64, LogError> {
        let space = frame::space(bytes);
        if space <= self.shared.room() {
            return Ok(space);
        }
        let room = usize::try_from(self.shared.room()).unwrap_or(usize::MAX);
        let limit = room - frame::HEADER;
        Err(LogError::TooLarge { bytes, limit })
    }

    fn promised(&self, space: u64) -> Reservation {
        Reservation {
            shared: Arc::clone(&self.shared),
            space,
        }
    }

    /// As [`reserve`](Self::reserve), but where that would wait or make a segment, `None`. A
    /// helper, if there is one, is asked for a segment then.
    ///
    /// # Errors
    /// [`LogError::TooLarge`], [`LogError::Stopped`].
    pub fn try_reserve(&self, bytes: usize) -> Result<Option<Reservation>, LogError> {
        let space = self.space(bytes)?;
        let promised = self.shared.try_reserve(space)?;
        Ok(promised.then(|| self.promised(space)))
    }

    /// The cut that the log is durable up to.
    pub fn durable(&self) -> u64 {
        self.shared.durable()
    }

    /// The bytes that the log's segments take.
    pub fn bytes(&self) -> u64 {
        self.shared.state().bytes()
    }

    /// Whether the log goes on.
    ///
    /// # Errors
    /// If it has stopped, with the reason.
    pub fn check(&self) -> Result<(), Stopped> {
        self.shared.check()
    }
}

/// The bytes of the log that a payload of so many bytes takes as a frame of its own. As a part of
/// a frame it takes no more.
pub fn space(bytes: usize) -> u64 {
    frame::space(bytes)
}

/// Room in the log that nobody else gets. Dropping it gives the room back.
#[must_use]
pub struct Reservation {
    shared: Arc<Shared>,
    space: u64,
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl Reservation {
    /// The bytes of payload that there is room for.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.space)
            .unwrap_or(usize::MAX)
            .saturating_sub(frame::HEADER)
    }

    /// The bytes of the log that are promised: those of as many frames as it has room for, at
    /// [`space`] each.
    pub fn space(&self) -> u64 {
        self.space
    }

    /// Takes so many bytes of the log out of it; `None` if there are not as many.
    pub fn split_space(&mut self, space: u64) -> Option<Self> {
        self.space = self.space.checked_sub(space)?;
        Some(Self {
            shared: Arc::clone(&self.shared),
            space,
        })
    }

    /// Takes room for `bytes` of payload out of it; `None` if there is not as much.
    pub fn split(&mut self, bytes: usize) -> Option<Self> {
        self.split_space(frame::space(bytes))
    }

    /// Joins another to it, of the same log: payloads appended as one take no more room.
    ///
    /// # Panics
    /// If it is of another log.
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            Arc::ptr_eq(&self.shared, &other.shared),
            "a reservation of another log"
        );
        self.space += std::mem::take(&mut other.space);
    }

    /// Takes it from its owner, for `shared` to settle.
    pub(crate) fn settle(mut self, shared: &Arc<Shared>) -> u64 {
        assert!(
            Arc::ptr_eq(&self.shared, shared),
            "a reservation of another log"
        );
        std::mem::take(&mut self.space)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.space > 0 {
            self.shared.release(self.space);
        }
    }
}
