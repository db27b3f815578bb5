//! YCSB and TPC-C as the paper compares itself with Silo.

use super::figure::Mark;
use super::row::Point;
use super::row::Work;
use super::runs;
use super::{Chapter, Contender, Experiment, Figure, Interval, Journal, Parameters};

pub(super) const TAKES: &[&str] = &[
    "threads",
    "repeats",
    "duration",
    "tpcc-duration",
    "records",
    "value-size",
    "ops-per-txn",
    "read-ratios",
    "scan-length",
    "warehouses",
    "mix",
    "seed",
];

const ABOUT: &[&str] = &[
    "The paper's comparison with Silo: transactions of one operation on uniformly chosen records, all reads, half of them, none; scans; \
     and TPC-C with a warehouse for each thread. Aborted attempts are run again and counted; a throughput counts what has committed.",
    "Here the engines are compared with each other: Silo is C++ and not part of this program. A value is written as a whole and not read before.",
];

pub(super) fn run(
    parameters: &Parameters,
    contenders: &[Contender],
    journal: &Journal,
) -> Result<Chapter, String> {
    let run = |part: &str, points: &[Point]| {
        let name = format!("silo {part}");
        runs::run(&name, points, contenders, parameters.repeats, journal)
    };
    let threads = || parameters.threads.iter().copied();
    let ycsb = |reads: f64, scans: bool| {
        threads()
            .map(move |threads| Work::Ycsb(Box::new(parameters.ycsb(threads, reads, scans, None))))
    };
    let points: Vec<Point> = parameters
        .read_ratios
        .iter()
        .flat_map(|&reads| ycsb(reads, false).map(Point::from))
        .collect();
    let mut rows = run("points", &points)?;
    let scans: Vec<Point> = ycsb(100.0, true).map(Point::from).collect();
    rows.extend(run("scans", &scans)?);
    let off = Interval(None);
    let tpcc: Vec<Point> = threads()
        .map(|threads| Work::Tpcc(parameters.tpcc(threads, off)).into())
        .collect();
    rows.extend(run("tpcc", &tpcc)?);

    let figures = Figure::of_groups(
        rows.iter().map(|measured| &measured.row),
        "threads",
        |row| match (row.workload, row.scan_length) {
            ("tpcc", _) => "TPC-C".to_owned(),
            (_, Some(length)) => format!("YCSB, scans of {length}"),
            _ => format!("YCSB, {} % reads", row.reads_percent.unwrap_or(0.0)),
        },
        |row| vec![(row.threads.to_string(), Mark::of(&row.engine, ""))],
    );
    Chapter::of_rows(Experiment::Silo, parameters, ABOUT, figures, &rows)
}
