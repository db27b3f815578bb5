//! The ordered index: a B-link tree (Lehman and Yao, TODS 1981) whose nodes are copied on write.
//!
//! A node is a stable address with a pointer to its current *content*. A content is immutable but
//! for appends behind its last entry, so readers take no lock and never see a key that is being
//! written. A writer prepares the new content first, which runs user code (comparing and cloning
//! keys); then it locks the node, checks that the content is still the one it started from, and
//! replaces it: a few instructions.
//!
//! A split replaces the content by its lower half, with a link to a new right neighbour, and only
//! then tells the level above. Whoever comes to a node that its key has left follows the links to
//! the right. A merge empties the right one of two neighbours under one parent; what is left there
//! points to the left one. A root that has only one child left gives way to it; what is left there
//! points down to the child.
#![allow(
    clippy::unnecessary_box_returns,
    reason = "a content is made where it is to stay: it has a kilobyte"
)]

mod content;
mod merge;
mod root;
mod walk;

pub(crate) use walk::{Direction, NodeRead, Walked, last_key, walk};

use crate::rows::protected::Protected;
use crate::rows::tuple::{OwnedTuple, Tuple};
use crate::rows::unlinked::Unlinked;
use crate::sync::{AtomicBool, AtomicPtr, Ordering, SMALL, Wait, bug, held};
use content::Content;
use std::cmp::Ordering as Order;
use std::ptr::{self, NonNull};

/// Entries of a node. Copying a content costs about as much as finding it then; see
/// docs/ordered-index.md.
const CAPACITY: usize = if SMALL { 4 } else { 64 };

/// What a key must be able to do.
pub trait TreeKey: Ord + Clone + Send + Sync + 'static {}
impl<K: Ord + Clone + Send + Sync + 'static> TreeKey for K {}

/// A node: where its content is found.
pub(crate) struct Node<K> {
    content: AtomicPtr<Content<K>>,
    locked: AtomicBool,
}

/// The right to replace a node's content.
struct NodeLock<'n, K>(&'n Node<K>);

impl<K> Node<K> {
    fn new(content: Box<Content<K>>) -> Self {
        Self {
            content: AtomicPtr::new(Box::into_raw(content)),
            locked: AtomicBool::new(false),
        }
    }

    #[inline]
    fn content<'p>(&self, _protected: Protected<'p>) -> &'p Content<K> {
        // Acquire: pairs with `replace`. SAFETY: a node always has a content, and replaced ones are
        // kept for whoever is protected.
        unsafe { &*self.content.load(Ordering::Acquire) }
    }

    fn try_lock(&self) -> Option<NodeLock<'_, K>> {
        // Acquire: pairs with the release store in `NodeLock::drop`.
        let locked = self.locked.swap(true, Ordering::Acquire);
        // Not `then_some`: a lock that is made and dropped unlocks the node.
        (!locked).then(|| {
            held::lock();
            NodeLock(self)
        })
    }

    /// Locks the node if its content is still this one, with so many entries.
    fn lock_as(&self, content: &Content<K>, len: usize) -> Option<NodeLock<'_, K>> {
        let mut wait = Wait::new();
        loop {
            if let Some(lock) = self.try_lock() {
                return lock.is_at(content, len).then_some(lock);
            }
            wait.turn();
        }
    }
}

impl<K> NodeLock<'_, K> {
    fn is_at(&self, content: &Content<K>, len: usize) -> bool {
        // Relaxed: both change under the lock only.
        let current = self.0.content.load(Ordering::Relaxed);
        bug!("node-unchecked") || ptr::eq(current, content) && content.len() == len
    }

    /// Replaces the content and returns the old one, to be retired.
    fn replace(&self, content: Box<Content<K>>) -> Box<Content<K>> {
        // Release: whoever sees the content sees what is in it.
        let old = self
            .0
            .content
            .swap(Box::into_raw(content), Ordering::Release);
        // SAFETY: it came from a box; the caller keeps it for whoever still reads it.
        unsafe { Box::from_raw(old) }
    }
}

impl<K> Drop for NodeLock<'_, K> {
    fn drop(&mut self) {
        self.0.locked.store(false, Ordering::Release);
        held::unlock();
    }
}

impl<K> Drop for Node<K> {
    fn drop(&mut self) {
        // SAFETY: from a box, and ours alone now.
        drop(unsafe { Box::from_raw(*self.content.get_mut()) });
    }
}

/// The ordered index of one table.
pub(crate) struct Tree<K> {
    root: AtomicPtr<Node<K>>,
}

/// Where a key that is missing would have to be added.
pub struct Vacancy<'p, K> {
    node: &'p Node<K>,
    content: &'p Content<K>,
    len: usize,
    position: usize,
}

/// A content that was swapped in, and what to tell the level above if that was a split.
struct Split<K> {
    separator: K,
    right: NonNull<Node<K>>,
}

