//! The commit of a read-write transaction: lock, clock, validate, install; then tell, retire,
//! release.

pub(crate) mod announcement;
pub(crate) mod conflict;
pub(crate) mod evidence;
pub(crate) mod feeds;
#[cfg(feature = "durable")]
pub(crate) mod log;
pub(crate) mod reads;
pub(crate) mod reservations;
pub(crate) mod shared;
pub(crate) mod writes;

use crate::clock::Clock;
use crate::commit::conflict::Lost;
use crate::commit::evidence::{Absence, RangeRead, WalkAgain};
use crate::commit::reads::{Read, Reads};
use crate::commit::shared::Shared;
use crate::commit::writes::{Write, Writes};
use crate::memory::Worker;
use crate::rows::cause::ConflictCause;
use crate::rows::core::TableCore;
use crate::rows::hash::{Hash, Inserts};
use crate::rows::protected::Protected;
use crate::rows::schema_version::SchemaVersion;
use crate::rows::tree::Direction;
use crate::rows::tuple::{LockError, Tuple, Word};
use crate::rows::version::Version;
use crate::sync::{back_off, bug, threshold};
use std::cell::RefCell;
use std::ptr::NonNull;
use std::slice;

/// Who is told of a commit. No user code runs while one is announced.
pub(crate) trait Watch {
    /// Announces that it is under way.
    fn announce(&self);

    /// Takes that back: nothing has happened.
    fn retract(&self);

    /// Says that it has happened, and takes its announcement back.
    fn tell(&mut self, timestamp: u64, writes: &[Write]);
}

/// Nobody.
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    fn announce(&self) {}
    fn retract(&self) {}
    fn tell(&mut self, _timestamp: u64, _writes: &[Write]) {}
}

/// What a commit has left to do for whoever has called it.
pub(crate) struct Committed {
    pub(crate) timestamp: u64,
    /// Whether a collection of the thread's garbage pays now.
    pub(crate) is_due: bool,
}

/// A key of a hashed table that was absent.
pub(crate) struct AbsentRead {
    table: NonNull<TableCore>,
    hash: Hash,
    others: Vec<NonNull<Tuple>>,
}

/// A shard of a table that was walked through.
pub(crate) struct ScanRead {
    pub(crate) table: NonNull<TableCore>,
    pub(crate) shard: usize,
    pub(crate) inserts: Inserts,
}

/// What a read-write transaction has read and is going to write.
#[derive(Default)]
pub(crate) struct Footprint {
    pub(crate) reads: Reads<NonNull<TableCore>>,
    /// What was read at the timestamp.
    pub(crate) timed: Vec<Read<NonNull<TableCore>>>,
    pub(crate) absent: Vec<AbsentRead>,
    pub(crate) scans: Vec<ScanRead>,
    pub(crate) ranges: Vec<RangeRead>,
    pub(crate) writes: Writes,
    /// The schema version when the transaction began.
    pub(crate) schema: SchemaVersion,
}

/// How long to wait for another commit's lock, in turns of a [`Wait`](crate::sync::Wait), before
/// all locks are given back; and how often to begin again. Long enough for a commit whose thread
/// was preempted on a machine with few cores.
const TURNS: u32 = 256;
const ATTEMPTS: u32 = 4;

/// Entries that the lists of a footprint that is kept for a thread's next transaction may have room
/// for, all in all: some 10 KiB at most. Larger ones cost more to fill than to allocate.
const SPARE: usize = 128;

impl Footprint {
    /// Empties it, which drops versions that were not installed: user code. Whether it is small
    /// enough to be kept.
    #[inline]
    pub(crate) fn clear(&mut self) -> bool {
        self.reads.clear();
        if !self.lists_are_empty() {
            self.timed.clear();
            self.absent.clear();
            self.scans.clear();
            self.ranges.clear();
        }
        let room = self.timed.capacity()
            + self.absent.capacity()
            + self.scans.capacity()
            + self.ranges.capacity();
        self.writes.clear() + room <= SPARE
    }

