//! How a transaction that must die leaves its closure.

use crate::age::Age;
use crate::conflict::Conflict;
use crate::core::Core;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

#[cfg(panic = "abort")]
compile_error!(
    "tplock leaves the closure of a transaction that must die by unwinding; build it with panic = \"unwind\""
);

/// What unwinds: no panic, so no hook is called and nothing is printed. It says whose closure it
/// leaves, for that may not be the innermost one.
struct Died(Age);

/// What an operation returned, or out of the closure, for the transaction must die.
#[inline]
pub(crate) fn live<T>(core: &Core, result: Result<T, Conflict>) -> T {
    result.unwrap_or_else(|Conflict(())| die(core.age()))
}

#[cold]
fn die(age: Age) -> ! {
    resume_unwind(Box::new(Died(age)))
}

/// Runs the closure of a transaction. `None`: the transaction must die.
///
/// A closure that catches what unwinds may return from a transaction that must die; then its result
/// does not count. A panic goes on.
pub(crate) fn attempt<T>(core: &Core, body: impl FnOnce() -> T) -> Option<T> {
    // What the closure has changed outside of the transaction is as after an early return, which
    // the closure must be ready for: it may run again.
    match catch_unwind(AssertUnwindSafe(body)) {
        Err(payload) if !is_death_of(core, &*payload) => resume_unwind(payload),
        result => result.ok().filter(|_| !core.is_doomed()),
    }
}

fn is_death_of(core: &Core, payload: &(dyn std::any::Any + Send)) -> bool {
    let died = payload.downcast_ref::<Died>();
    died.is_some_and(|died| died.0 == core.age())
}
