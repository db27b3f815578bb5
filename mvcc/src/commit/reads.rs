//! Reading consistently, without a timestamp for as long as possible.
//!
//! Until it has a timestamp, a transaction reads the newest versions and checks after each read
//! that all earlier ones are still the newest: then they all were at that instant. It takes a
//! timestamp when that fails, when it has read so much that the checks cost more than the clock,
//! and when it finds nothing where it looks.

use crate::clock::Clock;
use crate::rows::tuple::Tuple;
use crate::rows::version::{Version, live_value, value_of};
use crate::sync::bug;
use arrayvec::ArrayVec;
use std::num::NonZeroU64;
use std::ptr::NonNull;

/// A tuple that was read, and the version that was seen: null or a tombstone only if a scan came
/// by.
#[derive(Clone, Copy)]
pub(crate) struct Read<T> {
    pub(crate) tuple: NonNull<Tuple>,
    pub(crate) version: *mut Version,
    /// The tuple's table, to be named in a conflict, or nothing where there is none.
    pub(crate) table: T,
}

/// What a transaction has read without a timestamp, and the timestamp once it has one. All tuples
/// and versions in it stay allocated because the transaction's slot is open.
pub(crate) struct Reads<T> {
    pub(crate) entries: ArrayVec<Read<T>, UNTIMED>,
    timestamp: Option<NonZeroU64>,
}

/// Reads without a timestamp: up to here, checking earlier words (they are in the first-level
/// cache) costs less than a clock reading, which drains the processor's pipeline.
const UNTIMED: usize = 8;

/// What a tuple holds for a reader with a timestamp.
pub(crate) enum Seen {
    /// A version of the tuple, null if it had none then; and whether it is the newest.
    Version(*mut Version, bool),
    /// The tuple was removed: look the key up again.
    Dead,
}

impl<T> Read<T> {
    /// Whether the version that was read is the newest one, once no commit holds the tuple.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        // SAFETY: see `Reads`.
        let tuple = unsafe { self.tuple.as_ref() };
        tuple.word().is_at_rest_with(self.version) || self.is_current_otherwise(tuple)
    }

    /// The same if somebody holds the tuple, or it has no value, or has had another commit.
    #[cold]
    fn is_current_otherwise(&self, tuple: &Tuple) -> bool {
        let word = tuple.unlocked_word();
        // See `Footprint::is_current` for dead ones.
        word.is_dead() || word.newest() == self.version
    }
}

impl<T> Default for Reads<T> {
    fn default() -> Self {
        Self {
            entries: ArrayVec::new(),
            timestamp: None,
        }
    }
}

