//! The suite on the right code. `SHUTTLE_RUNS` sets the number of schedules, `SHUTTLE_ONLY` the
//! scenario.

use shuttle_tests::hunt::{RUNS, explorations};

#[test]
fn every_scenario_keeps_its_promise_under_every_scheduler() {
    let runs = std::env::var("SHUTTLE_RUNS").map_or(RUNS, |runs| {
        runs.parse().expect("SHUTTLE_RUNS is a number of schedules")
    });
    let only = std::env::var("SHUTTLE_ONLY").ok();
    for exploration in explorations() {
        let name = exploration.scenario.name;
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let outcome = exploration.run(runs);
        if let Some(failure) = outcome.failure {
            panic!("{exploration}, schedule {}: {failure}", outcome.runs);
        }
    }
}
