//! Versions: one value (or tombstone) of a tuple each, newest first in a chain.
//!
//! The protocol never looks at a value, so it works on the untyped head, [`Version`]; the code that
//! does look at values ([`ValueVersion`]) knows their type from the table.

use crate::sync::{AtomicPtr, Ordering, bug, freed, held};
use std::mem::needs_drop;
use std::ptr::{self, NonNull};

/// The untyped head of a version. Every `NonNull<Version>` in this crate points to the head of a
/// live [`ValueVersion`] and carries the provenance of the whole of it.
#[repr(C, align(8))]
pub(crate) struct Version {
    /// When it was committed; unset until then. Written before the version is published, never
    /// after.
    pub(crate) timestamp: u64,
    /// The version that this one replaced. It changes only when a version between the two is
    /// unlinked.
    ///
    /// It may dangle once `timestamp`, or that of a version which was unlinked from between the
    /// two, is below the watermark: nobody goes past this one any more (I4).
    pub(crate) older: AtomicPtr<Version>,
}

/// A version with its value; `None` is a tombstone.
#[repr(C)]
pub(crate) struct ValueVersion<V> {
    pub(crate) head: Version,
    pub(crate) value: Option<V>,
}

impl<V> ValueVersion<V> {
    /// A new version on the heap, not yet part of any chain.
    pub(crate) fn boxed(value: Option<V>) -> NonNull<Version> {
        let version = Box::new(Self {
            head: Version {
                timestamp: 0,
                older: AtomicPtr::new(ptr::null_mut()),
            },
            value,
        });
        // A raw pointer from the whole box, so that it may be turned back into one to the whole.
        NonNull::from(Box::leak(version)).cast()
    }
}

impl Version {
    /// The head of a version that is in a chain. All who read one get it here, so that the tests
    /// hear of it if it was freed.
    ///
    /// # Safety
    /// The version is allocated for `'v`.
    #[inline]
    pub(crate) unsafe fn head<'v>(version: NonNull<Self>) -> &'v Self {
        freed::check(version);
        // SAFETY: the caller's promise.
        unsafe { version.as_ref() }
    }

    /// The version that this one replaced, as far as it is still there.
    #[inline]
    pub(crate) fn older(&self) -> *mut Self {
        // Acquire: pairs with the release store that unlinks a middle version.
        let older = self.older.load(Ordering::Acquire);
        // The scheduler may have run others before the load.
        freed::check(NonNull::from(self));
        older
    }

    /// Whether it was committed before `timestamp`.
    #[inline]
    pub(crate) fn is_before(&self, timestamp: u64) -> bool {
        self.timestamp < timestamp
            || bug!("visible-at-its-timestamp") && self.timestamp == timestamp
    }

    /// The version visible at `timestamp` in the chain that starts at `newest`: the newest that is
    /// older than it.
    ///
    /// # Safety
    /// The caller's slot protects `timestamp`, and it is pinned: then every version that this
    /// passes is allocated (I4, I5).
    #[inline]
    pub(crate) unsafe fn visible_at(newest: *mut Version, timestamp: u64) -> *mut Version {
        let mut version = newest;
        while let Some(at) = NonNull::new(version) {
            // SAFETY: `newest` was the tuple's newest version when a pinned and protected reader
            // loaded it, and each step leaves a version that is not below `timestamp`, hence not
            // below the watermark: its successor is allocated.
            let head = unsafe { Self::head(at) };
            if head.is_before(timestamp) {
                break;
            }
            version = head.older();
        }
        version
    }

    /// The version directly above `below` in the chain that starts at `newest`.
    ///
    /// # Safety
    /// As for [`Version::visible_at`], and `below` was read by the caller and is not the newest.
    pub(crate) unsafe fn directly_above(
        newest: *mut Version,
        below: *mut Version,
    ) -> NonNull<Version> {
        let mut version = newest;
        loop {
            let above = NonNull::new(version).expect("a version that was read stays in its chain");
            // SAFETY: all versions above one that a live transaction has read are allocated.
            version = unsafe { Self::head(above) }.older();
            if version == below || bug!("last-overwriter-counts") {
                return above;
            }
        }
    }
}

/// The size of a type, as it is counted in statistics.
pub(crate) const fn bytes_of<T>() -> i64 {
    size_of::<T>().cast_signed() as i64
}

/// What the untyped parts need to know of a table's types.
pub(crate) struct VersionType {
    /// Of a version with its value, without what the value points to.
    pub(crate) bytes: i64,
    /// Whether dropping a value does anything.
    pub(crate) needs_drop: bool,
    /// Drops the value and leaves a version whose memory can serve for another. Runs user code.
    ///
    /// Safety: nobody else looks at the value; the head may still be passed by.
    pub(crate) clear: unsafe fn(NonNull<Version>),
    /// Frees the version, with its value if it still has one.
    ///
    /// Safety: the version is reachable by nobody else; the pointer is dead afterwards.
    pub(crate) free: unsafe fn(NonNull<Version>),
}

