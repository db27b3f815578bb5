//! The suite: every scenario in every world under every scheduler.

use crate::explore::{Choice, Outcome, PORTFOLIO, explore};
use crate::scenarios::{SCENARIOS, Scenario, World};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Schedules that each scenario is run under in each world with each scheduler, times its effort,
/// where nothing else is asked for.
pub const RUNS: usize = 150;

/// What all schedulers start from.
pub const SEED: u64 = 1;

/// A scenario in a world under a scheduler.
#[derive(Clone, Copy)]
pub struct Exploration {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// The clock that it runs with.
    pub world: World,
    /// What chooses its schedules.
    pub choice: Choice,
}

impl Exploration {
    /// Runs so many schedules, times the scenario's effort, or until one fails.
    pub fn run(&self, runs: usize) -> Outcome {
        let (run, world) = (self.scenario.run, self.world);
        explore(self.choice, SEED, runs * self.scenario.effort, move || {
            run(world);
        })
    }
}

impl fmt::Display for Exploration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scenario,
            world,
            choice,
        } = self;
        write!(f, "{} with the {world} clock, {choice}", scenario.name)
    }
}

/// All there are, always in the same order.
pub fn explorations() -> impl Iterator<Item = Exploration> {
    SCENARIOS.iter().flat_map(|scenario| {
        let worlds = scenario.worlds.iter();
        worlds.flat_map(move |&world| {
            PORTFOLIO.map(|choice| Exploration {
                scenario,
                world,
                choice,
            })
        })
    })
}

/// A failure that an exploration has found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Find {
    /// The scenario's name.
    pub scenario: String,
    /// The clock that it ran with.
    pub world: World,
    /// What chose its schedules.
    pub choice: Choice,
    /// Schedules that it took.
    pub runs: usize,
    /// What the failing schedule's panic said.
    pub failure: String,
}

impl Find {
    /// What an exploration has found, if anything.
    pub fn new(exploration: &Exploration, outcome: Outcome) -> Option<Self> {
        Some(Self {
            scenario: exploration.scenario.name.to_owned(),
            world: exploration.world,
            choice: exploration.choice,
            runs: outcome.runs,
            failure: outcome.failure?,
        })
    }

    /// Whether something was wrong with what a transaction saw or left, rather than that it did not
    /// end, or that the process died of it.
    pub fn is_wrong_result(&self) -> bool {
        let without = [
            DIED,
            "exceeded max_steps",
            "deadlock",
            "a task was still unwinding",
        ];
        !without.iter().any(|start| self.failure.starts_with(start))
    }
}

/// How the failure of an exploration begins that took its process with it.
pub const DIED: &str = "the process died";
