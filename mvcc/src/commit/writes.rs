//! A transaction's buffered writes.

mod history;

pub(crate) use history::Moment;

use crate::memory::retired::{Garbage, Retired};
use crate::rows::core::TableCore;
use crate::rows::tuple::{Order, Tuple, Word, order_of};
use crate::rows::version::{OwnedVersion, Version};
use crate::sync::{SMALL, bug, freed};
use foldhash::fast::FixedState;
use history::History;
use std::collections::HashMap;
use std::ptr::NonNull;

/// A buffered write.
pub(crate) struct Write {
    pub(crate) table: NonNull<TableCore>,
    pub(crate) tuple: NonNull<Tuple>,
    /// The version to be installed; gone once it is.
    version: Option<NewVersion>,
    /// When that was buffered.
    since: Moment,
    /// Whether we hold the tuple (I6): it had no live version when it was written to.
    pub(crate) held: bool,
    /// The tuple's word as we locked it.
    pub(crate) locked: Option<Word>,
    /// Whether a tombstone was installed, and we are to see to the tuple's removal.
    removal: bool,
}

/// What a write is going to install.
pub(crate) struct NewVersion {
    version: OwnedVersion,
    is_tombstone: bool,
}

/// The write set: one entry for each tuple, found in constant time however many there are.
#[derive(Default)]
pub(crate) struct Writes {
    entries: Vec<Write>,
    /// Where each tuple's entry is, from `LINEAR` entries on.
    positions: HashMap<NonNull<Tuple>, usize, FixedState>,
    /// Whether the entries are in the order of locking; then `positions` is out of date.
    sorted: bool,
    /// What a later write of the same transaction replaced, oldest first, and the savepoints
    /// between.
    log: Vec<Logged>,
    /// Versions that were rolled back to another one. References to them are still about, as to
    /// those in `log`.
    undone: Vec<NewVersion>,
    /// Writes that were rolled back to none. They keep their holds: iterators still look for the
    /// tuples in their index.
    unwritten: Vec<Write>,
    history: History,
    /// Savepoints made so far, by all transactions that have used this: each write to an indexed
    /// table makes one.
    savepoints: u64,
}

enum Logged {
    /// A version that was buffered in this entry.
    Replaced(usize, NewVersion),
    /// A savepoint, by number, and how many entries there were.
    Savepoint(u64, usize),
}

/// A savepoint: its place in the log, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    position: usize,
    number: u64,
}

/// So many entries are searched faster one after the other than through a hash table.
const LINEAR: usize = if SMALL { 2 } else { 8 };

