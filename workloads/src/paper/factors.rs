//! What a timestamp costs a read.

use super::figure::Mark;
use super::row::Point;
use super::row::Work;
use super::runs;
use super::{Chapter, Contender, Experiment, Figure, Journal, Parameters};
use crate::ycsb::ReadOnly;
use mvcc::{ClockChoice, Database};

pub(super) const TAKES: &[&str] = &[
    "threads",
    "repeats",
    "duration",
    "records",
    "value-size",
    "ops-per-txn",
    "theta",
    "seed",
];

const ABOUT: &[&str] = &[
    "Transactions of one read. In the paper each takes a timestamp when it begins: from a counter behind a mutex, from a counter that is advanced by \
     fetch-and-add, or from the processor's time-stamp counter, which is shared by nobody.",
    "Here reading transactions take none, unless one is asked for. So the three sources are compared on read-write transactions that only read and whose \
     commit returns a timestamp; below them stand the same transactions without one, views (the usual way to read), and a snapshot for \
     each read, which takes a timestamp and a place in a list at once and is meant to be kept.",
];

/// Ways of reading, as clock and way. The names of the clocks are those that the databases have in
/// the end.
const WAYS: [(ClockChoice, ReadOnly, &str); 6] = [
    (ClockChoice::Auto, ReadOnly::View, "view without timestamp"),
    (
        ClockChoice::Auto,
        ReadOnly::Transaction,
        "transaction without timestamp",
    ),
    (ClockChoice::Auto, ReadOnly::Timestamped, "transaction"),
    (ClockChoice::Counter, ReadOnly::Timestamped, "transaction"),
    (
        ClockChoice::LockedCounter,
        ReadOnly::Timestamped,
        "transaction",
    ),
    (ClockChoice::Auto, ReadOnly::Snapshot, "snapshot"),
];

fn contenders() -> Vec<Contender> {
    let ways = WAYS.into_iter().map(|(clock, read_only, way)| {
        let make = move || {
            let database = Database::builder().clock(clock).build();
            database.expect("these clocks are on every machine")
        };
        let timestamp = match read_only {
            ReadOnly::View | ReadOnly::Transaction => String::new(),
            ReadOnly::Timestamped | ReadOnly::Snapshot => {
                format!(" with timestamp from {}", make().clock().kind())
            }
        };
        Contender::new(make).reading(read_only, format!("{way}{timestamp}"))
    });
    ways.collect()
}

pub(super) fn run(parameters: &Parameters, journal: &Journal) -> Result<Chapter, String> {
    let theta = parameters.theta;
    let points: Vec<Point> = parameters
        .threads
        .iter()
        .map(|&threads| {
            Work::Ycsb(Box::new(parameters.ycsb(
                threads,
                100.0,
                false,
                Some(theta),
            )))
            .into()
        })
        .collect();
    let rows = runs::run(
        "factors",
        &points,
        &contenders(),
        parameters.repeats,
        journal,
    )?;
    let figures = Figure::of_groups(
        rows.iter().map(|measured| &measured.row),
        "threads",
        |_| format!("One read, theta {theta}"),
        |row| vec![(row.threads.to_string(), Mark::of("", &row.variant))],
    );
    Chapter::of_rows(Experiment::Factors, parameters, ABOUT, figures, &rows)
}
