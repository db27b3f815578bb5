//! The handle of an open log.

use super::Shared;
use crate::error::Stopped;
use std::fmt;
use std::sync::Arc;

/// A handle of an open log: reserves room, says what is durable, starts checkpoints and backups.
///
/// Cheap to clone. The directory stays locked until the last handle and the
/// [`Writer`](crate::Writer) are gone.
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

impl Log {
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
