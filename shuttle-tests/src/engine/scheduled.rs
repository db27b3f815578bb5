//! The library as it is compiled for the scheduler, and the scheduler's threads.

use crate::execute::Threads;
use mvcc_shuttle as library;
use shuttle::sync::Barrier;
use shuttle::thread;
use shuttle_announce::{AtomicBool, set_exhaustive, set_quiet};
use std::io;
use std::sync::atomic::Ordering;

#[allow(clippy::duplicate_mod, reason = "that is the point")]
#[path = "subject.rs"]
mod subject;

pub use subject::Engine;

/// The scheduler's threads. It can switch between them anywhere, from their first step to their
/// last.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScheduledThreads;

/// The scheduler's threads for a program of which all schedules are to be explored: what they do
/// before it and after it counts as local, and so happens in one order.
#[derive(Debug)]
pub struct ExploredThreads {
    together: Barrier,
    /// Whether one transaction began after another had ended is part of a history. So each thread
    /// has something that it writes when a transaction ends, and that all others read when one
    /// begins.
    ends: Vec<AtomicBool>,
}

impl ExploredThreads {
    /// For a program of so many threads.
    pub fn new(count: usize) -> Self {
        set_quiet(true);
        set_exhaustive(true);
        Self {
            together: Barrier::new(count),
            ends: (0..count).map(|_| AtomicBool::default()).collect(),
        }
    }
}

fn run(tasks: Vec<Box<dyn FnOnce() + Send + '_>>) {
    thread::scope(|scope| {
        for task in tasks {
            scope.spawn(task);
        }
    });
}

impl Threads for ScheduledThreads {
    fn run(&self, tasks: Vec<Box<dyn FnOnce() + Send + '_>>) -> io::Result<()> {
        run(tasks);
        Ok(())
    }

    fn begin_program(&self, _: &dyn Fn() -> bool) {}

    fn pause(&self, _: u8) {}
}

impl Threads for ExploredThreads {
    fn run(&self, tasks: Vec<Box<dyn FnOnce() + Send + '_>>) -> io::Result<()> {
        run(tasks);
        Ok(())
    }

    fn begin_program(&self, _: &dyn Fn() -> bool) {
        self.together.wait();
        set_quiet(false);
    }

    fn end_program(&self) {
        self.together.wait();
        set_quiet(true);
    }

    fn begin_transaction(&self, thread: usize) {
        for (other, end) in self.ends.iter().enumerate() {
            if other != thread {
                end.load(Ordering::SeqCst);
            }
        }
    }

    fn end_transaction(&self, thread: usize) {
        self.ends[thread].store(true, Ordering::SeqCst);
    }

    fn pause(&self, _: u8) {}
}
