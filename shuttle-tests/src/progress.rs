//! Showing how far a soak is.

use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::fmt::Display;
use std::io;
use std::time::{Duration, Instant};
use workloads::output;

/// A line that is kept up to date on a terminal, and a line from time to time elsewhere.
pub(crate) struct Progress {
    bar: ProgressBar,
    start: Instant,
    shown: Cell<Instant>,
    duration: Duration,
}

/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);
/// Between two updates of the line on a terminal: putting the text together takes longer than a
/// program.
const UPDATES: Duration = Duration::from_millis(100);

impl Progress {
    pub(crate) fn start(duration: Duration) -> Self {
        let bar = ProgressBar::new(duration.as_secs());
        if let Ok(style) = ProgressStyle::with_template("{elapsed} {bar:20} {msg}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self {
            bar,
            start: now,
            shown: Cell::new(now),
            duration,
        }
    }

    pub(crate) fn show(&self, counts: &impl Display) {
        let interval = if self.bar.is_hidden() { LINES } else { UPDATES };
        let now = Instant::now();
        if now - self.shown.get() < interval {
            return;
        }
        self.shown.set(now);
        let elapsed = now - self.start;
        if self.bar.is_hidden() {
            let (elapsed, duration) = (elapsed.as_secs(), self.duration.as_secs());
            // Nobody need read it.
            let _ = output::print(format_args!("{elapsed} of {duration} s: {counts}"));
        } else {
            self.bar.set_position(elapsed.as_secs());
            self.bar.set_message(counts.to_string());
        }
    }

    /// Says how far it came until a signal ended it.
    pub(crate) fn interrupt(&self, counts: &impl Display, signal: &str) -> io::Result<()> {
        self.bar.finish_and_clear();
        let elapsed = self.start.elapsed().as_secs_f64();
        let duration = self.duration.as_secs_f64();
        output::print(format_args!(
            "interrupted by {signal} after {elapsed:.1} of {duration:.1} s: {counts}"
        ))
    }

    pub(crate) fn finish(&self, counts: &impl Display) -> io::Result<()> {
        self.bar.finish_and_clear();
        let elapsed = self.start.elapsed().as_secs_f64();
        output::print(format_args!("{elapsed:.1} s: {counts}"))
    }
}
