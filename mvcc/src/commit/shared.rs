//! What all threads of a database share.

use crate::clock::Clock;
use crate::commit::feeds::Feeds;
use crate::commit::reservations::Reservations;
use crate::memory::Memory;
use crate::memory::expiry::LimitedSnapshots;
use crate::rows::schema_version::SchemaVersion;
use crate::sync::{
    Arc, AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering, Wait, fence, held, ordering,
};
use crossbeam_utils::CachePadded;
#[cfg(feature = "durable")]
use std::sync::OnceLock;

pub(crate) struct Shared {
    /// The database's, for messages.
    pub(crate) name: Arc<str>,
    /// Set when the database is dropped; a thread's cached state is of no more use then.
    pub(crate) closed: AtomicBool,
    /// Set while one transaction runs that must not lose: other commits wait. See
    /// [`Shared::enter`].
    gate: CachePadded<AtomicBool>,
    /// Whose turn it is at the gate.
    turn: Mutex<()>,
    /// The [`SchemaVersion`].
    schema: CachePadded<AtomicU64>,
    pub(crate) feeds: Feeds,
    /// The log of a durable database.
    #[cfg(feature = "durable")]
    pub(crate) log: OnceLock<Arc<crate::commit::log::logger::Logger>>,
    pub(crate) reservations: Reservations,
    /// The last field, as its collector is there.
    pub(crate) memory: Memory,
}

impl Shared {
    pub(crate) fn new(name: Arc<str>, clock: Clock, limited: LimitedSnapshots) -> Self {
        Self {
            name,
            closed: AtomicBool::new(false),
            gate: CachePadded::new(AtomicBool::new(false)),
            turn: Mutex::default(),
            schema: CachePadded::default(),
            feeds: Feeds::default(),
            #[cfg(feature = "durable")]
            log: OnceLock::new(),
            reservations: Reservations::default(),
            memory: Memory::new(clock, limited),
        }
    }

    /// Lets nobody else commit until the result is dropped.
    ///
    /// A commit looks at the gate when it holds all its locks. If it saw the gate open, its locks
    /// were there before the gate was closed, so whoever reads a tuple of its after that waits for
    /// it. So what is read inside the gate is not overwritten any more: the transaction inside
    /// cannot lose. Readers are not concerned.
    pub(crate) fn enter(&self) -> Inside<'_> {
        let turn = self.turn.lock();
        // Whoever is inside runs user code there; it is what the gate is for.
        held::set_aside();
        // SeqCst, as are the locks of a commit and its look at the gate; the fence orders our reads
        // after it.
        self.gate.store(true, Ordering::SeqCst);
        fence(ordering!(SeqCst, gate_fence));
        Inside {
            shared: self,
            _turn: turn,
        }
    }

    /// Whether commits have to wait. For those who hold all their locks.
    #[inline]
    pub(crate) fn is_closed_to_commits(&self) -> bool {
        self.gate.load(ordering!(SeqCst, look_at_gate))
    }

    /// Waits until commits need not wait. For those who hold no lock.
    #[cold]
    pub(crate) fn wait_for_gate(&self) {
        let mut wait = Wait::new();
        while self.is_closed_to_commits() {
            wait.turn();
        }
    }

    #[inline]
    pub(crate) fn schema(&self) -> SchemaVersion {
        // SeqCst: commits look after they have read the clock, so a commit that finds the old
        // schema version is earlier than whatever the one who changed it reads from the clock after
        // that (I1).
        SchemaVersion(self.schema.load(Ordering::SeqCst))
    }

    /// Notes that a table gets an index. `note` is told the new schema version before anyone sees
    /// it. For those inside the gate.
    pub(crate) fn add_index(&self, note: impl FnOnce(SchemaVersion)) {
        let schema = self.schema();
        let changed = schema.changed(schema.0 & (SchemaVersion::FEEDS | SchemaVersion::LOG));
        note(changed);
        self.schema.store(changed.0, Ordering::SeqCst);
    }

    /// Notes whether there are feeds. For those inside the gate.
    pub(crate) fn set_feeds(&self, any: bool) {
        let log = self.schema().0 & SchemaVersion::LOG;
        let changed = self
            .schema()
            .changed(log | if any { SchemaVersion::FEEDS } else { 0 });
        self.schema.store(changed.0, Ordering::SeqCst);
    }

    /// Notes that there is a log from now on, before anybody else can commit.
    #[cfg(feature = "durable")]
    pub(crate) fn set_log(&self) {
        let bits = self.schema().0 & SchemaVersion::FEEDS | SchemaVersion::LOG;
        self.schema
            .store(self.schema().changed(bits).0, Ordering::SeqCst);
    }
}

/// Being the only one who may commit.
pub(crate) struct Inside<'s> {
    shared: &'s Shared,
    _turn: MutexGuard<'s, ()>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        held::take_back();
        // Release: what was committed inside is seen by those who come next.
        self.shared.gate.store(false, Ordering::Release);
    }
}