impl<K: TreeKey> Tree<K> {
    pub(crate) fn new() -> Self {
        let root = Node::new(Content::empty(0));
        Self {
            root: AtomicPtr::new(Box::into_raw(Box::new(root))),
        }
    }

    /// The node of a level where a place in the order of keys is found; `order` compares a key with
    /// that place, and where it says equal, the place is to the right of the key. A node below that
    /// level if the root is there, or has come there.
    #[inline]
    fn descend<'p>(
        &self,
        level: u32,
        protected: Protected<'p>,
        order: impl Fn(&K) -> Order,
    ) -> (&'p Node<K>, &'p Content<K>) {
        let mut node = self.root(protected);
        loop {
            let content = node.content(protected);
            if content.level() == 0 {
                content.prefetch_keys();
            }
            if let Some(next) = content.beyond(&order) {
                // SAFETY: linked from a content that we may use.
                node = unsafe { next.as_ref() };
            } else if content.level() <= level {
                return (node, content);
            } else {
                // SAFETY: as above.
                node = unsafe { content.child(&order).as_ref() };
            }
        }
    }

    /// The same for a level above the leaves: `None` if the root is below it, or was collapsed when
    /// we had come to it.
    fn descend_to<'p>(
        &self,
        level: u32,
        protected: Protected<'p>,
        order: impl Fn(&K) -> Order,
    ) -> Option<(&'p Node<K>, &'p Content<K>)> {
        let found = self.descend(level, protected, order);
        (found.1.level() == level || bug!("collapse-overlooked")).then_some(found)
    }

    /// The tuple of a key; `order` compares a key with it.
    #[inline]
    pub(crate) fn find(
        &self,
        protected: Protected<'_>,
        order: impl Fn(&K) -> Order,
    ) -> Option<NonNull<Tuple>> {
        let (_, content) = self.descend(0, protected, &order);
        content
            .find(content.len(), order)
            .ok()
            .map(|at| content.tuple(at))
    }

    /// The tuple of a key, or where to add it.
    pub(crate) fn locate<'p>(
        &self,
        key: &K,
        protected: Protected<'p>,
    ) -> Result<NonNull<Tuple>, Vacancy<'p, K>> {
        let (node, content) = self.descend(0, protected, |other| other.cmp(key));
        let len = content.len();
        match content.find(len, |other| other.cmp(key)) {
            Ok(at) => Ok(content.tuple(at)),
            Err(position) => Err(Vacancy {
                node,
                content,
                len,
                position,
            }),
        }
    }

    /// Adds a tuple, or gives it back if something has changed since its place was found. What is
    /// replaced goes to `unlinked`. `added` is told of the tuple once it is there: what follows
    /// compares keys, and may panic.
    pub(crate) fn add(
        &self,
        vacancy: &Vacancy<'_, K>,
        tuple: OwnedTuple<K>,
        protected: Protected<'_>,
        mut unlinked: impl FnMut(Unlinked),
        added: impl FnOnce(NonNull<Tuple>),
    ) -> Result<(), OwnedTuple<K>> {
        let &Vacancy {
            node,
            content,
            len,
            position,
        } = vacancy;
        if position == len && len < CAPACITY {
            let key = Content::stored(tuple.key());
            let Some(lock) = node.lock_as(content, len) else {
                return Err(tuple);
            };
            // SAFETY: we hold the lock, and there is room.
            unsafe { content.append(key, tuple.as_ptr()) };
            drop(lock);
            added(tuple.into_raw());
            return Ok(());
        }
        let (new, split) = content.with_tuple(len, position, tuple.key(), tuple.as_ptr());
        if !Self::swap(node, content, len, new, &mut unlinked) {
            return Err(tuple);
        }
        added(tuple.into_raw());
        if let Some(split) = split {
            self.post(1, &split.commit(), protected, &mut unlinked);
        }
        Ok(())
    }

    /// Replaces a content if it is still the current one.
    fn swap(
        node: &Node<K>,
        content: &Content<K>,
        len: usize,
        new: Box<Content<K>>,
        unlinked: &mut impl FnMut(Unlinked),
    ) -> bool {
        let Some(lock) = node.lock_as(content, len) else {
            return false;
        };
        let old = lock.replace(new);
        drop(lock);
        unlinked(Unlinked::Node(old));
        true
    }

    /// Tells a level of a split in the one below. Until that is done, and even if a panic of user
    /// code prevents it, the new node is found through its left neighbour.
    fn post(
        &self,
        level: u32,
        split: &Split<K>,
        protected: Protected<'_>,
        unlinked: &mut impl FnMut(Unlinked),
    ) {
        let order = |other: &K| other.cmp(&split.separator);
        loop {
            if self.root(protected).content(protected).level() < level {
                if self.grow(level, split, protected) {
                    return;
                }
                continue;
            }
            let Some((node, content)) = self.descend_to(level, protected, order) else {
                continue;
            };
            let len = content.len();
            let (new, upper) = content.with_child(len, &split.separator, split.right);
            if Self::swap(node, content, len, new, unlinked) {
                if let Some(upper) = upper {
                    self.post(level + 1, &upper.commit(), protected, unlinked);
                }
                return;
            }
        }
    }
}

