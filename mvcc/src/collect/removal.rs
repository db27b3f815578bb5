//! Tuples leave their index when their key has no value for anyone.

use super::{Work, unlinked};
use crate::memory::StillWatermark;
use crate::memory::retired::{Retired, Until};
use crate::rows::core::Removal;
use crate::rows::protected::Protected;
use crate::rows::tuple::Word;
use crate::rows::unlinked::Unlinked;
use crate::rows::version::Version;
use crate::sync::{Wait, bug};
use std::ptr::NonNull;

/// What a tuple that was to be removed holds.
enum Found {
    /// A value: whoever removes that sees to the tuple.
    Value,
    /// No value for any live and any later transaction.
    Nothing,
    /// A value for a snapshot, or for a transaction that may have seen it.
    Old(Until),
}

/// Takes a tuple out of its index, and returns what that replaced. `None`: prepare again.
#[expect(
    clippy::option_option,
    reason = "whether it was done, and what it replaced"
)]
fn apply(removal: &mut Removal<'_>) -> Option<Option<Unlinked>> {
    if bug!("dead-left-in-index") {
        Some(None)
    } else {
        removal.apply()
    }
}

/// What has become of an entry.
enum Outcome {
    /// It is for somebody else to see to the tuple.
    Left,
    /// It has to wait.
    Waits(Until),
    /// The tuple has left its index, and is retired.
    Gone,
}

impl Work<'_> {
    /// Disposes of the last entry, which is a removal.
    ///
    /// User code that panics before the outcome is known has changed nothing: the entry is still
    /// there, and is put by. From then on the entry is done with, so it goes first. A second one
    /// for the same tuple would be a second owner of it.
    pub(super) fn remove_last(&mut self) {
        // The tuple, which may be retired below, stays allocated as long as this.
        let guard = self.local.pin();
        let protected = Protected::pinned(&guard);
        let Some(last) = self.lists.entries.last() else {
            return;
        };
        let (table, tuple) = (last.table, last.tuple);
        let mut prepared = None;
        let outcome = self.remove(last, &mut prepared, protected);
        let entry = self.lists.entries.pop();
        match (outcome, entry) {
            (Outcome::Waits(until), Some(entry)) if !bug!("removal-forgotten") => {
                self.worker.garbage.lock().wait(entry, until);
            }
            (Outcome::Gone, _) => {
                let mut unlinked = |node| unlinked(self.local, node);
                // SAFETY: the database keeps the table.
                let index = unsafe { &table.as_ref().index };
                // A panic in here leaves nodes that are smaller than they need be, until more is
                // removed around them.
                index.shrink(tuple, protected, &mut unlinked);
            }
            _ => {}
        }
        // Drops keys that were cloned, which may panic too.
        drop(prepared);
    }

    /// Removes an entry's tuple from its index, if its key is absent for every live and every later
    /// transaction. What is left of the preparation is in `prepared`, to be dropped when the entry
    /// has gone.
    fn remove<'p>(
        &self,
        entry: &Retired,
        prepared: &mut Option<Removal<'p>>,
        protected: Protected<'p>,
    ) -> Outcome {
        // SAFETY: the database keeps the table; the entry keeps the tuple in its index, and we are
        // pinned.
        let (table, tuple) = unsafe { (&*entry.table.as_ptr(), entry.tuple.as_ref()) };
        let mut turns = Wait::new();
        let (word, replaced) = loop {
            // In this order, as everywhere.
            let still = self.local.memory().hold_watermark();
            let Ok(word) = tuple.lock(u32::MAX) else {
                unreachable!("nobody else removes the tuple")
            };
            let found = self.find(word, &still);
            drop(still);
            match (found, &mut *prepared) {
                (Found::Value, _) => {
                    tuple.forget_removal();
                    tuple.publish(word);
                    return Outcome::Left;
                }
                (Found::Old(until), _) => {
                    tuple.publish(word);
                    return Outcome::Waits(until);
                }
                (Found::Nothing, None) => {
                    tuple.publish(word);
                    // Without the lock: finding a tuple in a tree compares keys (I8).
                    *prepared = table.index.prepare_removal(entry.tuple, protected);
                    if prepared.is_none() {
                        // Not found: its order of keys is none. Nothing good can come of it.
                        return Outcome::Waits(entry.until_next());
                    }
                }
                (Found::Nothing, Some(removal)) => {
                    // Under the lock: who holds it later sees it dead (see `Tuple::hold`).
                    if tuple.forget_removal() && !bug!("held-is-removed") {
                        tuple.publish(word);
                        return Outcome::Left;
                    }
                    if let Some(replaced) = apply(removal) {
                        break (word, replaced);
                    }
                    tuple.expect_removal();
                    tuple.publish(word);
                    // Without the lock: drops keys (I8).
                    *prepared = None;
                    turns.turn();
                }
            }
        };
        if bug!("dead-not-marked") {
            tuple.publish(word);
        } else {
            tuple.bury(word);
        }
        let worker = self.local.worker();
        if !word.newest().is_null() {
            worker.count_versions(-1, -table.versions.bytes);
        }
        worker.count_tuples(-1, -table.tuple_bytes);
        let dead = Unlinked::Tuple(table.dead(entry.tuple));
        unlinked(self.local, dead);
        if let Some(replaced) = replaced {
            unlinked(self.local, replaced);
        }
        Outcome::Gone
    }

    /// What there is in a tuple that we have locked, and whose word was this.
    fn find(&self, word: Word, still: &StillWatermark<'_>) -> Found {
        let Some(newest) = NonNull::new(word.newest()) else {
            return Found::Nothing;
        };
        // SAFETY: the newest version of a tuple that we have locked.
        let newest = unsafe { Version::head(newest) };
        let timestamp = newest.timestamp;
        if !word.is_tombstone() {
            return Found::Value;
        }
        if timestamp < still.watermark() {
            return Found::Nothing;
        }
        if timestamp >= self.horizon.open {
            let snapshot = 0;
            return Found::Old(Until {
                snapshot,
                timestamp,
            });
        }
        let older = NonNull::new(newest.older());
        let Some(older) = older.filter(|_| !bug!("removed-though-seen")) else {
            // All that the snapshots see here is that there is nothing.
            return Found::Nothing;
        };
        // That version must not be looked at. If the one that superseded it was unlinked from
        // between the two, it may have expired since, and is freed without being unlinked, as
        // nobody reads that far any more. If any snapshot sees it, the latest one does.
        let snapshot = if bug!("removal-looks-below") {
            // SAFETY: there is no reason why it should be allocated.
            let from = unsafe { Version::head(older) }.timestamp;
            self.horizon.last_to_see(from, timestamp)
        } else {
            self.horizon.last_up_to(timestamp)
        };
        let snapshot = snapshot.unwrap_or(0);
        Found::Old(Until {
            snapshot,
            timestamp,
        })
    }
}
