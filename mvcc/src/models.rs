//! Models of what the orderings must give, for a model checker that tries all that they allow. Each
//! uses the real primitives, with as few threads and steps as show the matter. They are run by the
//! package that compiles these sources with `cfg(mvcc_loom)`.
//!
//! What a model makes is not freed: some hundred bytes for each run.

use crate::clock::{Clock, ClockChoice};
use crate::collect::local::Local;
use crate::commit::shared::Shared;
use crate::memory::expiry::LimitedSnapshots;
use crate::memory::horizon::Horizon;
use crate::rows::hash::{Hash, HashIndex};
use crate::rows::protected::Protected;
use crate::rows::tuple::{KeyedTuple, Tuple, Word};
use crate::rows::version::{ValueVersion, Version};
use crate::sync::{self, Arc, Mutex, freed};
use loom::thread::{self, JoinHandle};
use std::ptr::NonNull;

/// Weakens the ordering of this name from now on; the empty name is none.
pub fn weaken(name: &'static str) {
    sync::weaken(name);
}

/// A tuple that all threads of a model know, with a version from time 1.
fn tuple() -> &'static Tuple {
    let tuple = KeyedTuple::boxed(0_u32, 0).into_raw();
    // SAFETY: never freed.
    let tuple = unsafe { tuple.as_ref() };
    install(tuple, 1);
    tuple
}

/// Puts a version on top of a tuple, as a commit does, and returns what it superseded.
fn install(tuple: &Tuple, timestamp: u64) -> Option<NonNull<Version>> {
    let locked = tuple.lock(u32::MAX).ok().expect("nobody removes it");
    publish(tuple, locked, timestamp);
    NonNull::new(locked.newest())
}

fn publish(tuple: &Tuple, locked: Word, timestamp: u64) {
    let mut version = ValueVersion::boxed(Some(timestamp));
    // SAFETY: nobody else has it.
    let head = unsafe { version.as_mut() };
    head.timestamp = timestamp;
    *head.older.get_mut() = locked.newest();
    freed::made(version);
    tuple.publish(Word::of(version, false));
}

/// The timestamp of the version that is visible at a time.
fn visible(word: Word, at: u64) -> u64 {
    // SAFETY: no version of a model is freed; but if one is marked so, this panics.
    let version = unsafe { Version::visible_at(word.newest(), at) };
    // SAFETY: as above.
    unsafe { version.as_ref() }.map_or(0, |version| version.timestamp)
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("a model ends with its first panic");
    }
}

fn shared() -> Arc<Shared> {
    let clock = Clock::new(ClockChoice::Counter, 0).expect("always there");
    Arc::new(Shared::new(
        "model".into(),
        clock,
        LimitedSnapshots::default(),
    ))
}

/// The model has its indexes for itself, and frees nothing.
fn protected() -> Protected<'static> {
    // SAFETY: see above.
    unsafe { Protected::open() }
}

/// Whoever sees a version sees what is in it, and what is below.
pub fn publish_and_read() {
    let tuple = tuple();
    let writer = thread::spawn(move || {
        install(tuple, 2);
    });
    let reader = thread::spawn(move || {
        let word = tuple.unlocked_word();
        assert!(matches!(visible(word, 9), 1 | 2));
        assert_eq!(visible(word, 2), 1);
    });
    join([writer, reader]);
}

/// The holder of a lock has it to itself, and sees what the one before has left.
pub fn lock_word() {
    let tuple = tuple();
    let add = move || {
        let locked = tuple.lock(u32::MAX).ok().expect("nobody removes it");
        publish(tuple, locked, visible(locked, 9) + 1);
    };
    join([thread::spawn(add), thread::spawn(add)]);
    assert_eq!(visible(tuple.word(), 9), 3, "an update was lost");
}

/// Two rows that a commit writes are read without a timestamp: who finds the first one unchanged
/// after the second has both of one state.
pub fn two_rows_together() {
    let rows = [tuple(), tuple()];
    let writer = thread::spawn(move || {
        let locked = rows.map(|row| row.lock(u32::MAX).ok().expect("nobody removes it"));
        for (row, locked) in rows.into_iter().zip(locked) {
            publish(row, locked, 2);
        }
    });
    let reader = thread::spawn(move || {
        let [first, second] = rows.map(Tuple::unlocked_word);
        if rows[0].unlocked_word() == first {
            assert_eq!(visible(first, 9), visible(second, 9), "two states");
        }
    });
    join([writer, reader]);
}

