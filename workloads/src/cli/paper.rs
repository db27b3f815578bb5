//! `workloads paper`.

mod overrides;

use super::{Clock, Failure, database, end_at_once, unknown_engine};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use overrides::Overrides;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;
use workloads::InputError;
use workloads::engine::Engine;
use workloads::interruption::interrupted;
use workloads::output;
use workloads::paper::{self, Contender, Disk, Experiment, Journal, Parameters, gc};

/// How often it is looked whether a signal has come.
const PATIENCE: Duration = Duration::from_millis(20);

/// Which of the experiments.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Throughput of YCSB and TPC-C by threads, as the paper compares itself with Silo.
    Silo,
    /// YCSB and TPC-C beside long reads.
    LongReaders,
    /// Reads with timestamps from a guarded counter, a fetch-and-add, the processor's counter, and
    /// without.
    Factors,
    /// YCSB by threads and skew.
    Scalability,
    /// Versions and memory over time, with long snapshots coming and going.
    Gc,
    /// What waiting for the disk costs, by clients.
    Durability,
    /// How long a store takes to open, by what is in it.
    Recovery,
    /// What a checkpoint costs those who commit meanwhile, over time.
    Checkpoint,
    /// A mail server's mailboxes in a store, in memory and in Maildirs, by threads.
    Mail,
    /// All of them, in one report.
    All,
}

#[derive(Args)]
pub(super) struct Paper {
    /// The experiment.
    #[arg(value_enum)]
    experiment: Choice,
    /// Shorter runs: all experiments together take less than seven minutes on two cores.
    #[arg(long)]
    quick: bool,
    /// A folder for the results: EXPERIMENT.csv, EXPERIMENT.json and a report, EXPERIMENT.html or
    /// all.html. Experiments with a disk make their stores in it, and remove them.
    #[arg(long, value_name = "DIR", default_value = "paper")]
    out: PathBuf,
    /// Engines to compare; factors and the experiments with a disk have mvcc alone.
    #[arg(long, value_delimiter = ',', default_values_t = [mvcc::Database::NAME.to_owned(), tplock::Database::NAME.to_owned()])]
    engines: Vec<String>,
    /// The clock of engine mvcc, but in factors.
    #[arg(long, value_enum, default_value_t = Clock::Auto)]
    clock: Clock,
    /// Go on where an interrupted run with the same options ended: EXPERIMENT.journal in the folder
    /// has what it measured.
    #[arg(long = "continue")]
    resume: bool,
    /// Runs gc in this process and prints its samples.
    #[arg(long, hide = true)]
    sample: bool,
    #[command(flatten)]
    overrides: Overrides,
}

