//! What all threads of a database share: clock, slots, watermark, the threads' garbage.

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::expiry::LimitedSnapshots;
use crate::feed::Feeds;
use crate::garbage::{Garbage, Panicked};
use crate::recycled::{Pool, Stock};
use crate::reserve::Reservations;
use crate::slots::{Bound, Slots};
use crate::sync::{
    Arc, AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering, Wait, bug, counter, fence, held,
    ordering,
};
use crate::timestamp::Age;
use crossbeam_epoch::Collector;
use crossbeam_utils::CachePadded;
#[cfg(feature = "durable")]
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) struct Shared {
    /// The database's, for messages.
    pub(crate) name: Arc<str>,
    pub(crate) clock: Clock,
    pub(crate) slots: Slots,
    pub(crate) limited: LimitedSnapshots,
    /// When the database was made: by the system's clock, and by ours.
    made: (Instant, u64),
    /// A coarse clock: some commit's timestamp, a few microseconds old while commits go on; never ahead of `clock`.
    recent: CachePadded<AtomicU64>,
    /// The largest watermark computed so far (I4).
    watermark: CachePadded<AtomicU64>,
    /// Held while the watermark must not move.
    still: Mutex<()>,
    workers: Mutex<Workers>,
    /// What is too much for the workers' pools.
    pub(crate) spare: Arc<Stock>,
    /// Tuples and versions that wait for the epoch.
    pub(crate) deferred: counter::AtomicUsize,
    /// What user code has panicked with that the epoch ran.
    pub(crate) panicked: Arc<Panicked>,
    /// Set when the database is dropped; a thread's cached state is of no more use then.
    pub(crate) closed: AtomicBool,
    /// Set while one transaction runs that must not lose: other commits wait. See [`Shared::enter`].
    gate: CachePadded<AtomicBool>,
    /// Whose turn it is at the gate.
    turn: Mutex<()>,
    /// The [`Catalog`].
    catalog: CachePadded<AtomicU64>,
    pub(crate) feeds: Feeds,
    /// The log of a durable database.
    #[cfg(feature = "durable")]
    pub(crate) log: OnceLock<Arc<crate::durable::Logger>>,
    pub(crate) reservations: Reservations,
    /// The last field: what it still has deferred runs when it goes, and counts down `deferred`.
    pub(crate) collector: Collector,
}

/// A thread's share of the database: written by its thread, read by everyone. Handed on to a later thread when its
/// thread ends, so that nothing in it is stranded.
pub(crate) struct Worker {
    pub(crate) commits: counter::AtomicU64,
    pub(crate) conflicts: counter::AtomicU64,
    /// Closures that were run again, those that were run inside the gate, and those that have returned an error.
    pub(crate) retries: counter::AtomicU64,
    pub(crate) exclusive_runs: counter::AtomicU64,
    pub(crate) aborts: counter::AtomicU64,
    /// Versions installed minus versions taken out of their chains; the sum over all workers is what lives.
    pub(crate) versions: counter::AtomicI64,
    /// The same for tuples in indexes.
    pub(crate) tuples: counter::AtomicI64,
    /// The bytes of both.
    pub(crate) bytes: counter::AtomicI64,
    pub(crate) garbage: Mutex<Garbage>,
    pub(crate) pool: Pool,
    /// A lower bound of the timestamp of a commit that is under way, if there are feeds; see [`crate::feed`].
    pub(crate) announced: AtomicU64,
    /// What its commits have for the log.
    #[cfg(feature = "durable")]
    pub(crate) logged: Mutex<crate::durable::Buffer>,
}

impl Worker {
    fn new(spare: Arc<Stock>) -> Self {
        Self {
            commits: counter::AtomicU64::default(),
            conflicts: counter::AtomicU64::default(),
            retries: counter::AtomicU64::default(),
            exclusive_runs: counter::AtomicU64::default(),
            aborts: counter::AtomicU64::default(),
            versions: counter::AtomicI64::default(),
            tuples: counter::AtomicI64::default(),
            bytes: counter::AtomicI64::default(),
            garbage: Mutex::default(),
            pool: Pool::new(spare),
            announced: AtomicU64::default(),
            #[cfg(feature = "durable")]
            logged: Mutex::default(),
        }
    }

