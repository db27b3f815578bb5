//! Tuples: one word each, an atomic pointer to the newest version whose low bits are a tag.

use crate::rows::version::Version;
use crate::sync::{AtomicPtr, AtomicU32, Ordering, SCHEDULED, Wait, bug, freed, held, ordering};
use std::num::NonZero;
use std::ptr::NonNull;

/// A tuple's word: the newest version and the tag. Never null: without a version there is a tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(NonNull<Version>);

/// Locked by a commit, or by who removes it: readers wait, writers keep out.
const LOCKED: usize = 1;
/// Removed from its index for good: look the key up again.
const DEAD: usize = 2;
/// There is no value, and no need to look at the newest version: it is a tombstone, or the tuple
/// never had one.
const TOMBSTONE: usize = 4;
const TAGS: usize = LOCKED | DEAD | TOMBSTONE;

/// Among the holds: an entry of some retire list will see to the tuple's removal. There is one such
/// entry at most, and while there is, nobody else removes the tuple.
const REMOVAL: u32 = 1 << 31;

const _: () = assert!(
    align_of::<Version>() > TAGS,
    "the tags fit below a version's alignment"
);

impl Word {
    /// A tuple that never had a version, and which is free.
    const NONE: Self = Self(NonNull::without_provenance(
        NonZero::new(TOMBSTONE).expect("a bit"),
    ));

    /// A tuple whose newest version is this one, and which is free.
    #[inline]
    pub(crate) fn of(version: NonNull<Version>, is_tombstone: bool) -> Self {
        let tag = if is_tombstone { TOMBSTONE } else { 0 };
        Self(version.map_addr(|address| address | tag))
    }

    /// The newest version, null if the tuple never had one.
    #[inline]
    pub(crate) fn newest(self) -> *mut Version {
        self.0.as_ptr().map_addr(|address| address & !TAGS)
    }

    /// The newest version if it is a value, and the tuple is not removed.
    #[inline]
    pub(crate) fn live(self) -> Option<NonNull<Version>> {
        NonNull::new(self.newest()).filter(|_| !self.has(DEAD | TOMBSTONE))
    }

    /// The same if nobody has the tuple locked either: what a reader finds as a rule, at the price
    /// of one comparison.
    #[inline]
    pub(crate) fn at_rest(self) -> Option<NonNull<Version>> {
        if bug!("locked-is-at-rest") && self.is_locked() {
            return self.live();
        }
        (!self.has(TAGS)).then_some(self.0)
    }

    /// Whether it is this version, a value, and nobody has the tuple locked.
    #[inline]
    pub(crate) fn is_at_rest_with(self, version: *mut Version) -> bool {
        if bug!("locked-stays-current") {
            return !self.has(DEAD | TOMBSTONE) && self.newest() == version;
        }
        self.as_ptr() == version
    }

    #[inline]
    pub(crate) fn is_tombstone(self) -> bool {
        self.has(TOMBSTONE)
    }

    #[inline]
    pub(crate) fn is_locked(self) -> bool {
        self.has(LOCKED)
    }

    #[inline]
    pub(crate) fn is_dead(self) -> bool {
        self.has(DEAD)
    }

    #[inline]
    fn locked(self) -> Self {
        self.with(LOCKED)
    }

    fn with(self, tag: usize) -> Self {
        Self(self.0.map_addr(|address| address | tag))
    }

    /// Whether it has one of these tags.
    #[inline]
    fn has(self, tags: usize) -> bool {
        self.0.addr().get() & tags != 0
    }

    fn as_ptr(self) -> *mut Version {
        self.0.as_ptr()
    }

    /// # Safety
    /// It was in a tuple.
    #[inline]
    unsafe fn from_ptr(word: *mut Version) -> Self {
        // SAFETY: tuples have no other words than those made here.
        Self(unsafe { NonNull::new_unchecked(word) })
    }
}

/// The untyped head of a tuple. Every `NonNull<Tuple>` in this crate points to the head of a
/// [`KeyedTuple`] and carries the provenance of the whole of it.
#[repr(C)]
pub struct Tuple {
    word: AtomicPtr<Version>,
    /// 32 bits of the key's hash: the position in a hash index.
    pub(crate) hash: u32,
    /// How many live transactions rely on the tuple staying in its index, and `REMOVAL` (I6).
    holds: AtomicU32,
    /// A place in the order of locking that is the same in each run of a schedule, which an address
    /// is not.
    #[cfg(shuttle)]
    number: Order,
}

/// A place in the order in which all transactions lock.
pub(crate) type Order = usize;

/// The place of a tuple in that order.
///
/// # Safety
/// The caller is protected since it found the tuple.
#[cfg(not(shuttle))]
#[inline]
pub(crate) unsafe fn order_of(tuple: NonNull<Tuple>) -> Order {
    tuple.as_ptr().addr()
}

