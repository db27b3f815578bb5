//! Short transactions beside long reads.

use super::figure::{Horizontal, Mark};
use super::row::{Measured, Work};
use super::runs::{self, Point};
use super::{Chapter, Contender, Experiment, Figure, Parameters};
use crate::ycsb::LongReads;

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
    "YCSB: transactions of four operations beside threads that read 10,000 uniformly chosen records from one snapshot after the other. \
     With fewer cores than threads, the readers also take processor time, whatever the engine. So that this is told from what the engine makes of \
     them, everything is also run beside stand-ins: as many threads that read as many records of a copy of their own, and share nothing. What is \
     kept is the throughput beside readers, divided by that beside stand-ins in the run before.",
    "TPC-C: with another thread that reads all the stock of one warehouse after the other, so often, from a snapshot each. What is kept is the \
     throughput divided by that without scans.",
];

/// Runs beside nothing, beside stand-ins, beside readers.
fn ycsb(parameters: &Parameters, contenders: &[Contender]) -> Result<Vec<Measured>, String> {
    let mut points: Vec<Point> = Vec::new();
    for &reads in &parameters.read_ratios {
        let alone = parameters.ycsb(
            parameters.most_threads(),
            reads,
            false,
            Some(parameters.theta),
        );
        let mut stand_ins = alone.clone();
        stand_ins.long_readers = parameters.long_readers;
        stand_ins.long_reads = LongReads::StandIn;
        let mut readers = stand_ins.clone();
        readers.long_reads = LongReads::Steady;
        points.push(Work::Ycsb(alone).into());
        points.push(Work::Ycsb(stand_ins).into());
        points.push(Point::beside(Work::Ycsb(readers), 1));
    }
    runs::run(&points, contenders, parameters.repeats)
}

fn tpcc(parameters: &Parameters, contenders: &[Contender]) -> Result<Vec<Measured>, String> {
    let intervals = &parameters.scan_intervals;
    let off = intervals.iter().position(|interval| interval.0.is_none());
    let points: Vec<Point> = intervals
        .iter()
        .enumerate()
        .map(|(place, &interval)| {
            let work = Work::Tpcc(parameters.tpcc(parameters.most_threads(), interval));
            match off.and_then(|off| place.checked_sub(off)) {
                Some(back) if back > 0 => Point::beside(work, back),
                _ => work.into(),
            }
        })
        .collect();
    runs::run(&points, contenders, parameters.repeats)
}

pub(super) fn run(parameters: &Parameters, contenders: &[Contender]) -> Result<Chapter, String> {
    let mut rows = ycsb(parameters, contenders)?;
    rows.extend(tpcc(parameters, contenders)?);

    let of = |workload: &'static str| {
        let rows = rows.iter().map(|measured| &measured.row);
        rows.filter(move |row| row.workload == workload)
    };
    let reads = |percent: Option<f64>| percent.unwrap_or(0.0).to_string();
    let interval = |seconds: Option<f64>| seconds.map_or("off".to_owned(), |it| it.to_string());
    let threads = parameters.most_threads();
    let mut figures = Figure::of_groups(
        of("ycsb"),
        "reads, %",
        |_| format!("YCSB, theta {}, {threads} threads", parameters.theta),
        |row| {
            (
                reads(row.reads_percent),
                Mark::of(&row.engine, &format!("beside {}", row.besides)),
            )
        },
    );
    let mut kept = Figure::new(
        "YCSB: throughput kept beside long readers".to_owned(),
        Horizontal::places("reads, %"),
        "% of that beside stand-ins",
    );
    let mut kept_of_tpcc = Figure::new(
        "TPC-C: throughput kept beside stock scans".to_owned(),
        Horizontal::places("scan every, s"),
        "% of that without scans",
    );
    let mut aborts = Figure::new(
        "YCSB: aborted attempts".to_owned(),
        Horizontal::places("reads, %"),
        "aborted attempts, %",
    );
    for row in of("ycsb") {
        let mark = Mark::of(&row.engine, &format!("beside {}", row.besides));
        aborts.add(
            &reads(row.reads_percent),
            &mark,
            row.abort_rate * 100.0,
            None,
        );
        if let Some(share) = row.kept {
            kept.add(
                &reads(row.reads_percent),
                &Mark::of(&row.engine, ""),
                share * 100.0,
                None,
            );
        }
    }
    for row in of("tpcc") {
        if let Some(share) = row.kept {
            kept_of_tpcc.add(
                &interval(row.scan_interval_s),
                &Mark::of(&row.engine, ""),
                share * 100.0,
                None,
            );
        }
    }
    figures.extend([kept, aborts]);
    figures.extend(Figure::of_groups(
        of("tpcc"),
        "scan every, s",
        |_| format!("TPC-C, {threads} threads"),
        |row| (interval(row.scan_interval_s), Mark::of(&row.engine, "")),
    ));
    figures.push(kept_of_tpcc);
    figures.retain(|figure| !figure.series.is_empty());
    Chapter::of_rows(Experiment::LongReaders, parameters, ABOUT, figures, &rows)
}
