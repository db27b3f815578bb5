//! A file, read frame by frame.

use crate::error::{Damage, Fault, ReadError};
use crate::files::{self, Files, IDENTITY, Listing};
use crate::frame::{HEADER, Kind, Read, SECTOR, Unreadable};
use std::fmt;
use std::ops::ControlFlow;

/// How much is read with one call where headers are looked for.
const CHUNK: u64 = 1 << 20;

/// Why there is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    End,
    Unreadable(Unreadable),
    Long,
    /// The bytes that the frame takes: its header can be read.
    Payload(u64),
    Other(Kind, u64),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => write!(f, "the end of the file"),
            Self::Unreadable(unreadable) => unreadable.fmt(f),
            Self::Long => write!(f, "a frame that reaches past the end of the file"),
            Self::Payload(_) => write!(f, "a frame whose payload has another checksum"),
            Self::Other(kind, sequence) => write!(f, "{kind:?} frame {sequence}, of another place"),
        }
    }
}

/// Who receives what stands at an offset: a frame with its payload, or why there is none.
pub(crate) type Each<'e> = dyn FnMut(u64, Result<Read, Broken>, &[u8]) -> ControlFlow<()> + 'e;

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
        let Some(space) = read.space().filter(|space| *space <= rest) else {
            return Ok(Err(Broken::Long));
        };
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
            Err(Broken::Payload(space))
        })
    }

    /// Hands on the frames from `begin` on, each with its payload, until `each` breaks. Where there
    /// is none, it is told why, and then of the next one behind that.
    pub(crate) fn each(&self, begin: u64, each: &mut Each<'_>) -> Result<ControlFlow<()>, Fault> {
        let mut payload = Vec::new();
        let mut offset = begin;
        while offset < self.len {
            let read = self.frame(offset, &mut payload)?;
            if each(offset, read, &payload).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            offset = match read {
                Ok(read) => offset + read.space().expect("it was read"),
                Err(Broken::Payload(space)) => offset + space,
                Err(_) => match self.find(offset + SECTOR as u64, |_| true)? {
                    Some((next, _)) => next,
                    None => break,
                },
            };
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The first sector from `begin` on with a header that can be read and is wanted.
    pub(crate) fn find(
        &self,
        begin: u64,
        is_wanted: impl Fn(&Read) -> bool,
    ) -> Result<Option<(u64, Read)>, Fault> {
        let mut chunk = Vec::new();
        let mut offset = begin;
        while offset + SECTOR as u64 <= self.len {
            let length = CHUNK.min((self.len - offset) / SECTOR as u64 * SECTOR as u64);
            chunk.resize(usize::try_from(length).expect("a chunk is small"), 0);
            self.files.read_at(&self.name, offset, &mut chunk)?;
            for sector in chunk.chunks_exact(SECTOR) {
                if let Ok(read) = Read::decode(sector)
                    && is_wanted(&read)
                {
                    return Ok(Some((offset, read)));
                }
                offset += SECTOR as u64;
            }
        }
        Ok(None)
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

/// A segment of this journal, its first frame checked.
pub(crate) fn open_segment(
    files: &Files,
    store: u64,
    number: u64,
) -> Result<Source<'_>, ReadError> {
    let (source, of) = whole_segment(files, number)?;
    if of != store {
        let expected = format!("segment {number} of this journal");
        return Err(source.damage(0, expected, "that of another").into());
    }
    Ok(source)
}

/// A segment of any journal, and the number of that: under its name a segment is whole.
pub(crate) fn whole_segment(files: &Files, number: u64) -> Result<(Source<'_>, u64), ReadError> {
    let source = Source::open(files, files::segment(number))?;
    let mut payload = Vec::new();
    let header = source.first(Kind::Segment, &mut payload)??.header;
    let made_with = <[u8; 8]>::try_from(&payload[..]).map(u64::from_le_bytes);
    let (Ok(made_with), true) = (made_with, header.sequence == number) else {
        let found = Broken::Other(header.kind, header.sequence);
        return Err(source.damage(0, format!("segment {number}"), found).into());
    };
    if made_with != source.len {
        let expected = format!("a file of {made_with} bytes, as it was made");
        let found = format!("one of {}", source.len);
        let end = made_with.min(source.len);
        return Err(source.damage(end, expected, found).into());
    }
    Ok((source, header.store))
}
