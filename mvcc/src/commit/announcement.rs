//! What a commit tells feeds and the log.

use crate::commit::Watch;
use crate::commit::feeds::{NONE, Record, Row};
#[cfg(feature = "durable")]
use crate::commit::log::logging::Logged;
use crate::commit::shared::Shared;
use crate::commit::writes::Write;
use crate::memory::Worker;
use crate::sync::{Arc, Ordering, bug};

/// What a commit announces, if somebody is told of commits.
///
/// No user code runs between [`announce`](Watch::announce) and [`retract`](Watch::retract), and
/// nobody waits there for a gate or for a place in a queue. So whoever waits for all that is
/// announced does not wait long, and not for itself.
pub(crate) struct Announcement<'s> {
    shared: &'s Shared,
    worker: &'s Worker,
    /// Whether there were feeds when the transaction began. If there are since, it fails.
    has_feeds: bool,
    /// What it has for the log.
    #[cfg(feature = "durable")]
    logged: Option<Logged<'s>>,
}

impl<'s> Announcement<'s> {
    pub(crate) fn new(shared: &'s Shared, worker: &'s Worker, has_feeds: bool) -> Self {
        Self {
            shared,
            worker,
            has_feeds,
            #[cfg(feature = "durable")]
            logged: None,
        }
    }

    #[cfg(feature = "durable")]
    pub(crate) fn logged(self, logged: Option<Logged<'s>>) -> Self {
        Self { logged, ..self }
    }

    /// Adds the commit to all feeds. Before the transaction's slot is closed.
    fn record(&self, timestamp: u64, writes: &[Write]) {
        let feeds = self.shared.feeds.all();
        let rows = writes.iter().map(|write| Row::of(write, timestamp));
        let rows: Arc<[Row]> = rows.collect();
        for feed in &*feeds {
            let rows = rows.clone();
            feed.add(&self.shared.memory, Record { timestamp, rows });
        }
    }
}

impl Watch for Announcement<'_> {
    fn announce(&self) {
        if !bug!("commit-unannounced") {
            // SeqCst: before the clock is read. Partner: `bound`.
            self.worker
                .announced
                .store(self.shared.memory.coarse_clock().max(1), Ordering::SeqCst);
        }
    }

    fn retract(&self) {
        // SeqCst: the commit is recorded, if it was one.
        self.worker.announced.store(NONE, Ordering::SeqCst);
        // SeqCst as well: a feed that is not found here looks at announcements after that.
        if self.shared.schema().has_feeds() {
            for feed in &*self.shared.feeds.all() {
                feed.wake_receiver();
            }
        }
        #[cfg(feature = "durable")]
        if let Some(log) = self.shared.log.get() {
            log.nudge();
        }
    }

    fn tell(&mut self, timestamp: u64, writes: &[Write]) {
        if self.has_feeds {
            self.record(timestamp, writes);
        }
        // Before the announcement is taken back: then the log is complete up to what is announced.
        #[cfg(feature = "durable")]
        if let Some(logged) = self.logged.take() {
            logged.publish(timestamp);
        }
        self.retract();
    }
}
