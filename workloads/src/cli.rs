//! The command line.

mod clock;
mod input;
mod journal;
mod journal_bench;
mod json;
mod mail;
mod paper;
mod tpcc;
mod ycsb;

use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use workloads::InputError;
use workloads::engine::{Engine, durable};
use workloads::interruption::{Interrupted, interrupted};
use workloads::output;

/// Workloads on an in-memory transaction engine.
///
/// Without a command: a short run of TPC-C with its consistency checks, then one of YCSB.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What runs without a command.
const MAIN_JOB: [&str; 2] = [
    "workloads tpcc --warehouses 2 --duration 10 --check",
    "workloads ycsb --workload a --duration 5",
];

#[derive(Subcommand)]
enum Command {
    /// The Yahoo! Cloud Serving Benchmark.
    Ycsb(Box<ycsb::Ycsb>),
    /// TPC-C: orders in warehouses, with the specification's consistency conditions.
    Tpcc(tpcc::Tpcc),
    /// A mail server's mailboxes: deliveries, pickups and deletions, on tables or on a Maildir.
    Mail(mail::Mail),
    /// The experiments of the vMVCC paper, and one on garbage collection.
    Paper(Box<paper::Paper>),
    /// The files of a journal, for an operator: checked, listed, saved, or made shorter by a
    /// checkpoint. Only the last one changes them.
    #[command(subcommand)]
    Journal(journal::Journal),
    /// What a log gives to clients that wait for it: by their number, and without group commit or
    /// concurrency, beside a raw loop.
    JournalBench(journal_bench::JournalBench),
    /// Which clock is used and why, what it costs, and how the cores' counters agree.
    Clock {
        /// The clock.
        #[arg(long, value_enum, default_value_t = Clock::Auto)]
        clock: Clock,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Clock {
    Auto,
    Tsc,
    Counter,
    /// A counter behind a mutex, to compare with.
    LockedCounter,
}

/// Why the command failed.
pub(crate) enum Failure {
    /// The input is wrong; nothing was run.
    Input(InputError),
    /// The run failed.
    Run(String),
    /// Standard output could not be written.
    Output(io::Error),
    /// A signal has ended it early. What there was to report has been reported.
    Interrupted(Interrupted),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

/// Runs the command that the process's arguments ask for.
pub(crate) fn run() -> Result<(), Failure> {
    if let Some(command) = parse(std::env::args_os())?.command {
        return command.run();
    }
    let [first, second] = MAIN_JOB;
    output::print(format_args!("\n$ {first}"))?;
    run_line(first)?;
    output::print(format_args!("\n$ {second}"))?;
    // Otherwise what the first one took of memory would be reported as the second one's.
    #[cfg(unix)]
    replace_process(second);
    run_line(second)
}

fn run_line(line: &str) -> Result<(), Failure> {
    let parsed = parse(line.split_whitespace().map(OsString::from))?;
    parsed.command.map_or(Ok(()), |command| command.run())
}

/// Goes on with another command as a new program in this process. Returns if that cannot be done.
#[cfg(unix)]
fn replace_process(line: &str) {
    use std::os::unix::process::CommandExt;
    if let Ok(program) = std::env::current_exe() {
        let arguments = line.split_whitespace().skip(1);
        let _ = std::process::Command::new(program).args(arguments).exec();
    }
}

/// Prints what `--help` and `--version` ask for, and ends the process then.
fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Cli, Failure> {
    // A negative number is a number that is out of range, not an unknown option.
    let numbers = |argument: Arg| {
        let has_value = argument.get_action().takes_values();
        argument.allow_negative_numbers(has_value)
    };
    let command = Cli::command().mut_subcommands(|it| it.mut_args(numbers));
    let parsed = command.try_get_matches_from(arguments);
    match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => Ok(cli),
        Err(error) if error.use_stderr() => {
            let text = error.render().to_string();
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let line = lines.collect::<Vec<_>>().join("; ");
            Err(InputError::new(line.trim_start_matches("error: ")).into())
        }
        Err(message) => {
            output::print(message.render().to_string().trim_end())?;
            std::process::exit(0)
        }
    }
}

impl Command {
    /// Runs the command. The signal that ended it counts for more than what was incomplete because
    /// of it.
    fn run(&self) -> Result<(), Failure> {
        let done = self.run_whole();
        match (interrupted(), &done) {
            (Some(signal), Ok(()) | Err(Failure::Output(_))) => Err(Failure::Interrupted(signal)),
            (Some(signal), Err(Failure::Run(error))) => {
                output::note(format_args!("error: {error}"));
                Err(Failure::Interrupted(signal))
            }
            _ => done,
        }
    }

    fn run_whole(&self) -> Result<(), Failure> {
        match self {
            Self::Ycsb(ycsb) => ycsb.run(),
            Self::Tpcc(tpcc) => tpcc.run(),
            Self::Mail(mail) => mail.run(),
            Self::Paper(paper) => paper.run(),
            Self::Journal(journal) => journal.run(),
            Self::JournalBench(bench) => bench.run(),
            Self::Clock { clock } => clock::describe(&database(*clock)?.clock()),
        }
    }
}

/// What a command does with the engine that it is given.
trait OnEngine {
    fn run_on<E: Engine>(&self, engine: &E) -> Result<(), Failure>;
}

/// A directory to run on.
#[derive(Args)]
struct OnDisk {
    /// Makes the rows durable, in this directory. It is created, or goes on with the rows that an
    /// earlier run of the same workload has left there.
    #[arg(long, value_name = "DIR")]
    durable: Option<PathBuf>,
    /// Which commits wait until they are durable, with --durable [default: wait]: each before the
    /// next one of its thread; with a ticket, so that 64 of a thread are waited for at once; or
    /// none. At the end of the run all are, in each case.
    #[arg(long, value_enum)]
    sync: Option<durable::Sync>,
}

impl OnDisk {
    /// Runs a command on the directory, if there is one, else on the engine of this name. `loads`
    /// says what the workload loads, into the tables that `declare` names.
    fn run(
        &self,
        (name, clock): (&str, Clock),
        command: &impl OnEngine,
        loads: impl FnOnce() -> String,
        declare: impl FnOnce(&mut mvcc::Schema),
    ) -> Result<(), Failure> {
        let Some(directory) = &self.durable else {
            if self.sync.is_some() {
                return Err(InputError::new(
                    "--sync is given without --durable; name a directory, or leave --sync out",
                )
                .into());
            }
            return on_engine(name, clock, command);
        };
        if name != mvcc::Database::NAME {
            return Err(InputError::new(format!(
                "--durable is given, but --engine {name} is not durable; leave one of them out"
            ))
            .into());
        }
        let sync = self.sync.unwrap_or_default();
        let opened = durable::Durable::open(
            directory,
            sync,
            clock.choice(),
            loads(),
            declare,
            end_at_once,
        );
        let engine = opened.map_err(|unusable| match unusable {
            durable::Unusable::Input(error) => Failure::Input(error),
            durable::Unusable::Failed(error) => Failure::Run(error),
        })?;
        let ran = command.run_on(&engine);
        let closed = engine.close().map_err(Failure::Run);
        ran.and(closed)
    }
}

/// The log of a durable engine has stopped or is full: there is nothing more to measure.
pub(crate) fn end_at_once(message: &str) -> ! {
    output::note(format_args!("error: {message}"));
    std::process::exit(1)
}

/// Does it with the engine of this name.
fn on_engine(name: &str, clock: Clock, command: &impl OnEngine) -> Result<(), Failure> {
    match name {
        mvcc::Database::NAME => command.run_on(&database(clock)?),
        tplock::Database::NAME if matches!(clock, Clock::Auto) => {
            command.run_on(&tplock::Database::new())
        }
        tplock::Database::NAME => Err(Failure::Input(InputError::new(
            "--clock is given, but --engine tplock has no clock; leave --clock out",
        ))),
        _ => Err(unknown_engine("--engine", name).into()),
    }
}

fn unknown_engine(option: &str, name: &str) -> InputError {
    InputError::new(format!(
        "unknown engine {option} {name}; accepted are mvcc and tplock"
    ))
}

impl Clock {
    fn choice(self) -> mvcc::ClockChoice {
        match self {
            Self::Auto => mvcc::ClockChoice::Auto,
            Self::Tsc => mvcc::ClockChoice::Tsc,
            Self::Counter => mvcc::ClockChoice::Counter,
            Self::LockedCounter => mvcc::ClockChoice::LockedCounter,
        }
    }
}

fn database(clock: Clock) -> Result<mvcc::Database, InputError> {
    let built = mvcc::Database::builder().clock(clock.choice()).build();
    built.map_err(|error| InputError::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_job_is_two_commands() {
        for (line, tpcc) in MAIN_JOB.into_iter().zip([true, false]) {
            let parsed = parse(line.split_whitespace().map(OsString::from));
            let command = parsed.map(|cli| cli.command);
            match command {
                Ok(Some(Command::Tpcc(_))) => assert!(tpcc),
                Ok(Some(Command::Ycsb(_))) => assert!(!tpcc),
                _ => panic!("{line}"),
            }
        }
    }
}
