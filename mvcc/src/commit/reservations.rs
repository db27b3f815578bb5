//! Reservations: transactions that are known to collide take turns, instead of running side by side
//! until all but one have lost.
//!
//! A reservation is advice. It is what those who reserve tell each other, and nobody else looks at
//! it: neither commits nor readers. That a transaction is serializable is up to its commit, as
//! ever, so a reservation may be given up, or not be waited for, without harm. That keeps it free
//! of deadlocks: a thread that has a reservation waits for no other one, nor does the transaction
//! that others' commits wait for; and whoever waits does so for a limited time, since the one who
//! has the reservation may have been forgotten, or be waiting for something else.

use crate::memory::slots::SlotRef;
use crate::sync::{Condvar, Mutex, SCHEDULED, bug};
use crossbeam_utils::CachePadded;
use foldhash::fast::FixedState;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How long to wait for a reservation: a few slices of the system's scheduler, for its owner may
/// have been preempted.
const PATIENCE: Duration = Duration::from_millis(10);
/// Places that are reserved are kept in so many sets, so that transactions on different rows seldom
/// meet.
const SHARDS: usize = 16;

/// What is reserved: the address of a tuple, or of a table for the keys that it does not have.
pub(crate) type Place = usize;

/// A thread's reservation, with the slot of the transaction that has it.
pub(crate) type Reserved = (SlotRef, Place);

#[derive(Default)]
pub(crate) struct Reservations([CachePadded<Shard>; SHARDS]);

#[derive(Default)]
struct Shard {
    reserved: Mutex<HashSet<Place, FixedState>>,
    given_back: Condvar,
}

impl Reservations {
    fn shard(&self, place: Place) -> &Shard {
        // Tuples are next to each other every 32 bytes or more. Addresses differ from run to run,
        // and where schedules are replayed nothing must.
        let shard = if SCHEDULED { 0 } else { place >> 5 };
        &self.0[shard % SHARDS]
    }

    /// Reserves a place, after waiting for it if that is allowed. False: somebody else has it.
    pub(crate) fn take(&self, place: Place, may_wait: bool) -> bool {
        let shard = self.shard(place);
        let mut reserved = shard.reserved.lock();
        // The scheduler of the concurrency tests has no time.
        let deadline = (!SCHEDULED).then(|| Instant::now() + PATIENCE);
        let mut in_time = may_wait && !bug!("reservation-not-waited-for");
        while !reserved.insert(place) {
            if !in_time {
                return false;
            }
            (reserved, in_time) = shard.given_back.wait(&shard.reserved, reserved, deadline);
        }
        true
    }

    pub(crate) fn give_back(&self, place: Place) {
        let shard = self.shard(place);
        shard.reserved.lock().remove(&place);
        shard.given_back.notify_all();
    }
}
