//! Reading a journal: the newest whole checkpoint, then the frames after it, in order.
//!
//! Nothing here writes. The crate's page argues why the end of the log is told from damage.

use crate::error::{Damage, Fault, ReadError};
use crate::files::{self, Files, IDENTITY, Listing};
use crate::frame::{self, HEADER, Kind, Read, SECTOR, Unreadable};
use crate::segment;
use std::error::Error;
use std::fmt;

/// A place in the log, between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The segment.
    pub segment: u64,
    /// The offset in bytes. The next frame stands here, or first in the next segment.
    pub offset: u64,
    /// The sequence of the next frame.
    pub sequence: u64,
    /// The checksum of the frame before.
    pub before: u64,
    /// The incarnation of the frame before.
    pub incarnation: u64,
}

impl Position {
    /// Where the first frame of a journal stands.
    pub(crate) const START: Self = Self {
        segment: 1,
        offset: segment::FIRST,
        sequence: 1,
        before: 0,
        incarnation: 0,
    };
    const BYTES: usize = 40;

    pub(crate) fn encode(&self) -> Vec<u8> {
        let Self {
            segment,
            offset,
            sequence,
            before,
            incarnation,
        } = *self;
        let words = [segment, offset, sequence, before, incarnation];
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES {
            return None;
        }
        let mut words = bytes
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().expect("chunks of 8 bytes")));
        let mut next = || words.next().expect("five words");
        Some(Self {
            segment: next(),
            offset: next(),
            sequence: next(),
            before: next(),
            incarnation: next(),
        })
    }
}

/// What is found in a journal, in this order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A checkpoint: its blocks follow.
    Checkpoint {
        /// All up to here is in it. Frames that follow may repeat some of that.
        up_to: u64,
        /// The number of its blocks.
        blocks: u64,
        /// The bytes in all of its blocks.
        bytes: u64,
    },
    /// A block of the checkpoint, as it was written.
    Block(&'a [u8]),
    /// A frame of the log.
    Frame {
        /// The cut that the log is complete to with this frame.
        up_to: u64,
        /// The payload, as it was appended.
        payload: &'a [u8],
    },
}

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub read: u64,
    /// Bytes that there may be to read. The log may end before them.
    pub total: u64,
}

/// Who receives what is found. An error ends the reading.
pub type Visit<'v> =
    dyn FnMut(Event<'_>, Progress) -> Result<(), Box<dyn Error + Send + Sync>> + 'v;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The order that all recovered is up to; new commits continue from it.
    pub up_to: u64,
    /// The checkpoint that was read, by its file.
    pub checkpoint: Option<String>,
    /// Frames with records that were read from the log.
    pub frames: u64,
    /// Where the log ends.
    pub end: Position,
    /// Checkpoints that are damaged. What they held was read from older files.
    pub ignored: Vec<Damage>,
}

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

/// The way along the log.
pub(crate) struct Walk<'f> {
    files: &'f Files,
    store: u64,
    segments: Vec<u64>,
    source: Source<'f>,
    pub(crate) at: Position,
    /// Where the last frame stands.
    pub(crate) last: Option<(u64, u64)>,
}

impl<'f> Walk<'f> {
    pub(crate) fn new(
        files: &'f Files,
        store: u64,
        listing: &Listing,
        at: Position,
    ) -> Result<Self, ReadError> {
        if !listing.segments.contains(&at.segment) {
            return Err(missing(at.segment).into());
        }
        let source = open_segment(files, store, at.segment)?;
        let segments = listing.segments.clone();
        Ok(Self {
            files,
            store,
            segments,
            source,
            at,
            last: None,
        })
    }

    /// The next frame; `None` at the end of the log.
    pub(crate) fn next(&mut self, payload: &mut Vec<u8>) -> Result<Option<Read>, ReadError> {
        let broken = match self.accept(&self.source, self.at.offset, payload)? {
            Ok(read) => return Ok(Some(self.advance(read))),
            Err(broken) => broken,
        };
        let next = self.at.segment + 1;
        if self.segments.contains(&next) {
            let source = open_segment(self.files, self.store, next)?;
            if let Ok(read) = self.accept(&source, segment::FIRST, payload)? {
                self.source = source;
                (self.at.segment, self.at.offset) = (next, segment::FIRST);
                return Ok(Some(self.advance(read)));
            }
        }
        self.refuse_if_synced(broken)?;
        Ok(None)
    }

    fn advance(&mut self, read: Read) -> Read {
        self.last = Some((self.at.segment, self.at.offset));
        self.at.offset += read.space().expect("it was read");
        self.at.sequence += 1;
        self.at.before = read.checksum;
        self.at.incarnation = read.header.incarnation;
        read
    }

