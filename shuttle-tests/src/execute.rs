//! Running a program and recording its history.

use crate::history::{History, Kind, Outcome};
use crate::operation::{Key, LISTS, ORDERED, POINTS, Scan};
use crate::program::{Body, Program, Range, Step};
use crate::recorder::{Handle, Log, Recorder};
use fastrand::Rng;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a transaction or a snapshot reads.
pub trait Reads {
    /// The value of a key of [`POINTS`] or [`ORDERED`].
    fn get(&self, key: Key) -> Option<u64>;

    /// A list of [`LISTS`]; empty if there is none.
    fn list(&self, key: Key) -> Vec<u64>;

    /// The rows of a range in its direction; those of a table without order are sorted.
    fn scan(&self, range: &Range) -> Vec<(u32, u64)>;
}

/// A transaction that can write.
pub trait Writes: Reads {
    /// Gives a key a value.
    fn insert(&self, key: Key, value: u64);

    /// Removes a key.
    fn remove(&self, key: Key);

    /// Replaces a key's value, if it has one, and returns what it had.
    fn update(&self, key: Key, value: u64) -> Option<u64>;

    /// Adds to the end of a list.
    fn append(&self, key: Key, value: u64);
}

/// A transaction that was begun by hand. Dropping it aborts it.
pub trait Begun: Writes {
    /// Commits; the timestamp, or nothing if it lost against another transaction.
    fn commit(self: Box<Self>) -> Option<u64>;
}

/// An engine under test, with three empty tables.
pub trait Subject: Send + Sync {
    /// Begins a transaction.
    fn begin(&self) -> Box<dyn Begun + '_>;

    /// Runs a closure as a transaction until it commits, or until it returns false: then it is aborted.
    fn run(&self, body: &mut dyn FnMut(&dyn Writes) -> bool);

    /// Runs a closure that only reads.
    fn view(&self, body: &mut dyn FnMut(&dyn Reads));

    /// A state to read from, and its timestamp, if that is told.
    fn snapshot(&self) -> (Box<dyn Reads + '_>, Option<u64>);
}

/// How to run things at the same time. A model checker brings its own.
pub trait Threads: Sync {
    /// Runs each task on a thread of its own, and returns when all have ended.
    fn run(&self, tasks: Vec<Box<dyn FnOnce() + Send + '_>>);

    /// Waits for other threads.
    fn wait_until(&self, condition: &dyn Fn() -> bool);

    /// Lets some time pass: 0 is none, 255 a lot.
    fn pause(&self, amount: u8);
}

/// The operating system's threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdThreads;

impl Threads for StdThreads {
    fn run(&self, tasks: Vec<Box<dyn FnOnce() + Send + '_>>) {
        std::thread::scope(|scope| {
            for task in tasks {
                scope.spawn(task);
            }
        });
    }

    fn wait_until(&self, condition: &dyn Fn() -> bool) {
        // Woken from a yield one is late, so it comes second; but the other thread may be waiting for this very core.
        for _ in 0..SPINS {
            if condition() {
                return;
            }
            std::hint::spin_loop();
        }
        while !condition() {
            std::thread::yield_now();
        }
    }