impl Writes {
    /// Forgets everything, which drops versions that were not installed: user code. Returns how
    /// many entries there is room for.
    #[inline]
    pub(crate) fn clear(&mut self) -> usize {
        self.entries.clear();
        self.positions.clear();
        self.sorted = false;
        self.log.clear();
        self.undone.clear();
        let mut room = self.entries.capacity()
            + self.positions.capacity()
            + self.log.capacity()
            + self.undone.capacity();
        if !self.unwritten.is_empty() {
            self.unwritten.clear();
            room += self.unwritten.capacity();
        }
        if !self.history.is_empty() {
            room += self.history.clear();
        }
        room
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn entries(&self) -> &[Write] {
        &self.entries
    }

    /// Those that were undone. The tuples of some of them may have been written to again.
    #[inline]
    pub(crate) fn unwritten(&self) -> &[Write] {
        if bug!("undone-write-is-held") {
            return &[];
        }
        &self.unwritten
    }

    /// The entry of a tuple.
    #[inline]
    pub(crate) fn find(&self, tuple: NonNull<Tuple>) -> Option<usize> {
        if self.sorted {
            // SAFETY: whoever has a tuple to look for is protected since it found it.
            let order = unsafe { order_of(tuple) };
            self.entries.binary_search_by_key(&order, Write::order).ok()
        } else if self.entries.len() <= LINEAR {
            self.entries.iter().position(|write| write.tuple == tuple)
        } else {
            self.positions.get(&tuple).copied()
        }
    }

    /// The version that this transaction is going to install in a tuple.
    #[inline]
    pub(crate) fn get(&self, tuple: NonNull<Tuple>) -> Option<NonNull<Version>> {
        if self.is_empty() {
            return None;
        }
        self.entries[self.find(tuple)?].buffered()
    }

    /// The moment of an iterator that is made now. It sees what is buffered now, whatever becomes
    /// of that.
    #[inline]
    pub(crate) fn moment(&mut self) -> Moment {
        if self.is_empty() {
            return Moment::BEFORE_ALL;
        }
        self.history.pass()
    }

    /// The version that this transaction was going to install in a tuple at that moment.
    #[inline]
    pub(crate) fn get_as_of(
        &self,
        tuple: NonNull<Tuple>,
        moment: Moment,
    ) -> Option<NonNull<Version>> {
        if bug!("iterator-sees-later-writes") {
            return self.get(tuple);
        }
        if moment == Moment::BEFORE_ALL {
            return None;
        }
        let write = self.find(tuple).map(|entry| &self.entries[entry]);
        match write.filter(|write| write.since < moment) {
            Some(write) => write.buffered(),
            None if self.history.is_empty() => None,
            None => self.history.get(tuple, moment),
        }
    }

    /// Whether the write set has this tuple.
    pub(crate) fn contains(&self, tuple: NonNull<Tuple>) -> bool {
        self.find(tuple).is_some()
    }

    /// Replaces what is buffered for the tuple of this entry.
    pub(crate) fn replace(&mut self, entry: usize, version: NewVersion) {
        let replaced = if bug!("first-write-wins") {
            Some(version)
        } else {
            self.buffer(entry, version)
        };
        let replaced = replaced.map(|version| Logged::Replaced(entry, version));
        self.log.extend(replaced);
    }

    /// Puts another version into an entry, and returns what was there.
    fn buffer(&mut self, entry: usize, version: NewVersion) -> Option<NewVersion> {
        let write = &mut self.entries[entry];
        write.note(&mut self.history);
        write.since = self.history.now();
        write.version.replace(version)
    }

    /// Makes a savepoint.
    pub(crate) fn mark(&mut self) -> Mark {
        self.savepoints += 1;
        let (position, number) = (self.log.len(), self.savepoints);
        self.log.push(Logged::Savepoint(number, self.entries.len()));
        Mark { position, number }
    }

    /// How many entries there were at a savepoint. `None`: it was undone.
    fn entries_at(&self, mark: Mark) -> Option<usize> {
        match self.log.get(mark.position) {
            Some(&Logged::Savepoint(number, entries)) if number == mark.number => Some(entries),
            _ => None,
        }
    }

    /// Forgets a savepoint, if it is the latest.
    pub(crate) fn forget(&mut self, mark: Mark) {
        if mark.position + 1 == self.log.len() && self.entries_at(mark).is_some() {
            self.log.pop();
        }
    }

    /// Undoes all writes since a savepoint. False, and nothing happens, if the savepoint itself was
    /// undone. Runs no user code.
    pub(crate) fn undo(&mut self, mark: Mark) -> bool {
        let Some(entries) = self.entries_at(mark) else {
            return false;
        };
        for logged in self.log.split_off(mark.position + 1).into_iter().rev() {
            if let Logged::Replaced(entry, version) = logged {
                let undone = self.buffer(entry, version);
                self.undone.extend(undone);
            }
        }
        if entries <= LINEAR {
            self.positions.clear();
        }
        for write in self.entries.drain(entries..) {
            if entries > LINEAR {
                self.positions.remove(&write.tuple);
            }
            write.note(&mut self.history);
            self.unwritten.push(write);
        }
        true
    }

    /// Adds a write to a tuple that has none yet.
    #[inline]
    pub(crate) fn push(
        &mut self,
        table: NonNull<TableCore>,
        tuple: NonNull<Tuple>,
        version: NewVersion,
        held: bool,
    ) {
        debug_assert!(!self.sorted, "nothing is written to after a commit began");
        let position = self.entries.len();
        self.entries.push(Write {
            table,
            tuple,
            version: Some(version),
            since: self.history.now(),
            held,
            locked: None,
            removal: false,
        });
        if position >= LINEAR {
            self.note_position(position, tuple);
        }
    }

    /// Notes where a tuple's entry is, for there are too many now to search them.
    #[cold]
    fn note_position(&mut self, position: usize, tuple: NonNull<Tuple>) {
        if position == LINEAR {
            let all = self.entries.iter().enumerate();
            self.positions
                .extend(all.map(|(i, write)| (write.tuple, i)));
        } else {
            self.positions.insert(tuple, position);
        }
    }

    /// The entries in the order in which all transactions lock.
    #[inline]
    pub(crate) fn sort(&mut self) -> &mut [Write] {
        if !self.sorted {
            self.entries.sort_unstable_by_key(Write::order);
            self.sorted = true;
        }
        &mut self.entries
    }

    /// Forgets the entries, once their versions are installed.
    #[inline]
    pub(crate) fn clear_installed(&mut self) {
        self.entries.clear();
    }
}

impl NewVersion {
    pub(crate) fn new(version: OwnedVersion, is_tombstone: bool) -> Self {
        Self {
            version,
            is_tombstone,
        }
    }
}

impl Write {
    /// Its place in the order of locking.
    #[inline]
    fn order(&self) -> Order {
        // SAFETY: the transaction's slot is open since it found the tuple.
        unsafe { order_of(self.tuple) }
    }

