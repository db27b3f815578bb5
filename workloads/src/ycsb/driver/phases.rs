//! The load, and the run that is measured.

use super::{AnyRun, Progress, ReadOnly, Run};
use crate::engine::Engine;
use crate::interruption::{self, interrupted};
use crate::measure::progress;
use crate::team::{self, Start};
use crate::ycsb::fnv1a;
use crate::ycsb::record::Record;
use crate::ycsb::report::{Memory, Outcome, Report};
use crate::ycsb::table::Table;
use rand::{SeedableRng, rngs::SmallRng};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

const LOAD_BATCH: u64 = 100;
/// When a run's memory is looked at for the first time; the second time is at its end.
const WARM: Duration = Duration::from_secs(10);

impl<E: Engine, V: Record, T: Table<E, V>> AnyRun for Run<'_, E, V, T> {
    /// Inserts all records, in parallel.
    fn load(&self) -> Result<(), String> {
        let records = self.loaded;
        let bar = progress("loading", Some(records));
        let next = AtomicU64::new(0);
        let start = Start::default();
        std::thread::scope(|scope| {
            let starter = start.starter();
            for _ in 0..self.settings.threads {
                team::spawn(scope, || {
                    if start.wait().is_none() {
                        return;
                    }
                    loop {
                        let first = next.fetch_add(LOAD_BATCH, Relaxed);
                        if first >= records || interrupted().is_some() {
                            break;
                        }
                        let batch = first..records.min(first + LOAD_BATCH);
                        let loaded = batch.end - batch.start;
                        let seed = self.settings.seed ^ fnv1a(first);
                        let loaded_all = self.engine.run(|tx| {
                            // By batch and attempt, so that what is loaded depends on nothing but
                            // the seed.
                            let mut random = SmallRng::seed_from_u64(seed);
                            for place in batch.clone() {
                                // Before each of them: they may be large.
                                interruption::check()?;
                                let fill = place.to_le_bytes()[0];
                                let record = V::new(&self.shape, fill, &mut random);
                                self.table.insert(tx, self.key(place), record);
                            }
                            Ok::<_, String>(())
                        });
                        if loaded_all.is_ok() {
                            bar.inc(loaded);
                        }
                    }
                })?;
            }
            Ok::<_, String>(starter.begin(self.settings.threads))
        })?;
        bar.finish_and_clear();
        interruption::check()
    }

    fn measure(&self, observe: &mut dyn FnMut(&Progress)) -> Result<Report, String> {
        interruption::check()?;
        let chooser = self.chooser();
        // For those who hold snapshots, and, once they have them, for those who run.
        let (opened, start) = (Start::default(), Start::default());
        let over = Mutex::new(());
        let mut memory = Vec::new();
        let (outcome, long_reads, seconds, durability) = std::thread::scope(|scope| {
            let running = over.lock();
            for _ in 0..self.settings.held_snapshots {
                team::spawn(scope, || self.hold_snapshot(&opened, &over))?;
            }
            opened.starter().begin(self.settings.held_snapshots);
            let starter = start.starter();
            let threads: Result<Vec<_>, _> = (0..self.settings.threads)
                .map(|thread| {
                    let of = self.settings.threads as u64;
                    let chooser = chooser.clone().of_thread(thread as u64, of);
                    let work = match self.settings.read_only {
                        ReadOnly::View => Self::work::<true>,
                        _ => Self::work::<false>,
                    };
                    let start = &start;
                    team::spawn(scope, move || {
                        start
                            .wait()
                            .map(|start| work(self, thread, chooser, start))
                            .unwrap_or_default()
                    })
                })
                .collect();
            let readers: Result<Vec<_>, _> = (0..self.settings.long_readers)
                .map(|reader| {
                    let start = &start;
                    team::spawn(scope, move || {
                        start
                            .wait()
                            .map_or(0, |start| self.read_long(reader, start))
                    })
                })
                .collect();
            let (threads, readers) = (threads?, readers?);
            self.engine.begin();
            let start = starter.begin(threads.len() + readers.len());
            let done = || threads.iter().all(ScopedJoinHandle::is_finished);
            let room = self.watch(start, done, &mut |progress| {
                observe(progress);
                if memory.is_empty() && progress.elapsed >= WARM {
                    memory.push(Memory::now(self.engine, progress.elapsed));
                }
            });
            let mut outcome = Outcome::default();
            for thread in threads {
                outcome.add(&thread.join().expect("a worker panicked"));
            }
            let durability = self.engine.end();
            let elapsed = start.elapsed();
            self.stop.store(true, Relaxed);
            memory.push(Memory::now(self.engine, elapsed));
            drop(running);
            let long_reads: u64 = readers
                .into_iter()
                .map(|reader| reader.join().expect("a reader panicked"))
                .sum();
            room?;
            Ok::<_, String>((outcome, long_reads, elapsed.as_secs_f64(), durability))
        })?;
        if outcome.missing > 0 {
            return Err(format!(
                "{} reads found no record although it had been committed",
                outcome.missing
            ));
        }
        let settings = self.settings;
        let report = Report::new(self.engine, settings, seconds, &outcome, long_reads, memory);
        Ok(Report {
            durability,
            ..report
        })
    }
}
