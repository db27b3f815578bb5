//! What a snapshot that is held for long costs: YCSB's workload A (half reads, half updates,
//! zipfian 0.99) without one and with one.
//!
//! ```sh
//! cargo run --release -p tsc-mvcc --example memory [-- SECONDS]
//! ```
//!
//! Two databases take turns, a second each, so that whatever else the machine does slows both down
//! alike. One has a snapshot that was taken after loading and is held to the end.

#[path = "../tests/counting/mod.rs"]
mod counting;

use counting::heap_bytes;
use mvcc::{Database, Snapshot, Table};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const RECORDS: u64 = 1_000_000;
const THREADS: u64 = 2;

type Usertable = Table<u64, [u8; 100]>;

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let seconds = seconds.unwrap_or(20);
    let (mut free, mut held) = (Subject::load(), Subject::load());
    held.snapshot = Some(held.db.snapshot());
    let zipf = Zipf::new(RECORDS, 0.99);
    println!("| second | none: M/s | bytes/row | versions | held: M/s | bytes/row | versions |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    println!("| 0 | {} | {} |", free.report(None), held.report(None));
    let mut ratios = Vec::new();
    let mut bytes = Vec::new();
    for second in 1..=seconds {
        let rates = [&mut free, &mut held].map(|subject| subject.run(&zipf));
        let reports = (free.report(Some(rates[0])), held.report(Some(rates[1])));
        println!("| {second} | {} | {} |", reports.0, reports.1);
        ratios.push(rates[1] / rates[0]);
        bytes.push(held.bytes);
    }
    ratios.sort_by(f64::total_cmp);
    if let (Some(ratio), Some(last)) = (ratios.get(ratios.len() / 2), bytes.last()) {
        println!(
            "\nThroughput with the snapshot: {ratio:.2} of that without (median of the seconds)."
        );
        let tenth = bytes[bytes.len().min(10) - 1];
        let growth = 100.0 * (*last as f64 / tenth as f64 - 1.0);
        println!("Memory with the snapshot after the first 10 seconds: {growth:+.1} %.");
    }
    held.snapshot = None;
    held.counted(|subject| subject.db.collect());
    println!(
        "After the snapshot was dropped and one `collect`: {}.",
        held.report(None)
    );
}

/// A database under load.
struct Subject {
    db: Database,
    table: Usertable,
    snapshot: Option<Snapshot>,
    /// What it has on the heap.
    bytes: i64,
}

impl Subject {
    fn load() -> Self {
        let before = heap_bytes();
        let db = Database::new();
        let table = db.table("usertable").expect("a new table");
        for first in (0..RECORDS).step_by(1_000) {
            let Ok(()) = db.run(|tx| {
                for key in first..first + 1_000 {
                    tx.insert(&table, key, [0; 100]);
                }
                Ok::<_, Infallible>(())
            });
        }
        Self {
            db,
            table,
            snapshot: None,
            bytes: heap_bytes() - before,
        }
    }

    /// Does something that changes what it has on the heap.
    fn counted<T>(&mut self, work: impl FnOnce(&Self) -> T) -> T {
        let before = heap_bytes();
        let result = work(self);
        self.bytes += heap_bytes() - before;
        result
    }

    /// Runs the workload for a second; returns millions of transactions in a second.
    fn run(&mut self, zipf: &Zipf) -> f64 {
        let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let start = Instant::now();
        self.counted(|subject| {
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        let mut random = fastrand::Rng::new();
                        let mut count = 0;
                        while !stop.load(Ordering::Relaxed) {
                            let key = scatter(zipf.rank(&mut random));
                            operation(&subject.db, &subject.table, key, random.bool());
                            count += 1;
                        }
                        done.fetch_add(count, Ordering::Relaxed);
                    });
                }
                std::thread::sleep(Duration::from_secs(1));
                stop.store(true, Ordering::Relaxed);
            });
        });
        done.into_inner() as f64 / 1e6 / start.elapsed().as_secs_f64()
    }

    fn report(&self, rate: Option<f64>) -> String {
        let rate = rate.map_or_else(String::new, |rate| format!("{rate:.2}"));
        let row = self.bytes as f64 / RECORDS as f64;
        format!("{rate} | {row:.1} | {}", self.db.stats().live_versions)
    }
}

fn operation(db: &Database, table: &Usertable, key: u64, read: bool) {
    if read {
        let found = db.view(|view| view.contains_key(table, &key));
        assert!(found, "record {key} was loaded");
    } else {
        let Ok(()) = db.run(|tx| Ok::<_, Infallible>(tx.insert(table, key, [1; 100])));
    }
}

/// Spreads the hot ranks over all records.
fn scatter(rank: u64) -> u64 {
    rank.wrapping_mul(0x9e37_79b9_7f4a_7c15) % RECORDS
}

/// Zipfian ranks from 0, by the method of Gray et al. (SIGMOD 1994), as in YCSB.
struct Zipf {
    ranks: f64,
    theta: f64,
    zeta: f64,
    eta: f64,
}

impl Zipf {
    fn new(ranks: u64, theta: f64) -> Self {
        let zeta = |n: u64| (1..=n).map(|i| (i as f64).powf(-theta)).sum::<f64>();
        let (all, two, n) = (zeta(ranks), zeta(2), ranks as f64);
        let eta = (1.0 - (2.0 / n).powf(1.0 - theta)) / (1.0 - two / all);
        Self {
            ranks: n,
            theta,
            zeta: all,
            eta,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to the number of ranks"
    )]
    fn rank(&self, random: &mut fastrand::Rng) -> u64 {
        let uniform = random.f64();
        let weight = uniform * self.zeta;
        if weight < 1.0 {
            0
        } else if weight < 1.0 + 0.5_f64.powf(self.theta) {
            1
        } else {
            let spread = (self.eta * uniform - self.eta + 1.0).powf(1.0 / (1.0 - self.theta));
            (self.ranks * spread).min(self.ranks - 1.0) as u64
        }
    }
}