    /// Adds to a counter that only this worker's thread writes: a load and a store, no locked instruction.
    #[inline]
    pub(crate) fn count(counter: &counter::AtomicU64) {
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Counts versions in or out, which have so many bytes.
    #[inline]
    pub(crate) fn count_versions(&self, change: i64, bytes: i64) {
        Self::add(&self.versions, change);
        Self::add(&self.bytes, bytes);
    }

    /// The same for tuples.
    pub(crate) fn count_tuples(&self, change: i64, bytes: i64) {
        Self::add(&self.tuples, change);
        Self::add(&self.bytes, bytes);
    }

    /// As [`Worker::count`].
    #[inline]
    fn add(counter: &counter::AtomicI64, change: i64) {
        counter.store(counter.load(Ordering::Relaxed) + change, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Workers {
    all: Vec<Arc<CachePadded<Worker>>>,
    unused: Vec<Arc<CachePadded<Worker>>>,
    /// Whose garbage is to be collected next along with somebody's own.
    turn: usize,
}

impl Shared {
    pub(crate) fn new(name: Arc<str>, clock: Clock, limited: LimitedSnapshots) -> Self {
        let now = clock.now();
        Self {
            name,
            clock,
            slots: Slots::new(),
            limited,
            made: (Instant::now(), now),
            recent: CachePadded::new(AtomicU64::new(now)),
            // All transactions come later.
            watermark: CachePadded::new(AtomicU64::new(now)),
            still: Mutex::default(),
            workers: Mutex::default(),
            spare: Arc::default(),
            deferred: counter::AtomicUsize::new(0),
            panicked: Arc::default(),
            closed: AtomicBool::new(false),
            gate: CachePadded::new(AtomicBool::new(false)),
            turn: Mutex::default(),
            catalog: CachePadded::default(),
            feeds: Feeds::default(),
            #[cfg(feature = "durable")]
            log: OnceLock::new(),
            reservations: Reservations::default(),
            collector: Collector::new(),
        }
    }

    #[inline]
    pub(crate) fn recent(&self) -> u64 {
        // Acquire: pairs with `advance`; a reading that is seen precedes all that follows here.
        self.recent.load(Ordering::Acquire)
    }

    /// Moves the coarse clock on to `reading` if it is `step` behind.
    #[inline]
    pub(crate) fn advance(&self, reading: u64, step: u64) {
        if self.recent.load(Ordering::Relaxed) + step <= reading {
            self.recent.fetch_max(reading, Ordering::AcqRel);
        }
    }

    pub(crate) fn watermark(&self) -> u64 {
        self.watermark.load(Ordering::SeqCst)
    }

    /// How long ago a reading of the clock was, at a later one.
    pub(crate) fn age(&self, reading: u64, now: u64) -> Age {
        let ticks = now.saturating_sub(reading);
        let (start, first) = self.made;
        let span = u128::from(now.saturating_sub(first).max(1));
        // By interpolation: no reading is from before the database was made.
        let nanos = start.elapsed().as_nanos() * u128::from(ticks) / span;
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Age {
            ticks,
            duration: (!self.clock.kind().counts()).then(|| Duration::from_nanos(nanos)),
        }
    }

    /// Keeps the watermark from moving, and others from unlinking versions.
    pub(crate) fn hold_watermark(&self) -> StillWatermark<'_> {
        StillWatermark {
            shared: self,
            _still: self.still.lock(),
        }
    }

    /// Raises the watermark, unless somebody needs it to stand still just now, and returns it.
    fn raise_watermark(&self, to: u64) -> u64 {
        let Some(_still) = self.still.try_lock() else {
            return self.watermark();
        };
        self.watermark.fetch_max(to, Ordering::SeqCst).max(to)
    }

    /// Lets nobody else commit until the result is dropped.
    ///
    /// A commit looks at the gate when it holds all its locks. If it saw the gate open, its locks were there before the gate was closed, so whoever reads
    /// a tuple of its after that waits for it. So what is read inside the gate is not overwritten any more: the transaction inside cannot
    /// lose. Readers are not concerned.
    pub(crate) fn enter(&self) -> Inside<'_> {
        let turn = self.turn.lock();
        // Whoever is inside runs user code there; it is what the gate is for.
        held::set_aside();
        // SeqCst, as are the locks of a commit and its look at the gate; the fence orders our reads after it.
        self.gate.store(true, Ordering::SeqCst);
        fence(ordering!(SeqCst, gate_fence));
        Inside {
            shared: self,
            _turn: turn,
        }
    }

    /// Whether commits have to wait. For those who hold all their locks.
    #[inline]
    pub(crate) fn is_closed_to_commits(&self) -> bool {
        self.gate.load(ordering!(SeqCst, look_at_gate))
    }

    /// Waits until commits need not wait. For those who hold no lock.
    #[cold]
    pub(crate) fn wait_for_gate(&self) {
        let mut wait = Wait::new();
        while self.is_closed_to_commits() {
            wait.turn();
        }
    }

    #[inline]
    pub(crate) fn catalog(&self) -> Catalog {
        // SeqCst: commits look after they have read the clock, so a commit that finds the old catalog is earlier than whatever the one who changed it reads
        // from the clock after that (I1).
        Catalog(self.catalog.load(Ordering::SeqCst))
    }

    /// Notes that a table gets an index. `note` is told the new catalog before anyone sees it. For those inside the gate.
    pub(crate) fn add_index(&self, note: impl FnOnce(Catalog)) {
        let catalog = self.catalog();
        let changed = catalog.changed(catalog.0 & (Catalog::FEEDS | Catalog::LOG));
        note(changed);
        self.catalog.store(changed.0, Ordering::SeqCst);
    }

    /// Notes whether there are feeds. For those inside the gate.
    pub(crate) fn set_feeds(&self, any: bool) {
        let log = self.catalog().0 & Catalog::LOG;
        let changed = self
            .catalog()
            .changed(log | if any { Catalog::FEEDS } else { 0 });
        self.catalog.store(changed.0, Ordering::SeqCst);
    }

    /// Notes that there is a log from now on, before anybody else can commit.
    #[cfg(feature = "durable")]
    pub(crate) fn set_log(&self) {
        let bits = self.catalog().0 & Catalog::FEEDS | Catalog::LOG;
        self.catalog
            .store(self.catalog().changed(bits).0, Ordering::SeqCst);
    }

    pub(crate) fn join(&self) -> Arc<CachePadded<Worker>> {
        let mut workers = self.workers.lock();
        workers.unused.pop().unwrap_or_else(|| {
            let worker = Arc::new(CachePadded::new(Worker::new(self.spare.clone())));
            workers.all.push(worker.clone());
            worker
        })
    }

    pub(crate) fn leave(&self, worker: Arc<CachePadded<Worker>>) {
        self.workers.lock().unused.push(worker);
    }

    pub(crate) fn workers(&self) -> Vec<Arc<CachePadded<Worker>>> {
        self.workers.lock().all.clone()
    }

    /// Some worker, another one at each call. The turn is everybody's: a thread that runs only a few transactions would go the first steps
    /// of a turn of its own, and so would the next one.
    pub(crate) fn neighbour(&self) -> Option<Arc<CachePadded<Worker>>> {
        let mut workers = self.workers.lock();
        workers.turn = (workers.turn + 1) % workers.all.len().max(1);
        workers.all.get(workers.turn).cloned()
    }
}

/// Being the only one who may commit.
pub(crate) struct Inside<'s> {
    shared: &'s Shared,
    _turn: MutexGuard<'s, ()>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        held::take_back();
        // Release: what was committed inside is seen by those who come next.
        self.shared.gate.store(false, Ordering::Release);
    }
}

