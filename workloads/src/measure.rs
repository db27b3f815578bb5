//! What the workloads' runs have in common: latencies, memory, progress bars.

use indicatif::{ProgressBar, ProgressStyle};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// The seed of one of the streams of random numbers that a run draws from: as good as different for
/// each place and each seed. Neighbouring seeds by themselves would share streams, one having those
/// of the other's next thread.
pub(crate) fn seed_of(seed: u64, place: u64) -> u64 {
    SmallRng::seed_from_u64(seed).random::<u64>() ^ place
}

/// Latencies in nanoseconds.
pub(crate) struct Histogram(hdrhistogram::Histogram<u64>);

impl Default for Histogram {
    fn default() -> Self {
        let histogram = hdrhistogram::Histogram::new(3);
        Self(histogram.expect("three significant digits are within its range"))
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let recorded = self.0.record(nanos);
        recorded.expect("the histogram resizes itself");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let sum = self.0.add(&other.0);
        sum.expect("all histograms resize themselves");
    }
}

/// A latency distribution in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p999: f64,
    /// The largest.
    pub max: f64,
    /// How many transactions were timed.
    pub samples: u64,
}

impl Latency {
    /// `None` if nothing was timed.
    pub(crate) fn of(Histogram(histogram): &Histogram) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        (!histogram.is_empty()).then(|| Self {
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1e3,
            samples: histogram.len(),
        })
    }
}

/// The largest resident set so far, from the kernel's account of this process.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    kernel_bytes("/proc/self/status", "VmHWM:")
}

/// The resident set of this process.
pub(crate) fn rss_bytes() -> Option<u64> {
    kernel_bytes("/proc/self/status", "VmRSS:")
}

/// A line of one of the kernel's files in which sizes have names.
pub(crate) fn kernel_bytes(file: impl AsRef<Path>, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// So many things of a name that takes an s when there are several.
pub(crate) fn counted(count: u64, name: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

/// A number of bytes for a table of results.
pub(crate) fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "not available".to_owned(),
        |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    )
}

/// A progress bar, or a spinner without a length. Silent when the output is no terminal.
pub(crate) fn progress(what: &'static str, length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{prefix} {wide_bar} {pos}/{len} {per_sec}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{prefix} {spinner} {elapsed} {msg}",
        ),
    };
    let style = ProgressStyle::with_template(template).expect("a valid template");
    bar.with_style(style).with_prefix(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(1, "thread"), "1 thread");
        assert_eq!(counted(0, "thread"), "0 threads");
        assert_eq!(counted(2, "thread"), "2 threads");
    }
}
