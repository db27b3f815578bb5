//! What a node holds: sorted entries, and where the neighbours are.

use super::{CAPACITY, Node, Split};
use crate::rows::prefetch::prefetch_lines;
use crate::rows::tuple::Tuple;
use crate::sync::{AtomicUsize, Ordering, bug, held};
use std::cell::UnsafeCell;
use std::cmp::Ordering as Order;
use std::mem::{MaybeUninit, needs_drop};
use std::ops::Range;
use std::ptr::{self, NonNull};

/// A node's content. Its entries are tuples in a leaf, which is level 0, and nodes of the level
/// below elsewhere: entry `i` leads to the keys from `keys[i]` on, up to the next one; `first` to
/// those before.
#[repr(C)]
pub(super) struct Content<K> {
    level: u32,
    /// Where this content has an entry that its predecessor had not. [`NOWHERE`] if it came about
    /// in another way.
    added: u32,
    /// Published entries. It grows when an entry is appended, and never changes otherwise.
    len: AtomicUsize,
    right: Option<NonNull<Node<K>>>,
    first: Option<NonNull<Node<K>>>,
    /// Whether all that was here is in another node now, which `right` points to: the left
    /// neighbour, or the child if this was a root.
    merged: bool,
    /// Keys from here on are in `right` or beyond. None in the last node of a level.
    high: Option<K>,
    /// Set below `len`; see [`Content::keeps_keys`].
    keys: [UnsafeCell<MaybeUninit<K>>; CAPACITY],
    entries: [UnsafeCell<MaybeUninit<NonNull<()>>>; CAPACITY],
}

// SAFETY: keys are `Send`; nodes and tuples are used under the protection that any thread has who
// comes by them.
unsafe impl<K: Send> Send for Content<K> {}

/// See [`Content::added`].
const NOWHERE: u32 = u32::MAX;

/// A split that is not published yet.
pub(super) struct Pending<K> {
    separator: K,
    right: Box<Node<K>>,
}

impl<K> Pending<K> {
    /// The new node is linked from its left neighbour now.
    pub(super) fn commit(self) -> Split<K> {
        Split {
            separator: self.separator,
            right: NonNull::from(Box::leak(self.right)),
        }
    }
}

impl<K> Content<K> {
    /// Whether nodes of a level keep copies of keys. Leaves do not if a key owns something: there,
    /// the tuple's own key is read, and copying a content clones no key.
    fn keeps_keys(level: u32) -> bool {
        level > 0 || !needs_drop::<K>()
    }

    pub(super) fn empty(level: u32) -> Box<Self> {
        let mut content = Box::<Self>::new_uninit();
        let at = content.as_mut_ptr();
        // SAFETY: all fields are written, but for the arrays, which may be uninitialised.
        unsafe {
            (&raw mut (*at).level).write(level);
            (&raw mut (*at).added).write(NOWHERE);
            (&raw mut (*at).len).write(AtomicUsize::new(0));
            (&raw mut (*at).high).write(None);
            (&raw mut (*at).right).write(None);
            (&raw mut (*at).merged).write(false);
            (&raw mut (*at).first).write(None);
            content.assume_init()
        }
    }

    /// What is left of a node that was merged into its left neighbour, or of a root whose child has
    /// taken its place.
    pub(super) fn merged_into(level: u32, node: NonNull<Node<K>>) -> Box<Self> {
        let mut content = Self::empty(level);
        content.merged = true;
        content.right = Some(node);
        content
    }

    /// Says that the keys are going to be searched: that looks at one line after the other, so the
    /// misses would come one after the other.
    #[inline]
    pub(super) fn prefetch_keys(&self) {
        // A search in large keys looks at a small part of their lines.
        if Self::keeps_keys(self.level) && size_of::<K>() <= 16 {
            prefetch_lines(self.keys.as_ptr(), size_of_val(&self.keys));
        }
    }

    /// Says that a walk is going to read the entries.
    #[inline]
    pub(super) fn prefetch_entries(&self) {
        prefetch_lines(self.entries.as_ptr(), size_of_val(&self.entries));
    }

    pub(super) fn level(&self) -> u32 {
        self.level
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        // Acquire: pairs with `append`.
        self.len.load(Ordering::Acquire)
    }

    pub(super) fn len_word(&self) -> &AtomicUsize {
        &self.len
    }

    pub(super) fn high(&self) -> Option<&K> {
        self.high.as_ref()
    }

    pub(super) fn right(&self) -> Option<NonNull<Node<K>>> {
        self.right
    }

    pub(super) fn first(&self) -> Option<NonNull<Node<K>>> {
        self.first
    }

    /// The child of a node that has no other one, and no right neighbour.
    pub(super) fn only_child(&self) -> Option<NonNull<Node<K>>> {
        let is_last = self.right.is_none() || bug!("split-root-collapses");
        self.first.filter(|_| is_last && self.len() == 0)
    }