/// A tuple is held by one who is about to write to it, or removed by another, never both (I6).
pub fn hold_against_removal() {
    let tuple = tuple();
    tuple.release();
    tuple.expect_removal();
    let holder = thread::spawn(move || {
        if tuple.hold() {
            let locked = tuple.lock(u32::MAX);
            let locked = locked.ok().expect("a tuple that is held was removed");
            tuple.publish(locked);
        }
    });
    let remover = thread::spawn(move || {
        let locked = tuple.lock(u32::MAX).ok().expect("not removed yet");
        if tuple.forget_removal() {
            tuple.publish(locked);
        } else {
            tuple.bury(locked);
        }
    });
    join([holder, remover]);
}

/// Whoever finds a tuple dead does not find it in the index any more.
pub fn removal_and_look_up() {
    let (index, hash) = (Arc::new(HashIndex::new()), Hash::new(0));
    let tuple = KeyedTuple::boxed(0_u32, hash.position()).into_raw();
    let seen = index.inserts(hash.position());
    assert!(index.insert(hash, tuple, seen).is_ok());
    // SAFETY: never freed.
    let head: &'static Tuple = unsafe { tuple.as_ref() };
    let (removing, looking) = (index.clone(), index);
    let remover = thread::spawn(move || {
        let locked = head.lock(u32::MAX).ok().expect("not removed yet");
        std::mem::forget(removing.remove(NonNull::from(head)));
        head.bury(locked);
    });
    let reader = thread::spawn(move || {
        if head.unlocked_word().is_dead() {
            let found = looking.find(hash, protected(), |_| true);
            assert!(found.is_none(), "a removed tuple is still in its index");
        }
    });
    join([remover, reader]);
}

/// A version that was superseded, and when.
struct Superseded(NonNull<Version>, u64);

// SAFETY: a version of a model, whose value is a number.
unsafe impl Send for Superseded {}

impl Superseded {
    /// Frees it if it has expired.
    fn collect(self, horizon: &Horizon) {
        if self.1 < horizon.watermark {
            freed::free(self.0, || ());
        }
    }
}

/// Commits, and returns what that supersedes.
fn commit(shared: &Shared, tuple: &Tuple) -> Superseded {
    let locked = tuple.lock(u32::MAX).ok().expect("nobody removes it");
    let timestamp = shared.memory.clock.now();
    publish(tuple, locked, timestamp);
    let newest = NonNull::new(locked.newest());
    Superseded(newest.expect("it had a version"), timestamp)
}

/// Announces itself, and reads without a timestamp.
fn read_announced(shared: Arc<Shared>, tuple: &'static Tuple) -> JoinHandle<()> {
    thread::spawn(move || {
        let local = Local::of(0, &shared);
        let slot = local.begin();
        visible(tuple.unlocked_word(), u64::MAX);
        local.end(slot);
    })
}

/// One reads, one commits and collects what that supersedes, and a third one moves the coarse clock
/// on: nobody reads what is freed (I4).
pub fn slot_against_own_scan() {
    let (shared, tuple) = (shared(), tuple());
    let reader = read_announced(shared.clone(), tuple);
    let committing = shared.clone();
    let writer = thread::spawn(move || {
        let superseded = commit(&committing, tuple);
        superseded.collect(&committing.memory.horizon());
    });
    shared.memory.advance(shared.memory.clock.now(), 0);
    join([reader, writer]);
}

/// One reads, one commits twice, and a third one collects, which has no clock reading of its own.
pub fn slot_against_another_scan() {
    let (shared, tuple) = (shared(), tuple());
    let retired = Arc::new(Mutex::default());
    let reader = read_announced(shared.clone(), tuple);
    let (committing, list) = (shared.clone(), retired.clone());
    let writer = thread::spawn(move || {
        *list.lock() = Some(commit(&committing, tuple));
        let Superseded(_, timestamp) = commit(&committing, tuple);
        committing.memory.advance(timestamp, 0);
    });
    let horizon = shared.memory.horizon();
    let superseded: Option<Superseded> = retired.lock().take();
    if let Some(superseded) = superseded {
        superseded.collect(&horizon);
    }
    join([reader, writer]);
}

