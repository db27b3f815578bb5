//! Loads the database, runs the mix, and checks.

use super::consistency::{Violation, When, check};
use super::load::load;
use super::mix::Kind;
use super::random::{Constants, Random};
use super::report::{Checks, Outcome, Report, Tally};
use super::schema::{Tables, key};
use super::settings::Settings;
use super::transactions::{Delivery, NewOrder, OrderStatus, Payment, StockLevel, Terminal};
use crate::engine::{Engine, Read};
use crate::interruption::{self, interrupted};
use crate::measure::{counted, progress, seed_of};
use crate::memory;
use crate::team::{self, Start};
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{ScopedJoinHandle, sleep};
use std::time::{Duration, Instant};

/// What all threads of a run share.
struct Run<'r, E: Engine> {
    engine: &'r E,
    tables: Tables<E>,
    /// What the stock scans read.
    scanned: (&'r E, Tables<E>),
    settings: &'r Settings,
    constants: Constants,
    committed: Vec<Committed>,
    stop: AtomicBool,
}

/// A thread's counter, on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Committed(AtomicU64);

/// How often a check is made at most.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a thread that waits looks whether the run is over.
const PATIENCE: Duration = Duration::from_millis(20);

/// Loads and runs on an engine that has none of the tables yet. A check that finds a violation ends
/// the run; the report has it.
///
/// # Errors
/// A message if the engine fails.
///
/// # Panics
/// If the engine loses a row.
pub fn run<E: Engine>(engine: &E, settings: &Settings) -> Result<Report, String> {
    if !engine.is_loaded() {
        load_all(engine, settings)?;
        engine.loaded();
    }
    measure(engine, engine, settings)
}

/// Only loads.
///
/// # Errors
/// A message if the engine fails.
pub fn load_all<E: Engine>(engine: &E, settings: &Settings) -> Result<(), String> {
    let tables = tables(engine, settings)?;
    load(engine, &tables, settings.threads, settings.seed)
}

/// What a load puts into the tables.
pub fn loads(settings: &Settings) -> String {
    let Settings {
        warehouses, scale, ..
    } = settings;
    format!(
        "TPC-C with {} of {scale:?}",
        counted(u64::from(*warehouses), "warehouse")
    )
}

fn tables<E: Engine>(engine: &E, settings: &Settings) -> Result<Tables<E>, String> {
    Tables::open(engine, settings.scale, settings.warehouses)
}

/// Runs, once, on an engine that is loaded.
///
/// The stock scans are of `scanned`: the same engine, or another one that is loaded alike and that
/// nobody writes to. Those stand in for scans: they cost as much work and concern nobody.
///
/// # Errors
/// A message if the engine fails.
///
/// # Panics
/// If the engine loses a row.
pub fn measure<E: Engine>(engine: &E, scanned: &E, settings: &Settings) -> Result<Report, String> {
    let run = Run {
        engine,
        tables: tables(engine, settings)?,
        scanned: (scanned, tables(scanned, settings)?),
        settings,
        constants: Constants::new(settings.seed),
        committed: (0..settings.threads)
            .map(|_| Committed::default())
            .collect(),
        stop: AtomicBool::new(false),
    };
    interruption::check()?;
    let mut checks = Checks::default();
    let when = if engine.is_loaded() {
        When::Running
    } else {
        When::Loaded
    };
    run.check_at_rest(when, &mut checks);
    let mut outcome = Outcome::default();
    if checks.all_held() {
        outcome = run.run(&mut checks)?;
    }
    if checks.all_held() {
        run.check_at_rest(When::Running, &mut checks);
    }
    Ok(Report::new(engine, settings, &outcome, checks))
}

