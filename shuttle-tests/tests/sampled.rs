//! Random programs under the portfolio of schedulers, and whether everything is up to the
//! scheduler.
//!
//! `SHUTTLE_PROGRAMS` sets the number of programs, `SHUTTLE_RUNS` the number of schedules of each
//! for each scheduler. A failure says which `PROGRAM_SEED` and which `SHUTTLE_REPLAY` run it again.

use shuttle::scheduler::{RandomScheduler, UncontrolledNondeterminismCheckScheduler};
use shuttle_tests::engine::scheduled::ScheduledThreads;
use shuttle_tests::explore::programs::{judge, record, sample};
use shuttle_tests::explore::{PORTFOLIO, replay, run};
use shuttle_tests::program::{Program, Shape};
use shuttle_tests::scenarios::{SCENARIOS, World};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const WORLDS: [World; 3] = [World::Coarse, World::Skewed, World::Strict];

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |number| {
        let number = number.parse();
        number.unwrap_or_else(|_| panic!("{variable} is a number"))
    })
}

/// A program of two to four threads, and the clock that it runs with.
fn program(seed: usize) -> (Program, World) {
    let threads = 2 + seed % 3;
    let program = Program::random(seed as u64, &Shape::small(threads));
    (program, WORLDS[seed / 3 % 3])
}

fn sample_all(seed: usize, runs: usize) {
    let (program, world) = program(seed);
    for choice in PORTFOLIO {
        let outcome = sample(&program, world, choice, seed as u64, runs);
        if let (Some(failure), Some(schedule)) = (outcome.failure, outcome.schedule) {
            panic!(
                "{choice}, schedule {}, {world:?} clock: {failure}\nto run it again: PROGRAM_SEED={seed} SHUTTLE_REPLAY={schedule}",
                outcome.runs
            );
        }
    }
}

#[test]
fn random_programs_are_serializable_under_every_scheduler() {
    let programs = number("SHUTTLE_PROGRAMS", 1500);
    let runs = number("SHUTTLE_RUNS", 25);
    if std::env::var_os("PROGRAM_SEED").is_some() {
        return one(number("PROGRAM_SEED", 0), runs);
    }
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= programs {
                        return;
                    }
                    sample_all(seed, runs);
                }
            });
        }
    });
}

/// Runs a program again: a schedule of it, or several.
fn one(seed: usize, runs: usize) {
    let Ok(schedule) = std::env::var("SHUTTLE_REPLAY") else {
        return sample_all(seed, runs);
    };
    let (program, world) = program(seed);
    let outcome = replay(&schedule, move || {
        let history = record(&program, world, &ScheduledThreads);
        println!("{program}\n{history}");
        judge(&program, &history);
    });
    assert_eq!(outcome.failure, None);
}

/// Runs each of some random schedules twice, and fails if something else happens the second time.
fn check_determinism(what: &str, scenario: impl Fn() + Send + Sync + 'static) {
    let scheduler =
        UncontrolledNondeterminismCheckScheduler::new(RandomScheduler::new_from_seed(7, 10));
    let outcome = run(scheduler, scenario);
    assert_eq!(outcome.failure, None, "{what}");
}

#[test]
fn nothing_in_a_scenario_is_up_to_chance() {
    for scenario in SCENARIOS {
        for &world in scenario.worlds {
            let run = scenario.run;
            check_determinism(scenario.name, move || run(world));
        }
    }
}

#[test]
fn nothing_in_a_program_is_up_to_chance() {
    for seed in 0..100 {
        let (program, world) = program(seed);
        check_determinism(&program.to_string(), move || {
            record(&program, world, &ScheduledThreads);
        });
    }
}

/// A schedule that failed fails again when it is replayed, and in the same way.
#[test]
fn a_failing_schedule_can_be_replayed() {
    let (program, world) = program(5);
    let scenario = move || {
        let history = record(&program, world, &ScheduledThreads);
        let aborted = history
            .transactions
            .iter()
            .filter(|tx| tx.timestamp.is_none());
        assert!(aborted.count() < 2, "{history}");
    };
    let outcome = shuttle_tests::explore::explore(PORTFOLIO[0], 1, 1000, scenario.clone());
    let schedule = outcome.schedule.expect("it fails under some schedule");
    assert!(outcome.failure.is_some());
    assert_eq!(replay(&schedule, scenario).failure, outcome.failure);
}
