//! What a commit tells feeds and the log.

use crate::commit::Announce;
use crate::feeds::{NONE, Record, Row};
use crate::memory::Worker;
use crate::shared::Shared;
use crate::sync::{Arc, Ordering, bug};
use crate::writes::Write;

/// What a commit announces, if somebody is told of commits.
///
/// No user code runs between [`make`](Announce::make) and [`retract`](Announce::retract), and nobody waits there for a gate or for a place in a
/// queue. So whoever waits for all that is announced does not wait long, and not for itself.
pub(crate) struct Announcement<'s> {
    shared: &'s Shared,
    worker: &'s Worker,
}

impl<'s> Announcement<'s> {
    pub(crate) fn new(shared: &'s Shared, worker: &'s Worker) -> Self {
        Self { shared, worker }
    }

    /// Adds the commit to all feeds. Before the transaction's slot is closed.
    pub(crate) fn record(&self, timestamp: u64, writes: &[Write]) {
        let feeds = self.shared.feeds.all();
        if feeds.is_empty() {
            return;
        }
        let rows = writes.iter().map(|write| Row::of(write, timestamp));
        let rows: Arc<[Row]> = rows.collect();
        for feed in &*feeds {
            let rows = rows.clone();
            feed.add(&self.shared.memory, Record { timestamp, rows });
        }
    }

    /// Waits where a feed is full, after a commit at this timestamp. For those whom nobody waits for.
    pub(crate) fn wait_for_room(&self, timestamp: u64) {
        for feed in &*self.shared.feeds.all() {
            feed.wait_for_room(timestamp);
        }
    }
}

impl Announce for Announcement<'_> {
    /// Announces that a commit of this worker's thread is under way.
    fn make(&self) {
        if !bug!("commit-unannounced") {
            // SeqCst: before the clock is read. Partner: `bound`.
            self.worker
                .announced
                .store(self.shared.memory.recent().max(1), Ordering::SeqCst);
        }
    }

    /// Takes that back: the commit is recorded, or has changed nothing.
    fn retract(&self) {
        // SeqCst: the commit is recorded, if it was one.
        self.worker.announced.store(NONE, Ordering::SeqCst);
        for feed in &*self.shared.feeds.all() {
            feed.wake_receiver();
        }
        #[cfg(feature = "durable")]
        if let Some(log) = self.shared.log.get() {
            log.nudge();
        }
    }
}
