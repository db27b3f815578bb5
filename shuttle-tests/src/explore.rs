//! Running a scenario under a portfolio of schedulers.
//!
//! No scheduler finds everything: some bugs are found at once by PCT and hardly ever by a random
//! walk, others the other way round. So every scenario runs under all of them; see `KILLS.md` for
//! what found which seeded bug.

use recording::Recording;
use serde::{Deserialize, Serialize};
use shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, Scheduler, UrwRandomScheduler,
};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use shuttle_engine::scheduler::serialization::serialize_schedule;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

mod events;
pub mod programs;
mod recording;
pub mod systematic;

/// A way to choose which task runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// Any task, with equal chances (Thomson et al., TOPC 2016).
    Random,
    /// Probabilistic concurrency testing with this many priority changes (Burckhardt et al., ASPLOS
    /// 2010).
    Pct(usize),
    /// A uniform random walk through the schedules, weighted by what the tasks have still to do.
    Urw,
}

/// All that a scenario is run under.
pub const PORTFOLIO: [Choice; 4] = [Choice::Random, Choice::Pct(2), Choice::Pct(3), Choice::Urw];

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.pad("random"),
            Self::Pct(depth) => f.pad(&format!("PCT {depth}")),
            Self::Urw => f.pad("uniform random walk"),
        }
    }
}

/// How an exploration ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Schedules that were run.
    pub runs: usize,
    /// What failed in the last one.
    pub failure: Option<String>,
    /// That schedule, for [`replay`].
    pub schedule: Option<String>,
}

/// A schedule longer than this is taken for one that never ends.
const MAX_STEPS: usize = 200_000;

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 0x20_000;
    config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    config
}

/// Runs a scenario under a scheduler, so many schedules from a seed, or until one fails.
pub fn explore(
    choice: Choice,
    seed: u64,
    runs: usize,
    scenario: impl Fn() + Send + Sync + 'static,
) -> Outcome {
    match choice {
        Choice::Random => run(RandomScheduler::new_from_seed(seed, runs), scenario),
        Choice::Pct(depth) => run(PctScheduler::new_from_seed(seed, depth, runs), scenario),
        Choice::Urw => run(UrwRandomScheduler::new_from_seed(seed, runs), scenario),
    }
}

/// Runs a scenario under the schedule of an [`Outcome`].
///
/// # Panics
/// If the text is no schedule.
pub fn replay(schedule: &str, scenario: impl Fn() + Send + Sync + 'static) -> Outcome {
    let mut scheduler = ReplayScheduler::new_from_encoded(schedule);
    // It ends where the scenario failed.
    scheduler.set_allow_incomplete();
    run(scheduler, scenario)
}

/// Runs a scenario under any scheduler.
pub fn run(
    scheduler: impl Scheduler + 'static,
    scenario: impl Fn() + Send + Sync + 'static,
) -> Outcome {
    let runs = Arc::new(AtomicUsize::new(0));
    let (scheduler, schedule) = Recording::of(scheduler);
    let runner = Runner::new(scheduler, config());
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let runs = runs.clone();
        runner.run(move || {
            runs.fetch_add(1, Relaxed);
            shuttle_announce::set_quiet(false);
            shuttle_announce::set_exhaustive(false);
            scenario();
        });
    }));
    let failure = ran.err().map(|panic| message(&*panic));
    Outcome {
        runs: runs.load(Relaxed),
        schedule: failure
            .as_ref()
            .map(|_| serialize_schedule(&schedule.borrow())),
        failure,
    }
}

/// What a panic says.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}
