//! When the transactions of an open loop are to begin.

use std::time::{Duration, Instant};

/// A sleep may be longer than asked for, by the operating system's leave: what is left of the wait
/// is spent awake.
const AWAKE: Duration = Duration::from_micros(100);
/// The longest sleep at a time, so that the end of the run is seen.
const NAP: Duration = Duration::from_millis(5);

/// A thread's share of the intended starts: of all that are evenly spread over the run, it has
/// every `threads`th.
pub(super) struct Pace {
    start: Instant,
    /// Seconds from one start of this thread to its next.
    interval: f64,
    /// Seconds from the start of the run to its first.
    first: f64,
}

impl Pace {
    pub(super) fn new(start: Instant, target: f64, thread: usize, threads: usize) -> Self {
        Self {
            start,
            interval: threads as f64 / target,
            first: thread as f64 / target,
        }
    }

    /// When the thread's `number`th transaction is to begin, from 0.
    pub(super) fn intended(&self, number: u64) -> Instant {
        let seconds = self.first + self.interval * number as f64;
        let after = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let far = self.start + Duration::from_hours(48);
        // A run takes a day at most.
        self.start.checked_add(after).unwrap_or(far)
    }

    /// How many transactions of this thread were to have begun by now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates"
    )]
    pub(super) fn due(&self, now: Instant) -> u64 {
        let seconds = now.saturating_duration_since(self.start).as_secs_f64();
        ((seconds - self.first) / self.interval + 1.0) as u64
    }
}

/// Waits for a time, unless the run is over before.
pub(super) fn wait_for(time: Instant, over: impl Fn() -> bool) {
    while !over() {
        let left = time.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match left.checked_sub(AWAKE) {
            Some(sleep) => std::thread::sleep(sleep.min(NAP)),
            None => std::hint::spin_loop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_spread_evenly_over_the_threads() {
        let start = Instant::now();
        let paces = [0, 1].map(|thread| Pace::new(start, 10.0, thread, 2));
        let at = |pace: &Pace, number| (pace.intended(number) - start).as_millis();
        let starts: Vec<_> = (0..3)
            .flat_map(|n| paces.each_ref().map(|it| at(it, n)))
            .collect();
        assert_eq!(starts, [0, 100, 200, 300, 400, 500]);
        let due = |millis| {
            paces
                .each_ref()
                .map(|it| it.due(start + Duration::from_millis(millis)))
        };
        assert_eq!(due(0), [1, 0]);
        assert_eq!(due(150), [1, 1]);
        assert_eq!(due(450), [3, 2]);
    }
}
