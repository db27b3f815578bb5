//! What a thread does while it is measured.

use super::Run;
use super::operations::kind;
use super::pace::{Pace, wait_for};
use super::streams::Streams;
use crate::engine::Engine;
use crate::ycsb::Chooser;
use crate::ycsb::record::Record;
use crate::ycsb::report::Outcome;
use crate::ycsb::table::Table;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Instant;

impl<E: Engine, V: Record, T: Table<E, V>> Run<'_, E, V, T> {
    /// Runs transactions from `begin` until the run is over; see [`Run::transact`] for `VIEWS`.
    pub(super) fn work<const VIEWS: bool>(
        &self,
        thread: usize,
        mut chooser: Chooser,
        begin: Instant,
    ) -> Outcome {
        let settings = self.settings;
        let mut streams = Streams::new(settings.seed, thread);
        let worker = &self.workers[thread];
        let quota = self.quota(thread).unwrap_or(u64::MAX);
        let all_timed = settings.timed_every() == 1;
        let ops = usize::try_from(settings.ops_per_txn).expect("a transaction fits in memory");
        let mut outcome = Outcome::default();
        let batch = settings.batch();
        let mut plan = Vec::new();
        let mut looked = begin;
        let pace = settings
            .target
            .map(|target| Pace::new(begin, target, thread, settings.threads));
        while outcome.committed < quota && !self.stop.load(Relaxed) {
            let transactions = batch.min(quota - outcome.committed);
            let intended = pace.as_ref().map(|pace| pace.intended(outcome.committed));
            if let Some(intended) = intended {
                wait_for(intended, || self.stop.load(Relaxed));
                // Time that was spent waiting is no stall.
                looked = Instant::now();
            }
            self.plan(&mut streams, &mut chooser, worker, transactions, &mut plan);
            let mut timed = true;
            let mut done = 0;
            for transaction in plan.chunks_exact(ops) {
                // Before each of them: they may be long.
                if self.stop.load(Relaxed) {
                    break;
                }
                if timed {
                    let start = Instant::now();
                    outcome.look(&mut looked, start);
                    self.transact::<VIEWS>(transaction, &mut streams.data, &mut outcome);
                    let end = Instant::now();
                    let kind = kind(transaction);
                    outcome.samples.of(kind).record(end - start);
                    if let Some(intended) = intended {
                        let latency = end.saturating_duration_since(intended);
                        outcome.intended.of(kind).record(latency);
                    }
                    outcome.look(&mut looked, end);
                    self.end_in_time(begin, end);
                    timed = all_timed;
                } else {
                    self.transact::<VIEWS>(transaction, &mut streams.data, &mut outcome);
                }
                done += 1;
            }
            if done == transactions {
                // Release: what was inserted is committed. Where the end of the run has left some
                // out, they stay announced: others may still choose records.
                worker.inserting.store(u64::MAX, Release);
            }
            outcome.committed += done;
            worker.committed.store(outcome.committed, Relaxed);
        }
        let end = Instant::now();
        if let Some(pace) = pace {
            outcome.overdue = pace.due(end).min(quota).saturating_sub(outcome.committed);
        } else {
            outcome.look(&mut looked, end);
        }
        outcome
    }
}
