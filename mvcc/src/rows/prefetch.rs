//! Hints to the processor about memory that is going to be used: cache misses that overlap cost a
//! tenth of those that come one after the other.

use crate::rows::tuple::Tuple;
use crate::rows::version::Version;

/// Bytes of a cache line.
const LINE: usize = 64;
const LINES: usize = 4;

/// Says that this is going to be used. Brings it into the second-level cache: that keeps track of
/// more misses than the first-level cache (on Zen 4, three lines at each of 100 random places: 14
/// ns a place, not 29), and a read that finds it there waits for a few nanoseconds, which overlap.
#[inline]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; it reads nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The same of a tuple: its head, and its key, which may be in the next cache line.
#[inline]
pub(crate) fn prefetch_tuple(tuple: *const Tuple) {
    prefetch(tuple);
    prefetch(tuple.wrapping_add(1));
}

/// The same of each cache line of so many bytes.
#[inline]
pub(crate) fn prefetch_lines<T>(at: *const T, bytes: usize) {
    for start in (0..bytes).step_by(LINE) {
        prefetch(at.wrapping_byte_add(start));
    }
    // They need not begin where a line does.
    prefetch(at.wrapping_byte_add(bytes.saturating_sub(1)));
}

/// The same of a version of this size, as far as the first [`LINES`] cache lines: if it has more,
/// the processor sees a pattern.
#[inline]
pub(crate) fn prefetch_version(version: *const Version, bytes: usize) {
    prefetch_lines(version, bytes.min(LINES * LINE));
}

/// Says that a tuple's newest version, of this size, is going to be read. Waits for the tuple.
#[inline]
pub(crate) fn prefetch_newest(tuple: &Tuple, bytes: usize) {
    prefetch_version(tuple.word().newest(), bytes);
}
