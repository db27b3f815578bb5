//! A mail server's mailboxes: in a store, in memory, and in a Maildir.

use super::durability::cannot_write;
use super::figure::Mark;
use super::row::median;
use super::{Chapter, Experiment, Figure, Horizontal, Journal, Parameters};
use crate::engine::durable::{Durable, Sync, Unusable};
use crate::mail::{self, Maildir, Profile, Settings};
use serde::{Deserialize, Serialize};
use std::path::Path;

pub(super) const TAKES: &[&str] = &["mail-threads", "repeats", "duration", "users", "seed"];

const ABOUT: &[&str] = &[
    "The mail server's benchmark of the verified systems: 100 users, messages of 12 bytes, each iteration a delivery and a pickup with deletion at random \
     users. Durable with durable: a store whose deliveries and deletions return when they are on the disk, and a Maildir as mail servers have it, which \
     syncs each file and folder. Then without: tables in memory only, and a Maildir that syncs nothing, as the published one.",
    "A request is a delivery, or a pickup with its deletions.",
];

#[derive(Clone, Copy)]
enum Way {
    Store,
    Maildir,
    Memory,
    UnsyncedMaildir,
}

const WAYS: [Way; 4] = [Way::Store, Way::Maildir, Way::Memory, Way::UnsyncedMaildir];

impl Way {
    /// What it is, and whether it is durable.
    fn name(self) -> (&'static str, bool) {
        match self {
            Self::Store => ("store", true),
            Self::Maildir => ("maildir", true),
            Self::Memory => ("memory only", false),
            Self::UnsyncedMaildir => ("maildir without syncs", false),
        }
    }
}

/// One run.
#[derive(Clone, Serialize, Deserialize)]
struct Run {
    seconds: f64,
    throughput_rps: f64,
    delivered: u64,
    deleted: u64,
    deliver_p50_us: Option<f64>,
    deliver_p99_us: Option<f64>,
}

/// A line of the CSV.
#[derive(Serialize)]
struct Row {
    way: &'static str,
    durable: bool,
    threads: usize,
    users: u32,
    runs: usize,
    throughput_rps: f64,
    throughput_min_rps: f64,
    throughput_max_rps: f64,
    delivered: u64,
    deleted: u64,
    deliver_p50_us: Option<f64>,
    deliver_p99_us: Option<f64>,
}

/// A line with the runs that it was made of.
#[derive(Serialize)]
struct Measured {
    #[serde(flatten)]
    row: Row,
    measured: Vec<Run>,
}

pub(super) fn run(
    parameters: &Parameters,
    folder: &Path,
    fail: fn(&str) -> !,
    journal: &Journal,
) -> Result<Chapter, String> {
    let threads = &parameters.mail_threads;
    let mut runs: Vec<Vec<Run>> = Vec::new();
    runs.resize_with(threads.len() * WAYS.len(), Vec::new);
    for round in 0..parameters.repeats {
        for (place, &threads) in threads.iter().enumerate() {
            for (number, way) in WAYS.into_iter().enumerate() {
                let name = format!("mail: round {round}, {threads} threads, {}", way.name().0);
                let settings = settings(parameters, threads);
                let measure = || measure(way, &settings, folder, fail);
                runs[place * WAYS.len() + number].push(journal.measure(&name, measure)?);
            }
        }
    }
    let rows = runs.into_iter().zip(0..).map(|(runs, place)| {
        let (way, threads) = (WAYS[place % WAYS.len()], threads[place / WAYS.len()]);
        Measured::new(way, &settings(parameters, threads), runs)
    });
    let rows: Vec<_> = rows.collect();
    let figure = |title: &str| {
        let title = format!("Mail, {title}");
        Figure::new(title, Horizontal::places("threads"), "thousand requests/s")
    };
    let (mut durable, mut others) = (figure("durable"), figure("not durable"));
    for Measured { row, .. } in &rows {
        let figure = if row.durable {
            &mut durable
        } else {
            &mut others
        };
        let spread = (row.throughput_min_rps / 1e3, row.throughput_max_rps / 1e3);
        figure.add(
            &row.threads.to_string(),
            &Mark::of("", row.way),
            row.throughput_rps / 1e3,
            Some(spread),
        );
    }
    let lines = rows.iter().map(|measured| &measured.row);
    Chapter::new(
        Experiment::Mail,
        parameters,
        ABOUT,
        vec![durable, others],
        &rows,
        lines,
    )
}

fn settings(parameters: &Parameters, threads: usize) -> Settings {
    Settings {
        users: parameters.users,
        profile: Profile::Published,
        threads,
        duration: parameters.duration,
        check: false,
        seed: parameters.seed,
    }
}

fn measure(
    way: Way,
    settings: &Settings,
    folder: &Path,
    fail: fn(&str) -> !,
) -> Result<Run, String> {
    let place = tempfile::tempdir_in(folder).map_err(|error| cannot_write(folder, &error))?;
    let directory = place.path();
    let loads = mail::loads(settings);
    let on_maildir = |syncs: bool| {
        let maildir = Maildir::open(directory, settings.users, syncs, loads.clone());
        mail::run_on_maildir(&maildir.map_err(|error| error.to_string())?, settings)
    };
    let report = match way {
        Way::Maildir => on_maildir(true)?,
        Way::UnsyncedMaildir => on_maildir(false)?,
        Way::Memory => mail::run_on_engine(&mvcc::Database::new(), settings, None, false)?,
        Way::Store => {
            let clock = mvcc::ClockChoice::Auto;
            let opened = Durable::open(
                directory,
                Sync::Wait,
                clock,
                loads.clone(),
                mail::declare,
                fail,
            );
            let engine = opened.map_err(|unusable| match unusable {
                Unusable::Input(error) => error.to_string(),
                Unusable::Failed(error) => error,
            })?;
            let ran = mail::run_on_engine(&engine, settings, Some(directory), true);
            engine.close().and(ran)?
        }
    };
    Ok(Run {
        seconds: report.seconds,
        throughput_rps: report.throughput_rps,
        delivered: report.delivered,
        deleted: report.deleted,
        deliver_p50_us: report.deliver_us.map(|it| it.p50),
        deliver_p99_us: report.deliver_us.map(|it| it.p99),
    })
}

impl Measured {
    fn new(way: Way, settings: &Settings, measured: Vec<Run>) -> Self {
        let throughputs = || measured.iter().map(|run| run.throughput_rps);
        let (name, durable) = way.name();
        let row = Row {
            way: name,
            durable,
            threads: settings.threads,
            users: settings.users,
            runs: measured.len(),
            throughput_rps: median(throughputs()).expect("it was run"),
            throughput_min_rps: throughputs().fold(f64::INFINITY, f64::min),
            throughput_max_rps: throughputs().fold(0.0, f64::max),
            delivered: measured.iter().map(|run| run.delivered).sum(),
            deleted: measured.iter().map(|run| run.deleted).sum(),
            deliver_p50_us: median(measured.iter().filter_map(|run| run.deliver_p50_us)),
            deliver_p99_us: median(measured.iter().filter_map(|run| run.deliver_p99_us)),
        };
        Self { row, measured }
    }
}
