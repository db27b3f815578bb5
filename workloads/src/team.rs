//! The threads of a run: they begin together, or not at all.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// What holds threads back until all of them are there.
#[derive(Default)]
pub(crate) struct Start {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    arrived: usize,
    /// Whether to begin; nobody knows yet at first.
    begins: Option<bool>,
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

    /// Says so, and waits until all begin. False: they don't.
    pub(crate) fn wait(&self) -> bool {
        self.arrive();
        let undecided = |state: &mut State| state.begins.is_none();
        let state = self.changed.wait_while(self.state(), undecided);
        state.expect("nothing in here panics").begins == Some(true)
    }

    /// For the one thread that says when. If it gives up, by a panic too, the others do not begin.
    pub(crate) fn starter(&self) -> Starter<'_> {
        Starter(self)
    }

    fn decide(&self, begins: bool) {
        self.state().begins.get_or_insert(begins);
        self.changed.notify_all();
    }
}

/// The right to let threads begin.
pub(crate) struct Starter<'s>(&'s Start);

impl Starter<'_> {
    /// Lets them begin, once so many have arrived.
    pub(crate) fn begin(self, threads: usize) {
        let missing = |state: &mut State| state.arrived < threads;
        drop(self.0.changed.wait_while(self.0.state(), missing));
        self.0.decide(true);
    }
}

impl Drop for Starter<'_> {
    fn drop(&mut self) {
        self.0.decide(false);
    }
}

/// Starts a thread. The standard library's `spawn` panics where there is none to be had.
///
/// # Errors
/// A message that says so.
pub(crate) fn spawn<'scope, T: Send + 'scope>(
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

    fn begun(run: impl FnOnce(Starter<'_>)) -> Vec<bool> {
        let start = Start::default();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| start.wait())).collect();
            run(start.starter());
            threads
                .into_iter()
                .map(|it| it.join().expect("no panic"))
                .collect()
        })
    }

    #[test]
    fn all_begin_or_none_does() {
        assert_eq!(begun(|starter| starter.begin(3)), [true; 3]);
        assert_eq!(begun(|starter| drop(starter)), [false; 3]);
    }
}
