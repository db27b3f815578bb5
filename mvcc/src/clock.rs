//! The clock: readings that are strictly monotone along coherence.
//!
//! If one reading precedes another through any chain of program order and cache-coherence order (a
//! store seen by a load, a load that precedes an invalidating store), it is strictly smaller. The
//! protocol needs exactly this (I1).
//!
//! A processor's time-stamp counter gives it, although the counters of two cores may be a little
//! apart: handing a cache line from one core to another takes longer than the offset.
//! [`Clock::audit`] measures that. Where the offset is larger, `now` waits it out after each
//! reading.

mod audit;
mod source;
pub(crate) mod timestamp;

pub use audit::{Audit, AuditError};

use crate::sync::{Arc, AtomicU64, Mutex, Ordering, bug, spin_loop, threshold};
use crossbeam_utils::CachePadded;
use std::fmt;
use std::time::{Duration, Instant};

/// Which clock a database is asked to use; see [`Builder::clock`](crate::Builder::clock).
///
/// ```
/// use mvcc::{ClockChoice, Database};
///
/// let db = Database::builder().clock(ClockChoice::Counter).build()?;
/// assert_eq!(db.clock().reason(), "asked for");
/// # Ok::<(), mvcc::ClockError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockChoice {
    /// The processor's counter where it can be trusted, else the shared counter.
    #[default]
    Auto,
    /// The time-stamp counter of an x86-64 processor, or an error.
    Tsc,
    /// The generic timer of an aarch64 processor, or an error.
    GenericTimer,
    /// A shared counter: strict on every machine, one contended cache line.
    Counter,
    /// A shared counter that is advanced under a mutex. To compare with: [`Counter`](Self::Counter)
    /// is faster everywhere.
    LockedCounter,
}

/// Which clock a database uses.
///
/// ```
/// use mvcc::ClockKind;
///
/// match mvcc::Database::new().clock().kind() {
///     ClockKind::Counter => println!("one cache line for all cores"),
///     kind => println!("a counter for each core: {kind}"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockKind {
    /// The time-stamp counter of an x86-64 processor.
    Tsc,
    /// The generic timer of an aarch64 processor.
    GenericTimer,
    /// A shared counter.
    Counter,
    /// A shared counter that is advanced under a mutex.
    LockedCounter,
}

impl ClockKind {
    /// Whether it counts its readings, and so has no rate.
    pub(crate) fn counts(self) -> bool {
        matches!(self, Self::Counter | Self::LockedCounter)
    }
}

impl fmt::Display for ClockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tsc => "tsc",
            Self::GenericTimer => "generic-timer",
            Self::Counter => "counter",
            Self::LockedCounter => "locked-counter",
        })
    }
}

/// The clock that was asked for cannot be used: this machine does not have it, or its allowance for
/// skew is too large.
///
/// ```
/// use mvcc::{ClockChoice, Database};
///
/// let absent = if cfg!(target_arch = "aarch64") { ClockChoice::Tsc } else { ClockChoice::GenericTimer };
/// let error = Database::builder().clock(absent).build().unwrap_err();
/// assert!(error.to_string().contains("choose ClockChoice::Auto"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockError {
    wanted: ClockChoice,
    reason: String,
    advice: &'static str,
}

/// The largest allowance for skew. Each reading waits for as many ticks: a third of a second of a
/// processor's counter.
const MOST_SKEW: u64 = 1 << 30;
const ANOTHER_CLOCK: &str = "choose ClockChoice::Auto or ClockChoice::Counter";
const LESS_SKEW: &str = "Audit::skew says what this machine needs";

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot use the clock {:?}: {}; {}",
            self.wanted, self.reason, self.advice
        )
    }
}

impl std::error::Error for ClockError {}

/// A database's clock.
///
/// ```
/// let clock = mvcc::Database::new().clock();
/// println!("{}: {}", clock.kind(), clock.reason());
/// ```
#[derive(Clone, Debug)]
pub struct Clock {
    kind: ClockKind,
    reason: Arc<str>,
    /// How far another core's counter may lag behind this one's, in ticks, beyond what a hand-over
    /// of a cache line takes.
    skew: u64,
    counter: Arc<CachePadded<AtomicU64>>,
    /// Held while a locked counter is advanced.
    lock: Arc<Mutex<()>>,
}

