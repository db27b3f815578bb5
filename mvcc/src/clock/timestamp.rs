//! Timestamps: points in the one total order of transactions.

use std::fmt;
use std::time::Duration;

/// A point in the serialization order of one database.
///
/// Timestamps are ticks of the database's [clock](crate::Clock). They order the transactions of one
/// process and mean nothing outside it: the processor's counter restarts with the machine.
///
/// A snapshot with timestamp `r` sees exactly the commits whose timestamp is smaller than `r`.
///
/// ```
/// let db = mvcc::Database::new();
/// let table = db.table::<u64, u64>("t")?;
/// let before = db.snapshot();
/// let tx = db.begin();
/// tx.insert(&table, 1, 1);
/// let commit = tx.commit()?;
/// assert!(before.timestamp() < commit && commit < db.snapshot().timestamp());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    pub(crate) fn new(ticks: u64) -> Self {
        Self(ticks)
    }

    /// The clock's ticks at this point, for printing and for measuring distances.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let (earlier, later) = (db.snapshot().timestamp(), db.snapshot().timestamp());
    /// println!("{} ticks later", later.ticks() - earlier.ticks());
    /// ```
    pub fn ticks(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({})", self.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long ago something was.
///
/// ```
/// let db = mvcc::Database::new();
/// let snapshot = db.snapshot();
/// let oldest = db.stats().oldest_snapshot.unwrap();
/// assert!(oldest.age.ticks > 0);
/// println!("the oldest snapshot is {:?} old", oldest.age.duration);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Age {
    /// In ticks of the database's [clock](crate::Clock).
    pub ticks: u64,
    /// In time, by the clock's mean rate since the database was made. `None` if the clock has no
    /// rate: the shared counter counts its readings.
    pub duration: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_ordered_and_shown_as_their_ticks() {
        let (earlier, later) = (Timestamp::new(7), Timestamp::new(10));
        assert!(earlier < later);
        assert_eq!((earlier.ticks(), later.to_string()), (7, "10".to_owned()));
        assert_eq!(format!("{later:?}"), "Timestamp(10)");
    }
}
