//! Running a program and recording its history.

mod runner;

use crate::history::{History, Kind};
use crate::operation::{Key, ORDERED, POINTS};
use crate::program::{Body, Ending, Program, Range, Step};
use crate::recorder::Recorder;
use fastrand::Rng;
use runner::Runner;
use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread::Builder;

/// What a transaction or a snapshot reads.
pub trait Reads {
    /// The value of a key of [`POINTS`] or [`ORDERED`].
    fn get(&self, key: Key) -> Option<u64>;

    /// A list of `LISTS`; empty if there is none.
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

/// A transaction that was begun by hand. Dropping it aborts it. Where it can lose in the middle,
/// the operation unwinds with [`Lost`].
pub trait Begun: Writes {
    /// Commits; the timestamp, if that is told.
    ///
    /// # Errors
    /// If it lost against another transaction.
    fn commit(self: Box<Self>) -> Result<Option<u64>, Lost>;
}

/// A transaction lost against another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// An engine under test, with three empty tables.
pub trait Subject: Send + Sync {
    /// Begins a transaction.
    fn begin(&self) -> Box<dyn Begun + '_>;

    /// Runs a closure as a transaction until it commits, or until it returns false: then it is
    /// aborted.
    fn run(&self, body: &mut dyn FnMut(&dyn Writes) -> bool);

    /// Runs a closure that only reads; again if it can lose.
    fn view(&self, body: &mut dyn FnMut(&dyn Reads));

    /// A state to read from, and its timestamp, if that is told.
    fn snapshot(&self) -> (Box<dyn Reads + '_>, Option<u64>);
}

/// How to run things at the same time. A model checker brings its own.
pub trait Threads: Sync {
    /// Runs each task on a thread of its own, and returns when all have ended.
    ///
    /// # Errors
    /// If a thread cannot be started. Then no task has run.
    fn run(&self, tasks: Vec<Box<dyn FnOnce() + Send + '_>>) -> io::Result<()>;

    /// Called by each thread before its part of a program. Waits until all are there, if it takes
    /// that for them to overlap.
    fn begin_program(&self, all_there: &dyn Fn() -> bool);

    /// Called by each thread after its part.
    fn end_program(&self) {}

    /// Called just before a transaction of a program's thread begins.
    fn begin_transaction(&self, _thread: usize) {}

    /// Called just after it has ended.
    fn end_transaction(&self, _thread: usize) {}

    /// Lets some time pass: 0 is none, 255 a lot.
    fn pause(&self, amount: u8);
}

/// The operating system's threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdThreads;

impl Threads for StdThreads {
    fn run(&self, tasks: Vec<Box<dyn FnOnce() + Send + '_>>) -> io::Result<()> {
        // Locked until it is known whether all are there: each waits for the others in its first
        // program.
        let all_there = RwLock::new(false);
        std::thread::scope(|scope| {
            let mut starting = all_there.write().unwrap_or_else(PoisonError::into_inner);
            let all_there = &all_there;
            for task in tasks {
                let waits = move || {
                    if *all_there.read().unwrap_or_else(PoisonError::into_inner) {
                        task();
                    }
                };
                Builder::new().spawn_scoped(scope, waits)?;
            }
            *starting = true;
            Ok(())
        })
    }

    fn begin_program(&self, all_there: &dyn Fn() -> bool) {
        // Woken from a yield one is late, so it comes second; but the other thread may be waiting
        // for this very core.
        for _ in 0..SPINS {
            if all_there() {
                return;
            }
            std::hint::spin_loop();
        }
        while !all_there() {
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

/// Runs a program on an empty engine. The history begins with the initial rows, and ends with a
/// snapshot of everything, so that no write goes unseen.
///
/// # Errors
/// If a thread cannot be started.
pub fn execute(
    program: &Program,
    subject: &dyn Subject,
    threads: &dyn Threads,
) -> io::Result<History> {
    let histories = execute_all(&[(program, subject)], threads)?;
    Ok(histories.into_iter().next().unwrap_or_default())
}

/// Runs programs one after the other, each on its empty engine, with the same threads for all of
/// them.
///
/// Threads that have just been started are often run one after the other, and transactions are far
/// shorter than that: threads that go on for some milliseconds have a core each, and what they do
/// at the same time overlaps.
///
/// # Errors
/// If a thread cannot be started. Then no program has run.
pub fn execute_all(
    runs: &[(&Program, &dyn Subject)],
    threads: &dyn Threads,
) -> io::Result<Vec<History>> {
    let stage = |&(program, subject)| Stage {
        program,
        subject,
        recorder: Recorder::new(),
        arrived: AtomicUsize::new(0),
    };
    let stages: Vec<Stage<'_>> = runs.iter().map(stage).collect();
    for stage in &stages {
        stage.run(threads, None, &[(0, &first(stage.program))]);
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
    threads.run(tasks.collect())?;
    let finish = |stage: Stage<'_>| {
        stage.run(threads, None, &[(0, &last(stage.program))]);
        stage.recorder.finish()
    };
    Ok(stages.into_iter().map(finish).collect())
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
        // What a thread's first transaction sets up for it is no part of the program.
        self.subject.view(&mut |_| {});
        self.arrived.fetch_add(1, Ordering::Relaxed);
        threads.begin_program(&|| self.arrived.load(Ordering::Relaxed) == count);
        self.run(threads, Some(thread), &bodies);
        threads.end_program();
    }

    fn run(&self, threads: &dyn Threads, thread: Option<usize>, bodies: &[(u64, &Body)]) {
        let number = thread.map_or(0, |thread| thread + 1);
        let handle = self.recorder.handle(number);
        let pauses = self.program.seed ^ (number as u64) << 32;
        let mut runner = Runner {
            subject: self.subject,
            threads,
            thread,
            handle: &handle,
            pauses: RefCell::new(Rng::with_seed(pauses)),
            attempts: self.program.attempts,
            kept: Vec::new(),
        };
        runner.run(bodies);
    }
}

/// Writes the initial rows.
fn first(program: &Program) -> Body {
    Body {
        kind: Kind::Begin,
        steps: program.initial.iter().copied().map(Step::Insert).collect(),
        ending: Ending::Commits,
        outlives: 0,
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
        ending: Ending::Commits,
        outlives: 0,
    }
}
