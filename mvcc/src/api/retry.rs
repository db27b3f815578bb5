//! Running a transaction until it commits, or until a policy says that it is enough.

use crate::api::database::Database;
#[cfg(feature = "durable")]
use crate::api::room::{self, WhenFull};
use crate::api::transaction::Transaction;
use crate::collect::local::Local;
use crate::commit::conflict::{Conflict, Lost};
use crate::memory::Worker;
use crate::sync::{SMALL, back_off, pause};
use crate::trace;
use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// So often a transaction may lose before it is run in a way that cannot lose. Among four threads
/// on two cores that do nothing but increment one counter, each further attempt was needed a third
/// as often; of 8 million transactions one took 19 (docs/performance.md). So this is for long
/// transactions among short ones.
const LOSSES: u32 = if SMALL { 2 } else { 32 };

/// When to run a transaction again that has lost, and when to give it up; for
/// [`Database::run_with`].
///
/// By default it is the same as what [`Database::run`] does: never given up, a short random pause
/// after each loss, and after 32 losses it is run while all other threads' commits wait.
///
/// ```
/// use mvcc::RetryPolicy;
/// use std::time::Duration;
///
/// let patient = RetryPolicy::new().deadline(Duration::from_secs(1));
/// let polite = RetryPolicy::new()
///     .attempts(100)
///     .backoff(Duration::from_micros(100), Duration::from_millis(5))
///     .exclusive_after(u32::MAX);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a policy does nothing until it is given to `run_with`"]
pub struct RetryPolicy {
    attempts: u32,
    deadline: Option<Duration>,
    backoff: Option<(Duration, Duration)>,
    losses: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy {
    /// Tries without end, as [`Database::run`] does.
    ///
    /// ```
    /// use mvcc::{Database, RetryPolicy};
    ///
    /// assert_eq!(Database::new().run_with(&RetryPolicy::new(), |_| Ok::<_, ()>(7)), Ok(7));
    /// ```
    pub const fn new() -> Self {
        Self {
            attempts: u32::MAX,
            deadline: None,
            backoff: None,
            losses: LOSSES,
        }
    }

    /// Gives up after so many attempts.
    ///
    /// # Panics
    /// If `limit` is 0.
    ///
    /// ```
    /// let policy = mvcc::RetryPolicy::new().attempts(10);
    /// let db = mvcc::Database::new();
    /// assert_eq!(db.run_with(&policy, |tx| Ok::<_, ()>(tx.attempt())), Ok(1));
    /// ```
    pub const fn attempts(mut self, limit: u32) -> Self {
        assert!(limit > 0, "a transaction needs at least one attempt");
        self.attempts = limit;
        self
    }

    /// Begins no further attempt once this time has passed since `run_with` was called. An attempt
    /// that has begun is never interrupted.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let policy = mvcc::RetryPolicy::new().deadline(Duration::from_millis(50));
    /// let db = mvcc::Database::new();
    /// assert_eq!(db.run_with(&policy, |_| Ok::<_, ()>(7)), Ok(7));
    /// ```
    pub const fn deadline(mut self, after: Duration) -> Self {
        self.deadline = Some(after);
        self
    }

    /// Sleeps after each loss, for a random time up to `first` after the first one, and up to twice
    /// as long after each further one, but never longer than `longest`. By default a few
    /// microseconds are spent spinning, which is best where transactions are short.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let policy = mvcc::RetryPolicy::new().backoff(Duration::from_micros(50), Duration::from_millis(1));
    /// let db = mvcc::Database::new();
    /// assert_eq!(db.run_with(&policy, |_| Ok::<_, ()>(7)), Ok(7));
    /// ```
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = Some((first, longest));
        self
    }

    /// After so many losses, runs the transaction while all other threads' commits wait, so that it
    /// cannot lose. By default 32; `u32::MAX` is never. A closure that is run so must not wait for
    /// another thread's commit.
    ///
    /// ```
    /// let policy = mvcc::RetryPolicy::new().exclusive_after(4);
    /// let db = mvcc::Database::new();
    /// assert_eq!(db.run_with(&policy, |_| Ok::<_, ()>(7)), Ok(7));
    /// ```
    pub const fn exclusive_after(mut self, losses: u32) -> Self {
        self.losses = losses;
        self
    }

    /// Whether there is no further attempt after this one.
    fn is_over(&self, attempt: u32, started: Option<Instant>) -> bool {
        let late = |(after, started): (Duration, Instant)| started.elapsed() >= after;
        attempt >= self.attempts || self.deadline.zip(started).is_some_and(late)
    }

    /// Waits after this attempt.
    fn wait(&self, attempt: u32) {
        match self.backoff {
            None => back_off(attempt - 1),
            Some((first, longest)) => {
                let limit = first.saturating_mul(1 << (attempt - 1).min(20));
                pause(limit.min(longest));
            }
        }
    }
}

