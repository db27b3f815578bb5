//! A global allocator that counts the bytes in use, for the tests and the example that measure
//! memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// The system's allocator, counted.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Each thread counts in one of these, so that counting does not slow threads down that run side by
/// side.
#[repr(align(128))]
struct Counter(AtomicI64);

const COUNTERS: usize = 64;
static BYTES: [Counter; COUNTERS] = [const { Counter(AtomicI64::new(0)) }; COUNTERS];
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn count(bytes: usize, sign: i64) {
    // A thread that is ending counts in the first.
    let number = NUMBER.try_with(|number| {
        if number.get() == usize::MAX {
            number.set(THREADS.fetch_add(1, Ordering::Relaxed) % COUNTERS);
        }
        number.get()
    });
    let bytes = i64::try_from(bytes).expect("an allocation is smaller than 2^63");
    BYTES[number.unwrap_or(0)]
        .0
        .fetch_add(sign * bytes, Ordering::Relaxed);
}

/// Bytes that are allocated now, as they were asked for: without the allocator's own overhead.
/// Exact while no other thread allocates.
pub(crate) fn heap_bytes() -> i64 {
    BYTES
        .iter()
        .map(|counter| counter.0.load(Ordering::Relaxed))
        .sum()
}

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
