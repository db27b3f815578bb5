//! A file, read frame by frame.

use crate::error::{Damage, Fault, ReadError};
use crate::files::{self, Files, IDENTITY, Listing};
use crate::frame::{HEADER, Kind, Read, SECTOR, Unreadable};
use std::fmt;

/// Why there is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    End,
    Unreadable(Unreadable),
    Long,
    Payload,
    Other(Kind, u64),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => write!(f, "the end of the file"),
            Self::Unreadable(unreadable) => unreadable.fmt(f),
            Self::Long => write!(f, "a frame that reaches past the end of the file"),
            Self::Payload => write!(f, "a frame whose payload has another checksum"),
            Self::Other(kind, sequence) => write!(f, "{kind:?} frame {sequence}, of another place"),
        }
    }
}

/// A file that is read frame by frame.
pub(crate) struct Source<'f> {
    files: &'f Files,
    pub(crate) name: String,
    pub(crate) len: u64,
}

impl<'f> Source<'f> {
    pub(crate) fn open(files: &'f Files, name: String) -> Result<Self, Fault> {
        let len = files.len(&name)?;
        Ok(Self { files, name, len })
    }

    /// Reads the frame at `offset`. No more is allocated than the file has bytes.
    pub(crate) fn frame(
        &self,
        offset: u64,
        payload: &mut Vec<u8>,
    ) -> Result<Result<Read, Broken>, Fault> {
        let rest = self.len.saturating_sub(offset);
        let mut sector = [0; SECTOR];
        if rest < SECTOR as u64 {
            return Ok(Err(Broken::End));
        }
        self.files.read_at(&self.name, offset, &mut sector)?;
        let read = match Read::decode(&sector) {
            Ok(read) => read,
            Err(unreadable) => return Ok(Err(Broken::Unreadable(unreadable))),
        };
        if read.space().is_none_or(|space| space > rest) {
            return Ok(Err(Broken::Long));
        }
        let length = usize::try_from(read.header.length).expect("it is within the file");
        let here = length.min(SECTOR - HEADER);
        payload.clear();
        payload.extend_from_slice(&sector[HEADER..HEADER + here]);
        payload.resize(length, 0);
        if length > here {
            self.files
                .read_at(&self.name, offset + SECTOR as u64, &mut payload[here..])?;
        }
        Ok(if read.is_of(payload) {
            Ok(read)
        } else {
            Err(Broken::Payload)
        })
    }

    /// Reads the frame that the file begins with.
    pub(crate) fn first(
        &self,
        kind: Kind,
        payload: &mut Vec<u8>,
    ) -> Result<Result<Read, Damage>, ReadError> {
        let found = match self.frame(0, payload)? {
            Ok(read) if read.header.kind == kind => return Ok(Ok(read)),
            Ok(read) => Broken::Other(read.header.kind, read.header.sequence),
            Err(Broken::Unreadable(Unreadable::Format(found))) => {
                return Err(ReadError::Version {
                    file: self.name.clone(),
                    found,
                });
            }
            Err(broken) => broken,
        };
        Ok(Err(self.damage(0, format!("a {kind:?} frame"), found)))
    }

    pub(crate) fn damage(&self, offset: u64, expected: String, found: impl fmt::Display) -> Damage {
        Damage {
            file: self.name.clone(),
            offset,
            expected,
            found: found.to_string(),
        }
    }
}

/// Reads what says that the directory is a journal, and returns its number.
pub(crate) fn identity(files: &Files, listing: &Listing) -> Result<u64, ReadError> {
    if !listing.identity {
        let segment = listing
            .segments
            .first()
            .map(|number| files::segment(*number));
        let checkpoint = listing.checkpoints.first().map(|at| files::checkpoint(*at));
        let found = segment
            .or(checkpoint)
            .or_else(|| listing.others.first().cloned());
        return Err(ReadError::NoJournal {
            directory: files.place(),
            found,
        });
    }
    let source = Source::open(files, IDENTITY.to_owned())?;
    if listing.segments.is_empty()
        && listing.checkpoints.is_empty()
        && let Err(Broken::End | Broken::Unreadable(Unreadable::Magic | Unreadable::Nothing)) =
            source.frame(0, &mut Vec::new())?
    {
        // Nothing here is of a journal but the name.
        return Err(ReadError::NoJournal {
            directory: files.place(),
            found: Some(IDENTITY.to_owned()),
        });
    }
    Ok(source.first(Kind::Identity, &mut Vec::new())??.header.store)
}

/// A segment, its first frame checked: under its name a segment is whole.
pub(crate) fn open_segment(
    files: &Files,
    store: u64,
    number: u64,
) -> Result<Source<'_>, ReadError> {
    let source = Source::open(files, files::segment(number))?;
    let mut payload = Vec::new();
    let read = source.first(Kind::Segment, &mut payload)??;
    let expected = (store, number, source.len.to_le_bytes().to_vec());
    if (read.header.store, read.header.sequence, payload) != expected {
        let expected = format!(
            "segment {number} of this journal, {} bytes long",
            source.len
        );
        return Err(source
            .damage(0, expected, "another, or one of another length")
            .into());
    }
    Ok(source)
}
