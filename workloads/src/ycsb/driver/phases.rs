//! The load, and the run that is measured.

use super::{AnyRun, Progress, ReadOnly, Run};
use crate::engine::Engine;
use crate::measure::progress;
use crate::ycsb::fnv1a;
use crate::ycsb::record::Record;
use crate::ycsb::report::{Memory, Outcome, Report};
use crate::ycsb::table::Table;
use rand::{SeedableRng, rngs::SmallRng};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Barrier, Mutex};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

const LOAD_BATCH: u64 = 100;
/// When a run's memory is looked at for the first time; the second time is at its end.
const WARM: Duration = Duration::from_secs(10);

impl<E: Engine, V: Record, T: Table<E, V>> AnyRun for Run<'_, E, V, T> {
    /// Inserts all records, in parallel.
    fn load(&self) {
        let records = self.loaded;
        let bar = progress("loading", Some(records));
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.settings.threads {
                scope.spawn(|| {
                    loop {
                        let first = next.fetch_add(LOAD_BATCH, Relaxed);
                        if first >= records {
                            break;
                        }
                        let batch = first..records.min(first + LOAD_BATCH);
                        let loaded = batch.end - batch.start;
                        let seed = self.settings.seed ^ fnv1a(first);
                        let Ok(()) = self.engine.run(|tx| {
                            // By batch and attempt, so that what is loaded depends on nothing but the seed.
                            let mut random = SmallRng::seed_from_u64(seed);
                            for place in batch.clone() {
                                let fill = place.to_le_bytes()[0];
                                let record = V::new(&self.shape, fill, &mut random);
                                self.table.insert(tx, self.key(place), record);
                            }
                            Ok::<_, Infallible>(())
                        });
                        bar.inc(loaded);
                    }
                });
            }
        });
        bar.finish_and_clear();
    }

    fn measure(&self, observe: &mut dyn FnMut(&Progress)) -> Result<Report, String> {
        let chooser = self.chooser();
        let opened = Barrier::new(self.settings.held_snapshots + 1);
        let over = Mutex::new(());
        let mut memory = Vec::new();
        let (outcome, long_reads, seconds) = std::thread::scope(|scope| {
            let running = over.lock();
            for _ in 0..self.settings.held_snapshots {
                scope.spawn(|| self.hold_snapshot(&opened, &over));
            }
            opened.wait();
            let start = Instant::now();
            let threads: Vec<_> = (0..self.settings.threads)
                .map(|thread| {
                    let chooser = chooser.clone();
                    let work = match self.settings.read_only {
                        ReadOnly::View => Self::work::<true>,
                        _ => Self::work::<false>,
                    };
                    scope.spawn(move || work(self, thread, chooser))
                })
                .collect();
            let readers: Vec<_> = (0..self.settings.long_readers)
                .map(|reader| scope.spawn(move || self.read_long(reader)))
                .collect();
            let done = || threads.iter().all(ScopedJoinHandle::is_finished);
            self.watch(start, done, &mut |progress| {
                observe(progress);
                if memory.is_empty() && progress.elapsed >= WARM {
                    memory.push(Memory::now(self.engine, progress.elapsed));
                }
            });
            let mut outcome = Outcome::default();
            for thread in threads {
                outcome.add(&thread.join().expect("a worker panicked"));
            }
            let elapsed = start.elapsed();
            self.stop.store(true, Relaxed);
            memory.push(Memory::now(self.engine, elapsed));
            drop(running);
            let long_reads: u64 = readers
                .into_iter()
                .map(|reader| reader.join().expect("a reader panicked"))
                .sum();
            (outcome, long_reads, elapsed.as_secs_f64())
        });
        if outcome.missing > 0 {
            return Err(format!(
                "{} reads found no record although it had been committed",
                outcome.missing
            ));
        }
        let settings = self.settings;
        Ok(Report::new(
            self.engine,
            settings,
            seconds,
            &outcome,
            long_reads,
            memory,
        ))
    }
}
