//! A checkpoint as it stands on the disk.

use crate::error::{Damage, ReadError};
use crate::files::{self, Files};
use crate::frame::{self, Kind, Read};
use crate::source::{Broken, Source};
use crate::walk::Position;

/// A checkpoint whose first and last frames are whole.
pub(crate) struct Stored<'f> {
    source: Source<'f>,
    pub(crate) position: Position,
    pub(crate) up_to: u64,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    /// The number of the frame that the log must reach for this to be a state of it.
    pub(crate) needs: u64,
    first: Read,
    footer: Read,
}

/// The bytes of a footer's payload: the number of blocks, and of their bytes.
const COUNTS: usize = 16;

pub(crate) fn encode_counts(blocks: u64, bytes: u64) -> Vec<u8> {
    [blocks.to_le_bytes(), bytes.to_le_bytes()].concat()
}

/// The opposite of [`encode_counts`].
pub(crate) fn decode_counts(payload: &[u8]) -> Option<(u64, u64)> {
    let payload: &[u8; COUNTS] = payload.try_into().ok()?;
    let count =
        |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().expect("a word of 8 bytes"));
    Some((count(0), count(8)))
}

impl<'f> Stored<'f> {
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
        let expected = || "a Footer frame".to_owned();
        let footer = match source.frame(at, &mut payload)? {
            Ok(footer) => footer,
            Err(found) => return Ok(Err(source.damage(at, expected(), found))),
        };
        let counts = decode_counts(&payload).filter(|_| footer.header.kind == Kind::Footer);
        let Some((blocks, bytes)) = counts else {
            let found = Broken::Other(footer.header.kind, footer.header.sequence);
            return Ok(Err(source.damage(at, expected(), found)));
        };
        Ok(Ok(Self {
            position,
            up_to: footer.header.up_to,
            blocks,
            bytes,
            needs: footer.header.synced_to,
            first,
            footer,
            source,
        }))
    }

    /// A checkpoint that can be read to its end.
    pub(crate) fn readable(files: &'f Files, store: u64, sequence: u64) -> Result<Self, ReadError> {
        let checkpoint = Self::open(files, store, sequence)??;
        checkpoint.read(|_, _| Ok(()))?;
        Ok(checkpoint)
    }

    /// What is wrong with a log that ends here, if it does not reach as far as this needs.
    pub(crate) fn too_short(&self, end: Position) -> Option<Damage> {
        (end.sequence < self.needs).then(|| Damage {
            file: files::segment(end.segment),
            offset: end.offset,
            expected: format!(
                "frame {}, since {} was written when the log was synced up to frame {}",
                end.sequence,
                self.name(),
                self.needs
            ),
            found: "the end of the log".to_owned(),
        })
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
