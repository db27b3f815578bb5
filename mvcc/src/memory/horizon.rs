//! What live transactions may still read.

use crate::sync::bug;

/// What live transactions may still read, as of one scan of the slots.
pub(crate) struct Horizon {
    /// Nobody reads at a timestamp below this.
    pub(crate) watermark: u64,
    /// From here on, anything may be read.
    pub(crate) open: u64,
    /// The timestamps below `open` at which snapshots read, ascending.
    pub(crate) snapshots: Vec<u64>,
}

impl Horizon {
    /// The last snapshot that sees a version committed at `from` and superseded at `to`: the
    /// largest in (from, to]. Of readers who follow each other, it is the one that ends last as a
    /// rule, so what waits for it has to be looked at once more, and not once for each of them.
    pub(crate) fn last_to_see(&self, from: u64, to: u64) -> Option<u64> {
        let last = self.last_up_to(to - u64::from(bug!("bound-snapshot-ignored")));
        last.filter(|&timestamp| timestamp > from)
    }

    /// The last snapshot that sees what was there until `to`.
    pub(crate) fn last_up_to(&self, to: u64) -> Option<u64> {
        let until = self.snapshots.partition_point(|&snapshot| snapshot <= to);
        self.snapshots[..until].last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_seen_by_snapshots_after_it_and_up_to_its_successor() {
        let horizon = Horizon {
            watermark: 10,
            open: 100,
            snapshots: vec![10, 20, 30],
        };
        assert_eq!(horizon.last_to_see(10, 19), None);
        assert_eq!(horizon.last_to_see(10, 20), Some(20));
        assert_eq!(horizon.last_to_see(9, 100), Some(30));
        assert_eq!(horizon.last_to_see(9, 19), Some(10));
        assert_eq!(horizon.last_to_see(20, 29), None);
        assert_eq!(horizon.last_to_see(30, 99), None);
        assert_eq!(
            [9, 10, 29, 99].map(|to| horizon.last_up_to(to)),
            [None, Some(10), Some(20), Some(30)]
        );
    }
}