    /// The frame at `offset`, if it is the next one.
    fn accept(
        &self,
        source: &Source<'_>,
        offset: u64,
        payload: &mut Vec<u8>,
    ) -> Result<Result<Read, Broken>, Fault> {
        let read = match source.frame(offset, payload)? {
            Ok(read) => read,
            Err(broken) => return Ok(Err(broken)),
        };
        let header = &read.header;
        let incarnation = self.at.incarnation;
        let is_next = header.kind.is_of_log()
            && header.store == self.store
            && header.sequence == self.at.sequence
            && header.before == self.at.before
            && match header.kind {
                Kind::Open => header.incarnation > incarnation,
                _ => header.incarnation == incarnation,
            };
        Ok(if is_next {
            Ok(read)
        } else {
            Err(Broken::Other(header.kind, header.sequence))
        })
    }

    /// The log ends here, unless a later frame says that what should stand here was synced.
    fn refuse_if_synced(&self, broken: Broken) -> Result<(), ReadError> {
        let later = self
            .segments
            .iter()
            .filter(|number| **number >= self.at.segment);
        for &number in later {
            let source = Source::open(self.files, files::segment(number))?;
            let begin = if number == self.at.segment {
                self.at.offset
            } else {
                segment::FIRST
            };
            if let Some((offset, read)) = self.find_witness(&source, begin)? {
                let expected = format!(
                    "frame {}, which frame {} (in {} at byte {offset}) says was synced",
                    self.at.sequence, read.header.sequence, source.name
                );
                return Err(self.source.damage(self.at.offset, expected, broken).into());
            }
        }
        Ok(())
    }

    fn find_witness(&self, source: &Source<'_>, begin: u64) -> Result<Option<(u64, Read)>, Fault> {
        const CHUNK: u64 = 1 << 20;
        let mut chunk = Vec::new();
        let mut offset = begin;
        while offset + SECTOR as u64 <= source.len {
            let length = CHUNK.min((source.len - offset) / SECTOR as u64 * SECTOR as u64);
            chunk.resize(usize::try_from(length).expect("a chunk is small"), 0);
            self.files.read_at(&source.name, offset, &mut chunk)?;
            for sector in chunk.chunks_exact(SECTOR) {
                if let Ok(read) = Read::decode(sector)
                    && read.header.kind.is_of_log()
                    && read.header.store == self.store
                    && read.header.synced_to > self.at.sequence
                {
                    return Ok(Some((offset, read)));
                }
                offset += SECTOR as u64;
            }
        }
        Ok(None)
    }
}

pub(crate) fn missing(segment: u64) -> Damage {
    Damage {
        file: files::segment(segment),
        offset: 0,
        expected: "a segment of the log".to_owned(),
        found: "no such file".to_owned(),
    }
}

/// A checkpoint whose first and last frames are whole.
pub(crate) struct Checkpoint<'f> {
    source: Source<'f>,
    pub(crate) position: Position,
    pub(crate) up_to: u64,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    first: Read,
    footer: Read,
}

/// The bytes of a footer's payload: the number of blocks, and of their bytes.
const COUNTS: usize = 16;

pub(crate) fn encode_counts(blocks: u64, bytes: u64) -> Vec<u8> {
    [blocks.to_le_bytes(), bytes.to_le_bytes()].concat()
}

