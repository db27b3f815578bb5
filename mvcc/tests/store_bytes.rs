//! Whatever the bytes of a directory are: the state after a prefix of the commits, or a clear
//! error. No panic, no memory by a length that nobody has checked, no thread left behind.

#![cfg(feature = "durable")]

mod bytes;

use bytes::{Outcome, check};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, which remembers the largest piece that it was asked for.
struct Watching;

#[global_allocator]
static WATCHING: Watching = Watching;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

/// The most bytes that one piece may have: the largest file here has a few KiB, and files are read
/// in pieces of 1 MiB.
const MOST: usize = 8 << 20;

fn watch(bytes: usize) {
    // Relaxed: the thread that looks at it has joined those that have asked.
    LARGEST.fetch_max(bytes, Ordering::Relaxed);
}

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        watch(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        watch(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        watch(size);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

fn checked(bytes: &[u8]) -> Outcome {
    let outcome = check(bytes);
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest <= MOST, "{largest} bytes were asked for at once");
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_bytes_are_a_prefix_or_a_clear_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..120)
    ) {
        checked(&bytes);
    }
}

/// What the fuzzer has found: a type's name with a line end in it, in an error that is one line.
#[test]
fn what_was_found_is_not_found_again() {
    checked(b"\"GGG\x03\0\0\0\0\0\0\0GGGGeve\n\x01");
}

/// The property does not pass because all is refused before anything is looked at.
#[test]
fn the_changes_come_to_all_that_may_come_of_them() {
    let (mut refused, mut all, mut fewer, mut other) = (0, 0, 0, 0);
    for seed in 0..1000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bytes: Vec<_> = std::iter::repeat_with(|| random.u8(..)).take(80).collect();
        match checked(&bytes) {
            Outcome::Refused => refused += 1,
            Outcome::Opened(12) => all += 1,
            Outcome::Opened(_) => fewer += 1,
            Outcome::OpenedOther => other += 1,
        }
    }
    println!("refused {refused}, all {all}, fewer {fewer}, other {other}");
    assert!(refused > 100 && all > 100 && fewer > 10 && other > 10);
}
