//! For operators: verifying and listing a journal.

use crate::disk::Disk;
use crate::error::{Fault, ReadError};
use crate::files::{self, Files};
use crate::frame::{self, Header};
use crate::scan::{self, Summary, Visit};
use crate::source::{Broken, Source};
use std::fmt;
use std::sync::Arc;

/// Reads a journal as opening it would, and changes nothing. `visit` receives all that is in it.
///
/// It takes no lock: of a journal that is open elsewhere it may see less than there is, or an error.
///
/// # Errors
/// If it cannot be read to its end.
pub fn verify(disk: Arc<dyn Disk>, visit: &mut Visit<'_>) -> Result<Summary, ReadError> {
    scan::scan(&Files::new(disk), visit).map(|scan| scan.summary)
}

/// A line about a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file.
    pub file: String,
    /// The offset of the frame in bytes.
    pub offset: u64,
    /// What is there: the kind and numbers of a frame, or why there is none.
    pub what: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:>10} {}", self.file, self.offset, self.what)
    }
}

/// Lists the frames of all files, file by file: of each those from its begin to the first that
/// cannot be read, and why that cannot.
///
/// # Errors
/// If the disk fails.
pub fn dump(disk: Arc<dyn Disk>, each: &mut dyn FnMut(Line)) -> Result<(), Fault> {
    let files = Files::new(disk);
    let listing = files.list()?;
    let identity = listing.identity.then(|| files::IDENTITY.to_owned());
    let checkpoints = listing.checkpoints.into_iter().map(files::checkpoint);
    let segments = listing.segments.into_iter().map(files::segment);
    let mut payload = Vec::new();
    for name in identity.into_iter().chain(checkpoints).chain(segments) {
        let source = Source::open(&files, name)?;
        let mut offset = 0;
        while offset < source.len {
            let read = source.frame(offset, &mut payload)?;
            let (file, what) = (source.name.clone(), describe(&read));
            each(Line { file, offset, what });
            let Some(space) = read.ok().and_then(|read| read.space()) else {
                break;
            };
            offset += space;
        }
    }
    Ok(())
}

fn describe(read: &Result<frame::Read, Broken>) -> String {
    let Header {
        kind,
        incarnation,
        sequence,
        up_to,
        synced_to,
        length,
        ..
    } = match read {
        Ok(read) => read.header,
        Err(broken) => return broken.to_string(),
    };
    format!(
        "{kind:?} {sequence}, incarnation {incarnation}, up to {up_to}, synced to {synced_to}, \
         {length} bytes"
    )
}