/// The same.
///
/// # Safety
/// As above.
#[cfg(shuttle)]
pub(crate) unsafe fn order_of(tuple: NonNull<Tuple>) -> Order {
    // SAFETY: the caller's promise.
    unsafe { tuple.as_ref() }.number
}

/// A tuple with its key.
#[repr(C)]
pub(crate) struct KeyedTuple<K> {
    pub(crate) head: Tuple,
    pub(crate) key: K,
}

impl<K> KeyedTuple<K> {
    /// A new tuple on the heap, without a version, held once.
    pub(crate) fn boxed(key: K, hash: u32) -> OwnedTuple<K> {
        let head = Tuple::new_held(hash);
        let tuple = NonNull::from(Box::leak(Box::new(Self { head, key })));
        freed::made(tuple);
        OwnedTuple(tuple)
    }
}

/// A tuple that is in no index yet.
pub(crate) struct OwnedTuple<K>(NonNull<KeyedTuple<K>>);

impl<K> OwnedTuple<K> {
    /// For an index to have; [`OwnedTuple::into_raw`] follows once it does.
    pub(crate) fn as_ptr(&self) -> NonNull<Tuple> {
        self.0.cast()
    }

    pub(crate) fn key(&self) -> &K {
        // SAFETY: allocated. A key never changes.
        unsafe { &(*self.0.as_ptr()).key }
    }

    /// Hands the tuple to its index.
    pub(crate) fn into_raw(self) -> NonNull<Tuple> {
        std::mem::ManuallyDrop::new(self).as_ptr()
    }

    pub(crate) fn into_key(self) -> K {
        let tuple = std::mem::ManuallyDrop::new(self);
        // SAFETY: nobody else has it.
        unsafe { Box::from_raw(tuple.0.as_ptr()) }.key
    }
}

