//! The hash index: from a key to its tuple. Reads take no lock; inserting and removing *keys* locks one shard.
//!
//! Open addressing with linear probing over words of a tuple pointer and 16 bits of the hash. The index itself knows
//! nothing of keys: who looks a key up brings the comparison, which is user code and never runs under a lock.
//!
//! Within one array a slot goes from empty to a tuple to *removed*, and from removed to a tuple again, but never back to
//! empty. So a probe that runs from a key's first slot to an empty one has passed every slot where an insert that came
//! before can have put the key; one that it missed came after some load of the probe (I7).

use crate::protected::Protected;
use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::tuple::Tuple;
use crossbeam_utils::CachePadded;
use std::ptr::{self, NonNull};

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "tsc-mvcc keeps 16 bits of a hash in the upper bits of a pointer and needs 64-bit pointers"
);

const SHARD_BITS: u32 = if cfg!(any(test, shuttle)) { 1 } else { 6 };
const MIN_CAPACITY: usize = 8;
const TAG_SHIFT: u32 = 48;

/// A slot's word: a tuple pointer with a tag, or null for empty, or `REMOVED`.
type Slot = AtomicPtr<Tuple>;
const REMOVED: usize = 1;

/// The parts of a key's 64-bit hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(u64);

impl Hash {
    pub(crate) fn new(hash: u64) -> Self {
        Self(hash)
    }

    /// The bits that choose shard and slot; they are kept in the tuple.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    pub(crate) fn position(self) -> u32 {
        self.0 as u32
    }

    fn tag(self) -> usize {
        // At most 16 bits.
        (self.0 >> TAG_SHIFT) as usize
    }
}

pub(crate) struct HashIndex {
    shards: Box<[CachePadded<Shard>]>,
}

struct Shard {
    /// The current array's address; its alignment leaves the lower bits for the logarithm of its capacity. 0: no array yet.
    array: AtomicPtr<Slot>,
    /// Counts inserts, so that whoever looked and found nothing can tell whether something has come since.
    inserts: AtomicU64,
    /// The tuples in the shard. Changed under `writer`.
    len: AtomicUsize,
    writer: Mutex<Writer>,
}

#[derive(Default)]
struct Writer {
    /// Slots that are not empty: tuples and removed ones.
    used: usize,
}

/// A view of one array.
#[derive(Clone, Copy)]
struct Array<'g> {
    slots: &'g [Slot],
}

/// An array is aligned to this, and its capacity is below 2 to the power of this.
const ARRAY_ALIGN: usize = 64;

impl Array<'_> {
    fn layout(capacity: usize) -> std::alloc::Layout {
        std::alloc::Layout::array::<Slot>(capacity)
            .and_then(|layout| layout.align_to(ARRAY_ALIGN))
            .expect("a capacity below 2^58")
    }

    /// A word for an empty array.
    #[expect(clippy::cast_ptr_alignment, reason = "the layout is aligned to more")]
    fn allocate(capacity: usize) -> *mut Slot {
        let layout = Self::layout(capacity);
        // SAFETY: the layout is not empty.
        let array = unsafe { std::alloc::alloc(layout) }.cast::<Slot>();
        if array.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        for at in 0..capacity {
            // SAFETY: within what was just allocated.
            unsafe { array.add(at).write(AtomicPtr::new(ptr::null_mut())) };
        }
        array.map_addr(|address| address | capacity.ilog2() as usize)
    }

    /// # Safety
    /// `word` came from `allocate` or is null; nobody uses the array afterwards.
    unsafe fn free(word: *mut Slot) {
        if word.is_null() {
            return;
        }
        let capacity = 1 << (word.addr() % ARRAY_ALIGN);
        let array = word.map_addr(|address| address & !(ARRAY_ALIGN - 1));
        // SAFETY: allocated with the same layout.
        unsafe { std::alloc::dealloc(array.cast(), Self::layout(capacity)) };
    }
}