/// The parts of a tree that need not know its keys.
pub(crate) trait AnyTree: Send + Sync {
    /// Prepares to take a tuple out, which compares and clones keys; `None` if it is not there.
    fn prepare_removal<'p>(
        &'p self,
        tuple: NonNull<Tuple>,
        protected: Protected<'p>,
    ) -> Option<Box<dyn Removal + 'p>>;

    /// Merges the nodes around a tuple that has been taken out, as far as they have become small,
    /// and takes roots away that have only one child left. Compares and clones keys.
    fn shrink(
        &self,
        tuple: NonNull<Tuple>,
        protected: Protected<'_>,
        unlinked: &mut dyn FnMut(Unlinked),
    );

    /// All tuples, for whoever has the tree to itself, and drops it next.
    fn drain(&mut self) -> Vec<NonNull<Tuple>>;
}

/// A removal that is ready to be done.
pub(crate) trait Removal {
    /// Takes the tuple out, once, and returns what that replaced. `None`: the node has changed
    /// meanwhile; prepare again. Runs no user code.
    fn apply(&mut self) -> Option<Unlinked>;
}

struct NodeRemoval<'p, K> {
    node: &'p Node<K>,
    content: &'p Content<K>,
    len: usize,
    /// None once it is in the tree. It has clones of keys, so it is not dropped under a lock (I8).
    new: Option<Box<Content<K>>>,
}

impl<K: TreeKey> Removal for NodeRemoval<'_, K> {
    fn apply(&mut self) -> Option<Unlinked> {
        let Some(lock) = self.node.lock_as(self.content, self.len) else {
            if bug!("keys-dropped-under-a-lock") {
                self.new = None;
            }
            return None;
        };
        Some(Unlinked::Node(lock.replace(self.new.take()?)))
    }
}

impl<K: TreeKey> AnyTree for Tree<K> {
    fn prepare_removal<'p>(
        &'p self,
        tuple: NonNull<Tuple>,
        protected: Protected<'p>,
    ) -> Option<Box<dyn Removal + 'p>> {
        // SAFETY: of this table, and the caller is protected since it was in the tree.
        let key: &K = unsafe { crate::rows::tuple::key_of(tuple) };
        let (node, content) = self.descend(0, protected, |other| other.cmp(key));
        let len = content.len();
        let at = content.find(len, |other| other.cmp(key)).ok()?;
        (content.tuple(at) == tuple).then(|| -> Box<dyn Removal> {
            let new = Some(content.without(len, at));
            Box::new(NodeRemoval {
                node,
                content,
                len,
                new,
            })
        })
    }

    fn shrink(
        &self,
        tuple: NonNull<Tuple>,
        protected: Protected<'_>,
        unlinked: &mut dyn FnMut(Unlinked),
    ) {
        // SAFETY: as above.
        let key: &K = unsafe { crate::rows::tuple::key_of(tuple) };
        self.merge_around(key, protected, unlinked);
        self.collapse(protected, unlinked);
    }

    fn drain(&mut self) -> Vec<NonNull<Tuple>> {
        let mut tuples = Vec::new();
        for node in all_nodes(&self.root) {
            // SAFETY: we have the tree to ourselves.
            let leaf = unsafe { node.as_ref().content(Protected::open()) };
            if leaf.level() == 0 {
                tuples.extend((0..leaf.len()).map(|at| leaf.tuple(at)));
            }
        }
        tuples
    }
}

/// All nodes of a tree that nobody else uses.
fn all_nodes<K>(root: &AtomicPtr<Node<K>>) -> Vec<NonNull<Node<K>>> {
    // SAFETY: the caller has the tree to itself.
    let protected = unsafe { Protected::open() };
    let mut nodes = Vec::new();
    // Relaxed: nobody else uses it.
    let mut leftmost = NonNull::new(root.load(Ordering::Relaxed));
    while let Some(first) = leftmost {
        // SAFETY: a node of this tree, as are those below.
        leftmost = unsafe { first.as_ref() }.content(protected).first();
        let mut next = Some(first);
        while let Some(node) = next {
            nodes.push(node);
            // SAFETY: as above.
            next = unsafe { node.as_ref() }.content(protected).right();
        }
    }
    nodes
}

impl<K> Drop for Tree<K> {
    fn drop(&mut self) {
        // The tuples are the table's. SAFETY: from boxes, and no node is linked from two places on
        // its own level.
        let free = |node: NonNull<Node<K>>| unsafe { Box::from_raw(node.as_ptr()) };
        // A list, for that is dropped as a whole, also if dropping a key in it panics.
        drop(
            all_nodes(&self.root)
                .into_iter()
                .map(free)
                .collect::<Vec<_>>(),
        );
    }
}

#[cfg(test)]
mod tests;
