//! Waiting until a commit is durable.

use super::error::StoreError;
use crate::clock::timestamp::Timestamp;
use crate::commit::log::logger::Logger;
use crate::commit::shared::Shared;
use crate::sync::Arc;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A commit that is visible, and will be durable: from [`Store::submit`](super::Store::submit).
///
/// It is a [`Future`] as well, for any executor. Dropping it changes nothing: the commit becomes
/// durable all the same.
#[must_use = "it says whether the commit is durable"]
pub struct Ticket {
    shared: Arc<Shared>,
    timestamp: u64,
    /// Its number among those that wait for the same, once it does.
    number: Option<u64>,
}

impl Ticket {
    pub(super) fn new(shared: Arc<Shared>, timestamp: u64) -> Self {
        Self {
            shared,
            timestamp,
            number: None,
        }
    }

    fn logger(&self) -> &Logger {
        self.shared.log.get().expect("it is of a store")
    }

    /// The commit's place in the serialization order.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::new(self.timestamp)
    }

    /// Whether the commit is durable already, as far as that is known.
    pub fn is_durable(&self) -> bool {
        self.logger().is_durable(self.timestamp)
    }

    /// Waits until the commit is durable.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if the log stops before.
    pub fn wait(self) -> Result<(), StoreError> {
        let waited = self.logger().wait(&self.shared.memory, self.timestamp);
        waited.map_err(|_| StoreError::Unknown)
    }
}

impl Future for Ticket {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let number = match self.number {
            Some(number) => number,
            None => self.logger().ticket(),
        };
        self.number = Some(number);
        let poll = self.logger().poll(self.timestamp, number, context.waker());
        poll.map_err(|_| StoreError::Unknown)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.logger().forget((self.timestamp, number));
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("timestamp", &self.timestamp)
            .field("is_durable", &self.is_durable())
            .finish_non_exhaustive()
    }
}
