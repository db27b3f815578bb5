//! The root: a split of it puts another one above, and one that has only one child left gives way
//! to that.
//!
//! The root is the leftmost node of its level. Whatever is to its right was split off by someone
//! who has still to tell the level above, so a root without a right neighbour is alone on its
//! level. If it has no entries either, everything can be reached from its only child, which is the
//! leftmost node of the level below, and that one can be the root.
//!
//! - Whoever locks such a root with its content unchanged can take it away. While it is locked it
//!   is not split, so nobody puts a root above it, and nobody merges it, for it has no parent.
//! - From then on nobody comes to it any more. Who is there already goes on to the child, by its
//!   old content or by what is left in it, and so may come out below the level that it is looking
//!   for: that is for [`Tree::descend_to`] to notice. Who was about to change it finds its content
//!   replaced. Both begin again.
//! - The level that is to be told of a split may be gone by then. But as long as it is not told,
//!   the leftmost node of the level that was split has a right neighbour, so that this one stays:
//!   the root is at most one level too low, and [`Tree::grow`] puts the missing one above.

use super::content::Content;
use super::{Node, Split, Tree, TreeKey};
use crate::rows::protected::Protected;
use crate::rows::unlinked::Unlinked;
use crate::sync::Ordering;
use std::ptr::NonNull;

impl<K: TreeKey> Tree<K> {
    #[inline]
    pub(super) fn root<'p>(&self, _protected: Protected<'p>) -> &'p Node<K> {
        // SAFETY: one that has been collapsed is kept for whoever is protected.
        unsafe { self.root_at().as_ref() }
    }

    #[inline]
    fn root_at(&self) -> NonNull<Node<K>> {
        // Acquire: pairs with `replace_root`. SAFETY: there always is one.
        unsafe { NonNull::new_unchecked(self.root.load(Ordering::Acquire)) }
    }

    /// Makes another node the root, if this one is it.
    fn replace_root(&self, old: NonNull<Node<K>>, new: NonNull<Node<K>>) -> bool {
        // Release: whoever sees the root sees what is in it. Relaxed: nothing follows from a
        // failure.
        let replaced = self.root.compare_exchange(
            old.as_ptr(),
            new.as_ptr(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        replaced.is_ok()
    }

    /// Puts a new root above the old one, to tell it of a split of the level below `level`. False
    /// if there was one already, or is now.
    pub(super) fn grow(&self, level: u32, split: &Split<K>, protected: Protected<'_>) -> bool {
        let old = self.root_at();
        // SAFETY: as in `root`.
        let above = unsafe { old.as_ref() }.content(protected).level() + 1;
        assert!(above >= level, "a split root has collapsed");
        if above > level {
            return false;
        }
        let content = Content::root(level, old, &split.separator, split.right);
        let new = NonNull::from(Box::leak(Box::new(Node::new(content))));
        let is_root = self.replace_root(old, new);
        if !is_root {
            // SAFETY: just made, and nobody has seen it.
            drop(unsafe { Box::from_raw(new.as_ptr()) });
        }
        is_root
    }

    /// Makes the root's only child the root, as long as there is only one. Compares no keys.
    pub(super) fn collapse(&self, protected: Protected<'_>, unlinked: &mut dyn FnMut(Unlinked)) {
        loop {
            let old = self.root_at();
            // SAFETY: as in `root`.
            let root = unsafe { old.as_ref() };
            let content = root.content(protected);
            let Some(child) = content.only_child() else {
                return;
            };
            let rest = Content::merged_into(content.level(), child);
            let Some(lock) = root.lock_as(content, 0) else {
                continue;
            };
            // In this order: who finds it merged begins again at the new root.
            if !self.replace_root(old, child) {
                continue;
            }
            let replaced = lock.replace(rest);
            drop(lock);
            unlinked(Unlinked::Node(replaced));
            // SAFETY: from a box; nothing that can be reached leads to it any more, and it is
            // retired here, once.
            unlinked(Unlinked::Node(unsafe { Box::from_raw(old.as_ptr()) }));
        }
    }
}
