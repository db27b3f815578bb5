//! The two directories of a mirror, of which one is lost now and then.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// They stand beside each other.
pub(super) fn of(directory: &Path) -> [PathBuf; 2] {
    [directory.join("first"), directory.join("second")]
}

/// Where an older copy of a side is kept.
fn older(directory: &Path) -> PathBuf {
    directory.join("older")
}

/// What is done to a side while nobody has it open, and both are the same.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loss {
    /// It is removed.
    Removed,
    /// It becomes what it was some time ago.
    Older,
}

/// Loses a side; whether there was an older copy to put in its place, if that is what is to be
/// done. Then there is one for the next time.
pub(super) fn lose(directory: &Path, side: usize, loss: Loss) -> io::Result<bool> {
    let (side, older) = (&of(directory)[side], older(directory));
    match loss {
        Loss::Removed => {
            fs::remove_dir_all(side)?;
            Ok(true)
        }
        Loss::Older if older.exists() => {
            fs::remove_dir_all(side)?;
            fs::rename(older, side)?;
            Ok(true)
        }
        Loss::Older => {
            fs::create_dir(&older)?;
            for entry in fs::read_dir(side)? {
                let entry = entry?;
                fs::copy(entry.path(), older.join(entry.file_name()))?;
            }
            Ok(false)
        }
    }
}
