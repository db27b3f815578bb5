//! What a run measured.

use super::consistency::Violation;
use super::mix::Kind;
use super::sanity::{Figure, Inputs};
use super::settings::Settings;
use super::transactions::Profile;
use crate::engine::Engine;
use crate::engine::durable::Durability;
use crate::interruption::interrupted;
use crate::measure::{Histogram, Latency, counted, mebibytes, peak_rss_bytes};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What the checks of a run have found: the first that finds a violation is the last.
#[derive(Default)]
pub(super) struct Checks {
    /// How many found all conditions to hold.
    pub(super) held: u64,
    pub(super) violations: Vec<Violation>,
}

impl Checks {
    pub(super) fn all_held(&self) -> bool {
        self.violations.is_empty()
    }

    /// Adds a later check's outcome.
    pub(super) fn add(&mut self, violations: Vec<Violation>) {
        self.held += u64::from(violations.is_empty());
        self.violations.extend(violations);
    }
}

/// What the threads of a run have done, and for how long.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) seconds: f64,
    /// What durability has cost.
    pub(super) durability: Option<Durability>,
    /// If it was asked for.
    pub(super) stock_scans: Option<u64>,
}

/// What a thread has done.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) kinds: [KindTally; Kind::ALL.len()],
    /// Districts for which a delivery found no order.
    pub(super) skipped_districts: u64,
    pub(super) inputs: Inputs,
}

/// What a thread has done of one kind.
#[derive(Default)]
pub(super) struct KindTally {
    pub(super) count: u64,
    pub(super) aborted: u64,
    pub(super) rolled_back: u64,
    pub(super) latency: Histogram,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, kind) in self.kinds.iter_mut().zip(&other.kinds) {
            sum.count += kind.count;
            sum.aborted += kind.aborted;
            sum.rolled_back += kind.rolled_back;
            sum.latency.add(&kind.latency);
        }
        self.skipped_districts += other.skipped_districts;
        self.inputs.add(&other.inputs);
    }
}

/// The outcome for one kind of transaction.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TransactionReport {
    /// Transactions that committed.
    pub count: u64,
    /// Attempts that were aborted by a conflict and run again.
    pub aborted: u64,
    /// Transactions that rolled back because an item is unused (clause 2.4.2.3).
    pub rolled_back: u64,
    /// From the first attempt's start to the end, with or without a commit; if there was any.
    pub latency_us: Option<Latency>,
}

/// The outcome of a run. Serialises to the JSON of `--json`; displays as the command's table.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The engine's name.
    pub engine: String,
    /// The workload's name.
    pub workload: String,
    /// Warehouses.
    pub warehouses: u32,
    /// Threads that ran transactions.
    pub threads: usize,
    /// How long they ran.
    pub seconds: f64,
    /// The signal that ended the run early, if one did.
    pub interrupted: Option<&'static str>,
    /// Transactions that committed.
    pub committed: u64,
    /// Attempts that were aborted by a conflict and run again.
    pub aborted: u64,
    /// Transactions that rolled back because an item is unused.
    pub rollbacks: u64,
    /// Committed transactions per second.
    pub throughput_tps: f64,
    /// Committed new-orders per minute.
    pub tpmc: f64,
    /// Aborted attempts by all attempts.
    pub abort_rate: f64,
    /// By kind of transaction.
    pub transactions: BTreeMap<&'static str, TransactionReport>,
    /// Districts for which a delivery found no order.
    pub skipped_districts: u64,
    /// The largest resident set of the process so far, where the operating system tells.
    pub peak_rss_bytes: Option<u64>,
    /// What orders the transactions.
    pub clock: String,
    /// How inputs were drawn.
    pub profile: &'static str,
    /// The percentages of the kinds of transactions.
    pub mix: String,
    /// Whether terminals waited as clause 5.2.5 says.
    pub think_times: bool,
    /// How often all consistency conditions were checked, and held.
    pub checks: u64,
    /// What the first check found that found one of them violated, which ended the run.
    pub violations: Vec<Violation>,
    /// What the terminals asked for, with the bounds of clause 9.2.2.5, if it was to be checked.
    pub sanity: Vec<Figure>,
    /// How often the stock of a warehouse was scanned, if it was asked for.
    pub stock_scans: Option<u64>,
    /// For the random numbers.
    pub seed: u64,
    /// What durability has cost, of a durable engine.
    pub durability: Option<Durability>,
}