impl<T> Reads<T> {
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.timestamp = None;
    }

    #[inline]
    pub(crate) fn timestamp(&self) -> Option<u64> {
        self.timestamp.map(NonZeroU64::get)
    }

    /// Moves on to a later timestamp at which all reads were checked to be current.
    pub(crate) fn extend_to(&mut self, timestamp: u64) {
        self.timestamp = NonZeroU64::new(timestamp);
    }

    /// The newest version of a tuple, if it has a value and the transaction has no timestamp and
    /// needs none for it. `None`: take one and read at that. It does not look at the version, so
    /// nothing here waits for the version's memory.
    ///
    /// # Safety
    /// The caller's slot is open since before it found the tuple.
    #[inline]
    pub(crate) unsafe fn read_untimed(
        &mut self,
        table: T,
        tuple: NonNull<Tuple>,
    ) -> Option<NonNull<Version>> {
        if self.timestamp.is_some() {
            return None;
        }
        // SAFETY: the caller's promise.
        let tuple_ref = unsafe { tuple.as_ref() };
        let live = match tuple_ref.word().at_rest() {
            Some(live) => live,
            None => tuple_ref.unlocked_word().live()?,
        };
        let read = Read {
            tuple,
            version: live.as_ptr(),
            table,
        };
        if self.entries.is_empty() {
            self.entries.push(read);
            return Some(live);
        }
        self.add_untimed(read).then_some(live)
    }

    /// Adds a read to earlier ones, if there is room and they are all current still.
    #[inline]
    fn add_untimed(&mut self, new: Read<T>) -> bool {
        let mut known = false;
        for read in &self.entries {
            if !bug!("untimed-unchecked") && !read.is_current() {
                self.take_timestamp_of_overwriters(u64::MAX);
                return false;
            }
            known |= read.tuple == new.tuple;
        }
        known || self.entries.try_push(new).is_ok()
    }

    /// Takes a timestamp, if there is none yet, at which all that was read is visible.
    #[cold]
    pub(crate) fn take_timestamp(&mut self, clock: &Clock) -> u64 {
        match self.timestamp() {
            Some(timestamp) => timestamp,
            None if bug!("timed-without-a-check") => {
                self.extend_to(clock.now());
                self.take_timestamp(clock)
            }
            None => self.take_timestamp_of_overwriters(clock.now()),
        }
    }

    /// The smallest timestamp of what has overwritten a read, at most `limit`.
    ///
    /// It is later than every version that was read, since all of them were current together before
    /// the first was locked for being overwritten. And it is as good as a clock reading: whoever
    /// locks a tuple after we have seen the overwriter reads a clock that is later (I1).
    #[cold]
    fn take_timestamp_of_overwriters(&mut self, limit: u64) -> u64 {
        let overwriters = self.entries.iter().filter_map(|read| {
            // SAFETY: see `Reads`.
            let newest = unsafe { read.tuple.as_ref() }.unlocked_word().newest();
            (newest != read.version).then(|| {
                // SAFETY: we read the version and our slot is open, so it and all above it are
                // allocated; what was read untimed had a value, so its tuple is not removed
                // meanwhile.
                let above = unsafe { Version::directly_above(newest, read.version) };
                // SAFETY: as above.
                unsafe { Version::head(above) }.timestamp
            })
        });
        let smallest = overwriters.fold(limit, u64::min);
        let timestamp = smallest + u64::from(bug!("overwriter-is-visible"));
        self.timestamp = NonZeroU64::new(timestamp);
        timestamp
    }
}

/// The version of a tuple that is visible at `timestamp`.
///
/// # Safety
/// The caller is protected since it found the tuple, and its slot protects `timestamp`.
#[inline]
pub(crate) unsafe fn read_at(tuple: NonNull<Tuple>, timestamp: u64) -> Seen {
    // Found unlocked after the timestamp was taken: whoever locks it later has a later one. SAFETY:
    // the caller's promise.
    let word = unsafe { tuple.as_ref() }.unlocked_word();
    if word.is_dead() {
        return Seen::Dead;
    }
    let newest = word.newest();
    // SAFETY: the caller's promise.
    let version = unsafe { Version::visible_at(newest, timestamp) };
    Seen::Version(version, version == newest)
}

/// The value of a tuple at a timestamp.
///
/// # Safety
/// The caller's slot protects `timestamp` for `'r`, and the tuple is of a table with values `V`.
/// The slot protects the tuple too: a tuple that has a value is not removed, for the tombstone that
/// would allow it is not below the watermark.
#[inline]
pub(crate) unsafe fn tuple_at<'r, V>(tuple: NonNull<Tuple>, timestamp: u64) -> Option<&'r V> {
    // SAFETY: the caller's promise.
    if let Some(live) = unsafe { tuple.as_ref() }.word().at_rest()
        // SAFETY: as above.
        && (unsafe { Version::head(live) }.is_before(timestamp) || bug!("scan-reads-newest"))
    {
        // SAFETY: as above; the word says that it has a value.
        return Some(unsafe { live_value(live) });
    }
    // SAFETY: as above.
    unsafe { tuple_otherwise_at(tuple, timestamp) }
}

/// The same if somebody holds the tuple, or its newest version is none to be seen.
///
/// # Safety
/// As for [`tuple_at`].
#[cold]
unsafe fn tuple_otherwise_at<'r, V>(tuple: NonNull<Tuple>, timestamp: u64) -> Option<&'r V> {
    // SAFETY: the caller's promise.
    match unsafe { read_at(tuple, timestamp) } {
        // SAFETY: as above.
        Seen::Version(version, _) => unsafe { value_of(version) },
        Seen::Dead => None,
    }
}

#[cfg(test)]
mod tests;
