//! The pairwise measurement behind [`Clock::audit`](super::Clock::audit).

use std::fmt;

/// What [`Clock::audit`](crate::Clock::audit) measured. Displays as a table.
///
/// ```
/// if let Ok(audit) = mvcc::Database::new().clock().audit() {
///     assert_eq!(audit.smallest.len(), audit.cores.len());
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audit {
    /// The cores, by the operating system's numbers.
    pub cores: Vec<usize>,
    /// `smallest[from][to]`: the smallest (receiver's reading - sender's reading) in ticks over
    /// many hand-overs of a cache line from `cores[from]` to `cores[to]`; `None` on the diagonal.
    pub smallest: Vec<Vec<Option<i64>>>,
}

impl Audit {
    /// The smallest entry; `None` with a single core.
    ///
    /// ```
    /// if let Ok(audit) = mvcc::Database::new().clock().audit() {
    ///     println!("at least {:?} ticks", audit.minimum());
    /// }
    /// ```
    pub fn minimum(&self) -> Option<i64> {
        self.smallest.iter().flatten().flatten().copied().min()
    }

    /// The allowance in ticks that [`Builder::clock_skew`](crate::Builder::clock_skew) should be
    /// given: zero where every hand-over took visibly longer than the counters are apart, else the
    /// largest deficit and a margin of 1,000 ticks.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// if let Ok(audit) = db.clock().audit() {
    ///     let db = mvcc::Database::builder().clock_skew(audit.skew()).build()?;
    /// }
    /// # Ok::<(), mvcc::ClockError>(())
    /// ```
    pub fn skew(&self) -> u64 {
        match self.minimum() {
            Some(minimum) if minimum <= 0 => minimum.unsigned_abs() + 1_000,
            _ => 0,
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8}", "from\\to")?;
        for core in &self.cores {
            write!(f, "{core:>8}")?;
        }
        for (from, row) in self.cores.iter().zip(&self.smallest) {
            write!(f, "\n{from:>8}")?;
            for entry in row {
                match entry {
                    Some(ticks) => write!(f, "{ticks:>8}")?,
                    None => write!(f, "{:>8}", "-")?,
                }
            }
        }
        Ok(())
    }
}

/// Why a clock could not be audited.
///
/// ```
/// if let Err(error) = mvcc::Database::new().clock().audit() {
///     assert!(error.to_string().starts_with("cannot audit the clock"));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditError(String);

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot audit the clock: {}", self.0)
    }
}

impl std::error::Error for AuditError {}

#[cfg(not(target_os = "linux"))]
pub(super) fn audit(_read: &(dyn Fn() -> u64 + Sync)) -> Result<Audit, AuditError> {
    Err(AuditError(
        "threads can be bound to cores only on Linux".to_owned(),
    ))
}

#[cfg(target_os = "linux")]
pub(super) fn audit(read: &(dyn Fn() -> u64 + Sync)) -> Result<Audit, AuditError> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let allowed = sched_getaffinity(None)
        .map_err(|error| AuditError(format!("cannot ask for the allowed cores: {error}")))?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|&core| allowed.is_set(core))
        .collect();
    let mut smallest = vec![vec![None; cores.len()]; cores.len()];
    for (from, &sender) in cores.iter().enumerate() {
        for (to, &receiver) in cores.iter().enumerate() {
            if from != to {
                smallest[from][to] = Some(linux::hand_over(read, sender, receiver)?);
            }
        }
    }
    Ok(Audit { cores, smallest })
}

#[cfg(target_os = "linux")]
mod linux {
    use super::AuditError;
    use crate::sync::{AtomicBool, AtomicU64, Ordering, Wait};
    use crossbeam_utils::CachePadded;
    use rustix::thread::{CpuSet, sched_setaffinity};
    use std::thread::{Builder, Scope, ScopedJoinHandle};

    /// Hand-overs for each pair: the smallest of this many settles within a few ticks.
    const ROUNDS: u64 = 2_000;