    pub(crate) fn buffered(&self) -> Option<NonNull<Version>> {
        self.version.as_ref().map(|new| new.version.as_ptr())
    }

    /// Notes what is buffered, for it is so no more.
    fn note(&self, history: &mut History) {
        if let Some(version) = self.buffered() {
            history.note(self.tuple, self.since, version);
        }
    }

    /// Links the buffered version above the one that was locked, and publishes and unlocks in one
    /// store.
    #[inline]
    pub(crate) fn install(&mut self, timestamp: u64) {
        let new = self.version.take().expect("it is installed once");
        let locked = self.locked.expect("it is locked");
        // SAFETY: the transaction is pinned and holds the tuple's lock.
        let tuple = unsafe { self.tuple.as_ref() };
        self.removal = new.is_tombstone && tuple.expect_removal();
        let mut version = new.version.into_raw();
        // SAFETY: not published yet, so ours alone.
        let head = unsafe { version.as_mut() };
        if !bug!("timestamp-to-a-copy") {
            head.timestamp = timestamp;
        }
        *head.older.get_mut() = locked.newest();
        freed::made(version);
        tuple.publish(Word::of(version, new.is_tombstone));
    }

    /// The size of the version, as it is counted.
    pub(crate) fn version_bytes(&self) -> i64 {
        // SAFETY: the database keeps its tables.
        unsafe { self.table.as_ref() }.versions.bytes
    }

    /// Gives the hold of a write back that is not installed. That may leave something for the
    /// retire list.
    pub(crate) fn give_up(&self, timestamp: u64) -> Option<Retired> {
        // SAFETY: the transaction's slot is open since it found the tuple.
        unsafe {
            let removal = self.held && self.tuple.as_ref().give_up();
            removal.then(|| Retired::new(self.table, self.tuple, None, timestamp))
        }
    }

    /// Retires what an installed write has superseded, and the tuple if the write has removed its
    /// row.
    #[inline]
    pub(crate) fn retire(&self, timestamp: u64, garbage: &mut Garbage) {
        // SAFETY: the transaction's slot is open since it found the tuple.
        let entry = |version| unsafe { Retired::new(self.table, self.tuple, version, timestamp) };
        if let Some(superseded) = self.locked.and_then(|word| NonNull::new(word.newest())) {
            garbage.retire(entry(Some(superseded)));
        }
        if self.removal {
            garbage.retire(entry(None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They were counted in 32 bits, and each write to an indexed table makes one.
    #[test]
    fn savepoints_do_not_run_out() {
        let mut writes = Writes {
            savepoints: u32::MAX.into(),
            ..Writes::default()
        };
        let (first, second) = (writes.mark(), writes.mark());
        assert_eq!(writes.entries_at(first), Some(0));
        assert!(writes.undo(first));
        assert_eq!(writes.entries_at(second), None);
    }
}
