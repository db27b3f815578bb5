//! Every small program, under every schedule that makes a difference.
//!
//! `PROGRAMS` names the sets: `points`, `ranges`, and `more-ranges`, which takes longer than the
//! other two. Of these, every [`EVERY`]th program is run; `EVERY=1` runs all. `PROGRAM=...` runs
//! the one that is printed like this.

use shuttle_tests::enumerate::{
    MORE_RANGE_PROGRAMS, POINT_PROGRAMS, RANGE_PROGRAMS, more_ranges, points, ranges,
};
use shuttle_tests::explore::PORTFOLIO;
use shuttle_tests::explore::programs::{explore_all, sample_explored};
use shuttle_tests::program::Program;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// No program has so many schedules.
const LIMIT: usize = 1_000_000;

/// What is left out if nothing else is asked for, so that it takes a minute.
const EVERY: usize = 8;

/// Explores all, on all cores.
fn explore(name: &str, programs: impl Iterator<Item = Program>) {
    let every = std::env::var("EVERY").map_or(EVERY, |every| every.parse().expect("a number"));
    let programs: Vec<_> = match std::env::var("PROGRAM") {
        Ok(only) => programs
            .filter(|program| program.to_string() == only)
            .collect(),
        Err(_) => programs.step_by(every).collect(),
    };
    let next = AtomicUsize::new(0);
    let (schedules, redundant, histories) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let add = |total: &AtomicUsize, more| total.fetch_add(more, Ordering::Relaxed);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(program) = programs.get(add(&next, 1)) {
                    let explored = explore_all(program, LIMIT);
                    if let Some(failure) = explored.failure {
                        add(&next, programs.len());
                        panic!("{failure}\nto run this program again: PROGRAM='{program}'");
                    }
                    assert!(
                        explored.progress.finished,
                        "{program} has too many schedules"
                    );
                    add(&schedules, explored.progress.schedules);
                    add(&redundant, explored.progress.redundant);
                    add(&histories, explored.histories.len());
                }
            });
        }
    });
    println!(
        "{name}: {} programs, {} schedules ({} more were found to be equivalent to one of these), {} histories",
        programs.len(),
        schedules.into_inner(),
        redundant.into_inner(),
        histories.into_inner(),
    );
}

#[test]
fn every_schedule_of_every_small_program_is_serializable() {
    let wanted = std::env::var("PROGRAMS").unwrap_or_else(|_| "points ranges".to_owned());
    for name in wanted.split_whitespace() {
        match name {
            "points" => explore(name, points()),
            "ranges" => explore(name, ranges()),
            "more-ranges" => explore(name, more_ranges()),
            _ => panic!("PROGRAMS names points, ranges or more-ranges, not {name}"),
        }
    }
}

#[test]
fn the_enumerations_are_complete_and_have_no_doubles() {
    let distinct = |programs: &mut dyn Iterator<Item = Program>| {
        let (mut all, mut count) = (HashSet::new(), 0);
        for program in programs {
            all.insert(program);
            count += 1;
        }
        assert_eq!(all.len(), count);
        count
    };
    assert_eq!(distinct(&mut points()), POINT_PROGRAMS);
    assert_eq!(distinct(&mut ranges()), RANGE_PROGRAMS);
    assert_eq!(distinct(&mut more_ranges()), MORE_RANGE_PROGRAMS);
}

/// Whatever random schedules come to, the search has come to as well. If two steps depended on each
/// other without its knowing, it would not.
#[test]
fn random_schedules_find_nothing_that_the_search_does_not() {
    for program in points().step_by(400).chain(ranges().step_by(400)) {
        let explored = explore_all(&program, LIMIT);
        for choice in PORTFOLIO {
            let found = sample_explored(&program, choice, 1, 100);
            let missed: Vec<_> = found.difference(&explored.histories).collect();
            assert!(missed.is_empty(), "{program}, {choice}: {missed:?}");
        }
    }
}
