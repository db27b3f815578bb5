//! Builds the library with each seeded bug in turn, runs the scenarios against it, and writes down
//! what found it. A bug that survives, or that shows only by a run that does not end, fails the
//! whole.

mod build;
mod report;
mod search;

use clap::Parser;
use shuttle_tests::bugs::{self, Bug, Subject, TPLOCK};
use shuttle_tests::hunt::{RUNS, explorations};
use shuttle_tests::locking::{EFFORT, Find, hunt};
use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use workloads::interruption::{self, Interrupted, interrupted};
use workloads::output;

/// Finds every seeded bug with the scenarios, and writes the table of what found it.
#[derive(Parser)]
#[command(name = "kills")]
struct Options {
    /// Schedules for each scenario, world and scheduler
    #[arg(long, default_value_t = RUNS)]
    runs: usize,
    /// Go on after the first find, for tables of what else finds each bug; takes three times as
    /// long
    #[arg(long)]
    all: bool,
    /// Where the table goes; by default to KILLS.md beside the sources, unless only some bugs are
    /// named
    #[arg(long)]
    output: Option<PathBuf>,
    /// Only check that the table has a row for each bug that stands in the sources
    #[arg(long)]
    check: bool,
    /// Search for the bug that is built in, from this exploration on, until one finds it
    #[arg(long, hide = true)]
    search_from: Option<usize>,
    /// Only these bugs
    bugs: Vec<String>,
}

/// A bug, and the crate that it is in.
type Seeded = (&'static Subject, &'static Bug);

fn main() -> ExitCode {
    let options = Options::parse();
    if options.search_from.is_none()
        && let Err(error) = interruption::listen()
    {
        output::note(format_args!("error: cannot wait for signals: {error}"));
        return ExitCode::FAILURE;
    }
    let done = match (options.search_from, options.check) {
        (Some(from), _) => {
            search::search_here(from, options.runs);
            return ExitCode::SUCCESS;
        }
        (None, true) => check(),
        (None, false) => kill(&options),
    };
    match done {
        Ok(_) if let Some(signal) = interrupted() => ExitCode::from(signal.status),
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::note(format_args!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Says how far it is. Nobody need read that: the table and the exit status have what came out.
fn say(text: impl Display) {
    let _ = output::print(text);
}

fn table_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("KILLS.md")
}

/// Whether the table that is there is one of the bugs that are there.
fn check() -> Result<bool, Box<dyn Error>> {
    let path = table_path();
    let table = std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let wrong = bugs::check(&table)?;
    for line in &wrong {
        say(format_args!("{line}"));
    }
    Ok(wrong.is_empty())
}

/// Builds and searches, at the same time, and reports. True if every bug was found, and none where
/// there is none.
fn kill(options: &Options) -> Result<bool, Box<dyn Error>> {
    let known = || bugs::all().map(|(_, bug)| bug).chain(TPLOCK);
    let unknown = options
        .bugs
        .iter()
        .find(|name| known().all(|bug| bug.name != **name));
    if let Some(name) = unknown {
        return Err(format!(
            "there is no seeded bug {name:?}; shuttle-tests/src/bugs.rs lists them"
        )
        .into());
    }
    let is_chosen =
        |bug: &Bug| options.bugs.is_empty() || options.bugs.iter().any(|name| name == bug.name);
    let chosen: Vec<_> = bugs::all().filter(|(_, bug)| is_chosen(bug)).collect();
    let locking: Vec<_> = TPLOCK.iter().filter(|bug| is_chosen(bug)).collect();
    say(format_args!(
        "{} seeded bugs, {} explorations of {} schedules and more",
        chosen.len() + locking.len(),
        explorations().count(),
        options.runs
    ));

    let (built, to_search) = mpsc::sync_channel(1);
    let to_search = Mutex::new(to_search);
    let searched = Mutex::new(Vec::new());
    let searchers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..searchers {
            scope.spawn(|| {
                loop {
                    let next = to_search.lock().expect("not poisoned").recv();
                    let Ok((bug, variant)) = next else { return };
                    // After a signal too: who builds waits until somebody takes a variant.
                    if let Some(result) =
                        search::Result::of(bug, &variant, options.runs, options.all)
                    {
                        say(format_args!("{result}"));
                        searched.lock().expect("not poisoned").push(result);
                    }
                }
            });
        }
        // The right variant first: what it fails is no sign of a bug.
        let build = |bug| {
            if let Some(variant) = build::Variant::build(bug)? {
                built.send((bug, variant))?;
            }
            Ok::<_, Box<dyn Error>>(())
        };
        let right = (!chosen.is_empty()).then_some(None);
        let done = right
            .into_iter()
            .chain(chosen.iter().copied().map(Some))
            .take_while(|_| interrupted().is_none())
            .try_for_each(build);
        drop(built);
        done
    })?;
    let mut results = searched.into_inner().expect("not poisoned");
    results.sort_by_key(|result| chosen.iter().position(|&bug| Some(bug) == result.bug));

    let is_all = options.bugs.is_empty();
    let wanted = chosen.len() + locking.len();
    let locking: Vec<_> = locking.into_iter().map_while(kill_locking).collect();
    if let Some(signal) = interrupted() {
        say_how_far(&results, locking.len(), wanted, signal);
        return Ok(false);
    }
    let output = options
        .output
        .clone()
        .or_else(|| options.bugs.is_empty().then(table_path));
    if let Some(path) = output {
        let mut table = report::table(&results, options.runs, options.all);
        table += &report::locking(&locking);
        std::fs::write(&path, table)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        say(format_args!("written to {}", path.display()));
    }
    let failed = count_failed(&results);
    let is_complete = options.all && is_all;
    let idle: Vec<_> = report::idle_scenarios(&results)
        .filter(|_| is_complete)
        .collect();
    for name in &idle {
        say(format_args!(
            "the scenario {name} finds no bug: seed the one that it is there for, or do without it"
        ));
    }
    if failed > 0 {
        say(format_args!(
            "{failed} of {} are not as they should be",
            results.len()
        ));
    }
    let survives = locking.iter().any(|(_, found)| found.is_none());
    Ok(failed == 0 && idle.is_empty() && !survives)
}

fn count_failed(results: &[search::Result]) -> usize {
    let failed = results.iter().filter(|result| !result.is_as_it_should_be());
    failed.count()
}

/// What is said after a signal. A table without the other bugs would be taken for a whole one.
fn say_how_far(results: &[search::Result], locking: usize, wanted: usize, signal: Interrupted) {
    let searched = results.iter().filter(|result| result.bug.is_some());
    say(format_args!(
        "interrupted by {} after {} of {wanted} bugs, {} results not as they should be: no table is \
         written",
        signal.signal,
        searched.count() + locking,
        count_failed(results)
    ));
}

/// Searches `tplock` with a bug. `None`: a signal came before that was done.
fn kill_locking(bug: &'static Bug) -> Option<(&'static Bug, Option<Find>)> {
    let found = hunt(Some(bug), &EFFORT);
    if interrupted().is_some() {
        return None;
    }
    match &found {
        Some(find) => say(format_args!(
            "{:26} found by {} in {} schedules",
            bug.name, find.what, find.runs
        )),
        None => say(format_args!("{:26} SURVIVES", bug.name)),
    }
    Some((bug, found))
}
