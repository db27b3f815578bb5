//! Running programs until time is up or a history is rejected.

use crate::failure::Failure;
use crate::progress::Progress;
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use shuttle_tests::engine::native::Engine;
use shuttle_tests::execute::{StdThreads, Subject, execute_all};
use shuttle_tests::history::{History, Outcome};
use shuttle_tests::program::{Program, Shape};
use shuttle_tests::report::Report;
use shuttle_tests::verdict::Verdict;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use workloads::interruption::interrupted;

/// What to run.
pub(crate) struct Settings {
    pub(crate) duration: Duration,
    pub(crate) threads: usize,
    /// Where the file of a violation goes.
    pub(crate) output: PathBuf,
    pub(crate) programs: Programs,
}

pub(crate) enum Programs {
    /// Random ones, from this seed.
    Random(u64),
    /// The one of this seed, each time.
    Same(u64),
}

/// What is kept of a violation.
#[derive(Serialize, Deserialize)]
pub(crate) struct Evidence {
    program_seed: u64,
    threads: usize,
    /// For the reader.
    program: String,
    /// For the reader.
    verdicts: String,
    pub(crate) history: History,
}

/// What was done so far.
#[derive(Default)]
pub(crate) struct Counts {
    programs: u64,
    /// Histories that a checker decided.
    exact: u64,
    blackbox: u64,
    /// Attempts of transactions, and those that were aborted.
    transactions: u64,
    aborted: u64,
    violations: u64,
}

/// One program in so many is a long one on lists. It takes as long as some dozens of the others.
const LONG: u64 = 128;

/// Programs that the same threads run. Together they take long enough for the threads to get a core
/// each.
const BATCH: usize = 512;

fn program(seed: u64, threads: usize) -> Program {
    let shape = if seed.is_multiple_of(LONG) {
        Shape::long(threads)
    } else {
        Shape::small(threads)
    };
    Program::random(seed, &shape)
}

pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let mut seeds = Rng::new();
    if let Programs::Random(seed) = settings.programs {
        seeds = Rng::with_seed(seed);
    }
    let mut counts = Counts::default();
    let progress = Progress::start(settings.duration);
    let start = Instant::now();
    while start.elapsed() < settings.duration {
        let programs = std::iter::repeat_with(|| match settings.programs {
            Programs::Random(_) => program(seeds.u64(..), settings.threads),
            Programs::Same(seed) => program(seed, settings.threads),
        });
        for (program, history) in execute_batch(programs.take(BATCH).collect())? {
            let report = Report::of(&history);
            counts.add(&history, &report);
            if report.is_rejected() {
                let violation = keep(settings, &program, history, &report);
                let _ = progress.finish(&counts);
                return Err(violation);
            }
        }
        if let Some(signal) = interrupted() {
            // Whether or not anybody reads it, the signal is why this ends.
            let _ = progress.interrupt(&counts, signal.signal);
            return Err(Failure::Interrupted(signal));
        }
        progress.show(&counts);
    }
    Ok(progress.finish(&counts)?)
}

fn execute_batch(programs: Vec<Program>) -> Result<Vec<(Program, History)>, Failure> {
    let engines = programs.iter().map(|_| Engine::new());
    let engines = engines.collect::<Result<Vec<_>, _>>();
    let engines = engines.map_err(|error| Failure::Input(error.to_string()))?;
    let runs = programs.iter().zip(&engines);
    let runs: Vec<_> = runs
        .map(|(program, engine)| (program, engine as &dyn Subject))
        .collect();
    let histories = execute_all(&runs, &StdThreads).map_err(|error| {
        Failure::Run(format!(
            "cannot start one more thread: {error}; ask for fewer, or raise the limit (ulimit -u)"
        ))
    })?;
    Ok(programs.into_iter().zip(histories).collect())
}

/// Writes the file of a violation, and says how to go on from it.
fn keep(settings: &Settings, program: &Program, history: History, report: &Report) -> Failure {
    let said = format!("{program}\n{history}{report}");
    let seed = program.seed;
    let evidence = Evidence {
        program_seed: seed,
        threads: settings.threads,
        program: program.to_string(),
        verdicts: report.to_string(),
        history,
    };
    let file = settings.output.join(format!("violation-{seed}.json"));
    let json = serde_json::to_string_pretty(&evidence).expect("numbers and strings");
    let kept = match std::fs::write(&file, json) {
        Ok(()) => format!("to check this history again: --replay {}", file.display()),
        Err(error) => format!("cannot write {}: {error}", file.display()),
    };
    Failure::Violation(format!(
        "{said}\n{kept}\nto run its program again: --program-seed {seed} --threads {}",
        settings.threads
    ))
}

impl Counts {
    fn add(&mut self, history: &History, report: &Report) {
        let decided = |verdict: &Verdict| u64::from(!matches!(verdict, Verdict::Undecided(_)));
        let aborted = history.transactions.iter();
        let aborted = aborted.filter(|tx| tx.outcome == Outcome::Aborted).count();
        self.programs += 1;
        self.exact += decided(&report.exact);
        self.blackbox += decided(&report.blackbox);
        self.transactions += history.transactions.len() as u64;
        self.aborted += aborted as u64;
        self.violations += u64::from(report.is_rejected());
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} programs, {} transactions ({} aborted), histories checked: {} exactly, {} as a black box; {} violations",
            self.programs,
            self.transactions,
            self.aborted,
            self.exact,
            self.blackbox,
            self.violations
        )
    }
}