    fn pause(&self, amount: u8) {
        match amount {
            0..128 => {}
            128..224 => (64..amount).for_each(|_| std::hint::spin_loop()),
            // Gives the others the time of whole transactions, also if they have no other core.
            224.. => std::thread::yield_now(),
        }
    }
}

/// Some microseconds: the time in which another thread on another core gets ready.
const SPINS: u32 = 200;

/// After so many attempts that lost, a transaction that is committed by hand is given up, which bounds the history.
const ATTEMPTS: u64 = 8;

/// Runs a program on an empty engine. The history begins with the initial rows, and ends with a snapshot of everything, so that no write
/// goes unseen.
pub fn execute(program: &Program, subject: &dyn Subject, threads: &dyn Threads) -> History {
    let histories = execute_all(&[(program, subject)], threads);
    histories.into_iter().next().unwrap_or_default()
}

/// Runs programs one after the other, each on its empty engine, with the same threads for all of them.
///
/// Threads that have just been started are often run one after the other, and transactions are far shorter than that: threads that go on for some
/// milliseconds have a core each, and what they do at the same time overlaps.
pub fn execute_all(runs: &[(&Program, &dyn Subject)], threads: &dyn Threads) -> Vec<History> {
    let stage = |&(program, subject)| Stage {
        program,
        subject,
        recorder: Recorder::new(),
        arrived: AtomicUsize::new(0),
    };
    let stages: Vec<Stage<'_>> = runs.iter().map(stage).collect();
    for stage in &stages {
        stage.run(threads, 0, &[(0, &first(stage.program))]);
    }
    let thread_count = runs.iter().map(|(program, _)| program.threads.len()).max();
    let tasks = (0..thread_count.unwrap_or(0)).map(|thread| {
        let stages = &stages;
        Box::new(move || {
            for stage in stages {
                stage.run_thread(threads, thread);
            }
        }) as Box<dyn FnOnce() + Send + '_>
    });
    threads.run(tasks.collect());
    let finish = |stage: Stage<'_>| {
        stage.run(threads, 0, &[(0, &last(stage.program))]);
        stage.recorder.finish()
    };
    stages.into_iter().map(finish).collect()
}

/// A program on its way.
struct Stage<'r> {
    program: &'r Program,
    subject: &'r dyn Subject,
    recorder: Recorder,
    /// Threads that are ready for it: they start together.
    arrived: AtomicUsize,
}

impl Stage<'_> {
    fn run_thread(&self, threads: &dyn Threads, thread: usize) {
        let count = self.program.threads.len();
        let Some(bodies) = self.program.threads.get(thread) else {
            return;
        };
        let number = |index| (1 + thread + index * count) as u64;
        let bodies = bodies.iter().enumerate();
        let bodies: Vec<_> = bodies.map(|(index, body)| (number(index), body)).collect();
        self.arrived.fetch_add(1, Ordering::Relaxed);
        threads.wait_until(&|| self.arrived.load(Ordering::Relaxed) == count);
        self.run(threads, self.program.seed ^ (thread as u64) << 32, &bodies);
    }

    fn run(&self, threads: &dyn Threads, pauses: u64, bodies: &[(u64, &Body)]) {
        let handle = self.recorder.handle();
        let mut runner = Runner {
            subject: self.subject,
            threads,
            handle: &handle,
            pauses: Rng::with_seed(pauses),
        };
        for (number, body) in bodies {
            runner.run(*number, body);
        }
    }
}

/// Writes the initial rows.
fn first(program: &Program) -> Body {
    Body {
        kind: Kind::Begin,
        steps: program.initial.iter().copied().map(Step::Insert).collect(),
        gives_up: false,
    }
}

/// Reads all rows and all lists.
fn last(program: &Program) -> Body {
    let mut steps = vec![
        Step::Scan(Range::all(POINTS)),
        Step::Scan(Range::all(ORDERED)),
    ];
    let bodies = program.threads.iter().flatten();
    for step in bodies.flat_map(|body| &body.steps) {
        if let Step::Append(key) = step
            && !steps.contains(&Step::Get(*key))
        {
            steps.push(Step::Get(*key));
        }
    }
    Body {
        kind: Kind::Snapshot,
        steps,
        gives_up: false,
    }
}

/// Runs transactions on one thread.
struct Runner<'r> {
    subject: &'r dyn Subject,
    threads: &'r dyn Threads,
    handle: &'r Handle<'r>,
    pauses: Rng,
}

