//! The age of a transaction: what decides who waits and who dies.

use crate::sync::thread_local;
use std::cell::Cell;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// A transaction's place in the order of ages; the smaller is the older. Unique in the process, so
/// it also tells transactions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Age(NonZeroU64);

/// How many ages a thread takes at a time, so that the counter is no hot spot. A transaction has at
/// most this many elders from each other thread that began after it: still finitely many, which is
/// all that progress needs.
const BLOCK: u64 = if cfg!(shuttle) { 2 } else { 32 };

impl Age {
    /// Younger than all that were taken by this thread before, and in time than all others.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        thread_local! {
            /// The next age of this thread's block, and the block's end.
            static BLOCK_LEFT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
        }
        BLOCK_LEFT.with(|left| {
            let (mut next, mut end) = left.get();
            if next == end {
                // Relaxed: only that no two blocks are the same matters.
                next = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
                end = next + BLOCK;
            }
            left.set((next + 1, end));
            Self(NonZeroU64::new(next).expect("2^64 transactions are more than there will be"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_younger() {
        let ages: Vec<_> = (0..100).map(|_| Age::next()).collect();
        assert!(ages.is_sorted_by(|left, right| left < right));
    }

    #[test]
    fn no_two_threads_have_the_same_age() {
        let take = || (0..100).map(|_| Age::next()).collect::<Vec<_>>();
        let handles: Vec<_> = (0..4).map(|_| std::thread::spawn(take)).collect();
        let joined = handles.into_iter().map(std::thread::JoinHandle::join);
        let mut ages: Vec<_> = joined.flat_map(|ages| ages.expect("no panic")).collect();
        ages.sort();
        ages.dedup();
        assert_eq!(ages.len(), 400);
    }
}
