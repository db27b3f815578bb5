//! Running the transactions of one thread.

use super::{Lost, Reads, Subject, Threads, Writes};
use crate::history::{Kind, Outcome};
use crate::operation::{LISTS, Scan};
use crate::program::{Body, Ending, Step};
use crate::recorder::{Handle, Log};
use fastrand::Rng;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub(super) struct Runner<'r> {
    pub(super) subject: &'r dyn Subject,
    pub(super) threads: &'r dyn Threads,
    /// Which one of the program's; none before it and after it.
    pub(super) thread: Option<usize>,
    pub(super) handle: &'r Handle<'r>,
    pub(super) pauses: RefCell<Rng>,
    pub(super) attempts: u64,
    /// Snapshots that outlive the transaction that comes next.
    pub(super) kept: Vec<Kept<'r>>,
}

/// A snapshot that is still to be read again.
pub(super) struct Kept<'r> {
    snapshot: Box<dyn Reads + 'r>,
    timestamp: Option<u64>,
    log: Log<'r>,
    body: &'r Body,
    /// The transaction after which that happens, by its place in the thread.
    until: usize,
}

/// What a transaction panics with that is told to.
struct Expected;

/// Runs what may unwind with this. False: it did.
fn survives<P: 'static>(run: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => true,
        Err(panic) if panic.is::<P>() => false,
        Err(panic) => resume_unwind(panic),
    }
}

/// The attempts of a closure, each of which is recorded by itself.
struct Attempts<'a, 'r> {
    runner: &'a Runner<'r>,
    kind: Kind,
    log: Option<Log<'r>>,
    count: u64,
    left_at: Cell<u64>,
}

/// Takes the tick at which an attempt was left, be it by unwinding.
struct Leaving<'a>(&'a Handle<'a>, &'a Cell<u64>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.1.set(self.0.tick());
    }
}

impl<'a, 'r> Attempts<'a, 'r> {
    fn new(runner: &'a Runner<'r>, kind: Kind) -> Self {
        Self {
            runner,
            kind,
            log: Some(runner.begin(kind)),
            count: 0,
            left_at: Cell::new(0),
        }
    }

