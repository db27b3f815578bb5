//! Commits that wait to be delivered; see [`crate::feed`].

use crate::commit::writes::Write;
use crate::memory::slots::{Bound, SlotRef};
use crate::memory::{Memory, Worker};
use crate::rows::core::TableCore;
use crate::rows::tuple::{Tuple, Word};
use crate::rows::version::Version;
use crate::sync::{Arc, Condvar, Mutex, Ordering, ThreadId, bug, current, fence};
use std::collections::BTreeMap;
use std::ptr::{self, NonNull};
use std::time::Instant;

/// What happens when a [`Feed`](crate::Feed)'s queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Whoever has committed waits until there is room, or that commit is delivered (after the
    /// commit; it holds nobody else up). Each thread can be one commit ahead, so there may be as
    /// many more in the queue as there are threads. The thread that receives does not wait, nor
    /// does a transaction that others' commits wait for.
    ///
    /// What a thread waits for so must not wait for that thread: do not hold a lock during a
    /// transaction that the receiver needs.
    ///
    /// A thread counts as the receiver from its first call of a `recv` method on. Before that, its
    /// commits wait like anybody's: a thread that fills the queue of a feed that it is only going
    /// to receive from later waits for ever. Call [`Feed::try_recv`](crate::Feed::try_recv) once
    /// before such commits.
    Wait,
    /// The oldest commits in the queue are dropped. The receiver is told how many:
    /// [`Committed::missed`](crate::Committed::missed).
    DropOldest,
}

/// A commit.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) timestamp: u64,
    pub(crate) rows: Arc<[Row]>,
}

/// A row that it has changed. The versions are those of the row's table; `before` may be null.
pub(crate) struct Row {
    table: NonNull<TableCore>,
    pub(crate) tuple: NonNull<Tuple>,
    pub(crate) before: *mut Version,
    pub(crate) after: NonNull<Version>,
}

// SAFETY: for reading keys and values, which are `Send` and `Sync`.
unsafe impl Send for Row {}
// SAFETY: as above.
unsafe impl Sync for Row {}

impl Row {
    /// What a write has done.
    pub(crate) fn of(write: &Write, timestamp: u64) -> Self {
        let before = write.locked.and_then(Word::live);
        // SAFETY: the transaction's slot is open since it found the tuple.
        let newest = unsafe { write.tuple.as_ref() }.word().newest();
        // SAFETY: as above, so what it has installed is still in the chain.
        let after = unsafe { Version::visible_at(newest, timestamp + 1) };
        Self {
            table: write.table,
            tuple: write.tuple,
            before: before.map_or(ptr::null_mut(), NonNull::as_ptr),
            after: NonNull::new(after).expect("a write installs a version"),
        }
    }

    /// The number of its table.
    pub(crate) fn table(&self) -> usize {
        // SAFETY: the database keeps its tables, and the feed the database.
        unsafe { self.table.as_ref() }.id
    }
}

impl Record {
    pub(crate) fn timestamp(&self) -> u64 {
        self.timestamp
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }
}

/// The feeds of a database.
#[derive(Default)]
pub(crate) struct Feeds(Mutex<Arc<[Arc<FeedCore>]>>);

impl Feeds {
    pub(crate) fn add(&self, feed: Arc<FeedCore>) {
        let mut feeds = self.0.lock();
        *feeds = feeds.iter().cloned().chain([feed]).collect();
    }

    /// Whether that was the last one.
    pub(crate) fn remove(&self, feed: &Arc<FeedCore>) -> bool {
        let mut feeds = self.0.lock();
        let others = feeds.iter().filter(|other| !Arc::ptr_eq(other, feed));
        *feeds = others.cloned().collect();
        feeds.is_empty()
    }

    pub(crate) fn all(&self) -> Arc<[Arc<FeedCore>]> {
        self.0.lock().clone()
    }

    /// Waits where a feed is full, after a commit at this timestamp. For those whom nobody waits
    /// for.
    pub(crate) fn wait_for_room(&self, timestamp: u64) {
        for feed in &*self.all() {
            feed.wait_for_room(timestamp);
        }
    }
}

/// Announces nothing.
pub(crate) const NONE: u64 = 0;

/// All later records have timestamps that are not below this.
pub(crate) fn bound(memory: &Memory) -> u64 {
    let now = memory.clock.now();
    // The clock was read before. Partner: `Announcement::make`.
    fence(Ordering::SeqCst);
    oldest_announced(memory).map_or(now, |oldest| oldest.min(now))
}

/// A lower bound of the timestamps of all commits under way that are announced, if there are any.
pub(crate) fn oldest_announced(memory: &Memory) -> Option<u64> {
    let announced = |worker: &Worker| match worker.announced.load(Ordering::SeqCst) {
        NONE => None,
        lower => Some(lower),
    };
    let workers = memory.workers();
    workers.iter().filter_map(|worker| announced(worker)).min()
}

/// What a feed and those who commit share.
pub(crate) struct FeedCore {
    /// Open from the earliest commit on that is not let go of. It moves under the queue's lock.
    slot: SlotRef,
    capacity: usize,
    overflow: Overflow,
    queue: Mutex<Queue>,
    /// There may be something to deliver.
    arrived: Condvar,
    /// There may be room.
    taken: Condvar,
}

