//! Threads that read much at a time, besides those that are measured.

use super::Run;
use crate::engine::Engine;
use crate::ycsb::record::Record;
use crate::ycsb::report::Outcome;
use crate::ycsb::table::Table;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Records of a long read.
const LONG_READ: u64 = 10_000;
/// How often a thread that waits looks whether the run is over.
const PATIENCE: Duration = Duration::from_millis(5);

/// What the long readers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongReads {
    /// Each reads 10,000 records from one snapshot after the other.
    #[default]
    Steady,
    /// Each reads as many records, but of a copy that nobody writes and that needs no engine: they take as much processor time as long readers
    /// and share nothing with anybody. What they cost is what the machine lacks in cores, not what the engine makes of long reads.
    StandIn,
    /// Each reads 10,000 records from a snapshot, keeps it until it is `hold` old, and is without one for `pause`. They begin one after the
    /// other, spread over `hold`, after a first `pause`.
    Kept {
        /// How long a snapshot is kept.
        hold: Duration,
        /// How long a reader is without one then.
        pause: Duration,
    },
}

impl<E: Engine, V: Record, T: Table<E, V>> Run<'_, E, V, T> {
    /// What stand-ins read; empty if there are none.
    pub(super) fn stand_in(&self) -> Vec<V> {
        let settings = self.settings;
        if settings.long_readers == 0 || settings.long_reads != LongReads::StandIn {
            return Vec::new();
        }
        let mut random = SmallRng::seed_from_u64(settings.seed);
        let fill = |place: u64| place.to_le_bytes()[0];
        (0..self.loaded)
            .map(|place| V::new(&self.shape, fill(place), &mut random))
            .collect()
    }

    /// Reads until the run is over, and returns how many times 10,000 records that was.
    pub(super) fn read_long(&self, reader: usize, stand_in: &[V]) -> u64 {
        let mut random = SmallRng::seed_from_u64(self.settings.seed ^ (reader as u64 + 1) << 32);
        let mut done = 0;
        if let LongReads::Kept { hold, pause } = self.settings.long_reads {
            let share = reader as f64 / self.settings.long_readers as f64;
            self.wait(pause + hold.mul_f64(share));
        }
        while !self.stop.load(Relaxed) {
            match self.settings.long_reads {
                LongReads::Steady => self.read_snapshot(&mut random, Duration::ZERO),
                LongReads::StandIn => {
                    for _ in 0..LONG_READ {
                        self.touch(&stand_in[random.random_range(0..stand_in.len())]);
                    }
                }
                LongReads::Kept { hold, pause } => {
                    self.read_snapshot(&mut random, hold);
                    self.wait(pause);
                }
            }
            done += 1;
        }
        done
    }

    /// Reads many records from one snapshot, and keeps it until it is so old.
    fn read_snapshot(&self, random: &mut SmallRng, hold: Duration) {
        let taken = Instant::now();
        let snapshot = self.engine.snapshot();
        self.snapshots.fetch_add(1, Relaxed);
        let mut outcome = Outcome::default();
        for _ in 0..LONG_READ {
            let place = random.random_range(0..self.loaded);
            self.read(&snapshot, self.key(place), &mut outcome);
        }
        assert_eq!(outcome.missing, 0, "a snapshot has lost records");
        self.wait(hold.saturating_sub(taken.elapsed()));
        self.snapshots.fetch_sub(1, Relaxed);
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