impl<E: Engine> Run<'_, E> {
    /// Runs transactions for as long as it was asked for, or until a check finds a violation.
    fn run(&self, checks: &mut Checks) -> Result<Outcome, String> {
        let start = Start::default();
        std::thread::scope(|scope| {
            let (start, starter) = (&start, start.starter());
            let mut workers = Vec::new();
            for thread in 0..self.settings.threads {
                workers.push(team::spawn(scope, move || {
                    let begun = start.wait();
                    begun.map_or_else(Tally::default, |begin| self.work(thread, begin))
                })?);
            }
            let interval = self.settings.stock_scan_interval;
            let scan = |interval| {
                team::spawn(scope, move || {
                    if start.wait().is_some() {
                        self.scan_stock(interval)
                    } else {
                        0
                    }
                })
            };
            let scanner = interval.map(scan).transpose()?;
            let keep_checking = || {
                if start.wait().is_some() {
                    self.keep_checking(checks);
                }
            };
            let checker = self
                .settings
                .check
                .then(|| team::spawn(scope, keep_checking));
            let checker = checker.transpose()?;
            let others = usize::from(scanner.is_some()) + usize::from(checker.is_some());
            self.engine.begin();
            let start = starter.begin(workers.len() + others);
            let done = || workers.iter().all(ScopedJoinHandle::is_finished);
            let room = self.watch(start, done);
            let mut tally = Tally::default();
            for worker in workers {
                tally.add(&worker.join().expect("a worker panicked"));
            }
            let durability = self.engine.end();
            let seconds = start.elapsed().as_secs_f64();
            if let Some(checker) = checker {
                checker.join().expect("the checker panicked");
            }
            room?;
            Ok(Outcome {
                tally,
                seconds,
                durability,
                stock_scans: scanner.map(|scanner| scanner.join().expect("the scanner panicked")),
            })
        })
    }

    /// Shows progress until the time is over. Ends the run early if memory runs out.
    fn watch(&self, start: Instant, done: impl Fn() -> bool) -> Result<(), String> {
        let bar = progress("running", None);
        let mut memory = memory::Watch::new();
        let mut room = Ok(());
        while !done() {
            room = room.and_then(|()| memory.look());
            let left = self.settings.duration.saturating_sub(start.elapsed());
            if room.is_err() || left.is_zero() || interrupted().is_some() {
                self.stop.store(true, Relaxed);
            }
            sleep(left.clamp(Duration::from_millis(1), Duration::from_millis(100)));
            let committed: u64 = self
                .committed
                .iter()
                .map(|Committed(count)| count.load(Relaxed))
                .sum();
            let rate = committed as f64 / start.elapsed().as_secs_f64();
            bar.set_message(format!("{committed} transactions, {:.1} k/s", rate / 1e3));
            bar.tick();
        }
        bar.finish_and_clear();
        room
    }

    fn stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Waits, unless the run is over before.
    fn wait_until(&self, end: Instant) {
        while !self.stopped() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleep(left.min(PATIENCE));
        }
    }

    fn wait(&self, seconds: f64) {
        self.wait_until(Instant::now() + Duration::from_secs_f64(seconds));
    }

    fn work(&self, thread: usize, begin: Instant) -> Tally {
        let number = u32::try_from(thread).expect("there are fewer threads");
        let (warehouses, districts) = (self.settings.warehouses, self.settings.scale.districts);
        let district = number / warehouses % u32::from(districts);
        let mut worker = Worker {
            run: self,
            at: Terminal {
                warehouse: number % warehouses + 1,
                district: u8::try_from(district + 1).expect("not more than there are districts"),
                profile: self.settings.profile,
            },
            random: Random::new(
                self.constants,
                seed_of(self.settings.seed, u64::from(number)),
            ),
            thread: number + 1,
            payments: self.payments(number + 1),
            tally: Tally::default(),
        };
        let mut committed = 0;
        while !self.stopped() {
            let kind = self.settings.mix.draw(&mut worker.random);
            let (keying, thinking) = kind.waits();
            if self.settings.think_times {
                self.wait(keying);
                if self.stopped() {
                    break;
                }
            }
            committed += u64::from(worker.transact(kind));
            self.committed[thread].0.store(committed, Relaxed);
            // Beside many busy threads, the one that watches may wait long for a core.
            if begin.elapsed() >= self.settings.duration {
                self.stop.store(true, Relaxed);
            }
            if self.settings.think_times {
                self.wait(worker.random.exponential(thinking));
            }
        }
        worker.tally
    }

    /// The last number of a payment that this thread has made: in an earlier run, where the engine
    /// goes on with its rows.
    fn payments(&self, thread: u32) -> u32 {
        if !self.engine.is_loaded() {
            return 0;
        }
        self.engine.snapshot(|snapshot| {
            let all = snapshot.range(&self.tables.history, ..);
            let own = all.filter(|(key, _)| key.thread == thread);
            own.map(|(key, _)| key.sequence).max().unwrap_or(0)
        })
    }

    /// Reads all the stock of one warehouse after the other, and returns how many.
    fn scan_stock(&self, interval: Duration) -> u64 {
        let mut scans = 0;
        let mut warehouses = (1..=self.settings.warehouses).cycle();
        // Half of it first, so that a run has as many scans as intervals.
        let mut next = Instant::now() + interval / 2;
        loop {
            self.wait_until(next);
            if self.stopped() {
                return scans;
            }
            next = Instant::now().max(next + interval);
            let warehouse = warehouses.next().expect("there is a warehouse");
            let (engine, tables) = &self.scanned;
            let quantity: i64 = engine.snapshot(|snapshot| {
                let items = 1..=self.settings.scale.items;
                let quantities = items.map(|item| {
                    let stock = snapshot.get(&tables.stock, &key::stock(warehouse, item));
                    i64::from(stock.expect("all warehouses stock all items").quantity)
                });
                quantities.sum()
            });
            black_box(quantity);
            scans += 1;
        }
    }

    /// Checks while transactions run.
    fn keep_checking(&self, checks: &mut Checks) {
        while !self.stopped() {
            let next = Instant::now() + CHECK_INTERVAL;
            checks.add(self.check(When::Running));
            if !checks.all_held() {
                self.stop.store(true, Relaxed);
            }
            self.wait_until(next);
        }
    }

    /// Checks while nothing else runs, if it is asked for.
    fn check_at_rest(&self, when: When, checks: &mut Checks) {
        if !self.settings.check {
            return;
        }
        let bar = progress("checking", None);
        bar.enable_steady_tick(Duration::from_millis(100));
        checks.add(self.check(when));
        bar.finish_and_clear();
    }

    fn check(&self, when: When) -> Vec<Violation> {
        self.engine
            .snapshot(|snapshot| check(&self.tables, snapshot, when))
    }
}

