//! Room in the log: promised to threads, and kept for them until they append.
//!
//! The room is kept by one inequality: what is reserved fits in the rest of the segment that is
//! written, or in the spare one. An append takes a part of what is reserved, so in either case the
//! rest fits after it, and the writer never waits for a segment nor finds the disk full.

use super::{Log, Shared, State};
use crate::error::{Full, LogError, Stopped};
use crate::files::Missing;
use crate::frame;
use crate::segment;
use std::fmt;
use std::sync::{Arc, MutexGuard};

/// What may be written after `offset` in a segment. The last sector is kept for the frame that
/// closes the log.
pub(super) fn rest(capacity: u64, offset: u64) -> u64 {
    (capacity - offset).saturating_sub(frame::space(0))
}

impl Shared {
    fn room(&self) -> u64 {
        rest(self.capacity, segment::FIRST)
    }

    fn reserve(&self, space: u64) -> Result<(), LogError> {
        let mut state = self.state();
        let attempts = state.attempts;
        loop {
            state.check()?;
            let wanted = state.reserved + space;
            if wanted <= state.rest || (state.spare.is_some() && wanted <= self.room()) {
                state.reserved = wanted;
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
                state.is_wanted = true;
                self.changed.notify_all();
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
        if state.bytes() + self.capacity > self.limit {
            let reason = format!(
                "the log may take {} bytes, and a checkpoint is due",
                self.limit
            );
            state.full = Some(Full { reason });
        } else {
            state.is_making = true;
            drop(state);
            let made = segment::create(&self.files, self.store, number, self.capacity);
            state = self.state();
            state.is_making = false;
            match made {
                Ok(()) => {
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
        self.changed.notify_all();
        state
    }

    /// What the helper does until the log stops.
    pub(crate) fn help(&self) {
        let mut state = self.state();
        while state.stopped.is_none() {
            state = if state.is_wanted && state.spare.is_none() {
                self.make_spare(state)
            } else {
                self.wait(state)
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
            state.is_wanted = self.helper;
            Some((spare, self.capacity))
        };
        state.rest -= space;
        state.reserved -= reserved;
        self.changed.notify_all();
        Ok(next)
    }

    fn release(&self, space: u64) {
        self.state().reserved -= space;
        self.changed.notify_all();
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
        let space = frame::space(bytes);
        if space > self.shared.room() {
            let room = usize::try_from(self.shared.room()).unwrap_or(usize::MAX);
            return Err(LogError::TooLarge {
                bytes,
                limit: room - frame::HEADER,
            });
        }
        self.shared.reserve(space)?;
        Ok(Reservation {
            shared: Arc::clone(&self.shared),
            space,
        })
    }
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

    /// Takes room for `bytes` of payload out of it; `None` if there is not as much.
    pub fn split(&mut self, bytes: usize) -> Option<Self> {
        let space = frame::space(bytes);
        self.space = self.space.checked_sub(space)?;
        Some(Self {
            shared: Arc::clone(&self.shared),
            space,
        })
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
