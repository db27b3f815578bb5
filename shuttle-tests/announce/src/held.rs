//! How many locks a task has, for what is to be done without any.

use std::cell::Cell;

shuttle::thread_local! {
    static HELD: Cell<usize> = Cell::new(0);
}

/// The task has one lock more.
pub fn lock() {
    change(|held| held + 1);
}

/// The task has one lock less.
pub fn unlock() {
    change(|held| held - 1);
}

/// How many locks the task has. None, once its thread-locals have gone.
pub fn count() -> usize {
    HELD.try_with(Cell::get).unwrap_or(0)
}

fn change(to: impl FnOnce(usize) -> usize) {
    // Whoever asks when they have gone is told of none.
    let _ = HELD.try_with(|held| held.set(to(held.get())));
}
