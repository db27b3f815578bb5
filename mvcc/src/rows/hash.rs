//! The hash index: from a key to its tuple. Reads take no lock; inserting and removing *keys* locks
//! one shard.
//!
//! Open addressing over buckets of one cache line: seven tuple pointers, and one word with a byte
//! of the hash for each of them. A lookup compares all seven bytes at once, so that which slot it
//! takes is no branch for the processor to guess: it goes on to the next lookup while this one
//! still waits for memory. (F14, by Bronson and Shi, 2019, has the same idea.) The index itself
//! knows nothing of keys: who looks a key up brings the comparison, which is user code and never
//! runs under a lock.
//!
//! An insert that finds a bucket full marks it as *overflowing*, which it stays, before it goes to
//! the next one. So a probe that runs from a key's first bucket to one that does not overflow has
//! passed every bucket where an insert that came before can have put the key; one that it missed
//! came after some load of the probe (I7).

use crate::rows::prefetch::{prefetch, prefetch_newest, prefetch_tuple};
use crate::rows::protected::Protected;
use crate::rows::tuple::Tuple;
use crate::sync::{
    AtomicPtr, AtomicU64, AtomicUsize, Mutex, Ordering, SMALL, bug, freed, ordering,
};
use arrayvec::ArrayVec;
use crossbeam_utils::CachePadded;
use std::alloc::{self, Layout};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "tsc-mvcc keeps 16 bits of a hash in the upper bits of a pointer and needs 64-bit pointers"
);

const SHARD_BITS: u32 = if SMALL { 1 } else { 6 };
const SHARDS: usize = 1 << SHARD_BITS;

/// Slots of a bucket: what fits a cache line with their tags.
const SLOTS: usize = if SMALL { 2 } else { 7 };

/// A cache line of the index.
#[repr(C, align(64))]
struct Bucket {
    /// For each slot one byte, from the lowest: the tag of what it holds, 0 if it is free. The
    /// highest byte says whether the bucket overflows.
    tags: AtomicU64,
    /// A slot's pointer means something while its tag is not 0.
    slots: [AtomicPtr<Tuple>; SLOTS],
}

#[cfg(not(any(shuttle, mvcc_loom)))]
const _: () = assert!(size_of::<Bucket>() == 64);

/// The tags of a bucket.
#[derive(Clone, Copy)]
struct Tags(u64);

impl Tags {
    const OVERFLOWS: u64 = 1 << 56;

    /// The slots with this tag, ascending.
    #[inline]
    fn slots(self, tag: u8) -> impl Iterator<Item = usize> {
        let mut found = self.equal_to(tag);
        std::iter::from_fn(move || {
            let slot = found.trailing_zeros() as usize;
            (found != 0).then(|| {
                found &= found - 1;
                slot
            })
        })
    }

    /// A bit for each slot with this tag. With SSE2, which every processor of this architecture
    /// has, half as many instructions as without.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn equal_to(self, tag: u8) -> u32 {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_cvtsi64_si128, _mm_movemask_epi8, _mm_set1_epi8,
        };
        let (tags, wanted) = (self.0.cast_signed(), tag.cast_signed());
        // SAFETY: SSE2 is there.
        let equal = unsafe {
            let (tags, wanted) = (_mm_cvtsi64_si128(tags), _mm_set1_epi8(wanted));
            _mm_movemask_epi8(_mm_cmpeq_epi8(tags, wanted))
        };
        equal.cast_unsigned() & ((1 << SLOTS) - 1)
    }

    /// A bit for each slot with this tag.
    #[cfg(not(target_arch = "x86_64"))]
    fn equal_to(self, tag: u8) -> u32 {
        let tags = self.0.to_le_bytes().into_iter().take(SLOTS).enumerate();
        tags.fold(0, |found, (slot, other)| {
            found | u32::from(other == tag) << slot
        })
    }

    #[inline]
    fn overflows(self) -> bool {
        self.0 & Self::OVERFLOWS != 0
    }

    fn with(self, slot: usize, tag: u8) -> Self {
        Self(self.0 & !(0xff << (8 * slot)) | u64::from(tag) << (8 * slot))
    }
}

