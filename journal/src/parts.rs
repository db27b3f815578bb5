//! What is whole of a damaged checkpoint: its blocks, and the place where the log goes on after it.

use crate::copy::CopyError;
use crate::error::{Damage, Fault, ReadError};
use crate::files::{self, Files, Listing, Missing};
use crate::frame::{self, Header, Kind};
use crate::segment;
use crate::source::Source;
use crate::stored;
use crate::walk::Position;
use std::ops::ControlFlow;

/// The whole parts of a damaged checkpoint.
pub(crate) struct Parts<'f> {
    source: Source<'f>,
    store: u64,
    /// Where the whole blocks stand.
    pub(crate) blocks: Vec<u64>,
    /// The blocks that there are to its end, as far as that is known.
    pub(crate) all: u64,
    /// From where on the log holds what the checkpoint does not.
    pub(crate) position: Position,
    /// What it is up to, if its footer says so.
    pub(crate) up_to: Option<u64>,
    /// What was durable when it was begun; 0 where that is not known.
    pub(crate) begun_at: u64,
    /// Why the log cannot be read from there on: nothing says where that is.
    pub(crate) lost: Option<Damage>,
}

impl<'f> Parts<'f> {
    /// Looks for all of them.
    pub(crate) fn find(
        files: &'f Files,
        store: u64,
        listing: &Listing,
        sequence: u64,
    ) -> Result<Self, Fault> {
        let source = Source::open(files, files::checkpoint(sequence))?;
        let (mut position, mut footer) = (None, None);
        let (mut blocks, mut last) = (Vec::new(), None);
        let mut take = |offset, read: Result<frame::Read, _>, payload: &[u8]| {
            let Some(read) = read.ok().filter(|read| read.header.store == store) else {
                return ControlFlow::Continue(());
            };
            let header = &read.header;
            // What is not the next frame stands behind a damaged one, or in the payload of that:
            // at least it is of no checkpoint that was begun in another incarnation.
            let follows = last.is_none_or(|last: frame::Read| {
                let is_next = header.sequence.checked_sub(1) == Some(last.header.sequence);
                header.sequence > last.header.sequence
                    && header.incarnation == last.header.incarnation
                    && (!is_next || header.before == last.checksum)
            });
            match header.kind {
                Kind::Checkpoint if offset == 0 => {
                    position = Position::decode(payload).filter(|at| at.sequence == sequence);
                    last = Some(read);
                }
                Kind::Block if follows => {
                    blocks.push(offset);
                    last = Some(read);
                }
                Kind::Footer if follows => {
                    footer =
                        stored::decode_counts(payload).map(|(blocks, _)| (header.up_to, blocks));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        };
        let _ = source.each(0, &mut take)?;
        let before = match (position, footer) {
            (Some(_), Some(_)) => None,
            _ => frame_before(files, store, listing, sequence)?,
        };
        let position = position.or(before.map(|(position, _)| position));
        let lost = position.is_none().then(|| Damage {
            file: listing
                .segments
                .first()
                .map_or(source.name.clone(), |first| files::segment(*first)),
            offset: 0,
            expected: format!("the frame before frame {sequence}, where the log goes on"),
            found: "no such frame in any segment".to_owned(),
        });
        let seen = last.map_or(0, |last| last.header.sequence);
        Ok(Self {
            position: position.unwrap_or(Position {
                // A segment that does not claim to begin the log.
                segment: listing
                    .segments
                    .last()
                    .map_or(2, |last| last.saturating_add(1)),
                offset: segment::FIRST,
                sequence,
                before: 0,
                incarnation: last.map_or(1, |last| last.header.incarnation),
            }),
            up_to: footer.map(|(up_to, _)| up_to),
            begun_at: before.map_or(0, |(_, up_to)| up_to),
            all: footer.map_or(seen, |(_, blocks)| blocks),
            source,
            store,
            blocks,
            lost,
        })
    }

    /// Writes a checkpoint of them alone, after which the log goes on at this place.
    pub(crate) fn write(&self, to: &Files, at: Position, up_to: u64) -> Result<(), CopyError> {
        let write = |fault: Fault| CopyError::from(Missing::from(fault));
        let name = &self.source.name;
        let temporary = to.begin(name).map_err(write)?;
        let (mut offset, mut sequence, mut before) = (0, 0, 0);
        let mut bytes = Vec::new();
        let mut put = |kind, payload: &[u8], up_to| {
            let header = Header {
                kind,
                store: self.store,
                incarnation: at.incarnation,
                sequence,
                up_to,
                synced_to: 0,
                length: payload.len() as u64,
                before,
            };
            before = frame::encode(&header, payload, &mut bytes);
            sequence += 1;
            let written = to.write_at(&temporary, offset, &bytes);
            offset += bytes.len() as u64;
            written.map_err(write)
        };
        put(Kind::Checkpoint, &at.encode(), 0)?;
        let (mut payload, mut length) = (Vec::new(), 0);
        for &block in &self.blocks {
            if let Err(broken) = self.source.frame(block, &mut payload)? {
                let damage = self
                    .source
                    .damage(block, "the block read before".into(), broken);
                return Err(ReadError::from(damage).into());
            }
            length += payload.len() as u64;
            put(Kind::Block, &payload, 0)?;
        }
        let counts = stored::encode_counts(self.blocks.len() as u64, length);
        put(Kind::Footer, &counts, up_to)?;
        to.finish(name)?;
        Ok(())
    }
}

/// The place behind the frame of the log with the sequence before this one, and that frame's cut.
fn frame_before(
    files: &Files,
    store: u64,
    listing: &Listing,
    sequence: u64,
) -> Result<Option<(Position, u64)>, Fault> {
    let mut found = None;
    for &number in &listing.segments {
        let source = Source::open(files, files::segment(number))?;
        let mut take = |offset, read: Result<frame::Read, _>, _: &[u8]| match read {
            Ok(read)
                if read.header.kind.is_of_log()
                    && read.header.store == store
                    && sequence.checked_sub(1) == Some(read.header.sequence) =>
            {
                let position = Position {
                    segment: number,
                    offset: offset + read.space().expect("it was read"),
                    sequence,
                    before: read.checksum,
                    incarnation: read.header.incarnation,
                };
                found = Some((position, read.header.up_to));
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        };
        if source.each(segment::FIRST, &mut take)?.is_break() {
            break;
        }
    }
    Ok(found)
}
