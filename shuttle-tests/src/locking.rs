//! `tplock` under the scheduler: its scenarios, its seeded bugs, and what finds these.

use crate::bugs::Bug;
use crate::explore::programs::sample_locking;
use crate::explore::{Choice, PORTFOLIO, explore};
use crate::program::{Program, Shape};
use std::fmt;
use tplock_shuttle::seed_bug;
use workloads::interruption::interrupted;

mod scenarios;

pub use scenarios::SCENARIOS;

/// A small scenario, with assertions that every schedule must keep.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it does once, under the scheduler. It panics if an assertion fails.
    pub run: fn(),
}

/// How much to explore.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Schedules of each scenario under each scheduler.
    pub scenario_runs: usize,
    /// Random programs.
    pub programs: usize,
    /// Schedules of each under each scheduler.
    pub program_runs: usize,
}

/// What finds each of the bugs.
pub const EFFORT: Effort = Effort {
    scenario_runs: 500,
    programs: 1000,
    program_runs: 25,
};

/// A failure.
#[derive(Clone, Debug)]
pub struct Find {
    /// The scenario's name, or the program's seed.
    pub what: String,
    /// What chose its schedules.
    pub choice: Choice,
    /// Schedules that it took.
    pub runs: usize,
    /// What the failing schedule's panic said.
    pub failure: String,
}

impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what, choice, runs, ..
        } = self;
        write!(f, "{what}, {choice}, schedule {runs}: {}", self.failure)
    }
}

/// The program of a seed: of two to four threads, every other one with more keys than fit into a
/// segment of an ordered table.
pub fn program(seed: usize) -> Program {
    let mut shape = Shape::small(2 + seed % 3);
    if seed % 2 == 1 {
        shape.keys = 8;
    }
    Program::random(seed as u64, &shape).without_snapshots()
}

/// Explores the scenarios and then random programs, with a bug or without, until one fails, or
/// until a signal comes where the process listens to them.
///
/// # Panics
/// If the search fails, and not what it searches.
pub fn hunt(bug: Option<&Bug>, effort: &Effort) -> Option<Find> {
    let name = bug.map(|bug| bug.name);
    // On a thread of its own, for a run that has failed leaves its thread unwinding for good.
    std::thread::scope(|scope| {
        let search = scope.spawn(|| {
            seed_bug(name);
            in_scenarios(effort).or_else(|| in_programs(effort))
        });
        search.join().expect("failures are caught")
    })
}

fn in_scenarios(effort: &Effort) -> Option<Find> {
    let explorations = SCENARIOS
        .iter()
        .flat_map(|scenario| PORTFOLIO.map(|choice| (scenario, choice)));
    explorations
        .take_while(|_| interrupted().is_none())
        .map(|(scenario, choice)| {
            (
                scenario,
                choice,
                explore(choice, 1, effort.scenario_runs, scenario.run),
            )
        })
        .find_map(|(scenario, choice, outcome)| {
            Some(Find {
                what: scenario.name.to_owned(),
                choice,
                runs: outcome.runs,
                failure: outcome.failure?,
            })
        })
}

fn in_programs(effort: &Effort) -> Option<Find> {
    let explorations = (0..effort.programs).flat_map(|seed| PORTFOLIO.map(|choice| (seed, choice)));
    explorations
        .take_while(|_| interrupted().is_none())
        .map(|(seed, choice)| {
            let outcome = sample_locking(&program(seed), choice, seed as u64, effort.program_runs);
            (seed, choice, outcome)
        })
        .find_map(|(seed, choice, outcome)| {
            Some(Find {
                what: format!("program {seed}"),
                choice,
                runs: outcome.runs,
                failure: outcome.failure?,
            })
        })
}
