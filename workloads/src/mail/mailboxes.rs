//! What a store of mail can do.

use crate::engine::durable::Durability;
use std::sync::Arc;

/// A message in a mailbox.
pub(super) struct Mail {
    /// Its place in the order of arrival.
    pub(super) arrival: u64,
    pub(super) message: Arc<[u8]>,
}

/// Mailboxes. Who reads and deletes has locked the mailbox; deliveries go on meanwhile.
pub(super) trait Mailboxes: Sync {
    /// What a report calls it.
    fn name(&self) -> String;

    /// Whether what one call deletes is all there or all gone after any crash.
    fn deletes_whole(&self) -> bool;

    /// Delivers a message, whole or not at all.
    fn deliver(&self, user: u32, message: Arc<[u8]>) -> Result<(), String>;

    /// All mail of a user, in the order of its arrival.
    fn read(&self, user: u32) -> Result<Vec<Mail>, String>;

    /// Deletes what was read.
    fn delete(&self, user: u32, mail: &[Mail]) -> Result<(), String>;

    /// Whether the mail that a run begins with is there.
    fn is_loaded(&self) -> bool;

    /// Says that it is.
    fn loaded(&self) -> Result<(), String>;

    /// Says that what is measured begins now.
    fn begin(&self) {}

    /// Ends what is measured: all is as durable as it gets.
    fn end(&self) -> Option<Durability> {
        None
    }
}
