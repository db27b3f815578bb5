//! The table.

use crate::search::Result;
use shuttle_tests::bugs::{Bug, LOCKING};
use shuttle_tests::explore::{Choice, PORTFOLIO};
use shuttle_tests::hunt::{Find, SEED};
use shuttle_tests::locking::{self, EFFORT};
use shuttle_tests::scenarios::{SCENARIOS, Scenario};
use std::fmt::Write;

/// The longest assertion that is shown whole.
const LONGEST: usize = 160;

/// The report as Markdown.
pub(crate) fn table(results: &[Result], runs: usize, all: bool) -> String {
    let what = if all {
        "the scenario, clock and scheduler with the fewest schedules"
    } else {
        "the first scenario, clock and scheduler, tried in order with a tenth of the schedules and then\nwith all,"
    };
    let mut text = format!(
        "# What finds the seeded bugs

Written by `cargo run --release -p shuttle-tests --bin kills`; do not edit it by hand. Each bug is
one wrong line of a crate, which stands beside the right one as `bug!(\"name\")`. Every scenario is
run against each of them, {runs} schedules (or a multiple, for the smallest) with each clock and each
scheduler, from seed {SEED}; the right variant passes all of that. In the table:
{what}
that found the bug by a wrong result, how many schedules that took, and what it said. A run that
only does not end does not count.

| bug | crate | what it breaks | scenario | clock | scheduler | schedules | failing assertion |
| --- | --- | --- | --- | --- | --- | --: | --- |
"
    );
    for result in results {
        let Some((subject, bug)) = result.bug else {
            continue;
        };
        let _ = match result.best() {
            Some(best) => writeln!(
                text,
                "| `{}` | {} | {} | `{}` | {} | {} | {} | {} |",
                bug.name,
                subject.name,
                bug.breaks,
                best.scenario,
                best.world,
                best.choice,
                best.runs,
                assertion(&best.failure)
            ),
            None => writeln!(
                text,
                "| `{}` | {} | {} | **survives** | | | | |",
                bug.name, subject.name, bug.breaks
            ),
        };
    }
    if all {
        by_scheduler(&mut text, results);
        by_scenario(&mut text, results);
    }
    text
}

/// What finds the bugs of `tplock`.
pub(crate) fn locking(results: &[(&Bug, Option<locking::Find>)]) -> String {
    let mut text = format!(
        "
## {LOCKING}

The same for `tplock`, whose bugs are switched on where they are searched for: the first of its
scenarios ({} schedules with each scheduler) or of {} random programs ({} schedules) that
fails. A deadlock is a wrong result here: wait-die has none.

| bug | what it breaks | scenario or program | scheduler | schedules | failing assertion |
| --- | --- | --- | --- | --: | --- |
",
        EFFORT.scenario_runs, EFFORT.programs, EFFORT.program_runs
    );
    for (bug, found) in results {
        let _ = match found {
            Some(find) => writeln!(
                text,
                "| `{}` | {} | {} | {} | {} | {} |",
                bug.name,
                bug.breaks,
                find.what,
                find.choice,
                find.runs,
                assertion(&find.failure)
            ),
            None => writeln!(
                text,
                "| `{}` | {} | **survives** | | | |",
                bug.name, bug.breaks
            ),
        };
    }
    text
}

/// What a failure says, in one line.
fn assertion(failure: &str) -> String {
    let line = failure.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line
        .replace('|', "\\|")
        .replace("assertion `left == right` failed: ", "");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

/// No scheduler finds everything, and none finds everything first.
fn by_scheduler(text: &mut String, results: &[Result]) {
    text.push_str(
        "
## Schedulers

The fewest schedules in which any scenario found the bug under each scheduler.

| bug |",
    );
    for choice in PORTFOLIO {
        let _ = write!(text, " {choice} |");
    }
    text.push_str("\n| --- | --: | --: | --: | --: |\n");
    let fewest = |result: &Result, choice: Choice| {
        let finds = result
            .finds
            .iter()
            .filter(|find| find.choice == choice && find.is_wrong_result());
        finds.map(|find| find.runs).min()
    };
    for result in results {
        let Some((_, bug)) = result.bug else { continue };
        let _ = write!(text, "| {} |", bug.name);
        for choice in PORTFOLIO {
            let _ = match fewest(result, choice) {
                Some(runs) => write!(text, " {runs} |"),
                None => write!(text, " – |"),
            };
        }
        text.push('\n');
    }
}

/// What each scenario finds.
fn by_scenario(text: &mut String, results: &[Result]) {
    text.push_str(
        "
## Scenarios

How many bugs each scenario finds, and those that no other one does.

| scenario | finds | alone |
| --- | --: | --- |
",
    );
    for scenario in SCENARIOS {
        let found: Vec<_> = results
            .iter()
            .filter(|result| finds(scenario, result))
            .collect();
        let alone = found
            .iter()
            .filter(|result| {
                SCENARIOS
                    .iter()
                    .filter(|other| finds(other, result))
                    .count()
                    == 1
            })
            .filter_map(|result| Some(result.bug?.1.name));
        let alone = alone.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "| `{}` | {} | {alone} |", scenario.name, found.len());
    }
}

fn finds(scenario: &Scenario, result: &Result) -> bool {
    let is_its = |find: &Find| find.scenario == scenario.name && find.is_wrong_result();
    result.finds.iter().any(is_its)
}

/// The scenarios that find nothing.
pub(crate) fn idle_scenarios(results: &[Result]) -> impl Iterator<Item = &'static str> {
    let is_idle = |scenario: &&Scenario| !results.iter().any(|result| finds(scenario, result));
    SCENARIOS
        .iter()
        .filter(is_idle)
        .map(|scenario| scenario.name)
}
