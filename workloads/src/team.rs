//! The threads of a run: they begin together, or not at all.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::Instant;

/// What holds threads back until all of them are there.
#[derive(Default)]
pub(crate) struct Start {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    arrived: usize,
    decision: Decision,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Decision {
    #[default]
    Open,
    Begin(Instant),
    GiveUp,
}

impl Start {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing in here panics")
    }

    /// Says that one more thread is ready.
    pub(crate) fn arrive(&self) {
        self.state().arrived += 1;
        self.changed.notify_all();
    }

    /// Says so, waits until all begin, and returns when that was. `None`: they don't.
    pub(crate) fn wait(&self) -> Option<Instant> {
        self.arrive();
        let undecided = |state: &mut State| state.decision == Decision::Open;
        let state = self.changed.wait_while(self.state(), undecided);
        match state.expect("nothing in here panics").decision {
            Decision::Begin(when) => Some(when),
            Decision::Open | Decision::GiveUp => None,
        }
    }

    /// For the one thread that says when. If it gives up, by a panic too, the others do not begin.
    pub(crate) fn starter(&self) -> Starter<'_> {
        Starter(self)
    }

    /// The first decision holds.
    fn decide(&self, decision: Decision) {
        let mut state = self.state();
        if state.decision == Decision::Open {
            state.decision = decision;
        }
        drop(state);
        self.changed.notify_all();
    }
}

/// The right to let threads begin.
pub(crate) struct Starter<'s>(&'s Start);

impl Starter<'_> {
    /// Lets them begin, once so many have arrived, and returns when that was.
    pub(crate) fn begin(self, threads: usize) -> Instant {
        let missing = |state: &mut State| state.arrived < threads;
        drop(self.0.changed.wait_while(self.0.state(), missing));
        let now = Instant::now();
        self.0.decide(Decision::Begin(now));
        now
    }
}

impl Drop for Starter<'_> {
    fn drop(&mut self) {
        self.0.decide(Decision::GiveUp);
    }
}

/// Starts a thread. The standard library's `spawn` panics where there is none to be had.
///
/// # Errors
/// A message that says so.
pub fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, String> {
    let spawned = Builder::new().spawn_scoped(scope, work);
    spawned.map_err(|error| {
        format!(
            "cannot start one more thread: {error}; ask for fewer, or raise the limit (ulimit -u)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn begun<T>(run: impl FnOnce(Starter<'_>) -> T) -> (T, Vec<Option<Instant>>) {
        let start = Start::default();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| start.wait())).collect();
            let when = run(start.starter());
            let threads = threads.into_iter();
            (
                when,
                threads.map(|it| it.join().expect("no panic")).collect(),
            )
        })
    }

    #[test]
    fn all_begin_or_none_does() {
        let (when, begun_at) = begun(|starter| starter.begin(3));
        assert_eq!(begun_at, [Some(when); 3]);
        assert_eq!(begun(|starter| drop(starter)).1, [None; 3]);
    }
}