impl Bucket {
    #[inline]
    fn tags(&self) -> Tags {
        // Acquire: pairs with the release stores of `set_tags`, so that a slot's pointer is seen
        // with its tag.
        Tags(self.tags.load(ordering!(Acquire, tags)))
    }

    /// Under the writer's lock.
    fn set_tags(&self, tags: Tags) {
        self.tags.store(tags.0, ordering!(Release, set_tags));
    }

    #[inline]
    fn tuple(&self, slot: usize) -> Option<NonNull<Tuple>> {
        // Acquire: pairs with the release store in `place`: the slot may have got another tuple
        // since its tag was read.
        let tuple = NonNull::new(self.slots[slot].load(ordering!(Acquire, slot)));
        tuple.inspect(|&tuple| freed::check(tuple))
    }

    /// The tuples that have this tag, one of these.
    #[inline]
    fn tagged(&self, tags: Tags, tag: u8) -> impl Iterator<Item = NonNull<Tuple>> {
        tags.slots(tag).filter_map(|slot| self.tuple(slot))
    }

    /// The first tuple with this hash (as far as it is kept) that the caller recognises.
    #[inline]
    fn find(
        &self,
        tags: Tags,
        hash: Hash,
        mut is_it: impl FnMut(NonNull<Tuple>) -> bool,
    ) -> Option<NonNull<Tuple>> {
        self.tagged(tags, hash.tag()).find(|&tuple| {
            // SAFETY: found by a protected reader, so it is freed later.
            unsafe { tuple.as_ref() }.hash == hash.position() && is_it(tuple)
        })
    }

    /// All tuples in use.
    fn tuples(&self) -> impl Iterator<Item = (usize, u8, NonNull<Tuple>)> {
        let tags = self.tags().0.to_le_bytes();
        (0..SLOTS)
            .filter(move |&slot| tags[slot] != 0)
            .filter_map(move |slot| Some((slot, tags[slot], self.tuple(slot)?)))
    }
}

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

    /// What a bucket keeps for each slot: not 0.
    #[inline]
    fn tag(self) -> u8 {
        (self.0 >> 56) as u8 | 1
    }
}

pub(crate) struct HashIndex {
    shards: Box<[CachePadded<Shard>; SHARDS]>,
}

struct Shard {
    /// The current array's address; its alignment leaves the lower bits for the logarithm of its
    /// capacity. 0: no array yet.
    array: AtomicPtr<Bucket>,
    /// Counts inserts, so that whoever looked and found nothing can tell whether something has come
    /// since.
    inserts: AtomicU64,
    /// The tuples in the shard. Changed under `writer`.
    len: AtomicUsize,
    writer: Mutex<Writer>,
}

#[derive(Default)]
struct Writer {
    /// Buckets that overflow.
    overflowing: usize,
}

/// Lookups that are brought under way together: their cache misses overlap. A processor has some 16
/// misses under way at a time.
pub(crate) const WARM: usize = 16;

/// A view of one array.
#[derive(Clone, Copy)]
struct Array<'g> {
    /// The first bucket, with the provenance of all of them.
    first: NonNull<Bucket>,
    /// The logarithm of their number.
    bits: u32,
    lives: PhantomData<&'g [Bucket]>,
}

/// An array is aligned to this, and has fewer buckets than 2 to the power of this.
const ARRAY_ALIGN: usize = align_of::<Bucket>();

impl Array<'_> {
    fn layout(buckets: usize) -> Layout {
        Layout::array::<Bucket>(buckets).expect("fewer than 2^57")
    }

    /// A word for an empty array.
    #[expect(
        clippy::cast_ptr_alignment,
        reason = "the layout is aligned as it has to be"
    )]
    fn allocate(buckets: usize) -> *mut Bucket {
        let layout = Self::layout(buckets);
        // SAFETY: the layout is not empty.
        let array = unsafe { alloc::alloc(layout) }.cast::<Bucket>();
        if array.is_null() {
            alloc::handle_alloc_error(layout);
        }
        for at in 0..buckets {
            let bucket = Bucket {
                tags: AtomicU64::new(0),
                slots: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            };
            // SAFETY: within what was just allocated.
            unsafe { array.add(at).write(bucket) };
        }
        array.map_addr(|address| address | buckets.ilog2() as usize)
    }

    /// # Safety
    /// `word` came from `allocate` or is null; nobody uses the array afterwards.
    unsafe fn free(word: *mut Bucket) {
        if word.is_null() {
            return;
        }
        let buckets = 1 << (word.addr() % ARRAY_ALIGN);
        let array = word.map_addr(|address| address & !(ARRAY_ALIGN - 1));
        // SAFETY: allocated with the same layout.
        unsafe { alloc::dealloc(array.cast(), Self::layout(buckets)) };
    }
}