    /// The smallest (receiver's reading - sender's reading) over many hand-overs.
    pub(super) fn hand_over(
        read: &(dyn Fn() -> u64 + Sync),
        sender: usize,
        receiver: usize,
    ) -> Result<i64, AuditError> {
        let reading = CachePadded::new(AtomicU64::new(0));
        let received = CachePadded::new(AtomicU64::new(0));
        let failed = AtomicBool::new(false);
        // True once `of` has reached `value`; false if the other thread could not be bound to its
        // core.
        let await_value = |of: &AtomicU64, reached: &dyn Fn(u64) -> bool| {
            let mut wait = Wait::new();
            loop {
                let value = of.load(Ordering::Acquire);
                if reached(value) {
                    return Some(value);
                }
                if failed.load(Ordering::Relaxed) {
                    return None;
                }
                wait.turn();
            }
        };
        std::thread::scope(|scope| {
            let send = || {
                bind(sender, &failed)?;
                for round in 0..ROUNDS {
                    if await_value(&received, &|done| done == round).is_none() {
                        break;
                    }
                    reading.store(read(), Ordering::Release);
                }
                Ok(())
            };
            let receive = || {
                bind(receiver, &failed)?;
                let (mut smallest, mut last) = (i64::MAX, 0);
                for round in 0..ROUNDS {
                    let Some(sent) = await_value(&reading, &|value| value != last) else {
                        break;
                    };
                    smallest = smallest.min(read().wrapping_sub(sent).cast_signed());
                    last = sent;
                    received.store(round + 1, Ordering::Release);
                }
                Ok(smallest)
            };
            let sending = start(scope, send, &failed)?;
            // Without this one, the other would wait for ever.
            let receiving = start(scope, receive, &failed)?;
            let smallest = receiving.join().expect("it does not panic");
            sending.join().expect("it does not panic")?;
            smallest
        })
    }

    /// Starts a thread.
    fn start<'scope, T: Send + 'scope>(
        scope: &'scope Scope<'scope, '_>,
        run: impl FnOnce() -> T + Send + 'scope,
        failed: &AtomicBool,
    ) -> Result<ScopedJoinHandle<'scope, T>, AuditError> {
        Builder::new().spawn_scoped(scope, run).map_err(|error| {
            failed.store(true, Ordering::Relaxed);
            AuditError(format!("cannot start a thread: {error}"))
        })
    }

    /// Binds this thread to `core`.
    fn bind(core: usize, failed: &AtomicBool) -> Result<(), AuditError> {
        let mut only = CpuSet::new();
        only.set(core);
        sched_setaffinity(None, &only).map_err(|error| {
            failed.store(true, Ordering::Relaxed);
            AuditError(format!("cannot bind a thread to core {core}: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit_of(smallest: Vec<Vec<Option<i64>>>) -> Audit {
        Audit {
            cores: (0..smallest.len()).collect(),
            smallest,
        }
    }

    #[test]
    fn the_skew_makes_up_for_the_largest_deficit() {
        assert_eq!(audit_of(vec![vec![None]]).skew(), 0);
        let good = audit_of(vec![vec![None, Some(190)], vec![Some(212), None]]);
        assert_eq!((good.minimum(), good.skew()), (Some(190), 0));
        let bad = audit_of(vec![vec![None, Some(-50)], vec![Some(400), None]]);
        assert_eq!((bad.minimum(), bad.skew()), (Some(-50), 1_050));
        assert!(bad.to_string().contains("-50"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_counter_is_measured_as_strict() {
        let counter = crate::sync::AtomicU64::new(1);
        let read = || counter.fetch_add(1, crate::sync::Ordering::SeqCst);
        let audit = audit(&read).expect("Linux can bind threads");
        assert_eq!(audit.smallest.len(), audit.cores.len());
        assert!(audit.minimum().is_none_or(|ticks| ticks > 0), "{audit}");
    }
}