/// The watermark while it does not move.
pub(crate) struct StillWatermark<'s> {
    shared: &'s Shared,
    _still: MutexGuard<'s, ()>,
}

impl StillWatermark<'_> {
    pub(crate) fn watermark(&self) -> u64 {
        self.shared.watermark()
    }
}

/// What live transactions may still read, as of one scan of the slots.
pub(crate) struct Horizon {
    /// Nobody reads at a timestamp below this.
    pub(crate) watermark: u64,
    /// From here on, anything may be read.
    pub(crate) open: u64,
    /// The timestamps below `open` at which snapshots read, ascending.
    pub(crate) snapshots: Vec<u64>,
}

impl Horizon {
    /// Scans the slots.
    ///
    /// A transaction whose slot this misses had not passed its begin fence when ours was executed. So all that it reads
    /// as newest is at least as new as what was committed below `recent` as we loaded it, and every timestamp that it takes
    /// is larger: nothing below `open` concerns it (I4).
    pub(crate) fn scan(shared: &Shared) -> Self {
        shared.limited.expire(&shared.slots);
        let recent = shared.recent();
        // Partner: the fence between a transaction's announcement and its first read.
        fence(Ordering::SeqCst);
        let (mut open, mut snapshots) = (recent, Vec::new());
        for bound in shared.slots.bounds() {
            match bound {
                Bound::Idle => {}
                Bound::Open(lower) => open = open.min(lower),
                Bound::Fixed(timestamp) => snapshots.push(timestamp),
            }
        }
        if bug!("recent-after-slots") && open == recent {
            open = shared.recent();
        }
        if bug!("idle-is-no-bound") && open == recent {
            open = u64::MAX;
        }
        if bug!("watermark-is-now") {
            (open, snapshots) = (shared.clock.now(), Vec::new());
        }
        snapshots.retain(|&timestamp| timestamp < open);
        snapshots.sort_unstable();
        snapshots.dedup();
        let lowest = snapshots.first().copied().unwrap_or(open).min(open);
        Self {
            watermark: shared.raise_watermark(lowest),
            open,
            snapshots,
        }
    }

