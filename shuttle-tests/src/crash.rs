//! Processes that are killed: a child commits on a real directory and tells what is durable, is
//! killed at random, and what it has left is opened and checked. Again and again, on the same
//! directory, also while the child still recovers.

mod bank;
mod tpcc;

use crate::failure::Failure;
use bank::{Acknowledged, Bank};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use workloads::interruption::interrupted;
use workloads::output;

/// What is to be run.
pub(crate) struct Settings {
    pub(crate) duration: Duration,
    pub(crate) seed: u64,
    /// Where the directories of the stores are made.
    pub(crate) above: PathBuf,
}

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Work {
    /// Transfers between accounts, each acknowledged.
    Bank,
    /// TPC-C; its consistency conditions are checked when it goes on.
    Tpcc,
}

/// What came of it.
#[derive(Default)]
struct Counts {
    kills: u64,
    /// Kills before the child had said anything: it was still recovering.
    early: u64,
    acknowledged: u64,
    checks: u64,
    /// The names of all that were found.
    checkpoints: BTreeSet<String>,
}

/// One in so many rounds is of TPC-C, whose check takes a second.
const ROUNDS_OF_BANK: u64 = 12;
/// A child is killed at random within this time.
const LONGEST: Duration = Duration::from_millis(400);
const LONGEST_OF_TPCC: Duration = Duration::from_secs(4);

/// Kills children until the time is over.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let place = tempfile::Builder::new()
        .prefix("crash-")
        .tempdir_in(&settings.above)
        .map_err(|error| {
            let above = settings.above.display();
            Failure::Input(format!(
                "--directory {above}: cannot create a directory there: {error}"
            ))
        })?;
    let mut random = fastrand::Rng::with_seed(settings.seed);
    let begun = Instant::now();
    let mut counts = Counts::default();
    let mut acknowledged = Acknowledged::default();
    let mut round = 0;
    while begun.elapsed() < settings.duration && interrupted().is_none() {
        round += 1;
        let seed = random.u64(..);
        let ran = if round % ROUNDS_OF_BANK == 0 {
            let wait = random_within(&mut random, LONGEST_OF_TPCC);
            let directory = place.path().join("tpcc");
            tpcc_round(&directory, seed, wait, &mut counts)
        } else {
            let wait = random_within(&mut random, LONGEST);
            let directory = place.path().join("bank");
            bank_round(&directory, seed, wait, &mut acknowledged, &mut counts)
        };
        if let Err(violation) = ran {
            // The directory is the evidence.
            let kept = place.keep();
            return Err(Failure::Violation(format!(
                "round {round} of seed {}: {violation}; the directory is kept: {}",
                settings.seed,
                kept.display()
            )));
        }
    }
    let Counts {
        kills,
        early,
        acknowledged,
        checks,
        checkpoints,
    } = counts;
    output::print(format_args!(
        "{kills} kills ({early} of them while the child was still opening), {acknowledged} acknowledged transactions, {checks} checks, {} checkpoints; lost: 0",
        checkpoints.len()
    ))?;
    match interrupted() {
        Some(signal) => Err(Failure::Interrupted(signal)),
        None => Ok(()),
    }
}

fn random_within(random: &mut fastrand::Rng, longest: Duration) -> Duration {
    // Many are killed early: then they are recovering.
    longest.mul_f64(random.f64() * random.f64())
}

/// Starts a child, and kills it after a while. Returns what it has said.
fn kill(work: &str, directory: &Path, seed: u64, after: Duration) -> Result<Vec<u8>, String> {
    let fail = |error: std::io::Error| format!("cannot run a child: {error}");
    let program = std::env::current_exe().map_err(fail)?;
    let mut child: Child = Command::new(program)
        .args(["crash-child", work])
        .arg(directory)
        .arg(seed.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(fail)?;
    let mut said = child.stdout.take().expect("it is piped");
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        said.read_to_end(&mut bytes).map(|_| bytes)
    });
    thread::sleep(after);
    // Whatever it does: it is killed in the middle of that.
    child.kill().map_err(fail)?;
    let status = child.wait().map_err(fail)?;
    let said = reader
        .join()
        .expect("reading does not panic")
        .map_err(fail)?;
    match status.code() {
        // Killed.
        None => Ok(said),
        Some(code) => Err(format!("a child of {work} has ended with status {code}")),
    }
}

fn bank_round(
    directory: &Path,
    seed: u64,
    after: Duration,
    acknowledged: &mut Acknowledged,
    counts: &mut Counts,
) -> Result<(), String> {
    let said = kill("bank", directory, seed, after)?;
    counts.kills += 1;
    counts.early += u64::from(said.is_empty());
    counts.acknowledged += acknowledged.add(&said)?;
    counts.checkpoints.extend(checkpoints(directory));
    let bank = Bank::open(directory).map_err(|error| format!("it cannot be opened: {error}"))?;
    bank.check(acknowledged)?;
    counts.checks += 1;
    bank.close()
}

/// The names of the checkpoints in a directory.
fn checkpoints(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with("checkpoint-") && !name.contains('.'))
        .collect()
}

/// The next child checks what this one has left.
fn tpcc_round(
    directory: &Path,
    seed: u64,
    after: Duration,
    counts: &mut Counts,
) -> Result<(), String> {
    let begin = Duration::from_secs(2);
    kill("tpcc", directory, seed, begin + after)?;
    counts.kills += 1;
    counts.checks += u64::from(tpcc::check(directory)?);
    Ok(())
}

/// What the child does. It returns only if it fails.
pub(crate) fn child(work: Work, directory: &Path, seed: u64) -> Result<(), Failure> {
    let ended = match work {
        Work::Bank => bank::run(directory, seed),
        Work::Tpcc => tpcc::run(directory, seed),
    };
    ended.map_err(Failure::Run)
}