/// The buckets of an array's word.
///
/// # Safety
/// The word came from [`Array::allocate`], and the array stays allocated for `'g`.
#[inline]
unsafe fn buckets_of<'g>(word: *mut Bucket) -> Array<'g> {
    let first = word.map_addr(|address| address & !(ARRAY_ALIGN - 1));
    #[expect(clippy::cast_possible_truncation, reason = "less than the alignment")]
    let bits = (word.addr() % ARRAY_ALIGN) as u32;
    Array {
        // SAFETY: the caller's promise.
        first: unsafe { NonNull::new_unchecked(first) },
        bits,
        lives: PhantomData,
    }
}

impl Shard {
    /// The current array, if there is one yet.
    #[inline]
    fn array<'g>(&self, _protected: Protected<'g>) -> Option<Array<'g>> {
        // Acquire: pairs with the release store in `rebuild`.
        let word = self.array.load(ordering!(Acquire, array));
        // SAFETY: the caller is protected from its being freed.
        (!word.is_null()).then(|| unsafe { buckets_of(word) })
    }

    /// Moves all tuples to a new array and returns the old one. Under the writer's lock.
    fn rebuild(&self, writer: &mut Writer, buckets: usize) -> Option<Replaced> {
        let word = Array::allocate(buckets);
        // SAFETY: only the holder of the writer's lock replaces it.
        let old = self.array(unsafe { Protected::open() });
        // SAFETY: just allocated.
        let new = unsafe { buckets_of(word) };
        writer.overflowing = 0;
        let old = old.map_or(&[][..], Array::buckets);
        for (_, tag, tuple) in old.iter().flat_map(Bucket::tuples) {
            // SAFETY: a tuple is freed only after it left the index, which needs the writer's lock.
            let position = unsafe { tuple.as_ref() }.hash;
            writer.overflowing += new.place(position, tag, tuple);
        }
        let old = self.array.load(Ordering::Relaxed);
        // Release: what was copied is seen by whoever sees the array.
        self.array.store(word, ordering!(Release, set_array));
        (!old.is_null()).then_some(Replaced(old))
    }
}

/// An array that the index has no more use for. To be dropped, which frees it, once nobody uses it
/// any more.
#[must_use = "readers may still use it"]
pub struct Replaced(*mut Bucket);

// SAFETY: slots of memory; whoever drops it has it to itself.
unsafe impl Send for Replaced {}

impl Drop for Replaced {
    fn drop(&mut self) {
        // SAFETY: whoever drops it knows that nobody uses it.
        unsafe { Array::free(self.0) };
    }
}

