//! For operators: verifying and listing a journal.

use crate::disk::Disk;
use crate::error::{Damage, ReadError};
use crate::files::{self, Files, Listing};
use crate::frame;
use crate::scan::{self, Event, Summary, Visit};
use crate::source::{self, Broken, Source};
use crate::stored::Stored;
use crate::walk::{Position, Walk};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Reads a journal as opening it would, and changes nothing. `visit` receives all that is in it.
///
/// It takes no lock: of a journal that is open elsewhere it may see less than there is, or an
/// error.
///
/// # Errors
/// If it cannot be read to its end.
pub fn verify(disk: Arc<dyn Disk>, visit: &mut Visit<'_>) -> Result<Summary, ReadError> {
    scan::scan(&Files::new(disk), visit).map(|scan| scan.summary)
}

/// What a journal is made of, and all that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// Segments of the log.
    pub segments: u64,
    /// Checkpoints, the superfluous ones among them.
    pub checkpoints: u64,
    /// Bytes that the files take.
    pub bytes: u64,
    /// Blocks of the checkpoint that were read.
    pub blocks: u64,
    /// Frames with records that were read.
    pub frames: u64,
    /// Bytes of records in those blocks and frames.
    pub payload: u64,
    /// What opening the journal would recover; `None`: that would fail.
    pub recovery: Option<Summary>,
    /// Files that opening it would remove: what was not whole yet, and what is behind the log's
    /// end.
    pub removed: Vec<String>,
    /// All places that are damaged.
    pub damages: Vec<Damage>,
}

/// Reads all of a journal, and goes on where it is damaged. It takes no lock, as [`verify()`].
///
/// # Errors
/// If this is no journal, or one of another format, or the disk fails.
pub fn survey(disk: Arc<dyn Disk>) -> Result<Survey, ReadError> {
    let files = Files::new(disk);
    let listing = files.list()?;
    let mut survey = Survey {
        segments: listing.segments.len() as u64,
        checkpoints: listing.checkpoints.len() as u64,
        bytes: 0,
        blocks: 0,
        frames: 0,
        payload: 0,
        recovery: None,
        removed: Vec::new(),
        damages: Vec::new(),
    };
    for name in names(&listing).chain(listing.temporary.iter().cloned()) {
        survey.bytes += files.len(&name)?;
    }
    let scanned = scan::scan(&files, &mut |event, _| {
        match event {
            Event::Checkpoint { .. } | Event::End => {}
            Event::Block(block) => {
                survey.blocks += 1;
                survey.payload += block.len() as u64;
            }
            Event::Frame { payload, .. } => {
                survey.frames += 1;
                survey.payload += payload.len() as u64;
            }
        }
        Ok(())
    });
    match scanned {
        Ok(scan) => {
            let end = scan.summary.end.segment;
            let behind = listing.segments.iter().filter(|number| **number > end);
            let behind = behind.map(|number| files::segment(*number));
            survey.removed = listing.temporary.iter().cloned().chain(behind).collect();
            survey.recovery = Some(scan.summary);
        }
        Err(ReadError::Damaged(damage)) => survey.damages.push(damage),
        Err(error) => return Err(error),
    }
    find_more(&files, &listing, &mut survey)?;
    Ok(survey)
}