    /// Remembers what was read at the timestamp.
    pub(crate) fn record(
        &mut self,
        table: &TableCore,
        tuple: NonNull<Tuple>,
        version: *mut Version,
    ) {
        let last = self.timed.last();
        if last.is_none_or(|last| (last.tuple, last.version) != (tuple, version)) {
            self.timed.push(Read {
                tuple,
                version,
                table: NonNull::from(table),
            });
        }
    }

    /// Remembers that a key was absent.
    pub(crate) fn record_absence(&mut self, table: &TableCore, absence: Absence) {
        let table = NonNull::from(table);
        match absence {
            Absence::Hash { hash, others } => self.absent.push(AbsentRead {
                table,
                hash,
                others,
            }),
            Absence::Range(read) => self.ranges.push(read),
        }
    }

    /// Commits: locks, reads the clock, validates, installs; then tells who watches, retires what
    /// was superseded and releases what was held. `inside`: this is the transaction inside the
    /// gate, or one within it. On a conflict, no tuple is locked and nothing is installed.
    ///
    /// No user code runs while tuples are locked, so locks are held for as long as this takes and
    /// no panic can leave one behind.
    #[inline]
    pub(crate) fn commit(
        &mut self,
        shared: &Shared,
        worker: &Worker,
        inside: bool,
        watch: &mut impl Watch,
        protected: Protected<'_>,
    ) -> Result<Committed, Lost> {
        let timestamp = self.take_effect(shared, inside, watch, protected)?;
        Worker::count(&worker.commits);
        let writes = self.writes.entries();
        watch.tell(timestamp, writes);
        let memory = &shared.memory;
        memory.advance(timestamp, memory.clock.coarse_step());
        let mut garbage = worker.garbage.lock();
        for write in writes {
            write.retire(timestamp, &mut garbage);
        }
        let is_due = garbage.is_due();
        drop(garbage);
        let mut bytes = 0;
        for write in writes {
            bytes += write.version_bytes();
            if write.held {
                // It has a value now; whoever removes that holds the tuple in turn. Our slot is
                // older than that removal.
                // SAFETY: held until now.
                unsafe { write.tuple.as_ref() }.release();
            }
        }
        let installed = i64::try_from(writes.len()).expect("fewer than 2^63");
        worker.count_versions(installed, bytes);
        self.writes.clear_installed();
        Ok(Committed { timestamp, is_due })
    }

    /// Lets all writes take effect at the timestamp that it returns, in a few attempts. It is then
    /// still announced.
    #[inline]
    fn take_effect(
        &mut self,
        shared: &Shared,
        inside: bool,
        watch: &impl Watch,
        protected: Protected<'_>,
    ) -> Result<u64, Lost> {
        let mut attempt = 0;
        loop {
            // Compares keys: before anything is locked (I8).
            if !bug!("lock-kept-on-panic") {
                self.walk_changed_ranges(protected);
            }
            watch.announce();
            let committed = self.try_commit(shared, inside, watch, protected);
            if committed.is_err() {
                watch.retract();
            }
            attempt += 1;
            if committed.is_ok()
                || attempt == ATTEMPTS
                || self.ranges.iter().all(RangeRead::is_unchanged)
            {
                return committed;
            }
        }
    }

    /// Walks once more through ranges in which nodes have changed since, so that it is known which
    /// tuples are there now.
    #[inline]
    fn walk_changed_ranges(&mut self, protected: Protected<'_>) {
        for range in &mut self.ranges {
            if !range.is_unchanged() {
                range.walk_again(protected);
            }
        }
    }

