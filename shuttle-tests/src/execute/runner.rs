//! Running the transactions of one thread.

use super::{Reads, Subject, Threads, Writes};
use crate::history::{Kind, Outcome};
use crate::operation::{LISTS, Scan};
use crate::program::{Body, Ending, Step};
use crate::recorder::{Handle, Log};
use fastrand::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub(super) struct Runner<'r> {
    pub(super) subject: &'r dyn Subject,
    pub(super) threads: &'r dyn Threads,
    /// Which one of the program's; none before it and after it.
    pub(super) thread: Option<usize>,
    pub(super) handle: &'r Handle<'r>,
    pub(super) pauses: Rng,
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

/// Runs what may panic because it is told to. False: it did.
fn survives(run: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => true,
        Err(panic) if panic.is::<Expected>() => false,
        Err(panic) => resume_unwind(panic),
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
    fn by_hand(&mut self, number: u64, attempt: u64, body: &Body) -> bool {
        let mut log = self.begin(Kind::Begin);
        let tx = self.subject.begin();
        self.write(number, attempt, body, &*tx, &mut log);
        self.pause();
        if body.ending == Ending::Commits {
            let timestamp = tx.commit();
            self.end(log, outcome(timestamp.is_some()), timestamp);
            return timestamp.is_some();
        }
        survives(move || {
            let _tx = tx;
            panic_if_told(body);
        });
        self.end(log, Outcome::Aborted, None);
        true
    }

    fn closure(&mut self, number: u64, body: &Body) {
        let mut log = Some(self.begin(Kind::Run));
        let (subject, mut attempt, mut left_at) = (self.subject, 0, 0);
        let survived = survives(|| {
            subject.run(&mut |tx| {
                // The engine began this attempt at some time since the closure was left.
                if attempt > 0 {
                    if let Some(lost) = log.take() {
                        self.end(lost, Outcome::Aborted, None);
                    }
                    log = Some(self.handle.begin_at(Kind::Run, left_at));
                }
                if let Some(log) = &mut log {
                    self.write(number, attempt, body, tx, log);
                }
                attempt += 1;
                self.pause();
                panic_if_told(body);
                left_at = self.handle.tick();
                body.ending == Ending::Commits
            });
        });
        if let Some(log) = log {
            let committed = survived && body.ending == Ending::Commits;
            self.end(log, outcome(committed), None);
        }
    }

    fn view(&mut self, body: &Body) {
        let mut log = self.begin(Kind::View);
        let subject = self.subject;
        let survived = survives(|| {
            subject.view(&mut |view| {
                self.read(body, view, &mut log);
                panic_if_told(body);
            });
        });
        self.end(log, outcome(survived), None);
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
            let survived = survives(|| {
                let _snapshot = kept.snapshot;
                panic_if_told(kept.body);
            });
            self.end(kept.log, outcome(survived), kept.timestamp);
        }
    }

    fn pause(&mut self) {
        self.threads.pause(self.pauses.u8(..));
    }

    fn read(&mut self, body: &Body, reads: &dyn Reads, log: &mut Log<'_>) {
        for &step in &body.steps {
            self.pause();
            read_step(step, reads, log);
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
