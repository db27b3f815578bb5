//! Threads that read much at a time, besides those that are measured.

use super::Run;
use crate::engine::Engine;
use crate::team::Start;
use crate::ycsb::record::Record;
use crate::ycsb::settings::LongReads;
use crate::ycsb::table::Table;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Records of a long read.
const LONG_READ: u64 = 10_000;
/// Records between two looks at the clock, which costs as much as reading a few.
const LOOK: u64 = 256;
/// How often a thread that waits looks whether the run is over.
const PATIENCE: Duration = Duration::from_millis(5);

/// One more, as long as it lives: an attempt may be left in the middle of it.
struct Counted<'c>(&'c AtomicUsize);

impl<'c> Counted<'c> {
    fn new(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// What the long readers read.
pub(super) struct Read<E, T> {
    pub(super) engine: E,
    pub(super) table: T,
}

impl<E: Engine, V: Record, T: Table<E, V>> Run<'_, E, V, T> {
    /// Reads until the run is over, and returns how many times all of 10,000 records were read.
    pub(super) fn read_long(&self, reader: usize, begin: Instant) -> u64 {
        let mut random = SmallRng::seed_from_u64(self.settings.seed ^ (reader as u64 + 1) << 32);
        let mut done = 0;
        if let LongReads::Kept { hold, pause } = self.settings.long_reads {
            let share = reader as f64 / self.settings.long_readers as f64;
            self.wait(pause + hold.mul_f64(share));
        }
        while !self.stop.load(Relaxed) {
            done += u64::from(match self.settings.long_reads {
                LongReads::Steady => self.read_snapshot(&mut random, Duration::ZERO, begin),
                LongReads::Kept { hold, pause } => {
                    let whole = self.read_snapshot(&mut random, hold, begin);
                    self.wait(pause);
                    whole
                }
            });
        }
        done
    }

    /// Reads many records from one snapshot, and keeps it until it is so old. Whether all were read
    /// before the run was over.
    fn read_snapshot(&self, random: &mut SmallRng, hold: Duration, begin: Instant) -> bool {
        self.read.engine.snapshot(|snapshot| {
            let taken = Instant::now();
            let _counted = Counted::new(&self.snapshots);
            for number in 0..LONG_READ {
                if number % LOOK == 0 {
                    self.end_in_time(begin, Instant::now());
                }
                if self.stop.load(Relaxed) {
                    return false;
                }
                let place = random.random_range(0..self.loaded);
                self.check_record(self.read.table.get(snapshot, self.key(place)));
            }
            self.wait(hold.saturating_sub(taken.elapsed()));
            true
        })
    }

    /// Holds a snapshot until nobody has `over` locked any more, and reads a record from it then.
    /// Arrives at `opened` when it has the snapshot.
    pub(super) fn hold_snapshot(&self, opened: &Start, over: &Mutex<()>) {
        let mut first = true;
        self.engine.snapshot(|snapshot| {
            // Further attempts come after the end.
            if std::mem::take(&mut first) {
                opened.arrive();
                drop(over.lock());
            }
            self.check_record(self.table.get(snapshot, self.key(0)));
        });
    }

    fn check_record(&self, record: Option<&V>) {
        self.touch(record.expect("a snapshot has all records that were loaded"));
    }

    /// Waits, unless the run is over before.
    fn wait(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.stop.load(Relaxed) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleep(left.min(PATIENCE));
        }
    }
}
