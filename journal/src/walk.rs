//! The way along the log, to its end.

use crate::error::{Damage, Fault, ReadError};
use crate::files::{self, Files, Listing};
use crate::frame::{Kind, MOST, Read, SECTOR};
use crate::segment;
use crate::source::{Broken, Source, open_segment};
use std::ops::ControlFlow;

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

    /// The place that these bytes are of, if it is one between two frames.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES {
            return None;
        }
        let mut words = bytes
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().expect("chunks of 8 bytes")));
        let mut next = || words.next().expect("five words");
        let at = Self {
            segment: next(),
            offset: next(),
            sequence: next(),
            before: next(),
            incarnation: next(),
        };
        let has_numbers = [at.segment, at.sequence, at.incarnation]
            .iter()
            .all(|number| *number <= MOST);
        let is_aligned = at.offset >= segment::FIRST && at.offset.is_multiple_of(SECTOR as u64);
        (has_numbers && is_aligned).then_some(at)
    }
}

/// The largest number that a log goes on from: no process writes as many frames as there are from
/// here to the last number that is believed.
const GOES_ON: u64 = MOST / 2;

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
        if at.offset > source.len {
            let expected = format!("a segment that reaches to byte {}", at.offset);
            return Err(source.damage(source.len, expected, Broken::End).into());
        }
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

    /// What is wrong with a log that ends here, if it cannot go on: what it writes has to be
    /// believed when it is read.
    pub(crate) fn too_far(&self) -> Option<Damage> {
        let at = self.at;
        let number = at.segment.max(at.sequence).max(at.incarnation);
        (number > GOES_ON).then(|| {
            let expected = "the end of a log that can go on".to_owned();
            let found = format!("one with the number {number}, beyond any log");
            self.source.damage(at.offset, expected, found)
        })
    }

    fn advance(&mut self, read: Read) -> Read {
        self.last = Some((self.at.segment, self.at.offset));
        self.at.offset += read.space().expect("it was read");
        self.at.sequence += 1;
        self.at.before = read.checksum;
        self.at.incarnation = read.header.incarnation;
        read
    }

    /// Goes on behind a damaged place, with the next frame that is whole. Whether there is one.
    pub(crate) fn resume(&mut self) -> Result<bool, Fault> {
        let at = self.at;
        let later = self.segments.iter().filter(|number| **number >= at.segment);
        for &number in later {
            let source = Source::open(self.files, files::segment(number))?;
            let is_here = number == at.segment;
            let begin = if is_here { at.offset } else { segment::FIRST };
            let mut found = None;
            let _ = source.each(begin, &mut |offset, read, _| match read {
                Ok(read)
                    if read.header.kind.is_of_log()
                        && read.header.store == self.store
                        && read.header.sequence > at.sequence
                        && read.header.incarnation >= at.incarnation =>
                {
                    found = Some((offset, read));
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            })?;
            if let Some((offset, read)) = found {
                self.source = source;
                (self.at.segment, self.at.offset) = (number, offset);
                self.at.sequence = read.header.sequence;
                self.advance(read);
                return Ok(true);
            }
        }
        Ok(false)
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
            let is_witness = |read: &Read| {
                read.header.kind.is_of_log()
                    && read.header.store == self.store
                    && read.header.synced_to > self.at.sequence
            };
            if let Some((offset, read)) = source.find(begin, is_witness)? {
                let expected = format!(
                    "frame {}, which frame {} (in {} at byte {offset}) says was synced",
                    self.at.sequence, read.header.sequence, source.name
                );
                return Err(self.source.damage(self.at.offset, expected, broken).into());
            }
        }
        Ok(())
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
