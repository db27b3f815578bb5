//! The logger: takes what commits have recorded below a cut, writes it as one frame, and says what
//! is durable. See [`crate::durable`].

use crate::commit::feeds::bound;
use crate::commit::log::buffer::{Buffer, Taken};
use crate::commit::log::record;
use crate::memory::Memory;
use crate::memory::panicked::contained;
use crate::sync::{Arc, AtomicU32, AtomicU64, Condvar, Mutex, MutexGuard, Ordering, Wait};
use crossbeam_utils::CachePadded;
use journal::{Log, LogError, Reservation, Stopped, Writer};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// A thread's buffer.
pub(crate) type SharedBuffer = Arc<CachePadded<Mutex<Buffer>>>;

/// What threads that commit, wait or write share of a log.
pub(crate) struct Logger {
    pub(crate) log: Log,
    /// Those of all threads that have committed, and of ended ones with something left in them.
    buffers: Mutex<Vec<SharedBuffer>>,
    /// Whoever holds it writes.
    turn: Mutex<Turn>,
    written: Mutex<Written>,
    /// More was written, or nothing more will be.
    appended: Condvar,
    /// All commits with a timestamp below this are durable. Written with `turn` held.
    durable: AtomicU64,
    /// Why there is nothing more to come.
    stopped: OnceLock<Stopped>,
    /// What the thread of the logger waits for: one of `BUSY`, `IDLE`, `GATHERING`, `HELD`.
    wants: AtomicU32,
    signal: Mutex<Signal>,
    signalled: Condvar,
    /// Who waits for a timestamp to be durable; the number tells apart who waits for the same.
    waiting: Mutex<BTreeMap<(u64, u64), Waker>>,
    tickets: AtomicU64,
    /// How large the log may grow before a checkpoint is due, in bytes.
    due: AtomicU64,
    /// The most bytes that the log may take.
    limit: u64,
    checkpoints: Mutex<CheckpointSignal>,
    checkpoint_due: Condvar,
}

/// The thread of the logger is at work, or will look again before it waits.
const BUSY: u32 = 0;
/// It waits for a commit that nobody else writes.
const IDLE: u32 = 1;
/// It waits for a commit under way that holds the cut back.
const HELD: u32 = 2;
/// It lets commits gather that nobody waits for, for [`GATHER`], unless somebody does.
const GATHERING: u32 = 3;

/// How long commits gather that nobody waits for. A sync costs the processor as much as several
/// commits do; see docs/performance.md.
const GATHER: Duration = Duration::from_millis(5);

/// Times that who waits for its own commit looks for the end of one that holds it back.
const TURNS: u32 = 64;

/// What was written since the log was opened.
#[derive(Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) commits: u64,
    /// Each is one write and one sync.
    pub(crate) groups: u64,
    /// Of the groups.
    pub(crate) bytes: u64,
}

struct Turn {
    /// Gone once the log is closed.
    writer: Option<Writer>,
    /// The number of transactions in the log.
    logged: u64,
    /// Room to sort and to write in.
    taken: Taken,
    payload: Vec<u8>,
}

#[derive(Default)]
struct Signal {
    /// There is something to write.
    is_set: bool,
    /// Somebody waits for it.
    is_urgent: bool,
    is_closing: bool,
}

#[derive(Default)]
struct CheckpointSignal {
    is_due: bool,
    is_closing: bool,
}

/// What a round has found.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Round {
    /// All that was recorded is durable.
    Done,
    /// There is more, above the cut.
    Held,
}

impl Logger {
    pub(crate) fn new(log: Log, writer: Writer, logged: u64, due: u64, limit: u64) -> Self {
        Self {
            log,
            buffers: Mutex::default(),
            turn: Mutex::new(Turn {
                writer: Some(writer),
                logged,
                taken: Taken::default(),
                payload: Vec::new(),
            }),
            written: Mutex::default(),
            appended: Condvar::default(),
            durable: AtomicU64::default(),
            stopped: OnceLock::new(),
            wants: AtomicU32::new(BUSY),
            signal: Mutex::default(),
            signalled: Condvar::default(),
            waiting: Mutex::default(),
            tickets: AtomicU64::default(),
            due: AtomicU64::new(due),
            limit,
            checkpoints: Mutex::default(),
            checkpoint_due: Condvar::default(),
        }
    }

