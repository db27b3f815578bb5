//! How operations fail.

use std::io;

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An error of the device, once. A sync that fails so leaves what it was to sync in memory, and
    /// no later sync writes it.
    Once,
    /// The same, from then on.
    Forever,
    /// No room, once.
    NoSpace,
    /// A write does half of it, and fails for want of room.
    Short,
    /// A sync fails, and what it was to sync is gone from memory as well.
    Dropped,
}

/// What a disk says that it has done and does not do, so that a test can show that it would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lie {
    /// To sync the bytes and lengths of files.
    SyncData,
    /// To sync names.
    SyncDir,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Once,
        Self::Forever,
        Self::NoSpace,
        Self::Short,
        Self::Dropped,
    ];

    pub(crate) fn stays(self) -> bool {
        self == Self::Forever
    }

    pub(crate) fn fail(self) -> io::Result<()> {
        Err(match self {
            Self::NoSpace | Self::Short => io::ErrorKind::StorageFull.into(),
            _ => io::Error::other("input/output error (simulated)"),
        })
    }
}
