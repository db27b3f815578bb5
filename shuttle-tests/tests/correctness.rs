//! What `docs/correctness.md` and `KILLS.md` name is there, and what is there is named.

use shuttle_tests::bugs::{self, SUBJECTS};
use shuttle_tests::scenarios::SCENARIOS;
use std::collections::BTreeSet;

const ARGUMENT: &str = include_str!("../../docs/correctness.md");
const KILLS: &str = include_str!("../KILLS.md");

/// What stands between backticks in a column of the argument's tables.
fn names(column: usize) -> BTreeSet<&'static str> {
    let rows = ARGUMENT.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.split('|').nth(column));
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_scenario_in_the_argument_exists_and_the_other_way_round() {
    let there: BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names(2), there);
}

#[test]
fn every_seeded_bug_in_the_argument_exists_and_the_other_way_round() {
    let mvcc = SUBJECTS.iter().find(|subject| subject.name == "mvcc");
    let bugs = mvcc.expect("it has bugs").bugs;
    assert_eq!(names(3), bugs.iter().map(|bug| bug.name).collect());
}

#[test]
fn every_seeded_bug_was_found() {
    assert_eq!(
        bugs::check(KILLS).expect("the sources are there"),
        Vec::<String>::new()
    );
    assert!(!KILLS.contains("survives"));
}
