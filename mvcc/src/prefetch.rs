//! Hints to the processor about memory that is going to be used: cache misses that overlap cost a tenth of those that come one after the other.

use crate::tuple::Tuple;
use crate::version::Version;

/// Says that this is going to be used.
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

/// The same of a version: its head, and the next cache line, with most of a small value.
#[inline]
pub(crate) fn prefetch_version(version: *const Version) {
    prefetch(version);
    prefetch(version.wrapping_byte_add(64));
}

/// Says that a tuple's newest version is going to be read. Waits for the tuple.
#[inline]
pub(crate) fn prefetch_newest(tuple: &Tuple) {
    prefetch_version(tuple.word().newest());
}