impl Runner<'_> {
    fn run(&mut self, number: u64, body: &Body) {
        match body.kind {
            Kind::Begin => {
                let mut attempts = 0..ATTEMPTS;
                while attempts
                    .next()
                    .is_some_and(|attempt| !self.by_hand(number, attempt, body))
                {}
            }
            Kind::Run => self.closure(number, body),
            Kind::View => {
                let mut log = self.handle.begin(Kind::View);
                self.subject
                    .view(&mut |view| self.read(body, view, &mut log));
                log.end(Outcome::Committed, None);
            }
            Kind::Snapshot => {
                let mut log = self.handle.begin(Kind::Snapshot);
                let (snapshot, timestamp) = self.subject.snapshot();
                self.read(body, &*snapshot, &mut log);
                log.end(Outcome::Committed, timestamp);
            }
        }
    }

    /// One attempt; whether it was the last.
    fn by_hand(&mut self, number: u64, attempt: u64, body: &Body) -> bool {
        let mut log = self.handle.begin(Kind::Begin);
        let tx = self.subject.begin();
        self.write(number, attempt, body, &*tx, &mut log);
        self.pause();
        if body.gives_up {
            drop(tx);
            log.end(Outcome::Aborted, None);
            return true;
        }
        let timestamp = tx.commit();
        let outcome = match timestamp {
            Some(_) => Outcome::Committed,
            None => Outcome::Aborted,
        };
        log.end(outcome, timestamp);
        timestamp.is_some()
    }

    fn closure(&mut self, number: u64, body: &Body) {
        let mut log = Some(self.handle.begin(Kind::Run));
        let mut attempt = 0;
        let mut left_at = 0;
        self.subject.run(&mut |tx| {
            // The engine began this attempt at some time since the closure was left.
            if attempt > 0 {
                if let Some(lost) = log.take() {
                    lost.end(Outcome::Aborted, None);
                }
                log = Some(self.handle.begin_at(Kind::Run, left_at));
            }
            if let Some(log) = &mut log {
                self.write(number, attempt, body, tx, log);
            }
            attempt += 1;
            self.pause();
            left_at = self.handle.tick();
            !body.gives_up
        });
        if let Some(log) = log {
            let outcome = if body.gives_up {
                Outcome::Aborted
            } else {
                Outcome::Committed
            };
            log.end(outcome, None);
        }
    }

    fn pause(&mut self) {
        self.threads.pause(self.pauses.u8(..));
    }

    fn read(&mut self, body: &Body, reads: &dyn Reads, log: &mut Log<'_>) {
        for &step in &body.steps {
            self.pause();
            Self::read_step(step, reads, log);
        }
    }

    fn read_step(step: Step, reads: &dyn Reads, log: &mut Log<'_>) {
        match step {
            Step::Get(key) if key.table == LISTS => log.list(key, reads.list(key)),
            Step::Get(key) => log.read(key, reads.get(key)),
            Step::Scan(range) => {
                let rows = reads.scan(&range);
                log.scan(Scan {
                    table: range.table,
                    from: range.from,
                    to: range.to,
                    reverse: range.reverse,
                    exhausted: range.limit.is_none_or(|limit| rows.len() < limit),
                    rows,
                });
            }
            Step::Insert(_) | Step::Remove(_) | Step::Update(_) | Step::Append(_) => {
                panic!("a transaction that cannot write was told to: {step}")
            }
        }
    }

    fn write(
        &mut self,
        number: u64,
        attempt: u64,
        body: &Body,
        tx: &dyn Writes,
        log: &mut Log<'_>,
    ) {
        for (index, &step) in body.steps.iter().enumerate() {
            self.pause();
            let value = value(number, attempt, index);
            match step {
                Step::Insert(key) => {
                    tx.insert(key, value);
                    log.write(key, value);
                }
                Step::Remove(key) => {
                    tx.remove(key);
                    log.remove(key);
                }
                Step::Update(key) => {
                    let seen = tx.update(key, value);
                    log.read(key, seen);
                    if seen.is_some() {
                        log.write(key, value);
                    }
                }
                Step::Append(key) => {
                    tx.append(key, value);
                    log.append(key, value);
                }
                Step::Get(_) | Step::Scan(_) => Self::read_step(step, tx, log),
            }
        }
    }
}

/// A value that tells what wrote it: 2000103 is transaction 2, its second attempt, the third step.
fn value(number: u64, attempt: u64, step: usize) -> u64 {
    number * 1_000_000 + attempt * 100 + step as u64 + u64::from(number == 0)
}