impl<'f> Checkpoint<'f> {
    pub(crate) fn open(
        files: &'f Files,
        store: u64,
        sequence: u64,
    ) -> Result<Result<Self, Damage>, ReadError> {
        let source = Source::open(files, files::checkpoint(sequence))?;
        let mut payload = Vec::new();
        let first = match source.first(Kind::Checkpoint, &mut payload)? {
            Ok(first) => first,
            Err(damage) => return Ok(Err(damage)),
        };
        let position = Position::decode(&payload).filter(|at| at.sequence == sequence);
        let (Some(position), true) = (position, first.header.store == store) else {
            return Ok(Err(source.damage(
                0,
                format!("checkpoint {sequence}"),
                "another",
            )));
        };
        let at = source.len.saturating_sub(frame::space(COUNTS));
        let footer = match source.frame(at, &mut payload)? {
            Ok(footer) if footer.header.kind == Kind::Footer && payload.len() == COUNTS => footer,
            Ok(other) => {
                let found = Broken::Other(other.header.kind, other.header.sequence);
                return Ok(Err(source.damage(at, "a Footer frame".to_owned(), found)));
            }
            Err(found) => return Ok(Err(source.damage(at, "a Footer frame".to_owned(), found))),
        };
        let count = |at: usize| {
            u64::from_le_bytes(payload[at..at + 8].try_into().expect("a word of 8 bytes"))
        };
        let (blocks, bytes) = (count(0), count(8));
        Ok(Ok(Self {
            position,
            up_to: footer.header.up_to,
            blocks,
            bytes,
            first,
            footer,
            source,
        }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.source.name
    }

    pub(crate) fn len(&self) -> u64 {
        self.source.len
    }

    /// Hands each block on, with the bytes read so far, and checks that none is missing.
    pub(crate) fn read(
        &self,
        mut receive: impl FnMut(&[u8], u64) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let source = &self.source;
        let mut payload = Vec::new();
        let mut before = self.first;
        let mut offset = self.first.space().expect("it was read");
        let (mut blocks, mut bytes) = (0, 0);
        loop {
            let expected = || format!("block {} or the footer", blocks + 1);
            let read = match source.frame(offset, &mut payload)? {
                Ok(read) => read,
                Err(broken) => return Err(source.damage(offset, expected(), broken).into()),
            };
            let header = &read.header;
            let is_next = header.store == self.first.header.store
                && header.before == before.checksum
                && header.sequence == blocks + 1;
            match header.kind {
                Kind::Block if is_next => {
                    offset += read.space().expect("it was read");
                    blocks += 1;
                    bytes += header.length;
                    before = read;
                    receive(&payload, offset)?;
                }
                Kind::Footer if is_next && read == self.footer => break,
                kind => {
                    let found = Broken::Other(kind, header.sequence);
                    return Err(source.damage(offset, expected(), found).into());
                }
            }
        }
        if (blocks, bytes) != (self.blocks, self.bytes) {
            let expected = format!("{} blocks of {} bytes", self.blocks, self.bytes);
            let found = format!("{blocks} of {bytes}");
            return Err(source.damage(offset, expected, found).into());
        }
        Ok(())
    }
}

/// What a whole reading leaves for who goes on to write.
pub(crate) struct Scan {
    pub(crate) store: u64,
    pub(crate) listing: Listing,
    pub(crate) summary: Summary,
    /// Where the last frame stands. No frame says that this one was synced.
    pub(crate) last: Option<(u64, u64)>,
}

/// Reads the journal, and hands on what is in it.
pub(crate) fn scan(files: &Files, visit: &mut Visit<'_>) -> Result<Scan, ReadError> {
    let listing = files.list()?;
    let store = identity(files, &listing)?;
    let mut ignored = Vec::new();
    let mut newest = None;
    for &sequence in listing.checkpoints.iter().rev() {
        match Checkpoint::open(files, store, sequence)? {
            Ok(checkpoint) => {
                newest = Some(checkpoint);
                break;
            }
            Err(damage) => ignored.push(damage),
        }
    }
    let at = newest
        .as_ref()
        .map_or(Position::START, |checkpoint| checkpoint.position);
    let mut walk = match Walk::new(files, store, &listing, at) {
        // The log does not reach back to before the checkpoint: the checkpoint is what is wrong.
        Err(ReadError::Damaged(missing)) => {
            return Err(ignored.into_iter().next().unwrap_or(missing).into());
        }
        walk => walk?,
    };
    let mut progress = Progress {
        read: 0,
        total: newest.as_ref().map_or(0, Checkpoint::len),
    };
    for &number in listing
        .segments
        .iter()
        .filter(|number| **number >= at.segment)
    {
        progress.total += files.len(&files::segment(number))?;
    }
    let mut up_to = 0;
    if let Some(checkpoint) = &newest {
        let Checkpoint { blocks, bytes, .. } = *checkpoint;
        up_to = checkpoint.up_to;
        let event = Event::Checkpoint {
            up_to,
            blocks,
            bytes,
        };
        visit(event, progress).map_err(ReadError::Refused)?;
        checkpoint.read(|block, read| {
            progress.read = read;
            visit(Event::Block(block), progress).map_err(ReadError::Refused)
        })?;
        progress.read = checkpoint.len();
    }
    let mut frames = 0;
    let mut payload = Vec::new();
    while let Some(read) = walk.next(&mut payload)? {
        progress.read += read.space().expect("it was read");
        if read.header.kind == Kind::Data {
            frames += 1;
            up_to = up_to.max(read.header.up_to);
            let event = Event::Frame {
                up_to: read.header.up_to,
                payload: &payload,
            };
            visit(event, progress).map_err(ReadError::Refused)?;
        }
    }
    let (end, last) = (walk.at, walk.last);
    let checkpoint = newest.map(|checkpoint| checkpoint.name().to_owned());
    let summary = Summary {
        up_to,
        checkpoint,
        frames,
        end,
        ignored,
    };
    Ok(Scan {
        store,
        listing,
        summary,
        last,
    })
}
