//! Which versions may still be read, and what becomes of those that nobody can: what all threads
//! share for that.

pub(crate) mod expiry;
pub(crate) mod horizon;
pub(crate) mod panicked;
pub(crate) mod recycled;
pub(crate) mod retired;
pub(crate) mod slots;

use crate::clock::Clock;
use crate::clock::timestamp::Age;
use crate::memory::expiry::LimitedSnapshots;
use crate::memory::horizon::Horizon;
use crate::memory::panicked::Panicked;
use crate::memory::recycled::{Pool, Stock};
use crate::memory::retired::Garbage;
use crate::memory::slots::{Bound, Slots};
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, bug, counter, fence};
use crossbeam_epoch::Collector;
use crossbeam_utils::CachePadded;
use std::time::{Duration, Instant};

/// What all threads share to know which versions are still needed.
pub(crate) struct Memory {
    pub(crate) clock: Clock,
    pub(crate) slots: Slots,
    pub(crate) limited: LimitedSnapshots,
    /// When the database was made: by the system's clock, and by ours.
    made: (Instant, u64),
    /// A coarse clock: some commit's timestamp, a few microseconds old while commits go on; never
    /// ahead of `clock`.
    coarse: CachePadded<AtomicU64>,
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
    /// The last field: what it still has deferred runs when it goes, and counts down `deferred`.
    pub(crate) collector: Collector,
}

/// A thread's share of the database: written by its thread, read by everyone. Handed on to a later
/// thread when its thread ends, so that nothing in it is stranded.
pub(crate) struct Worker {
    pub(crate) commits: counter::AtomicU64,
    pub(crate) conflicts: counter::AtomicU64,
    /// Closures that were run again, those that were run inside the gate, and those that have
    /// returned an error.
    pub(crate) retries: counter::AtomicU64,
    pub(crate) exclusive_runs: counter::AtomicU64,
    pub(crate) aborts: counter::AtomicU64,
    /// Versions installed minus versions taken out of their chains; the sum over all workers is
    /// what lives.
    pub(crate) versions: counter::AtomicI64,
    /// The same for tuples in indexes.
    pub(crate) tuples: counter::AtomicI64,
    /// The bytes of both.
    pub(crate) bytes: counter::AtomicI64,
    pub(crate) garbage: Mutex<Garbage>,
    pub(crate) pool: Pool,
    /// A lower bound of the timestamp of a commit that is under way, if there are feeds; see
    /// [`crate::feed`].
    pub(crate) announced: AtomicU64,
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
        }
    }

    /// Adds to a counter that only this worker's thread writes: a load and a store, no locked
    /// instruction.
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

impl Memory {
    pub(crate) fn new(clock: Clock, limited: LimitedSnapshots) -> Self {
        let now = clock.now();
        Self {
            clock,
            slots: Slots::new(),
            limited,
            made: (Instant::now(), now),
            coarse: CachePadded::new(AtomicU64::new(now)),
            // All transactions come later.
            watermark: CachePadded::new(AtomicU64::new(now)),
            still: Mutex::default(),
            workers: Mutex::default(),
            spare: Arc::default(),
            deferred: counter::AtomicUsize::new(0),
            panicked: Arc::default(),
            collector: Collector::new(),
        }
    }

    #[inline]
    pub(crate) fn coarse_clock(&self) -> u64 {
        // Acquire: pairs with `advance`; a reading that is seen precedes all that follows here.
        self.coarse.load(Ordering::Acquire)
    }

    /// Moves the coarse clock on to `reading` if it is `step` behind.
    #[inline]
    pub(crate) fn advance(&self, reading: u64, step: u64) {
        if self.coarse.load(Ordering::Relaxed) + step <= reading {
            self.coarse.fetch_max(reading, Ordering::AcqRel);
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
            memory: self,
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

    /// Scans the slots for what live transactions may still read.
    ///
    /// A transaction whose slot this misses had not passed its begin fence when ours was executed.
    /// So all that it reads as newest is at least as new as what was committed below `coarse` as we
    /// loaded it, and every timestamp that it takes is larger: nothing below `open` concerns it
    /// (I4).
    pub(crate) fn horizon(&self) -> Horizon {
        self.limited.expire(&self.slots);
        let recent = self.coarse_clock();
        // Partner: the fence between a transaction's announcement and its first read.
        fence(Ordering::SeqCst);
        let (mut open, mut snapshots) = (recent, Vec::new());
        for bound in self.slots.bounds() {
            match bound {
                Bound::Idle => {}
                Bound::Open(lower) => open = open.min(lower),
                Bound::Fixed(timestamp) => snapshots.push(timestamp),
            }
        }
        if bug!("recent-after-slots") && open == recent {
            open = self.coarse_clock();
        }
        if bug!("idle-is-no-bound") && open == recent {
            open = u64::MAX;
        }
        if bug!("watermark-is-now") {
            (open, snapshots) = (self.clock.now(), Vec::new());
        }
        snapshots.retain(|&timestamp| timestamp < open);
        snapshots.sort_unstable();
        snapshots.dedup();
        let lowest = snapshots.first().copied().unwrap_or(open).min(open);
        Horizon {
            watermark: self.raise_watermark(lowest),
            open,
            snapshots,
        }
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

    /// Some worker, another one at each call. The turn is everybody's: a thread that runs only a
    /// few transactions would go the first steps of a turn of its own, and so would the next one.
    pub(crate) fn neighbour(&self) -> Option<Arc<CachePadded<Worker>>> {
        let mut workers = self.workers.lock();
        workers.turn = (workers.turn + 1) % workers.all.len().max(1);
        workers.all.get(workers.turn).cloned()
    }
}

/// The watermark while it does not move.
pub(crate) struct StillWatermark<'s> {
    memory: &'s Memory,
    _still: MutexGuard<'s, ()>,
}

impl StillWatermark<'_> {
    pub(crate) fn watermark(&self) -> u64 {
        self.memory.watermark()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockChoice;

    fn memory() -> Memory {
        let clock = Clock::new(ClockChoice::Counter, 0).expect("always usable");
        Memory::new(clock, LimitedSnapshots::default())
    }

    #[test]
    fn the_watermark_is_the_lowest_bound_and_never_falls() {
        let memory = memory();
        memory.advance(100, 1);
        let (open, fixed) = (memory.slots.acquire(), memory.slots.acquire());
        memory.slots.set_before_fence(open, 50);
        memory.slots.set_released(fixed, Bound::Fixed(40));
        let horizon = memory.horizon();
        assert_eq!((horizon.watermark, horizon.open), (40, 50));
        assert_eq!(horizon.snapshots, [40]);
        memory.slots.release(fixed);
        assert_eq!(memory.horizon().watermark, 50);
        memory.slots.set_before_fence(open, 10);
        let horizon = memory.horizon();
        assert_eq!((horizon.watermark, horizon.open), (50, 10));
        memory.slots.release(open);
        assert_eq!(memory.horizon().watermark, 100);
    }
}
