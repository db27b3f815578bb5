//! Two-phase locking: random programs under the portfolio of schedulers, and on the operating
//! system's threads.
//!
//! `SHUTTLE_PROGRAMS` and `SHUTTLE_RUNS` as for `mvcc`; `PROGRAM_SEED` runs one program only.

use shuttle::scheduler::{RandomScheduler, UncontrolledNondeterminismCheckScheduler};
use shuttle_tests::bugs::TPLOCK;
use shuttle_tests::engine::scheduled::ScheduledThreads;
use shuttle_tests::engine::tplock::native::Engine;
use shuttle_tests::execute::{StdThreads, Subject, execute_all};
use shuttle_tests::explore::programs::{judge, record_locking, sample_locking};
use shuttle_tests::explore::{PORTFOLIO, run};
use shuttle_tests::history::Outcome;
use shuttle_tests::locking::{EFFORT, Effort, hunt, program};
use shuttle_tests::program::{Program, Shape};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |number| {
        let number = number.parse();
        number.unwrap_or_else(|_| panic!("{variable} is a number"))
    })
}

#[test]
fn random_programs_are_serializable_under_every_scheduler() {
    let runs = number("SHUTTLE_RUNS", 25);
    let programs = match number("PROGRAM_SEED", usize::MAX) {
        usize::MAX => 0..number("SHUTTLE_PROGRAMS", 500),
        seed => seed..seed + 1,
    };
    let next = AtomicUsize::new(programs.start);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= programs.end {
                        return;
                    }
                    for choice in PORTFOLIO {
                        let outcome = sample_locking(&program(seed), choice, seed as u64, runs);
                        if let Some(failure) = outcome.failure {
                            next.store(programs.end, Ordering::Relaxed);
                            panic!(
                                "{choice}, schedule {}: {failure}\nto run it again: PROGRAM_SEED={seed}",
                                outcome.runs
                            );
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn every_scenario_keeps_its_promise_under_every_scheduler() {
    let effort = Effort {
        scenario_runs: number("SHUTTLE_RUNS", 500),
        programs: 0,
        program_runs: 0,
    };
    let found = hunt(None, &effort);
    assert!(found.is_none(), "{}", found.expect("it is there"));
}

/// Prints what has found each.
#[test]
fn every_seeded_bug_is_found() {
    for bug in TPLOCK {
        let found = hunt(Some(bug), &EFFORT);
        let found = found.unwrap_or_else(|| panic!("nothing finds {}: {}", bug.name, bug.breaks));
        println!("{}: {}: {found}", bug.name, bug.breaks);
    }
}

#[test]
fn nothing_in_a_program_is_up_to_chance() {
    for seed in 0..100 {
        let program = program(seed);
        let scheduler =
            UncontrolledNondeterminismCheckScheduler::new(RandomScheduler::new_from_seed(7, 10));
        let text = program.to_string();
        let outcome = run(scheduler, move || {
            record_locking(&program, &ScheduledThreads);
        });
        assert_eq!(outcome.failure, None, "{text}");
    }
}

#[test]
fn random_programs_are_serializable_on_real_threads() {
    // One in a hundred is a long one on lists.
    let programs = (0..number("SHUTTLE_PROGRAMS", 3000)).map(|seed| match seed % 100 {
        0 => Program::random(seed as u64, &Shape::long(4)).without_snapshots(),
        _ => program(seed),
    });
    let programs: Vec<_> = programs.collect();
    let engines: Vec<_> = programs
        .iter()
        .map(|_| Engine::new().expect("a new database"))
        .collect();
    let runs = programs.iter().zip(&engines);
    let runs: Vec<_> = runs
        .map(|(program, engine)| (program, engine as &dyn Subject))
        .collect();
    let (mut committed, mut aborted) = (0, 0);
    let histories = execute_all(&runs, &StdThreads).expect("a few threads");
    for (program, history) in programs.iter().zip(histories) {
        judge(program, &history);
        let outcomes = history.transactions.iter().map(|tx| tx.outcome);
        committed += outcomes
            .clone()
            .filter(|it| *it == Outcome::Committed)
            .count();
        aborted += outcomes.filter(|it| *it == Outcome::Aborted).count();
    }
    println!("{committed} transactions have committed, {aborted} attempts were aborted");
    assert!(committed > programs.len() && aborted > 0);
    for engine in &engines {
        assert_eq!(engine.database().stats().locks, 0, "a lock is left behind");
    }
}