#[derive(Default)]
struct Queue {
    /// By timestamp, and by arrival among equal ones.
    records: BTreeMap<(u64, u64), Record>,
    arrivals: u64,
    /// The timestamp from which on commits are delivered, once that is known.
    start: Option<u64>,
    /// Dropped since the last delivery.
    missed: u64,
    /// The timestamp of the commit that is being looked at.
    in_hand: Option<u64>,
    /// Where the slot begins.
    lower: u64,
    closed: bool,
    receiver: Option<ThreadId>,
}

impl FeedCore {
    /// A feed whose slot is open from now on.
    pub(crate) fn start(memory: &Memory, capacity: usize, overflow: Overflow) -> Arc<Self> {
        let slot = memory.slots.acquire();
        memory.slots.set_before_fence(slot, memory.coarse_clock());
        // Partner: the fence in `Memory::horizon`.
        fence(Ordering::SeqCst);
        Arc::new(Self {
            slot,
            capacity,
            overflow,
            queue: Mutex::default(),
            arrived: Condvar::default(),
            taken: Condvar::default(),
        })
    }

    /// Delivers nothing from before this timestamp.
    pub(crate) fn start_at(&self, start: u64) {
        let mut queue = self.queue.lock();
        queue.start = Some(start);
        queue
            .records
            .retain(|&(timestamp, _), _| timestamp >= start);
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.lock().records.len()
    }

    pub(crate) fn add(&self, memory: &Memory, record: Record) {
        let mut queue = self.queue.lock();
        let is_early = queue.start.is_some_and(|start| record.timestamp < start);
        if queue.closed || is_early {
            return;
        }
        let place = (record.timestamp, queue.arrivals);
        queue.arrivals += 1;
        queue.records.insert(place, record);
        let is_full = queue.start.is_some() && queue.records.len() > self.capacity;
        if self.overflow == Overflow::DropOldest && is_full {
            queue.records.pop_first();
            queue.missed += 1;
            self.move_slot(memory, &mut queue, bound(memory));
        }
    }

    /// The next commit, and how many were dropped before it. Waits until the deadline, or without a
    /// limit.
    pub(crate) fn receive(
        &self,
        memory: &Memory,
        deadline: Option<Instant>,
    ) -> Option<(Record, u64)> {
        let mut queue = self.queue.lock();
        queue.receiver = Some(current().id());
        let mut in_time = true;
        loop {
            let bound = bound(memory);
            if let Some(record) = queue.next(bound) {
                queue.in_hand = Some(record.timestamp);
                self.move_slot(memory, &mut queue, bound);
                self.taken.notify_all();
                return Some((record, std::mem::take(&mut queue.missed)));
            }
            self.move_slot(memory, &mut queue, bound);
            if !in_time {
                return None;
            }
            (queue, in_time) = self.arrived.wait(&self.queue, queue, deadline);
        }
    }

    /// Lets go of the commit that was received.
    pub(crate) fn let_go(&self) {
        self.queue.lock().in_hand = None;
    }

    /// Lets the slot begin where something is still needed. `bound`: all that is yet to come is
    /// later.
    fn move_slot(&self, memory: &Memory, queue: &mut Queue, bound: u64) {
        let first = queue.records.first_key_value();
        let first = first.map(|((timestamp, _), _)| *timestamp);
        let needed = [first, queue.in_hand].into_iter().flatten();
        // Never back: an announcement may be lower than what we know already.
        queue.lower = needed.fold(bound, u64::min).max(queue.lower);
        if bug!("feed-unprotected") {
            queue.lower = memory.clock.now();
        }
        let bound = Bound::Open(queue.lower);
        memory.slots.set_released(self.slot, bound);
    }

    pub(crate) fn wake_receiver(&self) {
        // Under the lock: the receiver has either not looked yet, or waits already.
        let _queue = self.queue.lock();
        self.arrived.notify_all();
    }

    /// Whoever has committed at this timestamp waits, but no longer than until that commit is
    /// delivered: what comes after it may fill the queue as well.
    fn wait_for_room(&self, timestamp: u64) {
        if self.overflow == Overflow::DropOldest {
            return;
        }
        let mut queue = self.queue.lock();
        while queue.records.len() > self.capacity
            && queue.has_up_to(timestamp)
            && !queue.closed
            && queue.receiver != Some(current().id())
        {
            (queue, _) = self.taken.wait(&self.queue, queue, None);
        }
    }

    pub(crate) fn close(&self, memory: &Memory) {
        let mut queue = self.queue.lock();
        queue.closed = true;
        queue.records.clear();
        self.taken.notify_all();
        drop(queue);
        memory.slots.release(self.slot);
    }
}

impl Queue {
    /// Whether a commit of this timestamp or an earlier one is still there.
    fn has_up_to(&self, timestamp: u64) -> bool {
        let first = self.records.first_key_value();
        first.is_some_and(|((first, _), _)| *first <= timestamp)
    }

    /// Takes out the first commit, if nothing can come before it any more.
    fn next(&mut self, bound: u64) -> Option<Record> {
        let first = self.records.first_entry()?;
        let is_first = first.key().0 < bound || bug!("feed-unordered");
        is_first.then(|| first.remove())
    }
}

#[cfg(test)]
mod tests;
