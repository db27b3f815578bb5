//! Short transactions beside long reads.

use super::figure::{Horizontal, Mark};
use super::row::{Measured, Point, Work};
use super::runs;
use super::{Chapter, Contender, Experiment, Figure, Journal, Parameters, Row};

pub(super) const TAKES: &[&str] = &[
    "threads",
    "repeats",
    "duration",
    "tpcc-duration",
    "records",
    "value-size",
    "ops-per-txn",
    "read-ratios",
    "theta",
    "long-readers",
    "scan-intervals",
    "warehouses",
    "mix",
    "seed",
];

const ABOUT: &[&str] = &[
    "YCSB: transactions of four operations beside threads that read 10,000 uniformly chosen records from one snapshot after the other. TPC-C: with \
     another thread that reads all the stock of one warehouse after the other, every so often, from a snapshot each.",
    "With fewer cores than threads, readers also take processor time, whatever the engine is. To tell this from what the engine makes of them, everything is \
     also run beside stand-ins: the same number of threads, doing the same reads in the same engine, but of a copy of the database that nobody writes. What is kept \
     is the throughput beside readers, divided by that beside stand-ins in the run before it.",
];

fn ycsb(
    parameters: &Parameters,
    contenders: &[Contender],
    journal: &Journal,
) -> Result<Vec<Measured>, String> {
    let mut points: Vec<Point> = Vec::new();
    let (threads, theta) = (parameters.most_threads(), Some(parameters.theta));
    for &reads in &parameters.read_ratios {
        let alone = parameters.ycsb(threads, reads, false, theta);
        let mut beside = alone.clone();
        beside.long_readers = parameters.long_readers;
        points.push(Work::Ycsb(Box::new(alone)).into());
        points.extend(Point::beside(&Work::Ycsb(Box::new(beside))));
    }
    let name = "long-readers ycsb";
    runs::run(name, &points, contenders, parameters.repeats, journal)
}

fn tpcc(
    parameters: &Parameters,
    contenders: &[Contender],
    journal: &Journal,
) -> Result<Vec<Measured>, String> {
    let mut points: Vec<Point> = Vec::new();
    for &interval in &parameters.scan_intervals {
        let work = Work::Tpcc(parameters.tpcc(parameters.most_threads(), interval));
        match interval.0 {
            None => points.push(work.into()),
            Some(_) => points.extend(Point::beside(&work)),
        }
    }
    let name = "long-readers tpcc";
    runs::run(name, &points, contenders, parameters.repeats, journal)
}

pub(super) fn run(
    parameters: &Parameters,
    contenders: &[Contender],
    journal: &Journal,
) -> Result<Chapter, String> {
    let mut rows = ycsb(parameters, contenders, journal)?;
    rows.extend(tpcc(parameters, contenders, journal)?);

    let of = |workload: &str| -> Vec<&Row> {
        let rows = rows.iter().map(|measured| &measured.row);
        rows.filter(|row| row.workload == workload).collect()
    };
    let beside = |row: &Row, what: &str| Mark::of(&row.engine, &format!("beside {what}"));
    let threads = parameters.most_threads();
    let title = format!("YCSB, theta {}, {threads} threads", parameters.theta);
    let mut figures = Figure::of_groups(
        of("ycsb"),
        READS,
        |_| title.clone(),
        |row| vec![(reads(row), beside(row, row.besides))],
    );
    figures.push(kept("YCSB", READS, &of("ycsb"), reads));
    let mut aborts = Figure::new(
        format!("YCSB, {threads} threads: aborted attempts"),
        Horizontal::places(READS),
        "% of all attempts",
    );
    for row in of("ycsb") {
        let percent = row.abort_rate * 100.0;
        aborts.add(&reads(row), &beside(row, row.besides), percent, None);
    }
    figures.push(aborts);
    let title = format!("TPC-C, {threads} threads");
    figures.extend(Figure::of_groups(
        of("tpcc"),
        INTERVAL,
        |_| title.clone(),
        |row| {
            // Without scans, nothing stands in for them.
            let whats = match row.besides {
                "nothing" => vec!["stand-ins", "readers"],
                what => vec![what],
            };
            let marks = whats.into_iter().map(|what| beside(row, what));
            marks.map(|mark| (interval(row), mark)).collect()
        },
    ));
    figures.push(kept("TPC-C", INTERVAL, &of("tpcc"), interval));
    Chapter::of_rows(Experiment::LongReaders, parameters, ABOUT, figures, &rows)
}

/// The names of the horizontal axes.
const READS: &str = "reads, %";
const INTERVAL: &str = "a scan every so many seconds";

fn reads(row: &Row) -> String {
    row.reads_percent.unwrap_or(0.0).to_string()
}

fn interval(row: &Row) -> String {
    row.scan_interval_s
        .map_or("off".to_owned(), |it| it.to_string())
}

/// What is kept of the throughput.
fn kept(workload: &str, label: &str, rows: &[&Row], place: impl Fn(&Row) -> String) -> Figure {
    let title = format!("{workload}: throughput kept beside long readers");
    let mut figure = Figure::new(
        title,
        Horizontal::places(label),
        "% of that beside stand-ins",
    );
    for row in rows {
        if let Some(share) = row.kept {
            figure.add(&place(row), &Mark::of(&row.engine, ""), share * 100.0, None);
        }
    }
    figure
}