impl Clock {
    /// The clock for `choice`, with the given allowance for skew between cores.
    pub(crate) fn new(choice: ClockChoice, skew: u64) -> Result<Self, ClockError> {
        if skew > MOST_SKEW {
            return Err(ClockError {
                wanted: choice,
                reason: format!(
                    "each reading would wait for a skew of {skew} ticks, and the limit is {MOST_SKEW}"
                ),
                advice: LESS_SKEW,
            });
        }
        let hardware = source::hardware();
        let (kind, reason) = match (choice, hardware) {
            (ClockChoice::Counter | ClockChoice::LockedCounter, _) => {
                (choice.kind(), "asked for".to_owned())
            }
            (ClockChoice::Auto, Ok((kind, reason))) => (kind, reason),
            (ClockChoice::Auto, Err(reason)) => (ClockKind::Counter, reason),
            (ClockChoice::Tsc, Ok((ClockKind::Tsc, reason)))
            | (ClockChoice::GenericTimer, Ok((ClockKind::GenericTimer, reason))) => {
                (choice.kind(), format!("asked for; {reason}"))
            }
            (wanted, Ok((found, _))) => {
                return Err(ClockError {
                    wanted,
                    reason: format!("this processor has the {found}"),
                    advice: ANOTHER_CLOCK,
                });
            }
            (wanted, Err(reason)) => {
                return Err(ClockError {
                    wanted,
                    reason,
                    advice: ANOTHER_CLOCK,
                });
            }
        };
        Ok(Self {
            kind,
            reason: reason.into(),
            skew,
            // From 1: timestamp 0 is below everything.
            counter: Arc::new(CachePadded::new(AtomicU64::new(1))),
            lock: Arc::default(),
        })
    }

    /// A reading that is strictly monotone along coherence (I1). It is ordered after every earlier
    /// load and locked instruction of this thread, and before every later load.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        let reading = self.read();
        // A clock that is already strict needs no more. Otherwise: once ours is more than `skew`
        // past the reading, every other core's is past it too.
        if (self.skew > 0 || self.kind == ClockKind::GenericTimer) && !bug!("no-settling") {
            let skew = if bug!("settling-too-short") {
                0
            } else {
                self.skew
            };
            while self.read() <= reading + skew {
                spin_loop();
            }
        }
        if bug!("clock-rounded-down") {
            reading & !3
        } else {
            reading
        }
    }

    #[inline]
    fn read(&self) -> u64 {
        match self.kind {
            // SeqCst: a read-modify-write is strict by itself; the ordering puts it after earlier
            // and before later accesses.
            ClockKind::Counter => self.counter.fetch_add(1, Ordering::SeqCst),
            #[cfg(not(shuttle))]
            ClockKind::Tsc | ClockKind::GenericTimer => source::read(),
            #[cfg(shuttle)]
            ClockKind::Tsc | ClockKind::GenericTimer => source::read(&self.counter, self.skew),
            ClockKind::LockedCounter => self.count_locked(),
        }
    }

    /// Advances the counter under the mutex. Apart, so that the other clocks' readings stay as
    /// short as they are.
    #[cold]
    fn count_locked(&self) -> u64 {
        let _lock = self.lock.lock();
        // SeqCst: as in `read`. The counter would be strict without the mutex; with it, it costs
        // what a guarded one costs.
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    /// How many ticks to let pass between two advances of the database's shared coarse clock: a few
    /// microseconds, or a few dozen commits of a counter.
    pub(crate) fn coarse_step(&self) -> u64 {
        match self.kind {
            ClockKind::Tsc => threshold(8192, 1),
            ClockKind::GenericTimer | ClockKind::Counter | ClockKind::LockedCounter => {
                threshold(64, 1)
            }
        }
    }

    /// Which clock this is.
    ///
    /// ```
    /// use mvcc::{ClockChoice, ClockKind, Database};
    ///
    /// let db = Database::builder().clock(ClockChoice::Counter).build()?;
    /// assert_eq!(db.clock().kind(), ClockKind::Counter);
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    pub fn kind(&self) -> ClockKind {
        self.kind
    }

    /// Why this one is used.
    ///
    /// ```
    /// println!("{}", mvcc::Database::new().clock().reason());
    /// ```
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The allowance for skew between cores, in ticks; see
    /// [`Builder::clock_skew`](crate::Builder::clock_skew).
    ///
    /// ```
    /// assert_eq!(mvcc::Database::new().clock().skew(), 0);
    /// ```
    pub fn skew(&self) -> u64 {
        self.skew
    }

    /// Ticks per second, measured against the system's clock over 20 ms; `None` for a counter,
    /// which counts readings.
    ///
    /// ```
    /// use mvcc::{ClockChoice, Database};
    ///
    /// let counter = Database::builder().clock(ClockChoice::Counter).build()?.clock();
    /// assert_eq!(counter.frequency_hz(), None);
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    pub fn frequency_hz(&self) -> Option<u64> {
        if self.kind.counts() {
            return None;
        }
        let (start, first) = (Instant::now(), self.read());
        std::thread::sleep(Duration::from_millis(20));
        let (elapsed, last) = (start.elapsed(), self.read());
        let hz = u128::from(last - first) * 1_000_000_000 / elapsed.as_nanos().max(1);
        u64::try_from(hz).ok()
    }

    /// The mean time of a reading on this thread in nanoseconds, measured over 100,000 back-to-back
    /// readings.
    ///
    /// ```
    /// assert!(mvcc::Database::new().clock().cost_ns() > 0.0);
    /// ```
    pub fn cost_ns(&self) -> f64 {
        const READINGS: u32 = 100_000;
        let start = Instant::now();
        for _ in 0..READINGS {
            std::hint::black_box(self.now());
        }
        start.elapsed().as_nanos() as f64 / f64::from(READINGS)
    }

    /// Measures, for each ordered pair of cores that this process may use, the smallest difference
    /// between a reading on the first and a reading on the second that was told of the first
    /// through one cache line.
    ///
    /// Where every entry is positive, the clock is strictly monotone along coherence on this
    /// machine. Takes about a millisecond for each pair.
    ///
    /// # Errors
    /// [`AuditError`] where threads cannot be bound to cores, which is everywhere but on Linux.
    ///
    /// ```
    /// match mvcc::Database::new().clock().audit() {
    ///     Ok(audit) => println!("{audit}"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    pub fn audit(&self) -> Result<Audit, AuditError> {
        audit::audit(&|| self.read())
    }
}

