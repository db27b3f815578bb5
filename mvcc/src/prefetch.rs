//! Hints to the processor about memory that is going to be read: cache misses that overlap cost a tenth of those that come one after the other.

use crate::tuple::Tuple;

/// Says that this is going to be read.
#[inline]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; it reads nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Says that this is going to be written, with what follows it in the next cache line.
#[inline]
pub(crate) fn prefetch_for_writing<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; it writes nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_ET0>(at.cast());
        _mm_prefetch::<_MM_HINT_ET0>(at.wrapping_byte_add(64).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Says that a tuple's newest version is going to be read. Waits for the tuple.
#[inline]
pub(crate) fn prefetch_newest(tuple: &Tuple) {
    let newest = tuple.word().newest();
    prefetch(newest);
    // The next cache line: most of a small value.
    prefetch(newest.wrapping_byte_add(64));
}
