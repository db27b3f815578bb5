//! Merging: nodes that have become small are joined with a neighbour under the same parent.

use super::content::Content;
use super::{CAPACITY, Node, Tree, TreeKey};
use crate::rows::protected::Protected;
use crate::rows::unlinked::Unlinked;
use std::ptr::NonNull;

/// A node with at most this many entries is small.
const SMALL: usize = CAPACITY / 4;
/// A node that came of a merge has at most this many, so that it does not split soon.
const JOINED: usize = CAPACITY / 2;
/// How often to try again when another thread changes the nodes meanwhile.
const ATTEMPTS: u32 = 4;

enum Merge {
    Done,
    /// There is no neighbour that it fits with.
    None,
    /// A node has changed or is locked.
    Busy,
}

impl<K: TreeKey> Tree<K> {
    /// Merges the nodes on the way to a key, from the leaf upwards, as far as they are small.
    pub(super) fn merge_around(
        &self,
        key: &K,
        protected: Protected<'_>,
        unlinked: &mut dyn FnMut(Unlinked),
    ) {
        let top = self.root(protected).content(protected).level();
        for level in 0..top {
            let found = self.descend_to(level, protected, |other| other.cmp(key));
            if found.is_none_or(|(_, content)| content.len() > SMALL) {
                return;
            }
            if self.merge_level(level, key, protected, unlinked) {
                // Below, there may be small nodes that have only now come under one parent.
                for lower in (0..level).rev() {
                    self.merge_level(lower, key, protected, unlinked);
                }
            }
        }
    }

    /// Whether a node of a level was merged with a neighbour.
    fn merge_level(
        &self,
        level: u32,
        key: &K,
        protected: Protected<'_>,
        unlinked: &mut dyn FnMut(Unlinked),
    ) -> bool {
        for _ in 0..ATTEMPTS {
            match self.merge_at(level, key, protected, unlinked) {
                Merge::Done => return true,
                Merge::None => return false,
                Merge::Busy => {}
            }
        }
        false
    }

    fn merge_at(
        &self,
        level: u32,
        key: &K,
        protected: Protected<'_>,
        unlinked: &mut dyn FnMut(Unlinked),
    ) -> Merge {
        let found = self.descend_to(level + 1, protected, |other| other.cmp(key));
        let Some((parent, above)) = found else {
            return Merge::None;
        };
        let len = above.len();
        let number = above.child_number(|other| other.cmp(key));
        // With the right neighbour, or with the left one.
        let pairs = [
            Some(number).filter(|&left| left < len),
            number.checked_sub(1),
        ];
        for left in pairs.into_iter().flatten() {
            match Self::join(parent, above, len, left, protected, unlinked) {
                Merge::None => {}
                outcome => return outcome,
            }
        }
        Merge::None
    }

    /// Joins child number `left` of a parent with the next one.
    fn join(
        parent: &Node<K>,
        above: &Content<K>,
        len: usize,
        left: usize,
        protected: Protected<'_>,
        unlinked: &mut dyn FnMut(Unlinked),
    ) -> Merge {
        let (left_at, right_at) = (above.node(left), above.node(left + 1));
        // SAFETY: linked from a content that we may use.
        let (left_node, right_node) = unsafe { (left_at.as_ref(), right_at.as_ref()) };
        let (left_content, right_content) =
            (left_node.content(protected), right_node.content(protected));
        if left_content.is_merged() || right_content.is_merged() {
            return Merge::Busy;
        }
        let (left_len, right_len) = (left_content.len(), right_content.len());
        if left_content.right() != Some(right_at) || left_len + right_len >= JOINED {
            return Merge::None;
        }
        // The user's code runs before anything is locked.
        let joined = left_content.joined(left_len, above.key(left), right_content, right_len);
        let rest = Content::merged_into(left_content.level(), left_at);
        let without = above.without(len, left);
        let locks = (
            left_node.try_lock(),
            right_node.try_lock(),
            parent.try_lock(),
        );
        let (Some(left_lock), Some(right_lock), Some(parent_lock)) = locks else {
            return Merge::Busy;
        };
        if !left_lock.is_at(left_content, left_len)
            || !right_lock.is_at(right_content, right_len)
            || !parent_lock.is_at(above, len)
        {
            return Merge::Busy;
        }
        // In this order, every key is found all the time: in the left node first, then through what
        // is left of the right one.
        let replaced = [
            left_lock.replace(joined),
            right_lock.replace(rest),
            parent_lock.replace(without),
        ];
        drop((left_lock, right_lock, parent_lock));
        for content in replaced {
            unlinked(Unlinked::Node(content));
        }
        // SAFETY: from a box; its parent and its left neighbour have let go of it, and it is
        // retired here, once.
        let node = unsafe { Box::from_raw(NonNull::as_ptr(right_at)) };
        unlinked(Unlinked::Node(node));
        Merge::Done
    }
}