impl<'g> Array<'g> {
    fn buckets(self) -> &'g [Bucket] {
        // SAFETY: the array has so many, and lives for `'g`.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), 1 << self.bits) }
    }

    /// The buckets from a position on, all the way round.
    fn probe(self, position: u32) -> impl Iterator<Item = &'g Bucket> {
        std::iter::successors(Some(self.first_bucket(position)), move |bucket| {
            Some(self.next(bucket))
        })
    }

    #[inline]
    fn first_bucket(self, position: u32) -> &'g Bucket {
        let at = position as usize & ((1 << self.bits) - 1);
        // SAFETY: that is less than the number of buckets. The array lives for `'g`.
        unsafe { self.first.add(at).as_ref() }
    }

    /// The bucket after one of them, all the way round.
    fn next(self, bucket: &'g Bucket) -> &'g Bucket {
        let offset = ptr::from_ref(bucket).addr() - self.first.addr().get();
        let buckets = self.buckets();
        &buckets[(offset / size_of::<Bucket>() + 1) % buckets.len()]
    }

    /// The first tuple with this hash (as far as it is kept) that the caller recognises.
    #[inline]
    fn find(
        self,
        hash: Hash,
        mut is_it: impl FnMut(NonNull<Tuple>) -> bool,
    ) -> Option<NonNull<Tuple>> {
        let bucket = self.first_bucket(hash.position());
        let tags = bucket.tags();
        let found = bucket.find(tags, hash, &mut is_it);
        if found.is_some() || !tags.overflows() {
            return found;
        }
        self.find_beyond(bucket, hash, is_it)
    }

    /// The same in the buckets after one that overflows. Some bucket does not.
    #[cold]
    fn find_beyond(
        self,
        mut bucket: &'g Bucket,
        hash: Hash,
        mut is_it: impl FnMut(NonNull<Tuple>) -> bool,
    ) -> Option<NonNull<Tuple>> {
        loop {
            bucket = self.next(bucket);
            let tags = bucket.tags();
            let found = bucket.find(tags, hash, &mut is_it);
            if found.is_some() || !tags.overflows() {
                return found;
            }
        }
    }

    fn tuples(self) -> impl Iterator<Item = NonNull<Tuple>> + use<'g> {
        let tuples = self.buckets().iter().flat_map(Bucket::tuples);
        tuples.map(|(_, _, tuple)| tuple)
    }

    /// Puts a tuple into the first slot that is free, and returns how many buckets overflow because
    /// of it. Under the writer's lock.
    fn place(self, position: u32, tag: u8, tuple: NonNull<Tuple>) -> usize {
        let mut overflowing = 0;
        for bucket in self.probe(position) {
            let tags = bucket.tags();
            if let Some(slot) = tags.slots(0).next() {
                if bug!("tag-before-tuple") {
                    bucket.set_tags(tags.with(slot, tag));
                }
                // Release: whoever finds the tuple sees its key. Before the tag: whoever sees that
                // sees the tuple.
                bucket.slots[slot].store(tuple.as_ptr(), ordering!(Release, set_slot));
                bucket.set_tags(tags.with(slot, tag));
                return overflowing;
            }
            // Before the tuple is anywhere beyond (I7).
            if !bug!("overflow-unmarked") {
                bucket.set_tags(Tags(tags.0 | Tags::OVERFLOWS));
            }
            overflowing += usize::from(!tags.overflows());
        }
        unreachable!("an array is never full")
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
            shards: Box::new(std::array::from_fn(|_| shard())),
        }
    }

    fn shard(&self, position: u32) -> &Shard {
        &self.shards[(position >> (32 - SHARD_BITS)) as usize]
    }

    /// Whether all tuples with this hash are like this.
    pub(crate) fn all_match(
        &self,
        hash: Hash,
        protected: Protected<'_>,
        mut like: impl FnMut(NonNull<Tuple>) -> bool,
    ) -> bool {
        self.find(hash, protected, |tuple| !like(tuple)).is_none()
    }

    /// The first tuple with this hash that the caller recognises, by its key.
    #[inline]
    pub(crate) fn find(
        &self,
        hash: Hash,
        protected: Protected<'_>,
        is_it: impl FnMut(NonNull<Tuple>) -> bool,
    ) -> Option<NonNull<Tuple>> {
        let array = self.shard(hash.position()).array(protected)?;
        array.find(hash, is_it)
    }

    /// A tuple that the caller recognises, if it is in the first bucket of its probe. The caller
    /// may be asked about tuples with other hashes.
    #[inline]
    pub(crate) fn find_at_once(
        &self,
        hash: Hash,
        protected: Protected<'_>,
        is_it: impl Fn(&NonNull<Tuple>) -> bool,
    ) -> Option<NonNull<Tuple>> {
        let array = self.shard(hash.position()).array(protected)?;
        let bucket = array.first_bucket(hash.position());
        bucket.tagged(bucket.tags(), hash.tag()).find(is_it)
    }

    /// Brings what a lookup of these hashes is going to read towards the processor, for all of them
    /// at once: buckets, tuples and newest versions.
    pub(crate) fn warm(&self, hashes: &[Hash], bytes: usize, protected: Protected<'_>) {
        for &hash in hashes {
            if let Some(array) = self.shard(hash.position()).array(protected) {
                prefetch(array.first_bucket(hash.position()));
            }
        }
        let mut tuples = ArrayVec::<&Tuple, WARM>::new();
        for &hash in hashes.iter().take(WARM) {
            let array = self.shard(hash.position()).array(protected);
            let bucket = array.map(|array| array.first_bucket(hash.position()));
            let tuple = bucket.and_then(|bucket| bucket.tagged(bucket.tags(), hash.tag()).next());
            if let Some(tuple) = tuple {
                // SAFETY: found by a protected reader.
                let tuple = unsafe { tuple.as_ref() };
                prefetch_tuple(tuple);
                tuples.push(tuple);
            }
        }
        for tuple in tuples {
            prefetch_newest(tuple, bytes);
        }
    }

    /// The insert counter of a key's shard, to be read before the key is looked up.
    pub(crate) fn inserts(&self, position: u32) -> Inserts {
        self.shard(position).counter()
    }

    /// Adds a tuple whose key was found missing after `seen` was read. May replace an array. An
    /// error, and nothing happens, if the shard has had another insert since: the caller looks
    /// again.
    pub(crate) fn insert(
        &self,
        hash: Hash,
        tuple: NonNull<Tuple>,
        seen: Inserts,
    ) -> Result<Option<Replaced>, Outdated> {
        let shard = self.shard(hash.position());
        let mut writer = shard.writer.lock();
        if shard.counter() != seen && !bug!("insert-unchecked") {
            return Err(Outdated);
        }
        // SAFETY: we hold the writer's lock, without which no array is replaced.
        let protected = unsafe { Protected::open() };
        let mut replaced = None;
        let buckets = shard
            .array(protected)
            .map_or(0, |array| array.buckets().len());
        let len = shard.len.load(Ordering::Relaxed) + 1;
        if len > buckets * SLOTS * 3 / 4 || writer.overflowing > buckets / 4 {
            // At most half of the slots are taken then. Where keys come and go, buckets begin to
            // overflow without there being more keys.
            let wanted = (2 * len).div_ceil(SLOTS).next_power_of_two();
            replaced = shard.rebuild(&mut writer, wanted);
        }
        let array = shard.array(protected).expect("just made");
        writer.overflowing += array.place(hash.position(), hash.tag(), tuple);
        shard.len.store(len, Ordering::Relaxed);
        // Release, after the slot: who reads the new count finds the tuple.
        let inserts = seen.0 + u64::from(!bug!("insert-uncounted"));
        shard
            .inserts
            .store(inserts, ordering!(Release, count_insert));
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
        let holds_it = |bucket: &&Bucket| bucket.tuples().any(|(_, _, other)| other == tuple);
        let bucket = array.probe(position).find(holds_it);
        let bucket = bucket.expect("a tuple is removed once, by the holder of its lock");
        let slot = bucket.tuples().find(|&(_, _, other)| other == tuple);
        let (slot, ..) = slot.expect("just seen, and we hold the writer's lock");
        bucket.set_tags(bucket.tags().with(slot, 0));
        let len = shard.len.load(Ordering::Relaxed) - 1;
        shard.len.store(len, Ordering::Relaxed);
        let buckets = array.buckets().len();
        if len == 0 {
            writer.overflowing = 0;
            Some(Replaced(
                shard.array.swap(ptr::null_mut(), Ordering::AcqRel),
            ))
        } else if buckets > 1 && len < buckets * SLOTS / 8 {
            shard.rebuild(&mut writer, buckets / 4)
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
        let tuples = shard.array(protected).into_iter().flat_map(Array::tuples);
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
        for shard in &mut *self.shards {
            tuples.extend(shard.array(protected).into_iter().flat_map(Array::tuples));
            // Relaxed: nobody else uses it.
            let word = shard.array.swap(ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: as above.
            unsafe { Array::free(word) };
        }
        tuples
    }
}

impl Shard {
    fn counter(&self) -> Inserts {
        // Acquire: pairs with the release store in `insert`.
        Inserts(self.inserts.load(ordering!(Acquire, inserts)))
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
    use crate::rows::tuple::KeyedTuple;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// An index with the tuples that a test has put into it. Hashes are the keys, so the test
    /// chooses the collisions.
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
                let mut matches = Vec::new();
                let collect = |tuple| {
                    matches.push(tuple);
                    true
                };
                assert!(self.index.all_match(Hash::new(key), protected(), collect));
                assert_eq!(matches, Vec::from_iter(self.tuples.get(&key).copied()));
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
