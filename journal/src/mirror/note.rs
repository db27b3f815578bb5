//! What a side of a mirror says of itself: a file of two sectors, which are written in turns, so
//! that one of them is always whole. It has its size from the beginning: noting needs no room.
//!
//! | bytes of a sector | what |
//! | --- | --- |
//! | 0..4 | `tscM` |
//! | 4..6 | the format, 1 |
//! | 6 | whether the side is whole |
//! | 7 | the number of branches |
//! | 8..16 | the mirror's number, drawn when it was made |
//! | 16..24 | how often the note was written; the larger one counts |
//! | 24..504 | the branches, the oldest first; 8 bytes each |
//! | 504..508 | CRC-32 of what is before |

use crate::disk::Disk;
use crate::files::{self, NOTE};
use crate::frame::SECTOR;
use std::hash::{BuildHasher, RandomState};
use std::io;

const MAGIC: [u8; 4] = *b"tscM";
const FORMAT: u16 = 1;
const BRANCHES: usize = 24;
const CHECKSUM: usize = 504;
/// Older branches are forgotten. A side that is on one of them is not known to be stale any more,
/// and is refused.
const KEPT: usize = (CHECKSUM - BRANCHES) / 8;

/// What a side notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) mirror: u64,
    pub(super) is_whole: bool,
    /// The present one last.
    pub(super) branches: Vec<u64>,
}

/// A number that no other draw has had.
fn draw() -> u64 {
    RandomState::new().hash_one(NOTE)
}

impl Note {
    /// Of a new mirror.
    pub(super) fn new() -> Self {
        Self {
            mirror: draw(),
            is_whole: false,
            branches: Vec::new(),
        }
    }

    /// Begins a branch.
    pub(super) fn branch(&mut self) {
        if self.branches.len() == KEPT {
            self.branches.remove(0);
        }
        self.branches.push(draw());
    }

    pub(super) fn present(&self) -> Option<u64> {
        self.branches.last().copied()
    }

    fn encode(&self, written: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SECTOR);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.push(u8::from(self.is_whole));
        bytes.push(u8::try_from(self.branches.len()).expect("not more are kept"));
        bytes.extend(self.mirror.to_le_bytes());
        bytes.extend(written.to_le_bytes());
        for branch in &self.branches {
            bytes.extend(branch.to_le_bytes());
        }
        bytes.resize(CHECKSUM, 0);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.resize(SECTOR, 0);
        bytes
    }

    /// With how often it was written. `None`: it is not whole, or of another version.
    fn decode(bytes: &[u8]) -> Option<(Self, u64)> {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        let checksum = crc32fast::hash(bytes.get(..CHECKSUM)?).to_le_bytes();
        let is_ours = bytes[..4] == MAGIC && bytes[4..6] == FORMAT.to_le_bytes();
        let count = usize::from(bytes[7]);
        if !is_ours || count > KEPT || bytes.get(CHECKSUM..CHECKSUM + 4)? != checksum {
            return None;
        }
        let note = Self {
            mirror: number(8)?,
            is_whole: bytes[6] == 1,
            branches: (0..count)
                .map(|at| number(BRANCHES + 8 * at))
                .collect::<Option<_>>()?,
        };
        Some((note, number(16)?))
    }

    /// The note of a side, and how often that has written one. `Ok(None)`: it is damaged.
    pub(super) fn read(disk: &dyn Disk) -> io::Result<Option<(Self, u64)>> {
        let mut found: Option<(Self, u64)> = None;
        for sector in 0..2 {
            let mut bytes = vec![0; SECTOR];
            match disk.read_at(NOTE, sector * SECTOR as u64, &mut bytes) {
                Err(error) if super::is_short(&error) => {}
                read => {
                    read?;
                    let is_newer = |(_, written): &(Self, u64)| {
                        found.as_ref().is_none_or(|(_, before)| written > before)
                    };
                    if let Some(newer) = Self::decode(&bytes).filter(is_newer) {
                        found = Some(newer);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Writes a side's first note. Under its name it is whole.
    pub(super) fn create(&self, disk: &dyn Disk, written: &mut u64) -> io::Result<()> {
        let temporary = files::temporary(NOTE);
        match disk.remove(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        *written += 1;
        disk.create(&temporary)?;
        // Both sectors: then each of them has a place on the disk.
        disk.write_at(&temporary, 0, &self.encode(*written).repeat(2))?;
        disk.sync_data(&temporary)?;
        disk.rename(&temporary, NOTE)?;
        disk.sync_dir()
    }

    /// Writes a side's note over the one before its last: the last one stays until this one is
    /// whole, which a reader sees by its checksum. `written` is how often that side has written.
    pub(super) fn write_in_place(&self, disk: &dyn Disk, written: &mut u64) -> io::Result<()> {
        *written += 1;
        let sector = *written % 2;
        disk.write_at(NOTE, sector * SECTOR as u64, &self.encode(*written))?;
        disk.sync_data(NOTE)
    }
}