impl Paper {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let clock = database(self.clock)?.clock();
        let contenders = self.contenders()?;
        let plan = self.plan()?;
        if self.sample {
            return print_samples(&contenders[0], &plan[0].1);
        }
        paper::create(&self.out)?;
        let name = match self.experiment {
            Choice::All => "all",
            _ => plan[0].0.name(),
        };
        let journal = self.journal(name, &plan)?;
        let mut chapters = Vec::new();
        for (experiment, parameters) in &plan {
            let sample = |contender: &Contender| self.sample_apart(contender, parameters);
            let disk = Disk {
                folder: &self.out,
                fail: end_at_once,
            };
            let chapter = experiment.run(parameters, &contenders, &sample, disk, &journal);
            let chapter = match (chapter, interrupted()) {
                (Ok(chapter), _) => chapter,
                (Err(error), None) => return Err(Failure::Run(error)),
                (Err(_), Some(signal)) => {
                    let (signal, name) = (signal.signal, experiment.name());
                    return Ok(output::print(format_args!(
                        "interrupted by {signal} in {name}: to go on, the same command with --continue"
                    ))?);
                }
            };
            let text = chapter.to_string();
            chapters.push(chapter);
            // What is finished is kept, whatever becomes of the rest.
            paper::write(&self.out, name, &chapters, &clock).map_err(Failure::Run)?;
            output::print(text)?;
        }
        journal.finish().map_err(Failure::Run)?;
        let report = self.out.join(name).with_extension("html");
        Ok(output::print(format_args!("report: {}", report.display()))?)
    }

    /// What the run keeps of its measurements while it goes on.
    fn journal(&self, name: &str, plan: &[(Experiment, Parameters)]) -> Result<Journal, Failure> {
        let experiments = plan.iter().map(|(experiment, parameters)| {
            serde_json::json!([experiment.name(), parameters.of(*experiment)])
        });
        let clock = self.clock.to_possible_value();
        let plan = serde_json::json!({
            "version": env!("COMMIT"),
            "engines": self.engines,
            "clock": clock.as_ref().map(PossibleValue::get_name),
            "experiments": experiments.collect::<Vec<_>>(),
        });
        let path = self.out.join(name).with_extension("journal");
        if self.resume {
            let journal = Journal::resume(&path, &plan)?;
            output::print(format_args!(
                "measurements that are there already: {}",
                journal.earlier()
            ))?;
            Ok(journal)
        } else {
            Ok(Journal::begin(&path, &plan)?)
        }
    }

    /// The experiments with their parameters.
    fn plan(&self) -> Result<Vec<(Experiment, Parameters)>, InputError> {
        let experiments = match self.experiment {
            Choice::Silo => vec![Experiment::Silo],
            Choice::LongReaders => vec![Experiment::LongReaders],
            Choice::Factors => vec![Experiment::Factors],
            Choice::Scalability => vec![Experiment::Scalability],
            Choice::Gc => vec![Experiment::Gc],
            Choice::Durability => vec![Experiment::Durability],
            Choice::Recovery => vec![Experiment::Recovery],
            Choice::Checkpoint => vec![Experiment::Checkpoint],
            Choice::Mail => vec![Experiment::Mail],
            Choice::All => Experiment::ALL.to_vec(),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let plan = experiments.into_iter().map(|experiment| {
            let mut parameters = Parameters::new(experiment, self.quick, cores);
            let given = self.overrides.apply(&mut parameters)?;
            let foreign = given.iter().find(|name| !experiment.takes().contains(name));
            if let (Some(name), true) = (foreign, self.experiment != Choice::All) {
                let takers = Experiment::ALL
                    .into_iter()
                    .filter(|it| it.takes().contains(name));
                let takers: Vec<_> = takers.map(Experiment::name).collect();
                return Err(InputError::new(format!(
                    "--{name} is not for {}; leave it out, or choose among {}",
                    experiment.name(),
                    takers.join(", ")
                )));
            }
            Ok((experiment, parameters))
        });
        plan.collect()
    }

    fn contenders(&self) -> Result<Vec<Contender>, InputError> {
        let clock = self.clock;
        let contenders = self.engines.iter().map(|name| match &**name {
            mvcc::Database::NAME => Ok(Contender::new(move || {
                let database = database(clock);
                database.expect("the clock was there when the command began")
            })),
            tplock::Database::NAME => Ok(Contender::new(tplock::Database::new)),
            _ => Err(unknown_engine("--engines", name)),
        });
        contenders.collect()
    }

    /// Runs `gc` on one engine in a process of its own, so that the memory is that engine's.
    fn sample_apart(
        &self,
        contender: &Contender,
        parameters: &Parameters,
    ) -> Result<gc::Samples, String> {
        let fail = |error: &dyn std::fmt::Display| {
            format!(
                "cannot run this program again for {}: {error}",
                contender.engine()
            )
        };
        let program = std::env::current_exe().map_err(|error| fail(&error))?;
        let mut command = Command::new(program);
        command.args(["paper", "gc", "--sample", "--engines", contender.engine()]);
        if let Some(clock) = self.clock.to_possible_value() {
            command.args(["--clock", clock.get_name()]);
        }
        for (name, value) in parameters.of(Experiment::Gc) {
            let value = match value {
                serde_json::Value::Array(values) => {
                    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
                    values.join(",")
                }
                value => value.to_string(),
            };
            command.arg(format!("--{name}={value}"));
        }
        let output = output_of(&mut command).map_err(|error| fail(&error))?;
        if !output.status.success() {
            return Err(fail(&output.status));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| fail(&error))
    }
}

/// Runs a command to its end, or until a signal ends it.
fn output_of(command: &mut Command) -> io::Result<Output> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let mut pipe = child.stdout.take().expect("it is piped");
    let read = move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).map(|_| bytes)
    };
    // By a thread of its own: a pipe that nobody reads from is soon full.
    let reader = match thread::Builder::new().spawn(read) {
        Ok(reader) => reader,
        Err(error) => {
            end(&mut child)?;
            return Err(error);
        }
    };
    while !reader.is_finished() {
        if interrupted().is_some() {
            end(&mut child)?;
        }
        thread::sleep(PATIENCE);
    }
    let stdout = reader.join().expect("it only reads")?;
    Ok(Output {
        status: child.wait()?,
        stdout,
        stderr: Vec::new(),
    })
}

fn end(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}

fn print_samples(contender: &Contender, parameters: &Parameters) -> Result<(), Failure> {
    let samples = gc::sample(&*contender.databases(), parameters).map_err(Failure::Run)?;
    let text = serde_json::to_string(&samples).map_err(|error| Failure::Run(error.to_string()))?;
    Ok(output::print(text)?)
}
