//! Searching a variant. Each process ends with its first find, since what a failed run leaves
//! behind could make the next one fail.

use crate::Seeded;
use crate::build::{PATIENCE, Variant};
use shuttle_tests::hunt::{DIED, Exploration, Find, explorations};
use std::fmt;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use workloads::interruption::interrupted;
use workloads::output;

/// Runs the explorations from a number on, and says the number of each before it starts. Ends with
/// the first find, and prints it.
pub(crate) fn search_here(from: usize, runs: usize) {
    for (number, exploration) in explorations().enumerate().skip(from) {
        if output::print(number).is_err() {
            return;
        }
        if let Some(find) = Find::new(&exploration, exploration.run(runs)) {
            let find = serde_json::to_string(&find).expect("a find is a value");
            // Whoever has started this process reads it, or has gone.
            let _ = output::print(find);
            return;
        }
    }
}

/// What the explorations have found in a variant.
pub(crate) struct Result {
    pub(crate) bug: Option<Seeded>,
    pub(crate) finds: Vec<Find>,
    took: Duration,
}

impl Result {
    /// Runs all explorations against a variant. `None`: a signal came before that was done. Unless
    /// all are wanted, a bug is looked for with a few schedules of each first, and until it is
    /// found.
    pub(crate) fn of(
        bug: Option<Seeded>,
        variant: &Variant,
        runs: usize,
        all: bool,
    ) -> Option<Self> {
        let start = Instant::now();
        let mut result = Self {
            bug,
            finds: Vec::new(),
            took: Duration::ZERO,
        };
        if bug.is_none() || all {
            result.search(variant, runs, true);
        } else {
            result.search(variant, runs / FEW, false);
            if result.best().is_none() {
                result.finds.clear();
                result.search(variant, runs, false);
            }
        }
        result.took = start.elapsed();
        interrupted().is_none().then_some(result)
    }

    fn search(&mut self, variant: &Variant, runs: usize, all: bool) {
        let explorations: Vec<_> = explorations().collect();
        let mut next = 0;
        while next < explorations.len() && (all || self.best().is_none()) {
            if interrupted().is_some() {
                return;
            }
            let end = search_from(variant, next, runs).unwrap_or_else(|error| End {
                last: next,
                find: None,
                death: Some(error.to_string()),
            });
            next = end.last + 1;
            let death = |death: String| died(&explorations[end.last], &death);
            self.finds.extend(end.find.or_else(|| end.death.map(death)));
        }
    }

    /// The find that took the fewest schedules, of those that are wrong results.
    pub(crate) fn best(&self) -> Option<&Find> {
        let wrong = self.finds.iter().filter(|find| find.is_wrong_result());
        wrong.min_by_key(|find| find.runs)
    }

    /// Whether a bug was found, or nothing where there is none.
    pub(crate) fn is_as_it_should_be(&self) -> bool {
        match self.bug {
            Some(_) => self.best().is_some(),
            None => self.finds.is_empty(),
        }
    }
}

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        let name = self.bug.map_or("(no bug)", |(_, bug)| bug.name);
        write!(f, "{name:26} {seconds:4.1} s  ")?;
        match (self.bug, self.best()) {
            (_, Some(best)) => write!(
                f,
                "found by {} in {} schedules, {}",
                best.scenario, best.runs, best.choice
            ),
            (None, None) if self.finds.is_empty() => f.write_str("nothing found"),
            (_, None) => match self.finds.first() {
                Some(find) => write!(f, "SURVIVES: only {} {}", find.scenario, find.failure),
                None => f.write_str("SURVIVES"),
            },
        }
    }
}

/// How a search has ended.
struct End {
    /// The last exploration that was begun.
    last: usize,
    find: Option<Find>,
    /// How the process died, if it did.
    death: Option<String>,
}

/// Of so many schedules, one is run at first.
const FEW: usize = 10;

/// No exploration takes as long as this.
const LIMIT: Duration = Duration::from_mins(5);

fn search_from(variant: &Variant, from: usize, runs: usize) -> io::Result<End> {
    let mut search = Command::new(&variant.program)
        .arg(format!("--search-from={from}"))
        .arg(format!("--runs={runs}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let status = wait(&mut search)?;
    let mut said = String::new();
    search
        .stdout
        .take()
        .expect("it is piped")
        .read_to_string(&mut said)?;
    let mut lines = said.lines().rev();
    let last = lines.next().unwrap_or_default();
    let find: Option<Find> = serde_json::from_str(last).ok();
    let number = if find.is_some() {
        lines.next()
    } else {
        Some(last)
    };
    let death = match status {
        Some(status) if status.success() => None,
        Some(status) => Some(status.to_string()),
        None => Some(format!("stopped after {} s", LIMIT.as_secs())),
    };
    Ok(End {
        last: number
            .and_then(|number| number.parse().ok())
            .unwrap_or(from),
        find,
        death,
    })
}

/// Waits for the process to end. `None`: it was stopped.
fn wait(search: &mut Child) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = search.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > LIMIT || interrupted().is_some() {
            search.kill()?;
            search.wait()?;
            return Ok(None);
        }
        std::thread::sleep(PATIENCE);
    }
}

fn died(exploration: &Exploration, death: &str) -> Find {
    Find {
        scenario: exploration.scenario.name.to_owned(),
        world: exploration.world,
        choice: exploration.choice,
        runs: 0,
        failure: format!("{DIED}: {death}"),
    }
}
