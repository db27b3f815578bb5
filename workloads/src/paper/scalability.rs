//! YCSB by threads and skew.

use super::figure::{Horizontal, Mark};
use super::row::Point;
use super::row::Work;
use super::runs;
use super::{Chapter, Contender, Experiment, Figure, Journal, Parameters};

pub(super) const TAKES: &[&str] = &[
    "threads",
    "repeats",
    "duration",
    "records",
    "value-size",
    "ops-per-txn",
    "read-ratios",
    "thetas",
    "seed",
];

const ABOUT: &[&str] = &[
    "Transactions of four operations that all read or all write, on records that are the more unequal in use the larger theta is: what more threads \
     bring when they meet at the same records.",
    "The last figure shows what the conflicts cost: attempts that were aborted and run again, by all attempts.",
];

pub(super) fn run(
    parameters: &Parameters,
    contenders: &[Contender],
    journal: &Journal,
) -> Result<Chapter, String> {
    let mut points: Vec<Point> = Vec::new();
    for &reads in &parameters.read_ratios {
        for &theta in &parameters.thetas {
            for &threads in &parameters.threads {
                points.push(
                    Work::Ycsb(Box::new(parameters.ycsb(
                        threads,
                        reads,
                        false,
                        Some(theta),
                    )))
                    .into(),
                );
            }
        }
    }
    let rows = runs::run(
        "scalability",
        &points,
        contenders,
        parameters.repeats,
        journal,
    )?;

    let all = || rows.iter().map(|measured| &measured.row);
    let reads = |percent: Option<f64>| format!("{} % reads", percent.unwrap_or(0.0));
    let theta = |theta: Option<f64>| theta.unwrap_or(0.0).to_string();
    let mut figures = Figure::of_groups(
        all(),
        "threads",
        |row| format!("{}, theta {}", reads(row.reads_percent), theta(row.theta)),
        |row| vec![(row.threads.to_string(), Mark::of(&row.engine, ""))],
    );
    let most = parameters.most_threads();
    let title = format!("Aborted attempts, {most} threads");
    let mut aborts = Figure::new(title, Horizontal::places("theta"), "aborted attempts, %");
    for row in all().filter(|row| row.threads == most) {
        let mark = Mark::of(&row.engine, &reads(row.reads_percent));
        aborts.add(&theta(row.theta), &mark, row.abort_rate * 100.0, None);
    }
    figures.push(aborts);
    Chapter::of_rows(Experiment::Scalability, parameters, ABOUT, figures, &rows)
}
