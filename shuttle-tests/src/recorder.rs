//! Recording a history while threads run.
//!
//! Each thread writes to its own buffer. What threads share is a counter that gives ticks,
//! incremented when a transaction begins and when it ends, so that ticks order these events as they
//! happened.

use crate::history::{History, Kind, Outcome, Transaction};
use crate::operation::{Key, Op, Scan, Value};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where threads get their handles, and where the history comes together.
#[derive(Debug, Default)]
pub struct Recorder {
    ticks: AtomicU64,
    finished: Mutex<Vec<Transaction>>,
}

/// One thread's part of a recording. Dropping it hands its transactions in.
#[derive(Debug)]
pub struct Handle<'r> {
    recorder: &'r Recorder,
    thread: usize,
    transactions: RefCell<Vec<Transaction>>,
}

/// A transaction that is being recorded. If it is dropped without [`end`](Self::end), its outcome
/// is unknown.
#[derive(Debug)]
pub struct Log<'h> {
    handle: &'h Handle<'h>,
    /// Taken out when it ends.
    transaction: Option<Transaction>,
}

impl Recorder {
    /// A new recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle for one thread, which the history calls by this number.
    pub fn handle(&self, thread: usize) -> Handle<'_> {
        Handle {
            recorder: self,
            thread,
            transactions: RefCell::default(),
        }
    }

    /// The history, once all handles are gone.
    pub fn finish(self) -> History {
        let finished = self.finished.into_inner();
        let mut transactions = finished.unwrap_or_else(PoisonError::into_inner);
        transactions.sort_by_key(|tx| tx.begin);
        History { transactions }
    }
}

impl Handle<'_> {
    /// A tick: later than all ticks that were given before.
    pub fn tick(&self) -> u64 {
        // SeqCst: a tick must not move into or out of the transaction that it brackets.
        self.recorder.ticks.fetch_add(1, Ordering::SeqCst)
    }

    /// Records a transaction that begins after this call.
    pub fn begin(&self, kind: Kind) -> Log<'_> {
        self.begin_at(kind, self.tick())
    }

    /// Records a transaction that begins, or has begun, after that tick was given.
    pub fn begin_at(&self, kind: Kind, begin: u64) -> Log<'_> {
        let transaction = Transaction {
            thread: self.thread,
            kind,
            begin,
            end: begin,
            ops: Vec::new(),
            outcome: Outcome::Unknown,
            timestamp: None,
        };
        Log {
            handle: self,
            transaction: Some(transaction),
        }
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        let finished = self.recorder.finished.lock();
        let mut finished = finished.unwrap_or_else(PoisonError::into_inner);
        finished.append(self.transactions.get_mut());
    }
}

impl Log<'_> {
    fn push(&mut self, op: Op) {
        if let Some(transaction) = &mut self.transaction {
            transaction.ops.push(op);
        }
    }

    /// A key was read.
    pub fn read(&mut self, key: Key, value: Option<u64>) {
        let value = value.map(Value::Register);
        self.push(Op::Read { key, value });
    }

    /// A list was read.
    pub fn list(&mut self, key: Key, values: Vec<u64>) {
        let value = Some(values).filter(|values| !values.is_empty());
        let value = value.map(Value::List);
        self.push(Op::Read { key, value });
    }

    /// A range was read.
    pub fn scan(&mut self, scan: Scan) {
        self.push(Op::Scan(scan));
    }

    /// A key was written.
    pub fn write(&mut self, key: Key, value: u64) {
        let value = Some(value);
        self.push(Op::Write { key, value });
    }

    /// A key was removed.
    pub fn remove(&mut self, key: Key) {
        self.push(Op::Write { key, value: None });
    }

    /// A list got an element.
    pub fn append(&mut self, key: Key, value: u64) {
        self.push(Op::Append { key, value });
    }

    /// The transaction has ended before this call.
    pub fn end(mut self, outcome: Outcome, timestamp: Option<u64>) {
        self.hand_in(outcome, timestamp);
    }

    fn hand_in(&mut self, outcome: Outcome, timestamp: Option<u64>) {
        if let Some(mut transaction) = self.transaction.take() {
            transaction.end = self.handle.tick();
            transaction.outcome = outcome;
            transaction.timestamp = timestamp;
            self.handle.transactions.borrow_mut().push(transaction);
        }
    }
}

impl Drop for Log<'_> {
    fn drop(&mut self) {
        self.hand_in(Outcome::Unknown, None);
    }
}