impl Shard {
    /// The current array.
    #[inline]
    fn array<'g>(&self, _protected: Protected<'g>) -> Option<Array<'g>> {
        // Acquire: pairs with the release store in `rebuild`.
        let word = self.array.load(Ordering::Acquire);
        if word.is_null() {
            return None;
        }
        let capacity = 1 << (word.addr() % ARRAY_ALIGN);
        let array = word.map_addr(|address| address & !(ARRAY_ALIGN - 1));
        // SAFETY: a word that is not null stands for an array of this capacity, and the caller is protected from its being freed.
        let slots = unsafe { std::slice::from_raw_parts(array, capacity) };
        Some(Array { slots })
    }

    /// Moves all tuples to a new array of `capacity` slots and returns the old one. Under the writer's lock.
    fn rebuild(&self, writer: &mut Writer, capacity: usize) -> Option<Replaced> {
        let word = Array::allocate(capacity);
        // SAFETY: only the holder of the writer's lock replaces it.
        let old = self.array(unsafe { Protected::open() });
        let array = word.map_addr(|address| address & !(ARRAY_ALIGN - 1));
        // SAFETY: just allocated, not shared yet.
        let slots = unsafe { std::slice::from_raw_parts(array, capacity) };
        let new = Array { slots };
        for entry in old.iter().flat_map(|old| old.entries()) {
            let tuple = pointer(entry).expect("entries are tuples");
            // SAFETY: a tuple is freed only after it left the index, which needs the writer's lock.
            let hash = unsafe { tuple.as_ref() }.hash;
            new.place(hash, entry);
        }
        writer.used = self.len.load(Ordering::Relaxed);
        let old = self.array.load(Ordering::Relaxed);
        // Release: the copied slots are seen by whoever sees the array.
        self.array.store(word, Ordering::Release);
        (!old.is_null()).then_some(Replaced(old))
    }
}

/// An array that the index has no more use for. To be dropped, which frees it, once nobody uses it any more.
#[must_use = "readers may still use it"]
pub struct Replaced(*mut Slot);

// SAFETY: slots of memory; whoever drops it has it to itself.
unsafe impl Send for Replaced {}

impl Drop for Replaced {
    fn drop(&mut self) {
        // SAFETY: whoever drops it knows that nobody uses it.
        unsafe { Array::free(self.0) };
    }
}

fn pointer(entry: *mut Tuple) -> Option<NonNull<Tuple>> {
    if entry.addr() == REMOVED {
        return None;
    }
    NonNull::new(entry.map_addr(|address| address & ((1 << TAG_SHIFT) - 1)))
}

impl<'g> Array<'g> {
    /// The slots from a position on, all the way round.
    #[inline]
    fn probe(self, position: u32) -> impl Iterator<Item = &'g Slot> {
        let mask = self.slots.len() - 1;
        let first = position as usize & mask;
        // An array is never full, so no probe comes round to where it began.
        (0..self.slots.len()).map(move |i| &self.slots[(first + i) & mask])
    }

    /// All tuples whose hash is this one (as far as it is kept).
    #[inline]
    fn matches(self, hash: Hash) -> impl Iterator<Item = NonNull<Tuple>> {
        self.probe(hash.position())
            // Acquire: pairs with the release store in `insert`.
            .map(|slot| slot.load(Ordering::Acquire))
            .take_while(|entry| !entry.is_null())
            .filter(move |entry| entry.addr() >> TAG_SHIFT == hash.tag())
            .filter_map(pointer)
            // SAFETY: found by a protected reader, so it is freed later.
            .filter(move |tuple| unsafe { tuple.as_ref() }.hash == hash.position())
    }

    fn entries(self) -> impl Iterator<Item = *mut Tuple> {
        self.slots
            .iter()
            .map(|slot| slot.load(Ordering::Acquire))
            .filter(|&entry| pointer(entry).is_some())
    }

    /// Puts an entry into the first slot that is free. True if that one was empty.
    fn place(self, position: u32, entry: *mut Tuple) -> bool {
        let slot = self
            .probe(position)
            .find(|slot| pointer(slot.load(Ordering::Relaxed)).is_none())
            .expect("an array is never full");
        let was_empty = slot.load(Ordering::Relaxed).is_null();
        // Release: whoever finds the tuple sees its key.
        slot.store(entry, Ordering::Release);
        was_empty
    }
}

/// The shard has had another insert since it was looked at.
#[derive(Debug)]
pub(crate) struct Outdated;

/// What a shard's insert counter said before the shard was searched or walked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Inserts(u64);

impl HashIndex {
    pub(crate) fn new() -> Self {
        let shard = || {
            CachePadded::new(Shard {
                array: AtomicPtr::new(ptr::null_mut()),
                inserts: AtomicU64::new(0),
                len: AtomicUsize::new(0),
                writer: Mutex::default(),
            })
        };
        Self {
            shards: (0..1 << SHARD_BITS).map(|_| shard()).collect(),
        }
    }

    fn shard(&self, position: u32) -> &Shard {
        &self.shards[(position >> (32 - SHARD_BITS)) as usize]
    }