    pub(super) fn is_merged(&self) -> bool {
        self.merged
    }

    /// The key of an entry below the length.
    #[inline]
    pub(super) fn key(&self, at: usize) -> &K {
        if Self::keeps_keys(self.level) {
            // SAFETY: set below the length, and never changed.
            unsafe { (*self.keys[at].get()).assume_init_ref() }
        } else {
            // SAFETY: a tuple of the table, which whoever uses this content is protected from
            // losing.
            unsafe { crate::rows::tuple::key_of(self.tuple(at)) }
        }
    }

    #[inline]
    fn entry(&self, at: usize) -> NonNull<()> {
        // SAFETY: as for keys.
        unsafe { (*self.entries[at].get()).assume_init() }
    }

    /// A leaf's tuple.
    #[inline]
    pub(super) fn tuple(&self, at: usize) -> NonNull<Tuple> {
        self.entry(at).cast()
    }

    /// The tuples from the first on.
    pub(super) fn tuples(&self) -> NonNull<NonNull<Tuple>> {
        NonNull::from(&self.entries).cast()
    }

    /// The node below entry `at - 1`; 0 stands for the first.
    pub(super) fn node(&self, at: usize) -> NonNull<Node<K>> {
        match at.checked_sub(1) {
            Some(at) => self.entry(at).cast(),
            None => self
                .first
                .expect("a node above the leaves has a first child"),
        }
    }

    /// The neighbour to go on with, if the place is not in this node.
    #[inline]
    pub(super) fn beyond(&self, order: impl Fn(&K) -> Order) -> Option<NonNull<Node<K>>> {
        held::nothing();
        let is_left = |high: &K| !bug!("split-overlooked") && order(high).is_le();
        let moved =
            self.merged && !bug!("merge-overlooked") || self.high.as_ref().is_some_and(is_left);
        if moved { self.right } else { None }
    }

    /// The entry whose key is equal, or how many keys are less.
    #[inline]
    pub(super) fn find(&self, len: usize, order: impl Fn(&K) -> Order) -> Result<usize, usize> {
        held::nothing();
        if Self::keeps_keys(self.level) {
            // SAFETY: set below the length, and never changed.
            let keys = unsafe { std::slice::from_raw_parts(self.keys.as_ptr().cast::<K>(), len) };
            keys.binary_search_by(order)
        } else {
            // SAFETY: as above; a leaf's entries are tuples.
            let tuples = unsafe { std::slice::from_raw_parts(self.tuples().as_ptr(), len) };
            tuples.binary_search_by(|&tuple| {
                // SAFETY: as in `key`.
                order(unsafe { crate::rows::tuple::key_of(tuple) })
            })
        }
    }

    /// The child that leads to a place.
    #[inline]
    pub(super) fn child(&self, order: impl Fn(&K) -> Order) -> NonNull<Node<K>> {
        self.node(self.child_number(order))
    }

    /// Its number, for [`Content::node`].
    #[inline]
    pub(super) fn child_number(&self, order: impl Fn(&K) -> Order) -> usize {
        match self.find(self.len(), order) {
            Ok(equal) => equal + 1,
            Err(less) => less,
        }
    }
}

impl<K: Clone> Content<K> {
    pub(super) fn root(
        level: u32,
        first: NonNull<Node<K>>,
        separator: &K,
        right: NonNull<Node<K>>,
    ) -> Box<Self> {
        let mut content = Self::empty(level);
        content.first = Some(first);
        content.push(separator, right.cast());
        content
    }

    /// A key as a leaf keeps it.
    pub(super) fn stored(key: &K) -> MaybeUninit<K> {
        held::nothing();
        if Self::keeps_keys(0) {
            MaybeUninit::new(key.clone())
        } else {
            MaybeUninit::uninit()
        }
    }

    /// Appends a tuple to a published leaf.
    ///
    /// # Safety
    /// The caller holds the node's lock, and there is room.
    pub(super) unsafe fn append(&self, key: MaybeUninit<K>, tuple: NonNull<Tuple>) {
        let len = self.len.load(Ordering::Relaxed);
        // SAFETY: nobody reads entries from the length on, and nobody else writes.
        unsafe {
            *self.keys[len].get() = key;
            (*self.entries[len].get()).write(tuple.cast());
        }
        // Release: who sees the length sees the entry.
        self.len.store(len + 1, Ordering::Release);
    }

    fn push(&mut self, key: &K, entry: NonNull<()>) {
        let len = *self.len.get_mut();
        if Self::keeps_keys(self.level) {
            self.keys[len].get_mut().write(key.clone());
        }
        self.entries[len].get_mut().write(entry);
        *self.len.get_mut() = len + 1;
    }