    #[inline]
    fn try_commit(
        &mut self,
        shared: &Shared,
        inside: bool,
        watch: &impl Watch,
        protected: Protected<'_>,
    ) -> Result<u64, Lost> {
        let too_early = bug!("clock-before-locks").then(|| shared.memory.clock.now());
        let seen_open = bug!("gate-before-locks") && !shared.is_closed_to_commits();
        lock(self.writes.sort())?;
        if !inside && !bug!("gate-ignored") && !seen_open && shared.is_closed_to_commits() {
            self.wait_for_gate(shared, watch)?;
        }
        if bug!("lock-kept-on-panic") {
            self.walk_changed_ranges(protected);
        }
        // The clock is read when all locks are held: whoever reads one of these tuples unlocked and
        // at an earlier timestamp has read it before, and is right not to see this commit.
        let checked_early = bug!("validation-before-clock")
            && self.validate(u64::MAX, Locks::Ours, protected).is_ok();
        let timestamp = too_early.unwrap_or_else(|| shared.memory.clock.now());
        let validated = if checked_early || self.has_read_nothing() || bug!("no-validation") {
            Ok(())
        } else {
            self.validate(timestamp, Locks::Ours, protected)
        };
        if let Err(lost) = validated.and_then(|()| self.check_schema(shared)) {
            if !bug!("lock-kept-on-abort") {
                unlock(self.writes.sort());
            }
            return Err(lost);
        }
        for write in self.writes.sort() {
            if bug!("install-before-all-locks") {
                unlock(slice::from_mut(write));
                while lock(slice::from_mut(write)).is_err() {}
            }
            write.install(timestamp);
        }
        Ok(timestamp)
    }

    /// Waits until commits need not wait, without the locks, and takes them again.
    #[cold]
    fn wait_for_gate(&mut self, shared: &Shared, watch: &impl Watch) -> Result<(), Lost> {
        while shared.is_closed_to_commits() {
            unlock(self.writes.sort());
            // Who is inside may wait for all that is announced.
            watch.retract();
            shared.wait_for_gate();
            watch.announce();
            lock(self.writes.sort())?;
        }
        Ok(())
    }

    /// Checks that the schema version has not changed in a way that matters to this commit. After
    /// the gate was found open, and after the clock was read.
    ///
    /// An index is filled inside the gate, and the schema version changes before that opens. So
    /// either this commit's rows are in the index, since its locks were there before the gate was
    /// closed; or it finds the changed schema version here. For a feed that has started, see
    /// [`crate::feed`].
    #[inline]
    fn check_schema(&self, shared: &Shared) -> Result<(), Lost> {
        let schema = shared.schema();
        if schema == self.schema {
            return Ok(());
        }
        let lost = |write: &Write| {
            // SAFETY: the database keeps its tables.
            let table = unsafe { write.table.as_ref() };
            let cause = if table.is_indexed_since(self.schema) && !bug!("index-unnoticed") {
                ConflictCause::IndexAdded
            } else if schema.has_feeds() && !self.schema.has_feeds() && !bug!("feed-unnoticed") {
                ConflictCause::FeedStarted
            } else {
                return None;
            };
            Some(Lost::new(write.table, cause))
        };
        self.writes
            .entries()
            .iter()
            .find_map(lost)
            .map_or(Ok(()), Err)
    }

    /// Moves the transaction's timestamp on, if all that it has read is still current after a clock
    /// reading.
    pub(crate) fn extend(
        footprint: &RefCell<Self>,
        clock: &Clock,
        protected: Protected<'_>,
    ) -> bool {
        // Those that are read meanwhile, by comparisons, are walked through again next time.
        let ranges = footprint.borrow().ranges.len();
        for number in 0..ranges {
            if let Some(range) = RangeInUse::changed(footprint, number) {
                range.walk_again(protected);
            }
        }
        footprint
            .borrow_mut()
            .extend_unless_changed(clock, protected)
    }

    fn extend_unless_changed(&mut self, clock: &Clock, protected: Protected<'_>) -> bool {
        let timestamp = clock.now();
        let valid =
            bug!("extension-unchecked") || self.validate(timestamp, Locks::None, protected).is_ok();
        if valid {
            self.reads.extend_to(timestamp);
        }
        valid
    }

    /// Whether there is nothing to validate.
    #[inline]
    fn has_read_nothing(&self) -> bool {
        self.reads.entries.is_empty() && self.lists_are_empty()
    }

    /// Whether nothing is remembered but writes, and what was read without a timestamp.
    #[inline]
    fn lists_are_empty(&self) -> bool {
        self.timed.is_empty()
            && self.absent.is_empty()
            && self.scans.is_empty()
            && self.ranges.is_empty()
    }

