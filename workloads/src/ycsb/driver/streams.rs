//! What a thread draws from.

use crate::measure::seed_of;
use rand::{SeedableRng, rngs::SmallRng};

/// A thread's random numbers. Three streams, so that what it does depends neither on how often it
/// was aborted nor on what others have inserted meanwhile.
pub(super) struct Streams {
    /// For the kinds of operations and the lengths of scans.
    pub(super) operations: SmallRng,
    /// For the records that they use.
    pub(super) places: SmallRng,
    /// For what is written.
    pub(super) data: SmallRng,
}

impl Streams {
    pub(super) fn new(seed: u64, thread: usize) -> Self {
        let stream = |number| {
            let place = (thread as u64) << 2 | number;
            SmallRng::seed_from_u64(seed_of(seed, place))
        };
        Self {
            operations: stream(0),
            places: stream(1),
            data: stream(2),
        }
    }
}