    /// The tuples whose hash is this one; the caller compares their keys.
    #[inline]
    pub(crate) fn matches<'g>(
        &self,
        hash: Hash,
        protected: Protected<'g>,
    ) -> impl Iterator<Item = NonNull<Tuple>> + use<'g> {
        self.shard(hash.position())
            .array(protected)
            .into_iter()
            .flat_map(move |array| array.matches(hash))
    }

    /// The first tuple with this hash whose key the caller recognises. The same as a search in [`Self::matches`], as one loop: this is
    /// what each read begins with.
    #[inline]
    pub(crate) fn find(
        &self,
        hash: Hash,
        protected: Protected<'_>,
        mut is_it: impl FnMut(NonNull<Tuple>) -> bool,
    ) -> Option<NonNull<Tuple>> {
        let slots = self.shard(hash.position()).array(protected)?.slots;
        let mask = slots.len() - 1;
        let mut position = hash.position() as usize & mask;
        loop {
            // Acquire: pairs with the release store in `insert`.
            let entry = slots[position].load(Ordering::Acquire);
            if entry.is_null() {
                return None;
            }
            if entry.addr() >> TAG_SHIFT == hash.tag()
                && let Some(tuple) = pointer(entry)
                // SAFETY: found by a protected reader, so it is freed later.
                && unsafe { tuple.as_ref() }.hash == hash.position()
                && is_it(tuple)
            {
                return Some(tuple);
            }
            position = (position + 1) & mask;
        }
    }

    /// The insert counter of a key's shard, to be read before the key is looked up.
    pub(crate) fn inserts(&self, position: u32) -> Inserts {
        self.shard(position).counter()
    }

    /// Adds a tuple whose key was found missing after `seen` was read. May replace an array. An error, and nothing happens, if the
    /// shard has had another insert since: the caller looks again.
    pub(crate) fn insert(
        &self,
        hash: Hash,
        tuple: NonNull<Tuple>,
        seen: Inserts,
    ) -> Result<Option<Replaced>, Outdated> {
        let address = tuple.as_ptr().addr();
        assert!(
            address >> TAG_SHIFT == 0,
            "tuple at {address:#x}: addresses of more than {TAG_SHIFT} bits are not supported"
        );
        let shard = self.shard(hash.position());
        let mut writer = shard.writer.lock();
        if shard.counter() != seen {
            return Err(Outdated);
        }
        // SAFETY: we hold the writer's lock, without which no array is replaced.
        let protected = unsafe { Protected::open() };
        let mut replaced = None;
        let capacity = shard.array(protected).map_or(0, |array| array.slots.len());
        let len = shard.len.load(Ordering::Relaxed) + 1;
        if writer.used + 1 > capacity / 4 * 3 {
            // Half of the new array stays empty; a shard full of removed slots keeps its size.
            let wanted = (2 * len).next_power_of_two().max(MIN_CAPACITY);
            replaced = shard.rebuild(&mut writer, wanted);
        }
        let array = shard.array(protected).expect("just made");
        let entry = tuple
            .as_ptr()
            .map_addr(|address| address | hash.tag() << TAG_SHIFT);
        if array.place(hash.position(), entry) {
            writer.used += 1;
        }
        shard.len.store(len, Ordering::Relaxed);
        // Release, after the slot: who reads the new count finds the tuple.
        shard.inserts.store(seen.0 + 1, Ordering::Release);
        Ok(replaced)
    }

    /// Takes a tuple out. The caller has locked it and retires it afterwards. May replace an array.
    pub(crate) fn remove(&self, tuple: NonNull<Tuple>) -> Option<Replaced> {
        // SAFETY: the caller has it locked, so it is allocated.
        let position = unsafe { tuple.as_ref() }.hash;
        let shard = self.shard(position);
        let mut writer = shard.writer.lock();
        // SAFETY: we hold the writer's lock, without which no array is replaced.
        let array = shard.array(unsafe { Protected::open() });
        let array = array.expect("the tuple is in it");
        let slot = array
            .probe(position)
            .find(|slot| pointer(slot.load(Ordering::Relaxed)) == Some(tuple))
            .expect("a tuple is removed once, by the holder of its lock");
        // Release: pairs with the acquire load in `matches`.
        slot.store(ptr::without_provenance_mut(REMOVED), Ordering::Release);
        let len = shard.len.load(Ordering::Relaxed) - 1;
        shard.len.store(len, Ordering::Relaxed);
        let capacity = array.slots.len();
        if len == 0 {
            writer.used = 0;
            Some(Replaced(
                shard.array.swap(ptr::null_mut(), Ordering::AcqRel),
            ))
        } else if capacity > MIN_CAPACITY && len < capacity / 8 {
            shard.rebuild(&mut writer, capacity / 4)
        } else {
            None
        }
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// All tuples of one shard, with the insert counter as it was before.
    pub(crate) fn walk<'g>(
        &self,
        shard: usize,
        protected: Protected<'g>,
    ) -> (Inserts, impl Iterator<Item = NonNull<Tuple>> + use<'g>) {
        let shard = &self.shards[shard];
        let inserts = shard.counter();
        let tuples = shard
            .array(protected)
            .into_iter()
            .flat_map(Array::entries)
            .filter_map(pointer);
        (inserts, tuples)
    }

    /// How many tuples there are.
    pub(crate) fn len(&self) -> usize {
        let lens = self
            .shards
            .iter()
            .map(|shard| shard.len.load(Ordering::Relaxed));
        lens.sum()
    }

    /// Takes all tuples out, for whoever has the index to itself.
    pub(crate) fn drain(&mut self) -> Vec<NonNull<Tuple>> {
        // SAFETY: `&mut self`: nobody else uses the arrays.
        let protected = unsafe { Protected::open() };
        let mut tuples = Vec::with_capacity(self.len());
        for shard in &mut self.shards {
            tuples.extend(
                shard
                    .array(protected)
                    .into_iter()
                    .flat_map(Array::entries)
                    .filter_map(pointer),
            );
            let word = std::mem::replace(shard.array.get_mut(), ptr::null_mut());
            // SAFETY: as above.
            unsafe { Array::free(word) };
        }
        tuples
    }
}

