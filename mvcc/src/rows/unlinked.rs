//! What has left an index, and is freed once nobody reaches it.

use crate::rows::hash::Replaced;
use crate::rows::tuple::Tuple;
use crate::rows::version::{OwnedVersion, VersionType};
use crate::sync::{freed, held};
use std::ptr::NonNull;

/// What has left an index. Dropping it frees it.
pub enum Unlinked {
    Tuple(DeadTuple),
    Array(Replaced),
    /// A node of a tree, or the content of one.
    Node(Box<dyn Send>),
}

/// A tuple that is in no index any more. To be dropped, which frees it, once nobody reaches it.
#[must_use = "readers may still use it"]
pub struct DeadTuple {
    pub(crate) tuple: NonNull<Tuple>,
    pub(crate) versions: &'static VersionType,
    pub(crate) free_tuple: unsafe fn(NonNull<Tuple>),
}

// SAFETY: keys and values are `Send`, and whoever drops it has it to itself.
unsafe impl Send for DeadTuple {}

impl Drop for DeadTuple {
    fn drop(&mut self) {
        held::nothing();
        let (tuple, versions, free_tuple) = (self.tuple, self.versions, self.free_tuple);
        // SAFETY: whoever drops it knows that nobody reaches the tuple.
        freed::free(tuple, move || unsafe {
            free(tuple, versions, free_tuple);
        });
    }
}

/// Frees a tuple and its newest version; older ones belong to the retire lists.
///
/// # Safety
/// The tuple is of a table with these types, and nobody else reaches it from now on.
unsafe fn free(
    mut tuple: NonNull<Tuple>,
    versions: &'static VersionType,
    free_tuple: unsafe fn(NonNull<Tuple>),
) {
    // SAFETY: ours alone.
    let newest = NonNull::new(unsafe { tuple.as_mut() }.newest_mut());
    // SAFETY: the newest version belongs to its tuple.
    let newest = newest.map(|version| unsafe { OwnedVersion::new(version, versions) });
    // SAFETY: the caller's promise.
    unsafe { free_tuple(tuple) };
    drop(newest);
}