impl Report {
    pub(super) fn new<E: Engine>(
        engine: &E,
        settings: &Settings,
        outcome: &Outcome,
        checks: Checks,
    ) -> Self {
        let Outcome { tally, seconds, .. } = outcome;
        // A run that a violation in the initial population has kept from beginning has a rate of 0.
        let per_second = |count: u64| count as f64 / seconds.max(f64::MIN_POSITIVE);
        let sum = |of: fn(&KindTally) -> u64| tally.kinds.iter().map(of).sum::<u64>();
        let (committed, aborted) = (sum(|kind| kind.count), sum(|kind| kind.aborted));
        let rollbacks = sum(|kind| kind.rolled_back);
        let transactions = Kind::ALL.iter().zip(&tally.kinds).map(|(kind, tally)| {
            let report = TransactionReport {
                count: tally.count,
                aborted: tally.aborted,
                rolled_back: tally.rolled_back,
                latency_us: Latency::of(&tally.latency),
            };
            (kind.name(), report)
        });
        let new_orders = tally.kinds[Kind::NewOrder as usize].count;
        Self {
            engine: E::NAME.to_owned(),
            workload: "tpcc".to_owned(),
            warehouses: settings.warehouses,
            threads: settings.threads,
            seconds: *seconds,
            interrupted: interrupted().map(|it| it.signal),
            committed,
            aborted,
            rollbacks,
            throughput_tps: per_second(committed),
            tpmc: 60.0 * per_second(new_orders),
            abort_rate: aborted as f64 / (committed + aborted + rollbacks).max(1) as f64,
            transactions: transactions.collect(),
            skipped_districts: tally.skipped_districts,
            peak_rss_bytes: peak_rss_bytes(),
            clock: engine.clock(),
            durability: outcome.durability.clone(),
            profile: match settings.profile {
                Profile::Spec => "spec",
                Profile::Vmvcc => "vmvcc",
            },
            mix: settings.mix.to_string(),
            think_times: settings.think_times,
            checks: checks.held,
            violations: checks.violations,
            sanity: if settings.check {
                tally.inputs.figures(settings.warehouses)
            } else {
                Vec::new()
            },
            stock_scans: outcome.stock_scans,
            seed: settings.seed,
        }
    }
}

impl Report {
    fn show_sanity(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.sanity.is_empty() {
            write!(
                f,
                "\n\nwhat was asked for, with the bounds of clause 9.2.2.5"
            )?;
        }
        for figure in &self.sanity {
            write!(f, "\n{figure}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "tpcc on {} (clock {}): warehouses {}, threads {}, mix {}, seed {}",
            self.engine, self.clock, self.warehouses, self.threads, self.mix, self.seed
        )?;
        if self.profile == "vmvcc" {
            writeln!(
                f,
                "profile vmvcc, reduced as vMVCC's published code: customers by number only, no rollbacks, all payments 2.50, a delivery commits \
                 each district by itself (but skips no order)"
            )?;
        }
        writeln!(
            f,
            "{}",
            if self.think_times {
                "with keying and think times"
            } else {
                "without keying and think times"
            }
        )?;
        writeln!(
            f,
            "\n{:<14} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}",
            "", "committed", "aborted", "rolled back", "p50, us", "p90, us", "p99, us", "max, us"
        )?;
        for kind in Kind::ALL {
            let name = kind.name();
            let report = &self.transactions[name];
            write!(
                f,
                "{:<14} {:>11} {:>11} {:>11}",
                name.replace('_', "-"),
                report.count,
                report.aborted,
                report.rolled_back
            )?;
            match report.latency_us {
                Some(Latency {
                    p50, p90, p99, max, ..
                }) => writeln!(f, " {p50:>11.1} {p90:>11.1} {p99:>11.1} {max:>11.1}")?,
                None => writeln!(f, " {:>11} {:>11} {:>11} {:>11}", "-", "-", "-", "-")?,
            }
        }
        writeln!(
            f,
            "{:<14} {:>11} {:>11} {:>11}",
            "all", self.committed, self.aborted, self.rollbacks
        )?;
        writeln!(
            f,
            "\n{:<16}{:>14.0} committed new-orders per minute",
            "tpmC", self.tpmc
        )?;
        writeln!(
            f,
            "{:<16}{:>14.0} transactions/s",
            "throughput", self.throughput_tps
        )?;
        writeln!(f, "{:<16}{:>14.3}", "seconds", self.seconds)?;
        if let Some(signal) = self.interrupted {
            writeln!(f, "{:<16}{signal:>14} ended the run early", "interrupted")?;
        }
        writeln!(f, "{:<16}{:>14.4} %", "abort rate", self.abort_rate * 100.0)?;
        writeln!(
            f,
            "{:<16}{:>14} without an order to deliver",
            "skipped",
            counted(self.skipped_districts, "district")
        )?;
        if let Some(scans) = self.stock_scans {
            writeln!(
                f,
                "{:<16}{scans:>14} of a warehouse's stock, from a snapshot each",
                "stock scans"
            )?;
        }
        if self.checks > 0 {
            writeln!(
                f,
                "{:<16}{:>14} in which all consistency conditions held",
                "checks", self.checks
            )?;
        }
        if !self.violations.is_empty() {
            let numbers = self
                .violations
                .iter()
                .map(|found| found.condition.to_string());
            let numbers: Vec<_> = numbers.collect();
            writeln!(f, "{:<16}{:>14}", "VIOLATED", numbers.join(", "))?;
        }
        let memory = mebibytes(self.peak_rss_bytes);
        write!(f, "{:<16}{memory:>18}", "peak memory")?;
        self.show_sanity(f)?;
        match &self.durability {
            Some(durability) => durability.fmt(f),
            None => Ok(()),
        }
    }
}
