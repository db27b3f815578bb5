//! Panics of user code that the epoch runs.

use crate::sync::{Mutex, Ordering, counter, held};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A panic of user code that the epoch has run: it goes on once the epoch is through, for what that
/// was about to run besides would be lost. Of several, the first.
#[derive(Default)]
pub(crate) struct Panicked {
    payload: Mutex<Option<Box<dyn Any + Send>>>,
    /// How many there were. Who looks here first takes no lock that others take.
    count: counter::AtomicUsize,
}

/// Drops what user code has panicked with. That is the user's too, and dropping it may run
/// anything: a panic in there has a payload of its own, which may be one that the epoch was spared,
/// and own a database. What is still not dropped after so many is left.
fn drop_payload(mut payload: Box<dyn Any + Send>) {
    for _ in 0..64 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(another) => payload = another,
        }
    }
    std::mem::forget(payload);
}

/// Runs user code whose panic concerns nobody here: its message has been printed. `None`: it has
/// panicked.
#[cfg(feature = "durable")]
pub(crate) fn contained<R>(run: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(drop_payload)
        .ok()
}

impl Panicked {
    /// Runs something for the epoch that may panic.
    pub(crate) fn caught(&self, run: impl FnOnce()) {
        held::nothing();
        let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else {
            return;
        };
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut first = self.payload.lock();
        if first.is_none() {
            *first = Some(payload);
            return;
        }
        // Without the lock (I8).
        drop(first);
        drop_payload(payload);
    }

    /// Goes on with a panic that the epoch has been spared.
    pub(crate) fn go_on(&self) {
        // Relaxed: what this thread has run it sees, and another's next collection comes by here
        // again.
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.count.store(0, Ordering::Relaxed);
        let payload = self.payload.lock().take();
        // One at a time: a second panic would be the end.
        if let Some(payload) = payload.filter(|_| !std::thread::panicking()) {
            resume_unwind(payload);
        }
    }
}