/// A transaction was given up because it had lost as often, or for as long, as its [`RetryPolicy`]
/// allows. Nothing of it happened.
///
/// ```
/// let db = mvcc::Database::new();
/// let table = db.table::<u64, &str>("t")?;
/// use mvcc::{RetryPolicy, RunError};
///
/// let once = RetryPolicy::new().attempts(1);
/// let result = db.run_with(&once, |tx| {
///     let had = tx.contains_key(&table, &1);
///     // Another transaction comes in between.
///     db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "theirs"))).unwrap();
///     Ok::<_, ()>(tx.insert(&table, 1, if had { "both" } else { "ours" }))
/// });
/// let Err(RunError::Exhausted(exhausted)) = result else { panic!() };
/// assert_eq!((exhausted.attempts, &*exhausted.conflict.table), (1, "t"));
/// # Ok::<(), mvcc::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exhausted {
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub conflict: Conflict,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the transaction was given up after {} attempts and changed nothing: in table {:?}, {}; raise the limits of its RetryPolicy, or let it read less",
            self.attempts, self.conflict.table, self.conflict.cause
        )
    }
}

impl std::error::Error for Exhausted {}

/// Why [`Database::run_with`] did not commit.
///
/// ```
/// use mvcc::{Database, RetryPolicy, RunError};
///
/// let result = Database::new().run_with(&RetryPolicy::new(), |_| Err::<(), _>("refused"));
/// assert_eq!(result, Err(RunError::Aborted("refused")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError<E> {
    /// The closure returned this error, which aborted the transaction.
    Aborted(E),
    /// The policy's limits were reached.
    Exhausted(Exhausted),
}

impl<E: fmt::Display> fmt::Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(error) => error.fmt(f),
            Self::Exhausted(exhausted) => exhausted.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for RunError<E> {
    /// Not the error itself, whose message is this one's.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Aborted(error) => error.source(),
            Self::Exhausted(exhausted) => Some(&exhausted.conflict),
        }
    }
}

impl Database {
    /// Runs a read-write transaction until it commits, and returns what the closure returned.
    ///
    /// The closure may run several times: a transaction that loses against a concurrent one is run
    /// again after a short random wait. What it reads is consistent each time. One that has lost 32
    /// times is run once more while all other threads' commits wait, so that it cannot lose: a
    /// closure must not wait for another thread's commit. [`run_with`](Self::run_with) takes other
    /// limits. With several databases, that includes commits within closures: if one thread commits
    /// to `b` within a transaction of `a`, and another one to `a` within a transaction of `b`, each
    /// can wait for the other for ever. Nest them in one order.
    ///
    /// # Errors
    /// What the closure returns as `Err`. The transaction is aborted then and not run again.
    ///
    /// # Panics
    /// If the closure panics. The transaction is aborted then. A key's comparison or clone, or a
    /// key's or value's drop, may also panic after the commit, when the thread collects garbage;
    /// the transaction has committed then.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let counters = db.table::<&str, u64>("counters")?;
    /// let count = db.run(|tx| {
    ///     let count = tx.get(&counters, "visits").copied().unwrap_or(0) + 1;
    ///     tx.insert(&counters, "visits", count);
    ///     Ok::<_, std::convert::Infallible>(count)
    /// });
    /// assert_eq!(count, Ok(1));
    /// let refused = db.run(|tx| {
    ///     tx.insert(&counters, "visits", 7);
    ///     Err::<(), _>("changed my mind")
    /// });
    /// assert_eq!(refused, Err("changed my mind"));
    /// assert_eq!(db.view(|view| view.get(&counters, "visits").copied()), Some(1));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn run<T, E>(
        &self,
        transaction: impl FnMut(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.run_with(const { &RetryPolicy::new() }, transaction) {
            Ok(value) => Ok(value),
            Err(RunError::Aborted(error)) => Err(error),
            // This policy has no limits; so it was the log of a `Store`.
            Err(RunError::Exhausted(exhausted)) => refuse_unlogged(&exhausted),
        }
    }

