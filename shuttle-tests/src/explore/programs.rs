//! Running programs under the scheduler, and judging their histories.

use super::systematic::{Progress, SystematicScheduler};
use super::{Choice, Outcome, explore, run};
use crate::engine::scheduled::{Engine, ExploredThreads, ScheduledThreads};
use crate::engine::tplock;
use crate::execute::{Threads, execute};
use crate::history::History;
use crate::program::Program;
use crate::report::Report;
use crate::scenarios::World;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs a program once, within a schedule.
///
/// # Panics
/// Outside of a schedule.
pub fn record(program: &Program, world: World, threads: &dyn Threads) -> History {
    let engine = Engine::on(world.database()).expect("a new database has no other tables");
    execute(program, &engine, threads).expect("a scheduler has threads")
}

/// The same on two-phase locking, for a program [without snapshots](Program::without_snapshots).
///
/// # Panics
/// Outside of a schedule.
pub fn record_locking(program: &Program, threads: &dyn Threads) -> History {
    let engine = tplock::scheduled::Engine::new().expect("a new database has no other tables");
    let history = execute(program, &engine, threads).expect("a scheduler has threads");
    let locks = engine.database().stats().locks;
    assert_eq!(locks, 0, "locks are left behind: {program}");
    history
}

/// Checks what a program came to.
///
/// # Panics
/// If the history is wrong, or the checkers contradict each other.
pub fn judge(program: &Program, history: &History) {
    let report = Report::of(history);
    assert!(
        report.blackbox.is_accepted() && !report.exact.is_rejected(),
        "{program}\n{history}{report}"
    );
}

/// Runs a program under a scheduler, so many schedules from a seed, or until a history is wrong.
pub fn sample(program: &Program, world: World, choice: Choice, seed: u64, runs: usize) -> Outcome {
    let program = program.clone();
    explore(choice, seed, runs, move || {
        judge(&program, &record(&program, world, &ScheduledThreads));
    })
}

/// [`sample`] of two-phase locking.
pub fn sample_locking(program: &Program, choice: Choice, seed: u64, runs: usize) -> Outcome {
    let program = program.clone();
    explore(choice, seed, runs, move || {
        judge(&program, &record_locking(&program, &ScheduledThreads));
    })
}

/// What schedules of a program came to.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How far the search has come.
    pub progress: Progress,
    /// The different histories, [normalized](History::normalized).
    pub histories: HashSet<History>,
    /// What was wrong with one of them.
    pub failure: Option<String>,
}

/// Runs a program under each schedule that makes a difference, or so many of them, or until a
/// history is wrong. The clock is strict.
pub fn explore_all(program: &Program, limit: usize) -> Explored {
    let (scheduler, progress) = SystematicScheduler::new(limit);
    let histories = Histories::default();
    let outcome = run(scheduler, histories.collect(program));
    let progress = *progress.lock().unwrap_or_else(PoisonError::into_inner);
    Explored {
        progress,
        histories: histories.take(),
        failure: outcome.failure,
    }
}

/// What a program comes to under a scheduler, with the steps that [`explore_all`] explores.
///
/// # Panics
/// If a history is wrong.
pub fn sample_explored(
    program: &Program,
    choice: Choice,
    seed: u64,
    runs: usize,
) -> HashSet<History> {
    let histories = Histories::default();
    let outcome = explore(choice, seed, runs, histories.collect(program));
    assert_eq!(outcome.failure, None);
    histories.take()
}

/// The different histories so far.
#[derive(Clone, Default)]
struct Histories(Arc<Mutex<HashSet<History>>>);

impl Histories {
    /// Runs the program and adds its history, after judging it if it is a new one.
    fn collect(&self, program: &Program) -> impl Fn() + Send + Sync + 'static {
        let (program, histories) = (program.clone(), self.clone());
        move || {
            let threads = ExploredThreads::new(program.threads.len());
            let history = record(&program, World::Strict, &threads).normalized();
            let mut histories = histories.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !histories.contains(&history) {
                judge(&program, &history);
                histories.insert(history);
            }
        }
    }

    fn take(&self) -> HashSet<History> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
