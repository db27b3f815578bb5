//! Every scenario under the portfolio. `SHUTTLE_RUNS` sets the number of schedules for each scenario, world and scheduler.

use shuttle_tests::explore::{PORTFOLIO, explore};
use shuttle_tests::scenarios::SCENARIOS;

#[test]
fn every_scenario_keeps_its_promise_under_every_scheduler() {
    let runs = std::env::var("SHUTTLE_RUNS")
        .map_or(60, |runs| runs.parse().expect("a number of schedules"));
    let only = std::env::var("SHUTTLE_ONLY").ok();
    for scenario in SCENARIOS {
        if only.as_ref().is_some_and(|only| only != scenario.name) {
            continue;
        }
        for &world in scenario.worlds {
            for choice in PORTFOLIO {
                let run = scenario.run;
                let outcome = explore(choice, 1, runs, move || run(world));
                if let Some(failure) = outcome.failure {
                    panic!(
                        "{} in the {world:?} world, {choice}, schedule {}: {failure}",
                        scenario.name, outcome.runs
                    );
                }
            }
        }
    }
}