    /// Another one.
    fn next(&mut self, attempt: impl FnOnce(u64, &mut Log<'r>)) {
        let handle = self.runner.handle;
        if self.count > 0 {
            self.end(Outcome::Aborted);
            // The engine began this attempt at some time since the one before was left.
            self.log = Some(handle.begin_at(self.kind, self.left_at.get()));
        }
        self.count += 1;
        let _leaving = Leaving(handle, &self.left_at);
        let log = self.log.as_mut().expect("each attempt begins one");
        attempt(self.count - 1, log);
    }

    /// The end of the latest.
    fn end(&mut self, outcome: Outcome) {
        if let Some(log) = self.log.take() {
            self.runner.end(log, outcome, None);
        }
    }
}

/// Without the panic hook, which would report a failure.
fn panic_if_told(body: &Body) {
    if body.ending == Ending::Panics {
        resume_unwind(Box::new(Expected));
    }
}

fn outcome(committed: bool) -> Outcome {
    if committed {
        Outcome::Committed
    } else {
        Outcome::Aborted
    }
}

impl<'r> Runner<'r> {
    /// Runs the transactions, each with its number.
    pub(super) fn run(&mut self, bodies: &[(u64, &'r Body)]) {
        for (place, &(number, body)) in bodies.iter().enumerate() {
            match body.kind {
                Kind::Begin => {
                    let mut attempts = 0..self.attempts;
                    while attempts
                        .next()
                        .is_some_and(|attempt| !self.by_hand(number, attempt, body))
                    {
                    }
                }
                Kind::Run => self.closure(number, body),
                Kind::View => self.view(body),
                Kind::Snapshot => self.snapshot(place, body),
            }
            let (ended, kept) = std::mem::take(&mut self.kept)
                .into_iter()
                .partition(|kept| kept.until == place);
            self.kept = kept;
            self.end_snapshots(ended);
        }
        let kept = std::mem::take(&mut self.kept);
        self.end_snapshots(kept);
    }

    fn begin(&self, kind: Kind) -> Log<'r> {
        if let Some(thread) = self.thread {
            self.threads.begin_transaction(thread);
        }
        self.handle.begin(kind)
    }

    fn end(&self, log: Log<'_>, outcome: Outcome, timestamp: Option<u64>) {
        if let Some(thread) = self.thread {
            self.threads.end_transaction(thread);
        }
        log.end(outcome, timestamp);
    }

    /// One attempt; whether it was the last.
    fn by_hand(&self, number: u64, attempt: u64, body: &Body) -> bool {
        let mut log = self.begin(Kind::Begin);
        let tx = self.subject.begin();
        if !survives::<Lost>(|| self.write(number, attempt, body, &*tx, &mut log)) {
            drop(tx);
            self.end(log, Outcome::Aborted, None);
            return false;
        }
        self.pause();
        if body.ending == Ending::Commits {
            let committed = tx.commit();
            self.end(log, outcome(committed.is_ok()), committed.unwrap_or(None));
            return committed.is_ok();
        }
        survives::<Expected>(move || {
            let _tx = tx;
            panic_if_told(body);
        });
        self.end(log, Outcome::Aborted, None);
        true
    }

    fn closure(&self, number: u64, body: &Body) {
        let mut attempts = Attempts::new(self, Kind::Run);
        let survived = survives::<Expected>(|| {
            self.subject.run(&mut |tx| {
                attempts.next(|attempt, log| {
                    self.write(number, attempt, body, tx, log);
                    self.pause();
                    panic_if_told(body);
                });
                body.ending == Ending::Commits
            });
        });
        attempts.end(outcome(survived && body.ending == Ending::Commits));
    }

    fn view(&self, body: &Body) {
        let mut attempts = Attempts::new(self, Kind::View);
        let survived = survives::<Expected>(|| {
            self.subject.view(&mut |view| {
                attempts.next(|_, log| {
                    self.read(body, view, log);
                    panic_if_told(body);
                });
            });
        });
        attempts.end(outcome(survived));
    }

    fn snapshot(&mut self, place: usize, body: &'r Body) {
        let mut log = self.begin(Kind::Snapshot);
        let (snapshot, timestamp) = self.subject.snapshot();
        self.read(body, &*snapshot, &mut log);
        let kept = Kept {
            snapshot,
            timestamp,
            log,
            body,
            until: place + body.outlives,
        };
        self.kept.push(kept);
    }

    fn end_snapshots(&mut self, kept: Vec<Kept<'r>>) {
        for mut kept in kept {
            if kept.body.outlives > 0 {
                self.read(kept.body, &*kept.snapshot, &mut kept.log);
            }
            let survived = survives::<Expected>(|| {
                let _snapshot = kept.snapshot;
                panic_if_told(kept.body);
            });
            self.end(kept.log, outcome(survived), kept.timestamp);
        }
    }

    fn pause(&self) {
        self.threads.pause(self.pauses.borrow_mut().u8(..));
    }

    fn read(&self, body: &Body, reads: &dyn Reads, log: &mut Log<'_>) {
        for &step in &body.steps {
            self.pause();
            read_step(step, reads, log);
        }
    }

    fn write(&self, number: u64, attempt: u64, body: &Body, tx: &dyn Writes, log: &mut Log<'_>) {
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
                Step::Get(_) | Step::Scan(_) => read_step(step, tx, log),
            }
        }
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

/// A value that tells what wrote it: 2000103 is transaction 2, its second attempt, the third step.
fn value(number: u64, attempt: u64, step: usize) -> u64 {
    number * 1_000_000 + attempt * 100 + step as u64 + u64::from(number == 0)
}
