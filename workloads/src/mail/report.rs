//! What a run measured.

use super::settings::Settings;
use crate::engine::durable::Durability;
use crate::interruption::interrupted;
use crate::measure::{Histogram, Latency, counted, mebibytes, peak_rss_bytes};
use serde::Serialize;
use std::fmt;

/// What threads have done.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) deliveries: Histogram,
    pub(super) pickups: Histogram,
    pub(super) deletions: Histogram,
    /// Of the messages delivered.
    pub(super) bytes: u64,
    pub(super) read: u64,
    pub(super) deleted: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.deliveries.add(&other.deliveries);
        self.pickups.add(&other.pickups);
        self.deletions.add(&other.deletions);
        self.bytes += other.bytes;
        self.read += other.read;
        self.deleted += other.deleted;
    }
}

/// The outcome of a run. Serialises to the JSON of `--json`; displays as the command's table.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The engine's name.
    pub engine: String,
    /// The workload's name.
    pub workload: String,
    /// What mail was like.
    pub profile: &'static str,
    /// Users.
    pub users: u32,
    /// Threads that delivered and picked up.
    pub threads: usize,
    /// How long they did.
    pub seconds: f64,
    /// The signal that ended the run early, if one did.
    pub interrupted: Option<&'static str>,
    /// Deliveries and pickups, a pickup with its deletions, per second.
    pub throughput_rps: f64,
    /// Messages delivered.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Mailboxes picked up.
    pub pickups: u64,
    /// Messages that these have read, each checked to be whole, in order, and there once.
    pub read: u64,
    /// Messages deleted.
    pub deleted: u64,
    /// Of a delivery.
    pub deliver_us: Option<Latency>,
    /// Of reading a mailbox, which was locked before: in tables, of finding the messages, which are
    /// shared and not copied; in a Maildir, of reading their files.
    pub pickup_us: Option<Latency>,
    /// Of deleting what a pickup has read.
    pub delete_us: Option<Latency>,
    /// Messages that were there before.
    pub found: u64,
    /// Deliveries that earlier runs had noted in the ledger, and that were there; if mail was
    /// checked.
    pub found_again: Option<u64>,
    /// Messages that are there at the end.
    pub left: u64,
    /// The largest resident set of the process so far, where the operating system tells.
    pub peak_rss_bytes: Option<u64>,
    /// For the random numbers.
    pub seed: u64,
    /// What durability has cost, of a durable engine.
    pub durability: Option<Durability>,
}

impl Report {
    /// Of what threads have done.
    pub(super) fn new(engine: String, settings: &Settings, seconds: f64, tally: &Tally) -> Self {
        let (deliveries, pickups) = (tally.deliveries.count(), tally.pickups.count());
        Self {
            engine,
            workload: "mail".to_owned(),
            profile: settings.profile.name(),
            users: settings.users,
            threads: settings.threads,
            seconds,
            interrupted: interrupted().map(|it| it.signal),
            throughput_rps: (deliveries + pickups) as f64 / seconds,
            delivered: deliveries,
            delivered_bytes: tally.bytes,
            pickups,
            read: tally.read,
            deleted: tally.deleted,
            deliver_us: Latency::of(&tally.deliveries),
            pickup_us: Latency::of(&tally.pickups),
            delete_us: Latency::of(&tally.deletions),
            found: 0,
            found_again: None,
            left: 0,
            peak_rss_bytes: peak_rss_bytes(),
            seed: settings.seed,
            durability: None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "mail on {}: {}, {}, profile {}, seed {}",
            self.engine,
            counted(u64::from(self.users), "user"),
            counted(self.threads as u64, "thread"),
            self.profile,
            self.seed
        )?;
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: u64, of: &str| {
            writeln!(f, "{name:<14}{value:>16} {of}")
        };
        writeln!(f)?;
        line(f, "found", self.found, "messages")?;
        if let Some(found) = self.found_again {
            line(f, "found again", found, "messages, all that the ledger has")?;
        }
        let mean = self.delivered_bytes as f64 / self.delivered.max(1) as f64;
        let of = format!("messages, {mean:.0} bytes each");
        line(f, "delivered", self.delivered, &of)?;
        let of = format!("times, {} messages", self.read);
        line(f, "picked up", self.pickups, &of)?;
        line(f, "deleted", self.deleted, "messages")?;
        line(f, "left", self.left, "messages")?;
        writeln!(f, "{:<14}{:>16.3}", "seconds", self.seconds)?;
        if let Some(signal) = self.interrupted {
            writeln!(f, "{:<14}{signal:>16} ended the run early", "interrupted")?;
        }
        writeln!(
            f,
            "{:<14}{:>16.0} requests/s, deliveries and pickups",
            "throughput", self.throughput_rps
        )?;
        let checked = match self.found_again {
            Some(_) => "nothing lost, doubled or torn, and nothing came back",
            None => "nothing doubled or torn",
        };
        writeln!(f, "{:<14}{checked}", "checked")?;
        let memory = mebibytes(self.peak_rss_bytes);
        writeln!(f, "{:<14}{memory:>20}", "peak memory")?;
        write!(
            f,
            "\n{:<14} {:>11} {:>11} {:>11} {:>11} {:>11}",
            "latency, us", "p50", "p95", "p99", "p99.9", "max"
        )?;
        for (name, latency) in [
            ("deliver", self.deliver_us),
            ("pickup", self.pickup_us),
            ("delete", self.delete_us),
        ] {
            if let Some(Latency {
                p50,
                p95,
                p99,
                p999,
                max,
                ..
            }) = latency
            {
                write!(
                    f,
                    "\n{name:<14} {p50:>11.2} {p95:>11.2} {p99:>11.2} {p999:>11.2} {max:>11.2}"
                )?;
            }
        }
        match &self.durability {
            Some(durability) => durability.fmt(f),
            None => Ok(()),
        }
    }
}
