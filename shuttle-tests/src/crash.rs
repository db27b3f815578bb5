//! Processes that are killed: a child commits on a real directory and tells what is durable, is
//! killed at random, and what it has left is opened and checked. Again and again, on the same
//! directory, also while the child still recovers.

mod bank;
mod mail;
mod sides;
mod tpcc;

use crate::failure::Failure;
use bank::{Acknowledged, Bank, Place};
use sides::Loss;
use std::collections::BTreeSet;
use std::fmt;
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
    /// The same on a mirror, of which one side is lost now and then.
    Mirror,
    /// Mail that is delivered, picked up and deleted, with a ledger of what was acknowledged.
    Mail,
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
    bank_checks: u64,
    mirror_checks: u64,
    mail_checks: u64,
    tpcc_checks: u64,
    /// Directories of mirrors that were removed, or replaced by older copies of themselves.
    lost_sides: u64,
    /// The names of all that were found.
    checkpoints: BTreeSet<String>,
}

/// One in so many rounds is of TPC-C, whose check takes a second.
const ROUNDS: u64 = 12;
/// After one in so many checks a side of the mirror is lost.
const CHECKS: u64 = 3;
/// A child is killed at random within this time.
const LONGEST: Duration = Duration::from_millis(400);
const LONGEST_OF_TPCC: Duration = Duration::from_secs(4);

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kills,
            early,
            acknowledged,
            bank_checks,
            mirror_checks,
            mail_checks,
            tpcc_checks,
            lost_sides,
            checkpoints,
        } = self;
        let checks = bank_checks + mirror_checks + mail_checks + tpcc_checks;
        write!(
            f,
            "{kills} kills ({early} of them while the child was still opening), {acknowledged} acknowledged transactions, {checks} checks ({bank_checks} \
             bank, {mirror_checks} mirror, {mail_checks} mail, {tpcc_checks} tpcc), {} checkpoints, {lost_sides} directories of mirrors removed or replaced \
             by older copies; lost: 0",
            checkpoints.len()
        )
    }
}

/// What is known of a bank.
#[derive(Default)]
struct Banked {
    acknowledged: Acknowledged,
    checks: u64,
}

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
    let (mut bank, mut mirror) = (Banked::default(), Banked::default());
    let mut round = 0;
    while begun.elapsed() < settings.duration && interrupted().is_none() {
        round += 1;
        let seed = random.u64(..);
        let directory = |name| place.path().join(name);
        let ran = match round % ROUNDS {
            0 => {
                let wait = random_within(&mut random, LONGEST_OF_TPCC);
                tpcc_round(&directory("tpcc"), seed, wait, &mut counts)
            }
            turn => {
                let wait = random_within(&mut random, LONGEST);
                match turn % 3 {
                    0 => mail_round(&directory("mail"), seed, wait, &mut counts),
                    1 => bank_round(
                        &Place::One(directory("bank")),
                        seed,
                        wait,
                        &mut bank,
                        &mut counts,
                    ),
                    _ => {
                        let place = directory("mirror");
                        mirror_round(&place, seed, wait, &mut mirror, &mut counts)
                    }
                }
            }
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
    output::print(counts)?;
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
    place: &Place,
    seed: u64,
    after: Duration,
    known: &mut Banked,
    counts: &mut Counts,
) -> Result<(), String> {
    let (work, directory) = match place {
        Place::One(directory) => ("bank", directory),
        Place::Mirror(directory) => ("mirror", directory),
    };
    let said = kill(work, directory, seed, after)?;
    counts.kills += 1;
    counts.early += u64::from(said.is_empty());
    counts.acknowledged += known.acknowledged.add(&said)?;
    counts.checkpoints.extend(checkpoints(work, place.first()));
    let bank = Bank::open(place).map_err(|error| format!("it cannot be opened: {error}"))?;
    bank.check(&known.acknowledged)?;
    known.checks += 1;
    match place {
        Place::One(_) => counts.bank_checks += 1,
        Place::Mirror(_) => counts.mirror_checks += 1,
    }
    bank.close()
}

/// After the check both sides are the same, so either may be lost.
fn mirror_round(
    directory: &Path,
    seed: u64,
    after: Duration,
    known: &mut Banked,
    counts: &mut Counts,
) -> Result<(), String> {
    let place = Place::Mirror(directory.to_owned());
    bank_round(&place, seed, after, known, counts)?;
    if known.checks.is_multiple_of(CHECKS) {
        let side = usize::from(seed & 1 == 1);
        let loss = if seed & 2 == 0 {
            Loss::Removed
        } else {
            Loss::Older
        };
        let lost = sides::lose(directory, side, loss);
        let lost = lost.map_err(|error| format!("cannot lose a side: {error}"))?;
        counts.lost_sides += u64::from(lost);
    }
    Ok(())
}

fn mail_round(
    directory: &Path,
    seed: u64,
    after: Duration,
    counts: &mut Counts,
) -> Result<(), String> {
    // Until the mail is there that it begins with, there is nothing to lose.
    let begin = Duration::from_millis(200);
    kill("mail", directory, seed, begin + after)?;
    counts.kills += 1;
    counts.mail_checks += u64::from(mail::check(directory)?);
    Ok(())
}

/// The names of the checkpoints in a directory, each with whose it is.
fn checkpoints(work: &str, directory: PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with("checkpoint-") && !name.contains('.'))
        .map(|name| format!("{work} {name}"))
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
    counts.tpcc_checks += u64::from(tpcc::check(directory)?);
    Ok(())
}

/// What the child does. It returns only if it fails.
pub(crate) fn child(work: Work, directory: &Path, seed: u64) -> Result<(), Failure> {
    let ended = match work {
        Work::Bank => bank::run(&Place::One(directory.to_owned()), seed),
        Work::Mirror => bank::run(&Place::Mirror(directory.to_owned()), seed),
        Work::Mail => mail::run(directory, seed),
        Work::Tpcc => tpcc::run(directory, seed),
    };
    ended.map_err(Failure::Run)
}