impl ClockChoice {
    fn kind(self) -> ClockKind {
        match self {
            Self::Tsc => ClockKind::Tsc,
            Self::GenericTimer => ClockKind::GenericTimer,
            Self::Auto | Self::Counter => ClockKind::Counter,
            Self::LockedCounter => ClockKind::LockedCounter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_on_one_thread_grow_strictly() {
        for choice in [
            ClockChoice::Auto,
            ClockChoice::Counter,
            ClockChoice::LockedCounter,
        ] {
            for skew in [0, 100] {
                let clock = Clock::new(choice, skew).expect("always usable");
                let mut last = 0;
                for _ in 0..10_000 {
                    let now = clock.now();
                    assert!(now > last, "{choice:?}: {now} after {last}");
                    last = now;
                }
            }
        }
    }

    #[test]
    fn readings_grow_strictly_across_a_hand_over() {
        for choice in [ClockChoice::Auto, ClockChoice::LockedCounter] {
            let clock = Clock::new(choice, 0).expect("always usable");
            let latest = AtomicU64::new(0);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for _ in 0..20_000 {
                            let seen = latest.load(Ordering::Acquire);
                            let now = clock.now();
                            assert!(now > seen, "{now} although {seen} was seen before");
                            latest.fetch_max(now, Ordering::AcqRel);
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn a_clock_that_the_machine_lacks_is_an_error_that_says_so() {
        let absent = if cfg!(target_arch = "aarch64") {
            ClockChoice::Tsc
        } else {
            ClockChoice::GenericTimer
        };
        let error = Clock::new(absent, 0).expect_err("not on this processor");
        assert!(
            error.to_string().contains("ClockChoice::Counter"),
            "{error}"
        );
    }

    /// The end of the wait was computed without a look at what fits.
    #[test]
    fn too_large_an_allowance_for_skew_is_an_error_that_says_so() {
        for choice in [ClockChoice::Auto, ClockChoice::Counter] {
            for skew in [MOST_SKEW + 1, u64::MAX] {
                let error = Clock::new(choice, skew).expect_err("it would wait for ever");
                let message = error.to_string();
                assert!(
                    message.contains(&format!("skew of {skew} ticks")),
                    "{message}"
                );
            }
            for skew in [0, 1, MOST_SKEW] {
                assert_eq!(Clock::new(choice, skew).expect("it fits").skew(), skew);
            }
        }
    }

    #[test]
    fn only_a_clock_with_a_rate_has_a_frequency() {
        for choice in [ClockChoice::Counter, ClockChoice::LockedCounter] {
            let counter = Clock::new(choice, 0).expect("always usable");
            assert_eq!(counter.frequency_hz(), None);
            assert!(counter.cost_ns() > 0.0);
        }
        let auto = Clock::new(ClockChoice::Auto, 0).expect("always usable");
        if auto.kind() != ClockKind::Counter {
            assert!(auto.frequency_hz().expect("it has a rate") > 1_000_000);
        }
    }
}