/// A thread that runs transactions.
struct Worker<'r, E: Engine> {
    run: &'r Run<'r, E>,
    at: Terminal,
    random: Random,
    /// From 1; 0 has loaded.
    thread: u32,
    payments: u32,
    tally: Tally,
}

impl<E: Engine> Worker<'_, E> {
    /// Draws and runs a transaction, and returns whether it committed.
    fn transact(&mut self, kind: Kind) -> bool {
        let (engine, tables) = (self.run.engine, &self.run.tables);
        let (scale, warehouses) = (&tables.scale, tables.warehouses);
        let random = &mut self.random;
        let tally = &mut self.tally.kinds[kind as usize];
        // A transaction in several parts commits each by itself.
        let (mut attempts, mut parts) = (0_u64, 1);
        let start;
        let mut committed = true;
        match kind {
            Kind::NewOrder => {
                let input = NewOrder::draw(random, scale, warehouses, self.at);
                self.tally.inputs.order(&input);
                start = Instant::now();
                let output = engine.run(|tx| {
                    attempts += 1;
                    input.run(tx, tables)
                });
                committed = black_box(output).is_ok();
            }
            Kind::Payment => {
                self.payments += 1;
                let key = (self.thread, self.payments);
                let input = Payment::draw(random, scale, warehouses, self.at, key);
                self.tally.inputs.payment(&input);
                start = Instant::now();
                let output = engine.run(|tx| {
                    attempts += 1;
                    Ok::<_, Infallible>(input.run(tx, tables))
                });
                let Ok(_) = black_box(output);
            }
            Kind::OrderStatus => {
                let input = OrderStatus::draw(random, scale, self.at);
                self.tally.inputs.status(&input);
                start = Instant::now();
                black_box(engine.view(|view| {
                    attempts += 1;
                    input.run(view, tables)
                }));
            }
            Kind::Delivery => {
                let input = Delivery::draw(random, self.at);
                start = Instant::now();
                parts = 0;
                for districts in input.parts(scale) {
                    parts += 1;
                    let Ok(output) = engine.run(|tx| {
                        attempts += 1;
                        Ok::<_, Infallible>(input.run(tx, tables, districts.clone()))
                    });
                    self.tally.skipped_districts += output.skipped;
                }
            }
            Kind::StockLevel => {
                let input = StockLevel::draw(random, self.at);
                start = Instant::now();
                black_box(engine.view(|view| {
                    attempts += 1;
                    input.run(view, tables)
                }));
            }
        }
        tally.latency.record(start.elapsed());
        tally.aborted += attempts - parts;
        if committed {
            tally.count += 1;
        } else {
            tally.rolled_back += 1;
            self.tally.inputs.rolled_back();
        }
        committed
    }
}