    /// Adds entries of another content. Should cloning a key panic, those that were cloned are
    /// leaked.
    fn extend(&mut self, from: &Self, range: Range<usize>) {
        let len = *self.len.get_mut();
        if Self::keeps_keys(self.level) {
            for (to, at) in self.keys[len..].iter_mut().zip(range.clone()) {
                to.get_mut().write(from.key(at).clone());
            }
        }
        for (to, at) in self.entries[len..].iter_mut().zip(range.clone()) {
            to.get_mut().write(from.entry(at));
        }
        *self.len.get_mut() = len + range.len();
    }

    /// The entries in `range` of the sequence that has a new one at `position`.
    fn extend_with(
        &mut self,
        from: &Self,
        range: Range<usize>,
        position: usize,
        new: (&K, NonNull<()>),
    ) {
        if range.contains(&position) {
            self.extend(from, range.start..position);
            self.push(new.0, new.1);
            self.extend(from, position..range.end - 1);
        } else if position < range.start {
            self.extend(from, range.start - 1..range.end - 1);
        } else {
            self.extend(from, range);
        }
    }

    /// An empty content with the same neighbours.
    fn like(&self) -> Box<Self> {
        held::nothing();
        let mut content = Self::empty(self.level);
        content.first = self.first;
        content.right = self.right;
        content.high.clone_from(&self.high);
        content
    }

    /// With another entry; split if that is one too many.
    fn with(
        &self,
        len: usize,
        position: usize,
        key: &K,
        entry: NonNull<()>,
    ) -> (Box<Self>, Option<Pending<K>>) {
        let new = (key, entry);
        let mut left = self.like();
        let added = u32::try_from(position).expect("at most CAPACITY");
        if len < CAPACITY {
            left.extend_with(self, 0..len + 1, position, new);
            left.added = added;
            return (left, None);
        }
        let middle = if position == len {
            // Who appends will go on appending: leave the left one full.
            len
        } else if self.added.checked_add(1) == Some(added) {
            // One key after the other, in the midst of others: the next ones are going to be
            // appended to the left one.
            position + 1
        } else {
            len / 2
        };
        left.extend_with(self, 0..middle, position, new);
        let nth = |at: usize| match at.cmp(&position) {
            Order::Less => (self.key(at), self.entry(at)),
            Order::Equal => new,
            Order::Greater => (self.key(at - 1), self.entry(at - 1)),
        };
        let (separator, entry) = nth(middle);
        let mut right = self.like();
        if self.level == 0 {
            right.extend_with(self, middle..len + 1, position, new);
        } else {
            right.first = Some(entry.cast());
            right.extend_with(self, middle + 1..len + 1, position, new);
        }
        let right = Box::new(Node::new(right));
        left.high = Some(separator.clone());
        left.right = Some(NonNull::from(&*right));
        let separator = separator.clone();
        (left, Some(Pending { separator, right }))
    }

    /// A leaf with another tuple.
    pub(super) fn with_tuple(
        &self,
        len: usize,
        position: usize,
        key: &K,
        tuple: NonNull<Tuple>,
    ) -> (Box<Self>, Option<Pending<K>>) {
        self.with(len, position, key, tuple.cast())
    }

    /// An upper node with another child, for the keys from `separator` on.
    pub(super) fn with_child(
        &self,
        len: usize,
        separator: &K,
        child: NonNull<Node<K>>,
    ) -> (Box<Self>, Option<Pending<K>>)
    where
        K: Ord,
    {
        assert!(self.level > 0, "a leaf has no children");
        let position = match self.find(len, |key| key.cmp(separator)) {
            Ok(equal) => equal + 1,
            Err(less) => less,
        };
        self.with(len, position, separator, child.cast())
    }

    /// Without an entry.
    pub(super) fn without(&self, len: usize, at: usize) -> Box<Self> {
        let mut content = self.like();
        content.extend(self, 0..at);
        content.extend(self, at + 1..len);
        content
    }

    /// Together with the right neighbour's content; `separator` is between the two.
    pub(super) fn joined(
        &self,
        len: usize,
        separator: &K,
        right: &Self,
        right_len: usize,
    ) -> Box<Self> {
        let mut content = self.like();
        content.right = right.right;
        content.high.clone_from(&right.high);
        content.extend(self, 0..len);
        if let Some(first) = right.first {
            content.push(separator, first.cast());
        }
        content.extend(right, 0..right_len);
        content
    }
}

impl<K> Drop for Content<K> {
    fn drop(&mut self) {
        held::nothing();
        if needs_drop::<K>() && Self::keeps_keys(self.level) {
            let keys = self.keys.as_mut_ptr().cast::<K>();
            let keys = ptr::slice_from_raw_parts_mut(keys, *self.len.get_mut());
            // All of them, also if dropping one panics. SAFETY: set below the length, and dropped
            // once.
            unsafe { ptr::drop_in_place(keys) };
        }
    }
}