impl Shard {
    fn counter(&self) -> Inserts {
        // Acquire: pairs with the release store in `insert`.
        Inserts(self.inserts.load(Ordering::Acquire))
    }
}

impl Drop for HashIndex {
    fn drop(&mut self) {
        self.drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuple::KeyedTuple;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// An index with the tuples that a test has put into it. Hashes are the keys, so the test chooses the collisions.
    struct Subject {
        index: HashIndex,
        tuples: BTreeMap<u64, NonNull<Tuple>>,
    }

    /// The test has its index to itself.
    fn protected() -> Protected<'static> {
        // SAFETY: see above.
        unsafe { Protected::open() }
    }

    impl Subject {
        fn find(&self, key: u64) -> Option<NonNull<Tuple>> {
            let is_it = |tuple: NonNull<Tuple>| {
                // SAFETY: the test frees no tuple that the index may still have.
                unsafe { tuple.cast::<KeyedTuple<u64>>().as_ref() }.key == key
            };
            self.index.find(Hash::new(key), protected(), is_it)
        }

        fn insert(&mut self, key: u64) {
            if self.find(key).is_some() {
                return;
            }
            let tuple = KeyedTuple::boxed(key, Hash::new(key).position()).into_raw();
            let seen = self.index.inserts(Hash::new(key).position());
            assert!(self.index.insert(Hash::new(key), tuple, seen).is_ok());
            assert!(
                self.index.insert(Hash::new(key), tuple, seen).is_err(),
                "an outdated look-up"
            );
            self.tuples.insert(key, tuple);
        }

        fn remove(&mut self, key: u64) {
            if let Some(tuple) = self.tuples.remove(&key) {
                drop(self.index.remove(tuple));
                // SAFETY: out of the index, and nobody else is there.
                drop(unsafe { Box::from_raw(tuple.cast::<KeyedTuple<u64>>().as_ptr()) });
            }
        }

        fn check(&self) {
            for key in 0..64 {
                assert_eq!(self.find(key), self.tuples.get(&key).copied());
                let matches: Vec<_> = self.index.matches(Hash::new(key), protected()).collect();
                assert_eq!(
                    matches,
                    self.tuples
                        .get(&key)
                        .copied()
                        .into_iter()
                        .collect::<Vec<_>>()
                );
            }
            assert_eq!(self.index.len(), self.tuples.len());
            let walk = |shard| self.index.walk(shard, protected()).1.collect::<Vec<_>>();
            let mut walked: Vec<_> = (0..self.index.shards()).flat_map(walk).collect();
            let mut expected: Vec<_> = self.tuples.values().copied().collect();
            walked.sort_unstable();
            expected.sort_unstable();
            assert_eq!(walked, expected);
        }
    }

    impl Drop for Subject {
        fn drop(&mut self) {
            for key in 0..64 {
                self.remove(key);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_index_is_a_map(steps in prop::collection::vec((any::<bool>(), 0..64u64), 1..300)) {
            let mut subject = Subject {
                index: HashIndex::new(),
                tuples: BTreeMap::new(),
            };
            for (insert, key) in steps {
                if insert { subject.insert(key) } else { subject.remove(key) }
            }
            subject.check();
        }
    }
}