    /// Reserves room, which may wait for others' records to be written.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Reservation, LogError> {
        // A checkpoint makes room where the log is at its limit.
        self.wake();
        self.log.reserve(bytes).inspect_err(|error| {
            if matches!(error, LogError::Full(_)) {
                self.request_checkpoint();
            }
        })
    }

    /// Why durable tables can no longer be written to, if it is so.
    #[inline]
    pub(crate) fn stopped(&self) -> Option<&Stopped> {
        self.stopped.get()
    }

    /// The same, also if it was not the logger that has met the fault.
    pub(crate) fn check(&self) -> Option<&Stopped> {
        if self.stopped().is_none()
            && let Err(stopped) = self.log.check()
        {
            self.stop(stopped).wake();
        }
        self.stopped()
    }

    pub(crate) fn is_durable(&self, timestamp: u64) -> bool {
        // Acquire, with the release in `publish`.
        timestamp < self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Stops for good. What is recorded and not written is lost, and whoever waits for it is told
    /// so.
    fn stop(&self, stopped: Stopped) -> Ready {
        let _ = self.stopped.set(stopped);
        // Under its lock: who waits for a group has either not looked yet, or waits already.
        drop(self.written.lock());
        self.appended.notify_all();
        // After that: who waits looks after it has said so.
        self.ready(u64::MAX)
    }

    /// All commits below the cut are durable. With the turn.
    fn publish(&self, cut: u64) -> Ready {
        // It never goes back: a bound may be lower than one before it.
        if cut <= self.durable.load(Ordering::Relaxed) {
            return Ready::default();
        }
        self.durable.store(cut, Ordering::Release);
        self.ready(cut)
    }

    /// Takes out who waits for timestamps below this.
    fn ready(&self, below: u64) -> Ready {
        let mut waiting = self.waiting.lock();
        let later = waiting.split_off(&(below, 0));
        Ready(std::mem::replace(&mut *waiting, later))
    }

    /// Writes what is recorded below the cut.
    fn round(&self, memory: &Memory, mut turn: MutexGuard<'_, Turn>) -> Round {
        let (round, ready) = self.write_below_cut(memory, &mut turn);
        drop(turn);
        ready.wake();
        round
    }

    fn write_below_cut(&self, memory: &Memory, turn: &mut Turn) -> (Round, Ready) {
        let Turn {
            writer: Some(writer),
            logged,
            taken,
            payload,
        } = turn
        else {
            return (Round::Done, Ready::default());
        };
        if self.stopped().is_some() {
            return (Round::Done, Ready::default());
        }
        // Before the buffers: whoever has taken back its announcement by now has its record in one
        // of these.
        let cut = bound(memory);
        taken.clear();
        let mut is_held = false;
        self.buffers.lock().retain(|buffer| {
            // Before it is looked into: a thread that has ended leaves nothing there after that.
            let has_ended = Arc::strong_count(buffer) == 1;
            let has_more = buffer.lock().take_below(cut, taken);
            is_held |= has_more;
            has_more || !has_ended
        });
        if let Some(room) = taken.room() {
            payload.clear();
            record::begin(*logged, payload);
            let commits = taken.append_to(payload);
            *logged += commits;
            if let Err(stopped) = writer.append(payload, *logged, room) {
                return (Round::Done, self.stop(stopped));
            }
            let mut written = self.written.lock();
            written.commits += commits;
            written.groups += 1;
            written.bytes += payload.len() as u64;
            drop(written);
            self.appended.notify_all();
            if self.log.bytes() > self.due.load(Ordering::Relaxed) {
                self.request_checkpoint();
            }
        }
        let round = if is_held { Round::Held } else { Round::Done };
        (round, self.publish(cut))
    }

    /// Appends records that are no transaction's. Before anybody commits.
    pub(crate) fn append(&self, records: &[u8]) -> Result<(), LogError> {
        let mut payload = Vec::new();
        let mut turn = self.turn.lock();
        record::begin(turn.logged, &mut payload);
        payload.extend_from_slice(records);
        let room = self.log.reserve(payload.len())?;
        let logged = turn.logged;
        let writer = turn.writer.as_mut().expect("it was not closed yet");
        Ok(writer.append(&payload, logged, room)?)
    }

    /// A buffer for a thread.
    pub(crate) fn new_buffer(&self) -> SharedBuffer {
        let buffer = SharedBuffer::default();
        self.buffers.lock().push(buffer.clone());
        buffer
    }

    fn has_records(&self) -> bool {
        let buffers = self.buffers.lock();
        buffers.iter().any(|buffer| buffer.lock().has_records())
    }

    /// Whether somebody waits to be woken. Who waits for what had nothing to write waits for the
    /// cut alone.
    fn is_waited_for(&self) -> bool {
        !self.waiting.lock().is_empty()
    }

    /// The commits that are recorded and not durable yet.
    pub(crate) fn pending(&self) -> u64 {
        let buffers = self.buffers.lock();
        buffers.iter().map(|buffer| buffer.lock().len()).sum()
    }

    /// How many transactions are in the log.
    pub(crate) fn logged(&self) -> u64 {
        self.turn.lock().logged
    }

    pub(crate) fn written(&self) -> Written {
        *self.written.lock()
    }

    /// Waits until more groups were written than so many, or the log has stopped. False: neither is
    /// the case, and it is late.
    pub(crate) fn wait_for_group(&self, groups: u64, deadline: Option<Instant>) -> bool {
        let mut written = self.written.lock();
        let mut in_time = true;
        while written.groups <= groups && self.stopped().is_none() {
            if !in_time {
                return false;
            }
            (written, in_time) = self.appended.wait(&self.written, written, deadline);
        }
        true
    }

    /// Sees to it that what was recorded gets written at once, without waiting for that.
    pub(crate) fn wake(&self) {
        // SeqCst: after what was recorded, or an announcement that was taken back. Partner: `run`.
        if self.wants.load(Ordering::SeqCst) != BUSY {
            self.set_signal(true);
        }
    }

    /// Sees to it that what was recorded gets written soon.
    pub(crate) fn wake_soon(&self) {
        // As in `wake`.
        if self.wants.load(Ordering::SeqCst) == IDLE {
            self.set_signal(false);
        }
    }

    /// Says that an announcement was taken back.
    pub(crate) fn nudge(&self) {
        // As in `wake`.
        if self.wants.load(Ordering::SeqCst) == HELD {
            self.set_signal(true);
        }
    }

    fn set_signal(&self, is_urgent: bool) {
        let mut signal = self.signal.lock();
        signal.is_set = true;
        signal.is_urgent |= is_urgent;
        drop(signal);
        self.signalled.notify_all();
    }

    /// What the thread of the logger does until the log is closed.
    ///
    /// No wake-up is lost: it says what it wants before it looks once more, and who records, waits
    /// or takes an announcement back looks at what it wants after that. So one of the two sees the
    /// other.
    pub(crate) fn run(&self, memory: &Memory) {
        loop {
            let round = self.round(memory, self.turn.lock());
            let wants = if round == Round::Held { HELD } else { IDLE };
            self.wants.store(wants, Ordering::SeqCst);
            let goes_on = if wants == HELD {
                self.round(memory, self.turn.lock()) == Round::Done || self.wait_for_signal(None)
            } else if self.stopped().is_none() && self.is_waited_for() {
                true
            } else if self.stopped().is_none() && self.has_records() {
                self.gather()
            } else {
                self.wait_for_signal(None) && self.gather()
            };
            if !goes_on {
                return;
            }
            self.wants.store(BUSY, Ordering::SeqCst);
        }
    }

    /// Lets commits gather, unless somebody waits for them. False: the log is being closed.
    fn gather(&self) -> bool {
        self.wants.store(GATHERING, Ordering::SeqCst);
        self.is_waited_for() || self.wait_for_signal(Some(Instant::now() + GATHER))
    }

    /// Waits until something is to be done, or, with a deadline, until something is urgent. False:
    /// the log is being closed.
    fn wait_for_signal(&self, deadline: Option<Instant>) -> bool {
        let mut signal = self.signal.lock();
        let mut in_time = true;
        while !signal.is_urgent && !signal.is_closing && in_time {
            if deadline.is_none() && signal.is_set {
                break;
            }
            (signal, in_time) = self.signalled.wait(&self.signal, signal, deadline);
        }
        let is_urgent = std::mem::take(&mut signal.is_urgent);
        // What was urgent stays so for whoever gathers next.
        signal.is_urgent = is_urgent && deadline.is_none();
        signal.is_set = false;
        !signal.is_closing
    }

    /// Waits until all commits up to this timestamp are durable. For those who hold no lock, have
    /// no slot open that others wait for, and have not announced a commit.
    ///
    /// # Errors
    /// If the log stops before that.
    pub(crate) fn wait(&self, memory: &Memory, timestamp: u64) -> Result<(), Stopped> {
        let mut wait = Wait::new();
        loop {
            if let Poll::Ready(ended) = self.outcome(timestamp) {
                return ended;
            }
            // Whoever waits writes, if nobody else does: then no other thread has to wake up for
            // it.
            let Some(turn) = self.turn.try_lock() else {
                break;
            };
            self.round(memory, turn);
            // Some may have found the turn taken. Their records were there before that, so they are
            // seen here.
            if self.has_records() {
                self.wake();
            }
            if let Poll::Ready(ended) = self.outcome(timestamp) {
                return ended;
            }
            if wait.turn() > TURNS {
                break;
            }
        }
        let parker = Arc::new(Parker::default());
        let waker = Waker::from(parker.clone());
        let ticket = self.ticket();
        loop {
            match self.poll(timestamp, ticket, &waker) {
                Poll::Ready(ended) => return ended,
                Poll::Pending => parker.park(),
            }
        }
    }

    /// A number for someone who waits.
    pub(crate) fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether all commits up to this timestamp are durable. If not, the waker is woken once that
    /// may be so.
    pub(crate) fn poll(
        &self,
        timestamp: u64,
        ticket: u64,
        waker: &Waker,
    ) -> Poll<Result<(), Stopped>> {
        let place = (timestamp, ticket);
        let earlier = self.waiting.lock().insert(place, waker.clone());
        drop(earlier);
        // After that: whoever publishes looks at who waits after it has stored the cut.
        let outcome = self.outcome(timestamp);
        if outcome.is_ready() {
            self.forget(place);
        } else {
            self.wake();
        }
        outcome
    }

    /// Forgets somebody who waits.
    pub(crate) fn forget(&self, place: (u64, u64)) {
        let waker = self.waiting.lock().remove(&place);
        drop(waker);
    }

    fn outcome(&self, timestamp: u64) -> Poll<Result<(), Stopped>> {
        // In this order: what is durable is, whatever came after that.
        let stopped = self.stopped().cloned();
        if self.is_durable(timestamp) {
            Poll::Ready(Ok(()))
        } else if let Some(stopped) = stopped {
            Poll::Ready(Err(stopped))
        } else {
            Poll::Pending
        }
    }

    /// Writes all that was committed before, and closes the log.
    ///
    /// # Errors
    /// If it had stopped or stopped now.
    pub(crate) fn close(&self, memory: &Memory) -> Result<(), Stopped> {
        let now = memory.clock.now();
        let drained = self.wait(memory, now);
        let mut turn = self.turn.lock();
        // Commits that came after that are written as well, but for those still under way: these
        // are told that the log has stopped.
        let (_, durable) = self.write_below_cut(memory, &mut turn);
        let Some(writer) = turn.writer.take() else {
            return Ok(());
        };
        let closed = drained.and_then(|()| writer.close());
        let stopped = self.stop(Stopped { fault: None });
        drop(turn);
        durable.wake();
        stopped.wake();
        self.signal.lock().is_closing = true;
        self.signalled.notify_all();
        self.checkpoints.lock().is_closing = true;
        self.checkpoint_due.notify_all();
        closed
    }

    fn request_checkpoint(&self) {
        self.checkpoints.lock().is_due = true;
        self.checkpoint_due.notify_all();
    }

    /// Waits until a checkpoint is due. False: the log is closed.
    pub(crate) fn wait_for_checkpoint(&self) -> bool {
        let mut signal = self.checkpoints.lock();
        while !signal.is_due && !signal.is_closing {
            (signal, _) = self.checkpoint_due.wait(&self.checkpoints, signal, None);
        }
        signal.is_due = false;
        !signal.is_closing
    }

    /// When the next checkpoint is due, in bytes of the log.
    pub(crate) fn set_due(&self, bytes: u64) {
        self.due.store(bytes, Ordering::Relaxed);
    }

    /// Lets the next checkpoint wait until the log has grown once more: the last one came to
    /// nothing.
    pub(crate) fn postpone_checkpoint(&self) {
        self.set_due(self.log.bytes().max(self.due.load(Ordering::Relaxed)));
    }

    /// Whether a checkpoint must not rest: the log is close to its limit, or half as large again as
    /// when one was due.
    pub(crate) fn is_urgent(&self) -> bool {
        let bytes = self.log.bytes();
        bytes > self.limit / 4 * 3
            || bytes > self.due.load(Ordering::Relaxed) / 2 * 3
            || self.stopped().is_some()
    }
}

/// Those who have waited long enough.
#[derive(Default)]
struct Ready(BTreeMap<(u64, u64), Waker>);

impl Ready {
    /// Wakes them. Without any lock: a waker is anybody's code.
    fn wake(self) {
        for waker in self.0.into_values() {
            // One that panics must not keep the others from being woken.
            let _ = contained(|| waker.wake());
        }
    }
}

/// A thread that waits.
#[derive(Default)]
struct Parker {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

impl Parker {
    fn park(&self) {
        let mut is_woken = self.is_woken.lock();
        while !*is_woken {
            (is_woken, _) = self.woken.wait(&self.is_woken, is_woken, None);
        }
        *is_woken = false;
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        *self.is_woken.lock() = true;
        self.woken.notify_all();
    }
}