impl VersionType {
    pub(crate) const fn of<V: 'static>() -> Self {
        Self {
            bytes: bytes_of::<ValueVersion<V>>(),
            needs_drop: needs_drop::<V>(),
            clear: |version| {
                let version = version.cast::<ValueVersion<V>>();
                // SAFETY: the caller's promise; the version's type is `V` as the table's is. A
                // reference to the value only: the head may be shared.
                let value = unsafe { &mut (*version.as_ptr()).value };
                if value.is_some() {
                    held::nothing();
                }
                drop(value.take());
            },
            free: |version| {
                let version = version.cast::<ValueVersion<V>>();
                freed::free(version, move || {
                    // SAFETY: as above; it was made by `ValueVersion::boxed`.
                    drop(unsafe { Box::from_raw(version.as_ptr()) });
                });
            },
        }
    }
}

/// A version that belongs to nobody's chain (or to one that nobody can reach any more): freed with
/// its value when dropped. The value is its owner's alone. Walks that began before it left its
/// chain may still pass its head, and until they are through, the owner keeps it.
pub(crate) struct OwnedVersion {
    version: NonNull<Version>,
    types: &'static VersionType,
}

// SAFETY: tables have values that are `Send`, and nobody else reaches the version.
unsafe impl Send for OwnedVersion {}

impl OwnedVersion {
    /// # Safety
    /// `version` is of type `types`, and nobody else sees its value from now on. It is not dropped
    /// before nobody can pass its head.
    pub(crate) unsafe fn new(version: NonNull<Version>, types: &'static VersionType) -> Self {
        Self { version, types }
    }

    /// Its size, as it is counted.
    pub(crate) fn bytes(&self) -> i64 {
        self.types.bytes
    }

    pub(crate) fn as_ptr(&self) -> NonNull<Version> {
        self.version
    }

    /// Hands the version to a chain.
    pub(crate) fn into_raw(self) -> NonNull<Version> {
        std::mem::ManuallyDrop::new(self).version
    }

    /// Drops the value, which runs user code; the memory can serve for another version of the same
    /// type. Also if the drop panics, the value is gone.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.types.needs_drop {
            // SAFETY: the value is ours alone.
            unsafe { (self.types.clear)(self.version) };
        }
    }
}

impl Drop for OwnedVersion {
    fn drop(&mut self) {
        if cfg!(shuttle) {
            // There, memory is freed later; but dropping the value is user code, which runs now.
            self.clear();
        }
        // SAFETY: ours alone, and never used again.
        unsafe { (self.types.free)(self.version) };
    }
}

/// The value of a version, if it is one and not a tombstone.
///
/// # Safety
/// The version is null or of a table with values `V`, and stays allocated for `'r`.
#[inline]
pub(crate) unsafe fn value_of<'r, V>(version: *mut Version) -> Option<&'r V> {
    NonNull::new(version).inspect(|&version| freed::check(version));
    // SAFETY: the caller's promise.
    let version = unsafe { version.cast::<ValueVersion<V>>().as_ref() };
    version.and_then(|version| version.value.as_ref())
}

/// The value of a version that is not a tombstone.
///
/// # Safety
/// The version has a value, its table has values `V`, and it stays allocated for `'r`.
#[inline]
pub(crate) unsafe fn live_value<'r, V>(version: NonNull<Version>) -> &'r V {
    freed::check(version);
    // SAFETY: the caller's promise.
    let value = &unsafe { version.cast::<ValueVersion<V>>().as_ref() }.value;
    debug_assert!(value.is_some(), "the word says so");
    // SAFETY: the caller's promise. Not looked at, so that nobody waits for the memory who does not
    // need the value itself.
    unsafe { value.as_ref().unwrap_unchecked() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_visible_version_is_the_newest_strictly_below() {
        let chain: Vec<_> = (0..3).map(|i| ValueVersion::boxed(Some(i))).collect();
        for (i, version) in chain.iter().enumerate() {
            // SAFETY: the test owns the versions.
            let head = unsafe { &mut *version.as_ptr() };
            head.timestamp = 10 * (i as u64 + 1);
            if i > 0 {
                head.older.store(chain[i - 1].as_ptr(), Ordering::Relaxed);
            }
        }
        let newest = chain[2].as_ptr();
        let visible = |timestamp| {
            // SAFETY: nothing is freed meanwhile.
            unsafe { Version::visible_at(newest, timestamp) }
        };
        assert!(visible(10).is_null());
        assert_eq!(visible(11), chain[0].as_ptr());
        assert_eq!(visible(20), chain[0].as_ptr());
        assert_eq!(visible(21), chain[1].as_ptr());
        assert_eq!(visible(u64::MAX), newest);
        // SAFETY: as above.
        let above = unsafe { Version::directly_above(newest, chain[0].as_ptr()) };
        assert_eq!(above, chain[1]);
        let types = VersionType::of::<i32>();
        for version in chain {
            // SAFETY: the test owns the versions and frees each once.
            unsafe {
                (types.clear)(version);
                (types.free)(version);
            }
        }
    }
}