    /// The last snapshot that sees a version committed at `from` and superseded at `to`: the largest in (from, to]. Of readers who follow each other, it is the one
    /// that ends last as a rule, so what waits for it has to be looked at once more, and not once for each of them.
    pub(crate) fn last_to_see(&self, from: u64, to: u64) -> Option<u64> {
        let last = self.last_up_to(to - u64::from(bug!("bound-snapshot-ignored")));
        last.filter(|&timestamp| timestamp > from)
    }

    /// The last snapshot that sees what was there until `to`.
    pub(crate) fn last_up_to(&self, to: u64) -> Option<u64> {
        let until = self.snapshots.partition_point(|&snapshot| snapshot <= to);
        self.snapshots[..until].last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockChoice;

    fn shared() -> Shared {
        let clock = Clock::new(ClockChoice::Counter, 0).expect("always usable");
        Shared::new("test".into(), clock, LimitedSnapshots::default())
    }

    #[test]
    fn the_watermark_is_the_lowest_bound_and_never_falls() {
        let shared = shared();
        shared.advance(100, 1);
        let (open, fixed) = (shared.slots.acquire(), shared.slots.acquire());
        shared.slots.set_before_fence(open, 50);
        shared.slots.set_released(fixed, Bound::Fixed(40));
        let horizon = Horizon::scan(&shared);
        assert_eq!((horizon.watermark, horizon.open), (40, 50));
        assert_eq!(horizon.snapshots, [40]);
        shared.slots.release(fixed);
        assert_eq!(Horizon::scan(&shared).watermark, 50);
        shared.slots.set_before_fence(open, 10);
        let horizon = Horizon::scan(&shared);
        assert_eq!((horizon.watermark, horizon.open), (50, 10));
        shared.slots.release(open);
        assert_eq!(Horizon::scan(&shared).watermark, 100);
    }

    #[test]
    fn a_version_is_seen_by_snapshots_after_it_and_up_to_its_successor() {
        let horizon = Horizon {
            watermark: 10,
            open: 100,
            snapshots: vec![10, 20, 30],
        };
        assert_eq!(horizon.last_to_see(10, 19), None);
        assert_eq!(horizon.last_to_see(10, 20), Some(20));
        assert_eq!(horizon.last_to_see(9, 100), Some(30));
        assert_eq!(horizon.last_to_see(9, 19), Some(10));
        assert_eq!(horizon.last_to_see(20, 29), None);
        assert_eq!(horizon.last_to_see(30, 99), None);
        assert_eq!(
            [9, 10, 29, 99].map(|to| horizon.last_up_to(to)),
            [None, Some(10), Some(20), Some(30)]
        );
    }
}
