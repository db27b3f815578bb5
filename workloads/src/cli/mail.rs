//! `workloads mail`.

mod serve;

use super::input::{THREADS, duration, fits, within};
use super::json::Reporter;
use super::{Clock, Failure, OnDisk, OnEngine};
use clap::{Args, Subcommand};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use workloads::InputError;
use workloads::engine::Engine;
use workloads::engine::durable::Sync;
use workloads::mail::{self, Maildir, Profile, Settings};

pub(super) const USERS: RangeInclusive<u32> = 1..=1_000_000;
const MAILDIR: &str = "maildir";

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Mail {
    #[command(subcommand)]
    command: Option<Command>,
    /// Users, each with a mailbox.
    #[arg(long, default_value_t = 100)]
    users: u32,
    /// What mail is like.
    #[arg(long, value_enum, default_value_t = Profile::Published)]
    profile: Profile,
    /// Threads, each delivering and picking up in turn [default: one for each core].
    #[arg(long)]
    threads: Option<usize>,
    /// Seconds to run.
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    duration: String,
    /// Keep a ledger: what was delivered must be there until it is deleted, and what was deleted
    /// must not come back. With --durable it is a file in the directory, by which the next run
    /// checks what it finds, after a kill too. It says what has returned: with --sync wait at once,
    /// else at the end of the run.
    #[arg(long)]
    check: bool,
    /// Where mail is: in tables of mvcc or tplock; or in a maildir, the folders and files of the
    /// directory of --durable, where --sync wait syncs each file and folder, and --sync none
    /// nothing.
    #[arg(long, default_value = "mvcc")]
    engine: String,
    /// The clock of engine mvcc.
    #[arg(long, value_enum, default_value_t = Clock::Auto)]
    clock: Clock,
    /// For the random numbers.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    on_disk: OnDisk,
    /// A file for the results.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
}

impl Mail {
    pub(super) fn run(&self) -> Result<(), Failure> {
        if let Some(Command::Serve(serve)) = &self.command {
            return serve.run();
        }
        let settings = self.settings()?;
        if let Some(directory) = &self.on_disk.durable {
            mail::refuse_unchecked(directory, self.check)?;
        }
        match &*self.engine {
            MAILDIR => self.run_on_maildir(&settings),
            "mvcc" | "tplock" => {
                fits(
                    &format!("--users {} of --profile realistic", settings.users),
                    mail::bytes(&settings, &self.engine),
                )?;
                self.on_disk.run(
                    (&*self.engine, self.clock),
                    &(self, settings.clone()),
                    || mail::loads(&settings),
                    mail::declare,
                )
            }
            other => Err(InputError::new(format!(
                "unknown engine --engine {other}; accepted are mvcc, tplock and maildir"
            ))
            .into()),
        }
    }

    fn settings(&self) -> Result<Settings, InputError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Settings {
            users: within("--users", self.users, &USERS)?,
            profile: self.profile,
            threads: within("--threads", self.threads.unwrap_or(cores), &THREADS)?,
            duration: duration("--duration", &self.duration)?,
            check: self.check,
            seed: self.seed,
        })
    }

    fn run_on_maildir(&self, settings: &Settings) -> Result<(), Failure> {
        let OnDisk { durable, sync } = &self.on_disk;
        let refuse = |message: &str| Err(InputError::new(message).into());
        let Some(directory) = durable else {
            return refuse("--engine maildir needs a directory; name one with --durable");
        };
        if !matches!(self.clock, Clock::Auto) {
            return refuse(
                "--clock is given, but --engine maildir has no clock; leave --clock out",
            );
        }
        let syncs = match sync.unwrap_or_default() {
            Sync::Wait => true,
            Sync::None => false,
            Sync::Ticket => {
                return refuse(
                    "--sync ticket is given, but --engine maildir has no tickets; ask for wait or none",
                );
            }
        };
        let reporter = Reporter::open(self.json.as_deref())?;
        let maildir = Maildir::open(directory, settings.users, syncs, mail::loads(settings))?;
        let report = mail::run_on_maildir(&maildir, settings).map_err(Failure::Run)?;
        reporter.report(&report)
    }
}

impl OnEngine for (&Mail, Settings) {
    fn run_on<E: Engine>(&self, engine: &E) -> Result<(), Failure> {
        let (command, settings) = self;
        let reporter = Reporter::open(command.json.as_deref())?;
        let OnDisk { durable, sync } = &command.on_disk;
        let acknowledges = sync.unwrap_or_default() == Sync::Wait;
        let report = mail::run_on_engine(engine, settings, durable.as_deref(), acknowledges);
        reporter.report(&report.map_err(Failure::Run)?)
    }
}
