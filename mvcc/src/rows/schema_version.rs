//! The version of the schema.

/// What commits have to know of beyond tables and rows. Each transaction remembers the schema
/// version as it was when it began.
///
/// The lowest bit says whether there are feeds, the next whether there is a log. The rest counts
/// the changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SchemaVersion(pub(crate) u64);

impl SchemaVersion {
    pub(crate) const FEEDS: u64 = 1;
    pub(crate) const LOG: u64 = 2;

    pub(crate) fn has_feeds(self) -> bool {
        self.0 & Self::FEEDS != 0
    }

    #[cfg(feature = "durable")]
    pub(crate) fn has_log(self) -> bool {
        self.0 & Self::LOG != 0
    }

    /// Whether somebody is told of commits.
    #[inline]
    pub(crate) fn is_watched(self) -> bool {
        self.0 & (Self::FEEDS | Self::LOG) != 0
    }

    /// The next one, with these of the two bits.
    pub(crate) fn changed(self, bits: u64) -> Self {
        Self((self.0 | Self::FEEDS | Self::LOG) + 1 + bits)
    }
}
