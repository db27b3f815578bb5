//! Tuples leave their index when their key has no value for anyone.

use super::retired::Until;
use super::{Retired, Unlinked, Work, unlinked};
use crate::protected::Protected;
use crate::shared::StillWatermark;
use crate::sync::{Wait, bug};
use crate::table::Removal;
use crate::tuple::Word;
use crate::version::Version;
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
fn apply(removal: Removal<'_>) -> Option<Option<Unlinked>> {
    if bug!("dead-left-in-index") {
        Some(None)
    } else {
        removal.apply()
    }
}

impl Work<'_> {
    /// Removes an entry's tuple from its index, if its key is absent for every live and every later transaction. Otherwise, what that has to wait
    /// for, if it is for this entry to wait.
    pub(super) fn remove(&self, entry: &Retired) -> Option<Until> {
        let _guard = self.local.pin();
        // SAFETY: the database keeps the table; the entry keeps the tuple in its index, and we are pinned.
        let (table, tuple) = unsafe { (entry.table.as_ref(), entry.tuple.as_ref()) };
        // SAFETY: see above.
        let protected = unsafe { Protected::open() };
        let mut prepared = None;
        let mut turns = Wait::new();
        let (word, replaced) = loop {
            // In this order, as everywhere.
            let still = self.local.shared().hold_watermark();
            let Ok(word) = tuple.lock(u32::MAX) else {
                unreachable!("nobody else removes the tuple")
            };
            let found = self.find(word, &still);
            drop(still);
            match (found, prepared.take()) {
                (Found::Value, _) => {
                    tuple.forget_removal();
                    tuple.publish(word);
                    return None;
                }
                (Found::Old(until), _) => {
                    tuple.publish(word);
                    return Some(until);
                }
                (Found::Nothing, None) => {
                    tuple.publish(word);
                    // Without the lock: finding a tuple in a tree compares keys (I8).
                    prepared = table.index.prepare_removal(entry.tuple, protected);
                    if prepared.is_none() {
                        // Not found: its order of keys is none. Nothing good can come of it.
                        return Some(entry.until_next());
                    }
                }
                (Found::Nothing, Some(prepared)) => {
                    // Under the lock: who holds it later sees it dead (see `Tuple::hold`).
                    if tuple.forget_removal() && !bug!("held-is-removed") {
                        tuple.publish(word);
                        return None;
                    }
                    if let Some(replaced) = apply(prepared) {
                        break (word, replaced);
                    }
                    tuple.expect_removal();
                    tuple.publish(word);
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
        let mut unlinked = |node| unlinked(self.local, node);
        table.index.shrink(entry.tuple, protected, &mut unlinked);
        None
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
        // That version must not be looked at. If the one that superseded it was unlinked from between the two, it may have expired since, and is freed
        // without being unlinked, as nobody reads that far any more. If any snapshot sees it, the latest one does.
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