/// Looks for damage where the reading did not come.
fn find_more(files: &Files, listing: &Listing, survey: &mut Survey) -> Result<(), ReadError> {
    let mut note = |damage| {
        if !survey.damages.contains(&damage) {
            survey.damages.push(damage);
        }
    };
    let store = match source::identity(files, listing) {
        // It is noted already, and nothing tells what belongs to the journal.
        Err(ReadError::Damaged(_)) => return Ok(()),
        store => store?,
    };
    let mut position = None;
    for &sequence in &listing.checkpoints {
        match Stored::readable(files, store, sequence) {
            Ok(checkpoint) => position = Some(checkpoint.position),
            Err(ReadError::Damaged(damage)) => note(damage),
            Err(error) => return Err(error),
        }
    }
    if survey.recovery.is_some() {
        return Ok(());
    }
    // A damaged checkpoint may still know where the log goes on.
    if position.is_none()
        && let Some(&newest) = listing.checkpoints.last()
    {
        position = Stored::open(files, store, newest)?
            .ok()
            .map(|found| found.position);
    }
    let begins = listing.checkpoints.is_empty() || listing.segments.contains(&1);
    let Some(position) = position.or(begins.then_some(Position::START)) else {
        return Ok(());
    };
    let mut walk = match Walk::new(files, store, listing, position) {
        Err(ReadError::Damaged(damage)) => return Ok(note(damage)),
        walk => walk?,
    };
    let mut payload = Vec::new();
    loop {
        match walk.next(&mut payload) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(ReadError::Damaged(damage)) => {
                note(damage);
                if !walk.resume()? {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// The names of the files that are whole, in the order in which they are read.
fn names(listing: &Listing) -> impl Iterator<Item = String> {
    let identity = listing.identity.then(|| files::IDENTITY.to_owned());
    let checkpoints = listing
        .checkpoints
        .iter()
        .map(|sequence| files::checkpoint(*sequence));
    let segments = listing
        .segments
        .iter()
        .map(|number| files::segment(*number));
    identity.into_iter().chain(checkpoints).chain(segments)
}

/// A line about a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file.
    pub file: String,
    /// The offset in bytes.
    pub offset: u64,
    /// What is there.
    pub found: Found,
}

/// What is at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// A frame that is whole. The crate's page says what its numbers are.
    Frame {
        /// Its kind, by name.
        kind: String,
        /// Its number.
        sequence: u64,
        /// How often the journal had been opened.
        incarnation: u64,
        /// The cut that is complete with it.
        up_to: u64,
        /// Frames with a smaller sequence were synced.
        synced_to: u64,
        /// The bytes of its payload.
        length: u64,
    },
    /// No frame that is whole: why.
    Other(String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:>10} {}", self.file, self.offset, self.found)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame {
                kind,
                sequence,
                incarnation,
                up_to,
                synced_to,
                length,
            } => write!(
                f,
                "{kind} {sequence}, incarnation {incarnation}, up to {up_to}, \
                 synced to {synced_to}, {length} bytes"
            ),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<Result<frame::Read, Broken>> for Found {
    fn from(read: Result<frame::Read, Broken>) -> Self {
        match read {
            Ok(frame::Read { header, .. }) => Self::Frame {
                kind: format!("{:?}", header.kind),
                sequence: header.sequence,
                incarnation: header.incarnation,
                up_to: header.up_to,
                synced_to: header.synced_to,
                length: header.length,
            },
            Err(broken) => Self::Other(broken.to_string()),
        }
    }
}

/// Lists the frames of all files, file by file, until `each` breaks. Where there is none, it says
/// why, and goes on with the next one behind. What is behind the log's end is listed as well.
///
/// # Errors
/// If nothing of a journal is there, or it is of another format, or the disk fails.
pub fn dump(
    disk: Arc<dyn Disk>,
    each: &mut dyn FnMut(Line) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let files = Files::new(disk);
    let listing = files.list()?;
    let is_there = !listing.segments.is_empty() || !listing.checkpoints.is_empty();
    match source::identity(&files, &listing) {
        Ok(_) | Err(ReadError::Damaged(_)) => {}
        // Half of it is gone.
        Err(ReadError::NoJournal { .. }) if is_there => {}
        Err(error) => return Err(error),
    }
    for name in names(&listing) {
        let source = Source::open(&files, name)?;
        let listed = source.each(0, &mut |offset, read, _| {
            each(Line {
                file: source.name.clone(),
                offset,
                found: read.into(),
            })
        })?;
        if listed.is_break() {
            break;
        }
    }
    Ok(())
}
