//! What keeps tuples and the memory of indexes allocated under whoever follows pointers to them.
//!
//! A live transaction's open slot does: what is unlinked is handed to the epoch only once no slot
//! is open from before that (I9), see [`collect`](crate::collect). An epoch pin does as well; it
//! serves those whose slot is fixed, and who may live long, on each of their ways through an index.

use crossbeam_epoch::Guard;
use std::marker::PhantomData;

/// A proof that what is reachable from an index stays allocated for `'p`.
#[derive(Clone, Copy)]
pub struct Protected<'p>(PhantomData<&'p ()>);

impl<'p> Protected<'p> {
    #[inline]
    pub(crate) fn pinned(_guard: &'p Guard) -> Self {
        Self(PhantomData)
    }

    /// # Safety
    /// For all of `'p`, the caller has a slot that is open, or has the database to itself.
    #[inline]
    pub(crate) unsafe fn open() -> Self {
        Self(PhantomData)
    }
}

/// A proof that the caller is this crate, which has checked what it must. What is hidden in the
/// docs of a trait can be named by everybody all the same.
#[derive(Clone, Copy)]
pub struct Internal(());

impl Internal {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(())
    }
}
