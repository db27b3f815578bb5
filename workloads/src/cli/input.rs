//! Checks of what is asked for.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;
use workloads::InputError;
use workloads::memory::{Limit, gibibytes};

/// Threads: at most far more than help, and few enough to be started.
pub(super) const THREADS: RangeInclusive<usize> = 1..=1024;

/// A number above 0.
pub(super) fn at_least_one<N: Default + PartialOrd + Display>(
    name: &str,
    value: N,
) -> Result<N, InputError> {
    if value > N::default() {
        return Ok(value);
    }
    Err(InputError::new(format!(
        "{name} {value}: expected a whole number above 0"
    )))
}

/// A number in a range.
pub(super) fn within<N: Copy + PartialOrd + Display>(
    name: &str,
    value: N,
    range: &RangeInclusive<N>,
) -> Result<N, InputError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (start, end) = (range.start(), range.end());
    Err(InputError::new(format!(
        "{name} {value}: expected a whole number from {start} to {end}"
    )))
}

/// A percentage.
pub(super) fn percentage(name: &str, value: f64) -> Result<f64, InputError> {
    if (0.0..=100.0).contains(&value) {
        return Ok(value);
    }
    Err(InputError::new(format!(
        "{name} {value} is out of range; expected a percentage from 0 to 100"
    )))
}

/// The exponent of a zipfian distribution.
pub(super) fn exponent(name: &str, value: f64) -> Result<f64, InputError> {
    if value > 0.0 && value < 1.0 {
        return Ok(value);
    }
    Err(InputError::new(format!(
        "{name} {value} is out of range; YCSB's zipfian distribution takes an exponent above 0 and below 1"
    )))
}

/// A duration in seconds.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration, InputError> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    let valid = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0);
    let seconds = valid.ok_or_else(|| {
        InputError::new(format!(
            "{name} {text}: expected a number of seconds above 0 and up to 86400"
        ))
    })?;
    Ok(Duration::from_secs_f64(seconds))
}

/// Refuses `what`, which takes about so many bytes, if that is more than the process can have.
pub(super) fn fits(what: &str, bytes: u64) -> Result<(), InputError> {
    match Limit::find() {
        Some(limit) if bytes > limit.bytes => Err(InputError::new(format!(
            "{what}: about {:.1} GiB are needed, and {} has {:.1} GiB; ask for less",
            gibibytes(bytes),
            limit.of,
            gibibytes(limit.bytes)
        ))),
        _ => Ok(()),
    }
}
