//! The one that appends.

use crate::error::{Fault, Stopped};
use crate::files;
use crate::frame::{self, Header, Kind};
use crate::log::{Reservation, Shared, Unfinished};
use crate::segment;
use crate::walk::Position;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Appends frames, one after the other: there is one for a log.
///
/// Dropping it stops the log; [`close`](Writer::close) does too, and says whether that went well.
pub struct Writer {
    shared: Arc<Shared>,
    /// Where the next frame goes.
    at: Position,
    /// The file of the segment, and its size in bytes.
    file: String,
    capacity: u64,
    up_to: u64,
    /// The last frame's bytes, to be written with one call.
    bytes: Vec<u8>,
    helper: Option<JoinHandle<()>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        at: Position,
        capacity: u64,
        helper: Option<JoinHandle<()>>,
    ) -> Self {
        let (file, up_to) = (files::segment(at.segment), shared.durable());
        Self {
            shared,
            at,
            file,
            capacity,
            up_to,
            bytes: Vec::new(),
            helper,
        }
    }

    /// Appends `payload` as one frame, and returns once it is durable: one write and one sync.
    /// With this frame the log is complete up to `up_to`.
    ///
    /// # Errors
    /// If the log has stopped, now or before. Where it stopped now, the next recovery finds the
    /// frame or does not.
    ///
    /// # Panics
    /// If `reservation` has no room for the payload or is of another log, or if `up_to` is less
    /// than that of the frame before.
    pub fn append(
        &mut self,
        payload: &[u8],
        up_to: u64,
        reservation: Reservation,
    ) -> Result<(), Stopped> {
        let space = frame::space(payload.len());
        assert!(
            space <= reservation.space(),
            "a reservation for less than is appended"
        );
        assert!(
            self.up_to <= up_to,
            "the order goes back from {} to {up_to}",
            self.up_to
        );
        if let Some(next) = self.shared.place(space, reservation.settle(&self.shared))? {
            self.go_to(next);
        }
        self.put(Kind::Data, payload, up_to)
    }

    fn go_to(&mut self, (segment, capacity): (u64, u64)) {
        // All of it was synced.
        self.shared.files.release(&self.file);
        (self.file, self.capacity) = (files::segment(segment), capacity);
        (self.at.segment, self.at.offset) = (segment, segment::FIRST);
    }

    fn put(&mut self, kind: Kind, payload: &[u8], up_to: u64) -> Result<(), Stopped> {
        let header = Header {
            kind,
            store: self.shared.store,
            incarnation: self.at.incarnation,
            sequence: self.at.sequence,
            up_to,
            // The frame before was synced, or the log would have stopped.
            synced_to: self.at.sequence,
            length: payload.len() as u64,
            before: self.at.before,
        };
        let checksum = frame::encode(&header, payload, &mut self.bytes);
        let unfinished = Unfinished {
            shared: &self.shared,
            operation: "append to",
            file: &self.file,
        };
        let written = self.write();
        unfinished.finish();
        written.map_err(|fault| self.shared.stop(Some(fault)))?;
        self.at.offset += self.bytes.len() as u64;
        self.at.sequence += 1;
        self.at.before = checksum;
        self.up_to = up_to;
        self.shared.publish(self.at, up_to);
        Ok(())
    }

    fn write(&self) -> Result<(), Fault> {
        self.shared
            .files
            .write_at(&self.file, self.at.offset, &self.bytes)?;
        self.shared.files.sync_data(&self.file)
    }

    /// The order that the log is durable up to.
    pub fn up_to(&self) -> u64 {
        self.up_to
    }

    /// Closes the log, and notes in it that all of it was synced.
    ///
    /// # Errors
    /// If the log had stopped, or stopped now. What was appended successfully is durable.
    pub fn close(mut self) -> Result<(), Stopped> {
        self.shared.check()?;
        if self.at.offset + frame::space(0) <= self.capacity {
            self.put(Kind::Close, &[], self.up_to)?;
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.stop(None);
        if let Some(helper) = self.helper.take() {
            // It cannot panic; if it had, the log would still be as it is.
            let _ = helper.join();
        }
        self.shared.unlock();
    }
}