    /// Checks that all that was read is still current; `timestamp` is a clock reading taken before
    /// this.
    fn validate(&self, timestamp: u64, locks: Locks, protected: Protected<'_>) -> Result<(), Lost> {
        let mut reads = self.reads.entries.iter().chain(&self.timed);
        if let Some(read) = reads.find(|read| !self.is_current(read, locks)) {
            return Err(Lost::new(read.table, ConflictCause::ReadOverwritten));
        }
        let is_absent = |read: &&AbsentRead| {
            bug!("absence-unchecked") || self.is_absent_at(read, timestamp, locks, protected)
        };
        if let Some(read) = self.absent.iter().find(|read| !is_absent(read)) {
            return Err(Lost::new(read.table, ConflictCause::AbsentKeyAppeared));
        }
        let is_unchanged =
            |scan: &&ScanRead| bug!("scan-unchecked") || self.is_unchanged(scan, locks, protected);
        if let Some(scan) = self.scans.iter().find(|scan| !is_unchanged(scan)) {
            return Err(Lost::new(scan.table, ConflictCause::RangeChanged));
        }
        // I10: the nodes say which tuples there are, the tuples whether they are as they were.
        let is_same = |range: &&RangeRead| {
            let has_same_keys = bug!("range-nodes-unchecked") || range.is_unchanged();
            let is_old = |tuple| bug!("range-rows-unchecked") || self.is_old(tuple, locks);
            bug!("range-unchecked") || has_same_keys && range.tuples().all(is_old)
        };
        match self.ranges.iter().find(|range| !is_same(range)) {
            Some(range) => Err(Lost::new(range.table, range.cause)),
            None => Ok(()),
        }
    }

    /// Whether a tuple that a scan came by has no newer version than the scan saw, and nobody else
    /// is about to change that.
    fn is_old(&self, tuple: NonNull<Tuple>, locks: Locks) -> bool {
        let since = self.reads.timestamp().unwrap_or(0);
        self.newest_is(tuple, locks, |_, newest| newest.timestamp < since)
    }

    /// Whether the version that was read is the newest, and nobody else is about to replace it.
    ///
    /// A tuple that is dead now was read by a scan and had no value then: one with a value that we
    /// have read is not removed while our slot is open. If its key has come back since, then as a
    /// new tuple, which the scan's own check finds.
    fn is_current<T>(&self, read: &Read<T>, locks: Locks) -> bool {
        match locks {
            Locks::None => read.is_current(),
            Locks::Ours => {
                // SAFETY: the transaction has an open slot since it found the tuple.
                let word = unsafe { read.tuple.as_ref() }.word();
                word.is_dead()
                    || word.newest() == read.version
                        && (!word.is_locked()
                            || bug!("locked-is-current")
                            || self.writes.contains(read.tuple))
            }
        }
    }

    /// Looks an absent key up again: whatever has the same hash now must have been there then, or
    /// still be without a value.
    fn is_absent_at(
        &self,
        read: &AbsentRead,
        timestamp: u64,
        locks: Locks,
        protected: Protected<'_>,
    ) -> bool {
        // SAFETY: the database keeps the table.
        let table = unsafe { read.table.as_ref() };
        let is_absent = |tuple| {
            read.others.contains(&tuple)
                || self.newest_is(tuple, locks, |word, newest| {
                    // A tombstone later than `timestamp` may stand above a value from before it.
                    word.is_tombstone() && newest.timestamp < timestamp
                })
        };
        let index = table.index.hash();
        index.all_match(read.hash, protected, is_absent)
    }

    /// Whether a shard that was walked through has had no new tuples, or only such as still have no
    /// value. The tuples that were there are among the reads.
    fn is_unchanged(&self, scan: &ScanRead, locks: Locks, protected: Protected<'_>) -> bool {
        // SAFETY: the database keeps the table.
        let table = unsafe { scan.table.as_ref() };
        let (inserts, mut tuples) = table.index.hash().walk(scan.shard, protected);
        inserts == scan.inserts || tuples.all(|tuple| self.is_old(tuple, locks))
    }

    /// Whether a tuple that nobody else is about to change has no version, or a newest one like
    /// this.
    fn newest_is(
        &self,
        tuple: NonNull<Tuple>,
        locks: Locks,
        like: impl Fn(Word, &Version) -> bool,
    ) -> bool {
        // SAFETY: found in the index by a protected transaction.
        let head = unsafe { tuple.as_ref() };
        let word = match locks {
            Locks::None => head.unlocked_word(),
            Locks::Ours => head.word(),
        };
        // A dead one was without a value for longer than this transaction lives.
        word.is_dead()
            || (!word.is_locked() || self.writes.contains(tuple))
                && NonNull::new(word.newest())
                    // SAFETY: the newest version of its tuple; our slot is open.
                    .is_none_or(|newest| like(word, unsafe { Version::head(newest) }))
    }
}

