//! `workloads journal`.

mod report;
mod watched;

use super::Failure;
use super::json::Reporter;
use ::journal::{CopyError, Directory, Disk, Lock, ReadError};
use clap::{Args, Subcommand};
use report::{Checkpointed, Copied, Verified};
use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use watched::Watched;
use workloads::InputError;
use workloads::engine::durable;
use workloads::output::{self, Output};

#[derive(Subcommand)]
pub(super) enum Journal {
    /// Read all of it; say what is in it, what a recovery would do, and each place that is damaged.
    /// The exit status is 1 if one is.
    Verify(Verify),
    /// List its frames, file by file, and what is no frame.
    Dump(Dump),
    /// Copy what can be read of it to a new directory; say what is left out. The exit status is 1
    /// if anything is.
    Salvage(Salvage),
    /// Write a checkpoint, and remove what it makes superfluous: the next opening has less to read.
    /// It takes as much memory as the rows.
    Checkpoint(Checkpoint),
}

#[derive(Args)]
pub(super) struct Verify {
    /// The directory of the journal. No process may have it open.
    directory: PathBuf,
    /// A file for the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Dump {
    /// The directory of the journal. No process may have it open.
    directory: PathBuf,
    /// A file for the list, in place of standard output: a JSON object a line.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Salvage {
    /// The directory of the journal. No process may have it open.
    directory: PathBuf,
    /// The directory of the copy, which is empty or not there yet.
    to: PathBuf,
    /// A file for the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Checkpoint {
    /// The directory of a store. No process may have it open.
    directory: PathBuf,
    /// A file for the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Journal {
    pub(super) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Verify(verify) => verify.run(),
            Self::Dump(dump) => dump.run(),
            Self::Salvage(salvage) => salvage.run(),
            Self::Checkpoint(checkpoint) => checkpoint.run(),
        }
    }
}

impl Verify {
    fn run(&self) -> Result<(), Failure> {
        let (disk, _lock) = open(&self.directory)?;
        let reporter = Reporter::open(self.json.as_deref())?;
        let survey =
            ::journal::survey(disk).map_err(|error| unreadable(&self.directory, &error))?;
        let verified = Verified::new(self.directory.display().to_string(), survey);
        let reported = reporter.report(&verified);
        match verified.damaged() {
            None => reported,
            Some(places) => Err(Failure::Run(format!(
                "{} has {places}; `workloads journal salvage` copies what can be read",
                self.directory.display()
            ))),
        }
    }
}

impl Dump {
    fn run(&self) -> Result<(), Failure> {
        let (disk, _lock) = open(&self.directory)?;
        let file = output::open("--json", self.json.as_deref())?;
        let is_json = file.is_some();
        let mut read = Ok(());
        let list = |out: &mut dyn Write| {
            let mut written = Ok(());
            read = ::journal::dump(disk, &mut |line| {
                written = if is_json {
                    writeln!(out, "{}", report::json(&line))
                } else {
                    writeln!(out, "{line}")
                };
                match written {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            });
            written
        };
        let written = file.unwrap_or_else(Output::standard).stream(list);
        read.map_err(|error| unreadable(&self.directory, &error))?;
        written.map_err(Failure::Run)
    }
}

impl Salvage {
    fn run(&self) -> Result<(), Failure> {
        let (from, to) = (self.directory.display(), self.to.display());
        let (disk, _lock) = open(&self.directory)?;
        let reporter = Reporter::open(self.json.as_deref())?;
        let is_new = self.check_target()?;
        let target = Directory::create(&self.to)
            .map_err(|error| InputError::new(format!("cannot create {to}: {error}")))?;
        let salvaged = ::journal::salvage(disk, Arc::new(Watched(target))).map_err(|error| {
            if is_new {
                // Nothing was to be copied. If something was, it is not empty, and stays.
                let _ = fs::remove_dir(&self.to);
            }
            match error {
                CopyError::Read(error) => unreadable(&self.directory, &error),
                error => Failure::Run(format!("{to}: {error}; it has no whole copy, remove it")),
            }
        })?;
        let copied = Copied::new(from.to_string(), to.to_string(), salvaged);
        let reported = reporter.report(&copied);
        if copied.is_whole() {
            return reported;
        }
        Err(Failure::Run(format!(
            "{from} is damaged, and {to} has what can be read of it"
        )))
    }

