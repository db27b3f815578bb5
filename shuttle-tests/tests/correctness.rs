//! What `docs/correctness.md` and `KILLS.md` name is there, and what is there is named.

use shuttle_tests::bugs::{self, SUBJECTS};
use shuttle_tests::scenarios::SCENARIOS;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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

/// The sources of `mvcc`, without the page that lists the invariants.
fn sources(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if !path.ends_with("src/lib.rs") {
            into.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_invariant_is_cited_where_it_is_relied_on() {
    let mut text = String::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mvcc/src");
    sources(&directory, &mut text);
    let words: BTreeSet<_> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let listed = include_str!("../../mvcc/src/lib.rs");
    for number in 1..=10 {
        let invariant = format!("I{number}");
        assert!(
            listed.contains(&format!("- **{invariant}** ")),
            "{invariant}"
        );
        assert!(words.contains(&*invariant), "{invariant} is cited nowhere");
    }
    assert!(!listed.contains("- **I11** "), "this test knows ten");
}

#[test]
fn every_seeded_bug_was_found() {
    assert_eq!(
        bugs::check(KILLS).expect("the sources are there"),
        Vec::<String>::new()
    );
    assert!(!KILLS.contains("survives"));
}