impl<K> Drop for OwnedTuple<K> {
    fn drop(&mut self) {
        held::nothing();
        // SAFETY: nobody else has it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Why a tuple could not be locked.
pub(crate) enum LockError {
    /// Another commit has it locked, and did not let go.
    Busy,
    /// It was removed.
    Dead,
}

impl Tuple {
    /// A tuple without a version, held once.
    pub(crate) fn new_held(hash: u32) -> Self {
        Self {
            word: AtomicPtr::new(Word::NONE.as_ptr()),
            hash,
            holds: AtomicU32::new(1),
            #[cfg(shuttle)]
            number: {
                use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
                static NEXT: AtomicUsize = AtomicUsize::new(0);
                NEXT.fetch_add(1, Relaxed)
            },
        }
    }

    /// The word as it is now.
    #[inline]
    pub(crate) fn word(&self) -> Word {
        freed::check(NonNull::from(self));
        // Acquire: pairs with the release store of `publish`, so that the version's fields are
        // seen.
        let word = self.word.load(ordering!(Acquire, word));
        // SAFETY: it is this tuple's.
        unsafe { Word::from_ptr(word) }
    }

    /// The word once no commit has the tuple locked. Locks are held for a few hundred nanoseconds,
    /// never across user code.
    #[inline]
    pub(crate) fn unlocked_word(&self) -> Word {
        let word = self.word();
        if word.is_locked() && !bug!("locked-is-read") {
            return self.wait_for_unlock();
        }
        word
    }

    #[cold]
    fn wait_for_unlock(&self) -> Word {
        let mut wait = Wait::new();
        loop {
            wait.turn();
            let word = self.word();
            if !word.is_locked() {
                return word;
            }
        }
    }

    /// Locks the tuple and returns the word it had; waits at most `turns`.
    #[inline]
    pub(crate) fn lock(&self, turns: u32) -> Result<Word, LockError> {
        let mut wait = Wait::new();
        loop {
            let word = self.word();
            if word.is_dead() {
                return Err(LockError::Dead);
            }
            // SeqCst: against `hold` (see there); its acquire half pairs with `publish`.
            if !word.is_locked()
                && self
                    .word
                    .compare_exchange(
                        word.as_ptr(),
                        word.locked().as_ptr(),
                        Ordering::SeqCst,
                        Ordering::Relaxed,
                    )
                    .is_ok()
            {
                held::lock();
                return Ok(word);
            }
            if wait.turn() > turns {
                return Err(LockError::Busy);
            }
        }
    }

    /// Publishes a word, which is of a free tuple, and so unlocks, in one store. Only for who
    /// has it locked.
    #[inline]
    pub(crate) fn publish(&self, word: Word) {
        // Release: pairs with the acquire load of `word`.
        self.word.store(word.as_ptr(), ordering!(Release, publish));
        held::unlock();
    }

    /// Marks the tuple as removed. Only for who has it locked, after the index has let go of
    /// it; `word` is what it was before.
    pub(crate) fn bury(&self, word: Word) {
        let dead = word.with(DEAD);
        self.word.store(dead.as_ptr(), ordering!(Release, bury));
        held::unlock();
    }

    /// Keeps the tuple from being removed until [`Tuple::release`]. False if it is removed already.
    pub(crate) fn hold(&self) -> bool {
        freed::check(NonNull::from(self));
        // SeqCst, as are the lock and `forget_removal`: whoever removes the tuple locks it and then
        // looks at `holds`; we add to `holds` and then look at the word. One of the two sees the
        // other.
        self.holds.fetch_add(1, Ordering::SeqCst);
        let mut wait = Wait::new();
        loop {
            // SAFETY: it is this tuple's.
            let word = unsafe { Word::from_ptr(self.word.load(Ordering::SeqCst)) };
            if word.is_dead() {
                self.holds.fetch_sub(1, Ordering::Release);
                return false;
            }
            if !word.is_locked() {
                return true;
            }
            wait.turn();
        }
    }

    /// Gives a hold back after which the tuple may still have a value, or after which somebody sees
    /// to its removal.
    pub(crate) fn release(&self) {
        self.holds.fetch_sub(1, Ordering::Release);
    }

    /// Gives a hold back that may have been all that the tuple was there for. True if nobody was to
    /// see to its removal: the caller is now.
    pub(crate) fn give_up(&self) -> bool {
        if bug!("given-up-in-two-steps") {
            let removal = self.holds.load(Ordering::SeqCst) & REMOVAL != 0;
            self.release();
            return !removal && self.expect_removal();
        }
        // In one step: whoever takes `REMOVAL` away sees the hold or is seen here.
        let give_up = |holds| Some((holds - 1) | REMOVAL);
        let before = self
            .holds
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, give_up);
        before.is_ok_and(|holds| holds & REMOVAL == 0)
    }

    /// Says that somebody will see to the removal. True if nobody was to before. Only for who
    /// has it locked.
    pub(crate) fn expect_removal(&self) -> bool {
        self.holds.fetch_or(REMOVAL, Ordering::SeqCst) & REMOVAL == 0
    }

    /// Says that nobody will. True if the tuple is held: then its holders are to. Only for who
    /// has it locked.
    pub(crate) fn forget_removal(&self) -> bool {
        self.holds
            .fetch_and(!REMOVAL, ordering!(SeqCst, forget_removal))
            != REMOVAL
    }

    /// The newest version, for whoever has the tuple to itself.
    pub(crate) fn newest_mut(&mut self) -> *mut Version {
        // SAFETY: it is this tuple's.
        unsafe { Word::from_ptr(*self.word.get_mut()) }.newest()
    }
}

/// # Safety
/// `tuple` is a tuple of a table with keys `K` and stays allocated for `'a`.
#[inline]
pub(crate) unsafe fn key_of<'a, K>(tuple: NonNull<Tuple>) -> &'a K {
    // SAFETY: the caller's promise. A key never changes.
    unsafe { &(*tuple.cast::<KeyedTuple<K>>().as_ptr()).key }
}

/// The last tuple that a look-up found removed. It left its index before it was marked, so no later
/// look-up may find it; the concurrency tests check that, since such a look-up would not end.
#[derive(Default)]
pub(crate) struct Removed(Option<NonNull<Tuple>>);

impl Removed {
    pub(crate) fn note(&mut self, tuple: NonNull<Tuple>) {
        let is_new = !SCHEDULED || self.0.replace(tuple) != Some(tuple);
        assert!(is_new, "a removed tuple is still in its index");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_tuple_keeps_others_out_until_published() {
        let tuple = Tuple::new_held(7);
        let word = tuple.lock(0).ok().expect("free");
        assert!(tuple.word().is_locked());
        assert!(matches!(tuple.lock(3), Err(LockError::Busy)));
        tuple.publish(word);
        assert!(!tuple.unlocked_word().is_locked());
    }

    #[test]
    fn a_dead_tuple_can_be_neither_held_nor_locked() {
        let tuple = Tuple::new_held(7);
        assert!(tuple.give_up());
        let word = tuple.lock(0).ok().expect("free");
        assert!(!tuple.forget_removal());
        tuple.bury(word);
        assert!(!tuple.hold());
        assert!(matches!(tuple.lock(0), Err(LockError::Dead)));
    }

    #[test]
    fn one_at_a_time_sees_to_the_removal() {
        let tuple = Tuple::new_held(7);
        assert!(tuple.hold());
        assert!(tuple.give_up());
        assert!(!tuple.expect_removal());
        assert!(tuple.forget_removal());
        // The last holder's turn.
        assert!(tuple.give_up());
        assert!(tuple.hold());
        assert!(!tuple.give_up());
        assert!(!tuple.forget_removal());
    }
}
