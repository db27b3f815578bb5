//! How a transaction that must die leaves its closure.

use crate::age::Age;
use crate::conflict::Conflict;
use crate::core::Core;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

#[cfg(panic = "abort")]
compile_error!(
    "tplock leaves the closure of a transaction that must die by unwinding; build it with panic = \"unwind\""
);

/// What unwinds: no panic, so no hook is called and nothing is printed. It says whose closure it leaves, for that may not be the innermost one.
struct Died(Age);

/// Leaves the closure of a transaction that must die.
#[cold]
pub(crate) fn die(core: &Core) -> ! {
    resume_unwind(Box::new(Died(core.age())))
}

/// Runs the closure of a transaction, until it returns or the transaction must die.
///
/// A closure that catches what unwinds may return from a transaction that must die; then its result does not count. A panic goes on.
pub(crate) fn attempt<T>(core: &Core, body: impl FnOnce() -> T) -> Result<T, Conflict> {
    // What the closure has changed outside of the transaction is as after an early return, which the closure must be ready for: it may run again.
    let result = catch_unwind(AssertUnwindSafe(body));
    match result {
        Err(payload) if !has_died(core, &*payload) => resume_unwind(payload),
        result => match (result, core.doomed()) {
            (_, Some(conflict)) => Err(conflict),
            (Ok(value), None) => Ok(value),
            (Err(_), None) => unreachable!("only a doomed transaction dies"),
        },
    }
}

fn has_died(core: &Core, payload: &(dyn std::any::Any + Send)) -> bool {
    let died = payload.downcast_ref::<Died>();
    died.is_some_and(|died| died.0 == core.age())
}