    /// Whether the target is not there yet. It is an error if it is in use for anything.
    fn check_target(&self) -> Result<bool, Failure> {
        let to = self.to.display();
        let refuse = |why: &str| Err(InputError::new(format!("cannot copy to {to}: {why}")).into());
        match fs::read_dir(&self.to) {
            Ok(mut entries) => match entries.next() {
                None => Ok(false),
                Some(_) => refuse("it is not empty; name a directory that is, or a new one"),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let above = self.to.parent().filter(|above| *above != Path::new(""));
                let above = fs::canonicalize(above.unwrap_or(Path::new(".")));
                let from = fs::canonicalize(&self.directory);
                match (above, from) {
                    (Ok(above), Ok(from)) if !above.starts_with(&from) => Ok(true),
                    (Ok(_), Ok(_)) => refuse("it would be in the journal, which is not changed"),
                    (Err(error), _) | (_, Err(error)) => refuse(&error.to_string()),
                }
            }
            Err(error) => refuse(&error.to_string()),
        }
    }
}

impl Checkpoint {
    fn run(&self) -> Result<(), Failure> {
        let name = self.directory.display();
        // Opening would create one where there is none.
        let (disk, lock) = open(&self.directory)?;
        ::journal::dump(disk, &mut |_| ControlFlow::Break(()))
            .map_err(|error| unreadable(&self.directory, &error))?;
        drop(lock);
        let reporter = Reporter::open(self.json.as_deref())?;
        let fail = |error: &dyn std::fmt::Display| Failure::Run(format!("{name}: {error}"));
        // Tables that nobody declares are kept as they are.
        let opened = mvcc::Store::open(&self.directory, |_| ());
        let (store, ()) =
            opened.map_err(|error| match durable::unusable(&self.directory, &error) {
                durable::Unusable::Input(error) => Failure::Input(error),
                durable::Unusable::Failed(error) => Failure::Run(error),
            })?;
        let log_bytes = store.stats().log_bytes;
        store.checkpoint().map_err(|error| fail(&error))?;
        let stats = store.stats();
        let written = stats
            .checkpoint
            .ok_or_else(|| fail(&"no checkpoint was written"))?;
        let report = Checkpointed {
            directory: name.to_string(),
            tables: store.undeclared().into_iter().map(str::to_owned).collect(),
            rows: written.rows,
            bytes: written.bytes,
            log_bytes_before: log_bytes,
            log_bytes: stats.log_bytes,
        };
        store.close().map_err(|error| fail(&error))?;
        reporter.report(&report)
    }
}

/// The journal's directory, kept from those who write for as long as the lock is held.
fn open(directory: &Path) -> Result<(Arc<Watched>, Lock), Failure> {
    let name = directory.display();
    let disk = Directory::read_only(directory).map_err(|error| {
        InputError::new(format!(
            "cannot open {name}: {error}; name the directory of a journal"
        ))
    })?;
    match disk.lock() {
        Ok(Some(lock)) => Ok((Arc::new(Watched(disk)), lock)),
        Ok(None) => Err(InputError::new(format!(
            "{name} is in use: a process has it open; end that process first"
        ))
        .into()),
        Err(error) => Err(Failure::Run(format!("cannot lock {name}: {error}"))),
    }
}

fn unreadable(directory: &Path, error: &ReadError) -> Failure {
    let directory = directory.display().to_string();
    match error {
        ReadError::NoJournal { .. } => InputError::new(error.to_string()).into(),
        ReadError::Version { .. } => InputError::new(format!("{directory}: {error}")).into(),
        ReadError::Disk(fault) if fault.file == directory => Failure::Run(error.to_string()),
        _ => Failure::Run(format!("{directory}: {error}")),
    }
}