/// Nothing that is read inside the gate is overwritten.
pub fn gate() {
    let (shared, tuple) = (shared(), tuple());
    let outside = shared.clone();
    let writer = thread::spawn(move || {
        let locked = tuple.lock(u32::MAX).ok().expect("nobody removes it");
        if outside.is_closed_to_commits() {
            tuple.publish(locked);
        } else {
            publish(tuple, locked, 2);
        }
    });
    let reader = thread::spawn(move || {
        let inside = shared.enter();
        let first = tuple.unlocked_word();
        assert!(tuple.unlocked_word() == first, "a commit inside the gate");
        drop(inside);
    });
    join([writer, reader]);
}

/// What was committed inside the gate is read by whoever finds it open again.
pub fn gate_opens() {
    let (shared, tuple) = (shared(), tuple());
    let inside = shared.enter();
    let outside = shared.clone();
    let waiter = thread::spawn(move || {
        if !outside.is_closed_to_commits() {
            assert_eq!(
                visible(tuple.unlocked_word(), 9),
                2,
                "it is open, but nothing has come"
            );
        }
    });
    install(tuple, 2);
    drop(inside);
    join([waiter]);
}

/// A key is added to a hash index that has to grow for it.
pub fn index_insert() {
    let index = Arc::new(HashIndex::new());
    let hashes = [0, 1, 2].map(Hash::new);
    put(&index, hashes[0]);
    let before = index.inserts(hashes[0].position());
    let (writing, reading) = (index.clone(), index);
    let writer = thread::spawn(move || {
        put(&writing, hashes[1]);
        put(&writing, hashes[2]);
    });
    let reader = thread::spawn(move || {
        let find = |hash| {
            let found = reading.find(hash, protected(), |_| true);
            found.inspect(|&tuple| freed::check(tuple)).is_some()
        };
        let is_counted = reading.inserts(hashes[0].position()) != before;
        assert!(find(hashes[0]), "a key that nobody removes");
        assert!(
            !is_counted || find(hashes[1]),
            "it was counted, but is not there"
        );
        find(hashes[2]);
    });
    join([writer, reader]);
}

/// Adds a tuple with this hash to a hash index.
fn put(index: &HashIndex, hash: Hash) -> NonNull<Tuple> {
    let tuple = KeyedTuple::boxed(0_u32, hash.position()).into_raw();
    let seen = index.inserts(hash.position());
    std::mem::forget(index.insert(hash, tuple, seen).expect("one task inserts"));
    tuple
}

/// Looks at all tuples with this hash.
fn look_at_all(index: &HashIndex, hash: Hash) {
    index.find(hash, protected(), |tuple| {
        freed::check(tuple);
        false
    });
}

/// A key leaves a hash index, and another one takes its place, while it is looked up.
pub fn index_slot_is_reused() {
    let (index, hash) = (Arc::new(HashIndex::new()), Hash::new(0));
    put(&index, hash);
    // SAFETY: never freed.
    let leaving: &'static Tuple = unsafe { put(&index, hash).as_ref() };
    let (writing, reading) = (index.clone(), index);
    let writer = thread::spawn(move || {
        std::mem::forget(writing.remove(NonNull::from(leaving)));
        put(&writing, hash);
    });
    let reader = thread::spawn(move || look_at_all(&reading, hash));
    join([writer, reader]);
}

/// The same, when the one that has left is freed already: who finds the new one does not come by
/// the old one.
pub fn index_slot_was_freed() {
    let (index, hash) = (Arc::new(HashIndex::new()), Hash::new(0));
    put(&index, hash);
    let gone = put(&index, hash);
    std::mem::forget(index.remove(gone));
    freed::free(gone, || ());
    let (writing, reading) = (index.clone(), index);
    let writer = thread::spawn(move || {
        put(&writing, hash);
    });
    let reader = thread::spawn(move || look_at_all(&reading, hash));
    join([writer, reader]);
}