    /// Runs a read-write transaction until it commits, as [`run`](Self::run) does, but not for
    /// longer than a policy allows.
    ///
    /// # Errors
    /// [`RunError::Aborted`] with what the closure returned as `Err`; the transaction is not run
    /// again then. [`RunError::Exhausted`] if it lost too often or for too long.
    ///
    /// # Panics
    /// If the closure panics. The transaction is aborted then.
    ///
    /// ```
    /// use mvcc::{RetryPolicy, RunError};
    ///
    /// let db = mvcc::Database::new();
    /// let seats = db.table::<u32, &str>("seats")?;
    /// let policy = RetryPolicy::new().attempts(3);
    /// let booked = db.run_with(&policy, |tx| match tx.get(&seats, &7) {
    ///     Some(taken) => Err(*taken),
    ///     None => Ok(tx.insert(&seats, 7, "ann")),
    /// });
    /// match booked {
    ///     Ok(()) => {}
    ///     Err(RunError::Aborted(who)) => println!("taken by {who}"),
    ///     Err(RunError::Exhausted(exhausted)) => println!("{exhausted}"),
    /// }
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn run_with<T, E>(
        &self,
        policy: &RetryPolicy,
        transaction: impl FnMut(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, RunError<E>> {
        let commit = |tx: &Transaction<'_>| tx.commit_untimed();
        #[cfg(feature = "durable")]
        let refused = |local: &Rc<Local>, lost| room::wait_for_room(local, lost, WhenFull::Wait);
        #[cfg(not(feature = "durable"))]
        let refused = |_: &Rc<Local>, _| None::<Result<(), std::convert::Infallible>>;
        let ran = self.run_committing(policy, transaction, commit, refused);
        ran.map(|(value, ())| value).map_err(|failed| match failed {
            Failed::Aborted(error) => RunError::Aborted(error),
            Failed::Exhausted(exhausted) | Failed::Refused(exhausted, _) => {
                RunError::Exhausted(exhausted)
            }
        })
    }

    /// Runs a transaction until it commits, or until a limit of the policy.
    ///
    /// `refused` is asked after each loss. If it says `None`, that was a conflict with others; else
    /// the transaction waited for something and is run again while what that is is kept, or is
    /// given up.
    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn run_committing<T, E, C, R, X>(
        &self,
        policy: &RetryPolicy,
        mut transaction: impl FnMut(&Transaction<'_>) -> Result<T, E>,
        commit: impl Fn(&Transaction<'_>) -> Result<C, Lost>,
        refused: impl Fn(&Rc<Local>, Lost) -> Option<Result<R, X>>,
    ) -> Result<(T, C), Failed<E, X>> {
        let started = policy.deadline.map(|_| Instant::now());
        let local = OnceCell::new();
        let mut inside = None;
        let mut waited_for = None;
        let mut attempt = 1;
        loop {
            let lost = {
                let tx = Transaction::new(self.inner(), attempt);
                let value = transaction(&tx).map_err(|error| {
                    tx.count(|worker| &worker.aborts);
                    Failed::Aborted(error)
                })?;
                match commit(&tx) {
                    Ok(committed) => return Ok((value, committed)),
                    Err(lost) => lost,
                }
            };
            let local = local.get_or_init(|| self.inner().local());
            let exhausted = || Exhausted {
                attempts: attempt,
                // SAFETY: we have a handle of the database.
                conflict: unsafe { lost.describe() },
            };
            if lost.cause.is_of_log() {
                // Those who have room in the log need the gate to make use of it.
                inside = None;
            }
            // What it has waited for before is given up first.
            drop(waited_for.take());
            match refused(local, lost) {
                Some(Err(reason)) => return Err(Failed::Refused(exhausted(), reason)),
                Some(Ok(waited)) => waited_for = Some(waited),
                None => {}
            }
            if policy.is_over(attempt, started) {
                return Err(Failed::Exhausted(exhausted()));
            }
            Worker::count(&local.worker().retries);
            if inside.is_some() || waited_for.is_some() {
                // A lock that a preempted thread held: at once again.
            } else if attempt >= policy.losses {
                trace::info!(target: "mvcc", attempts = attempt, "exclusive run");
                inside = Some(local.enter());
                Worker::count(&local.worker().exclusive_runs);
            } else {
                policy.wait(attempt);
            }
            attempt = attempt.saturating_add(1);
        }
    }
}

#[cold]
fn refuse_unlogged(exhausted: &Exhausted) -> ! {
    panic!("{exhausted} (`Store::run` and `Database::run_with` return this as an error)")
}

/// Why a transaction did not commit.
pub(crate) enum Failed<E, X> {
    /// The closure has returned an error.
    Aborted(E),
    Exhausted(Exhausted),
    /// What it lost by cannot be mended by running it again.
    Refused(Exhausted, X),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_over_at_its_first_limit() {
        let now = Instant::now();
        let long_ago = now.checked_sub(Duration::from_secs(5));
        let endless = RetryPolicy::new();
        assert!(!endless.is_over(u32::MAX - 1, None));
        let thrice = RetryPolicy::new().attempts(3);
        assert_eq!(
            [2, 3].map(|attempt| thrice.is_over(attempt, None)),
            [false, true]
        );
        let second = RetryPolicy::new().deadline(Duration::from_secs(1));
        assert!(!second.is_over(1, Some(now)) && second.is_over(1, long_ago));
        assert!(second.attempts(1).is_over(1, Some(now)));
    }

    #[test]
    fn a_wait_is_no_longer_than_the_longest() {
        let policy =
            RetryPolicy::new().backoff(Duration::from_micros(1), Duration::from_micros(20));
        let start = Instant::now();
        (1..100).for_each(|attempt| policy.wait(attempt));
        // 2 ms on average with sleeps that take what they say; without the limit the last would be
        // a second.
        assert!(start.elapsed() < Duration::from_millis(500));
    }
}