/// A range of a transaction while user code runs with its bounds: comparing, cloning and dropping
/// keys. That may use the transaction, whose footprint is not borrowed meanwhile. Whoever needs the
/// bounds meanwhile does without.
pub(crate) struct RangeInUse<'f> {
    footprint: &'f RefCell<Footprint>,
    number: usize,
    table: NonNull<TableCore>,
    /// None once they are back.
    bounds: Option<Box<dyn WalkAgain>>,
}

impl<'f> RangeInUse<'f> {
    /// `None`: it is in use already.
    pub(crate) fn new(footprint: &'f RefCell<Footprint>, number: usize) -> Option<Self> {
        let range = &mut footprint.borrow_mut().ranges[number];
        Some(Self {
            footprint,
            number,
            table: range.table,
            bounds: Some(range.take_bounds()?),
        })
    }

    /// The same if the range has changed.
    fn changed(footprint: &'f RefCell<Footprint>, number: usize) -> Option<Self> {
        let is_unchanged = footprint.borrow().ranges[number].is_unchanged();
        (!is_unchanged).then(|| Self::new(footprint, number))?
    }

    /// See [`RangeRead::walk_again`].
    fn walk_again(self, protected: Protected<'_>) {
        if let Some(bounds) = &self.bounds {
            let nodes = bounds.walk(self.table, protected);
            self.with(|range| range.found_again(nodes));
        }
    }

    /// Forgets what a read in this direction has found beyond a tuple.
    pub(crate) fn stop(mut self, direction: Direction, last: NonNull<Tuple>) {
        if let Some(bounds) = &mut self.bounds {
            bounds.stop(direction, last);
            self.with(|range| range.stop(direction, last));
        }
    }

    fn with(&self, see: impl FnOnce(&mut RangeRead)) {
        see(&mut self.footprint.borrow_mut().ranges[self.number]);
    }
}

impl Drop for RangeInUse<'_> {
    /// Also if the user code has panicked.
    fn drop(&mut self) {
        if let Some(bounds) = self.bounds.take() {
            self.with(|range| range.put_back(bounds));
        }
    }
}

/// Which locked tuples count as unchanged.
#[derive(Clone, Copy)]
enum Locks {
    /// None: others' locks are waited out.
    None,
    /// Our own; others' are a conflict.
    Ours,
}

/// Locks all, in address order, so that no two commits wait for each other; waits for each a
/// bounded time only.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "a tenth of a commit's stores would be those of this call"
)]
fn lock(writes: &mut [Write]) -> Result<(), Lost> {
    let mut attempt = 0;
    loop {
        let busy = (0..writes.len()).find(|&i| {
            let write = &mut writes[i];
            // SAFETY: the transaction has an open slot since it found the tuple.
            match unsafe { write.tuple.as_ref() }.lock(threshold(TURNS, 2)) {
                Ok(word) => {
                    write.locked = Some(word);
                    false
                }
                Err(error) => {
                    // What is written to is held, or had a value when our slot was open.
                    assert!(
                        matches!(error, LockError::Busy),
                        "a tuple that is written to was removed (I6)"
                    );
                    true
                }
            }
        });
        let Some(busy) = busy else {
            return Ok(());
        };
        if !bug!("partial-locks-kept") {
            unlock(&mut writes[..busy]);
        }
        back_off(attempt);
        attempt += 1;
        if attempt == ATTEMPTS {
            return Err(Lost::new(writes[busy].table, ConflictCause::WriteLocked));
        }
    }
}

/// Unlocks, and leaves everything as it was.
fn unlock(writes: &mut [Write]) {
    for write in writes {
        let word = write.locked.take().expect("it was locked");
        // SAFETY: as in `lock`.
        unsafe { write.tuple.as_ref() }.publish(word);
    }
}

#[cfg(test)]
mod tests;
