//! Salvage: what can be read of a damaged journal, copied into a new one.

use crate::copy::{self, CopyError};
use crate::disk::Disk;
use crate::error::{Damage, Fault, ReadError};
use crate::files::{self, Files, Listing};
use crate::frame::Kind;
use crate::open;
use crate::parts::Parts;
use crate::segment;
use crate::source::{self, Source};
use crate::stored::Stored;
use crate::walk::{Position, Walk};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What was salvaged, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// The checkpoint that was copied.
    pub checkpoint: Option<String>,
    /// What that one lacks; `None`: nothing.
    pub partial: Option<Partial>,
    /// The order that the copy is up to.
    pub up_to: u64,
    /// Frames with records that were copied.
    pub frames: u64,
    /// The damage that it ended at; `None`: it ended where the log does.
    pub damage: Option<Damage>,
    /// Frames with records behind the damage. They can be read, but what was before them is gone,
    /// so they are left out.
    pub left_out: u64,
    /// The greatest order in those.
    pub left_out_up_to: u64,
    /// Checkpoints that were passed over.
    pub ignored: Vec<Damage>,
}

/// What was salvaged of a damaged checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Partial {
    /// Where it is damaged first.
    pub damage: Damage,
    /// Blocks that were copied.
    pub blocks: u64,
    /// Blocks that are gone. More may be, if the damage is at its end.
    pub left_out: u64,
}

/// What the copy begins with.
enum Base<'f> {
    /// The log goes back to its begin.
    Begin,
    Whole(Stored<'f>),
    Parts(Parts<'f>),
}

/// Copies what can be read of a damaged journal into an empty directory. The damaged one is not
/// changed.
///
/// The copy is a state that once was, as late as can be: a checkpoint that can be read to its end,
/// or the begin of the log, and the log from there to its first damage. Where there is neither, it
/// has those blocks of the newest checkpoint that are whole, and the log after it: then
/// [`Salvaged::partial`] says how many are gone. It is told as well where none is, but the log ends
/// before the place where that checkpoint was finished: transactions after the end of the log may
/// be there in part then.
///
/// # Errors
/// If there is nothing to copy; if the copy cannot be written.
pub fn salvage(from: Arc<dyn Disk>, to: Arc<dyn Disk>) -> Result<Salvaged, CopyError> {
    let files = Files::new(from);
    let listing = files.list()?;
    let store = store(&files, &listing)?;
    let mut salvaged = Salvaged {
        checkpoint: None,
        partial: None,
        up_to: 0,
        frames: 0,
        damage: None,
        left_out: 0,
        left_out_up_to: 0,
        ignored: Vec::new(),
    };
    let mut base = base(&files, store, &listing, &mut salvaged)?;
    let begin = base.position();
    let end = follow(&files, store, &listing, &base, &mut salvaged)?;
    if let Base::Whole(checkpoint) = &base
        && let Some(short) = checkpoint.too_short(end.unwrap_or(begin))
    {
        // It is no state of this log: rows of it are of later transactions than the log has.
        let parts = Parts::find(&files, store, &listing, begin.sequence)?;
        salvaged.partial = Some(Partial {
            damage: salvaged.damage.clone().unwrap_or(short),
            blocks: parts.blocks.len() as u64,
            left_out: 0,
        });
        base = Base::Parts(parts);
    }
    // Where nothing of the log was read, what is in it is behind the damage.
    let behind = end.unwrap_or(Position {
        segment: 0,
        sequence: begin.sequence.saturating_sub(1),
        ..begin
    });
    let segments = listing.segments.iter();
    for &number in segments.filter(|number| **number >= behind.segment) {
        count_left_out(&files, store, number, behind, &mut salvaged)?;
    }
    if let Some(partial) = &salvaged.partial
        && partial.blocks + salvaged.frames == 0
    {
        return Err(partial.damage.clone().into());
    }
    let target = copy::target(to)?;
    // Where nothing of the log is copied, it goes on at the begin of a segment: how long that was,
    // only the checkpoint says, and as much is not written for one word of a damaged journal.
    let place = Position {
        offset: end.map_or(segment::FIRST, |_| begin.offset),
        ..begin
    };
    match &base {
        Base::Begin => {}
        Base::Whole(checkpoint) if end.is_some() => {
            copy::copy_file(&files, &target, checkpoint.name(), checkpoint.len())?;
        }
        Base::Whole(checkpoint) => {
            let parts = Parts::find(&files, store, &listing, begin.sequence)?;
            parts.write(&target, place, checkpoint.up_to)?;
        }
        Base::Parts(parts) => {
            // The log may repeat what the blocks hold, and must not leave out what they do not.
            let up_to = match (parts.up_to, end) {
                (Some(up_to), _) => up_to,
                (None, Some(_)) => parts.begun_at,
                (None, None) => parts.begun_at.max(salvaged.left_out_up_to),
            };
            salvaged.up_to = salvaged.up_to.max(up_to);
            parts.write(&target, place, up_to)?;
        }
    }
    match end {
        Some(end) => copy::copy_log(&files, &target, begin, end)?,
        None => segment::create(&target, store, place.segment, place.offset)?,
    }
    // Last: what was not copied to the end is no journal.
    open::create_identity(&target, store)?;
    Ok(salvaged)
}

impl Base<'_> {
    fn position(&self) -> Position {
        match self {
            Self::Begin => Position::START,
            Self::Whole(checkpoint) => checkpoint.position,
            Self::Parts(parts) => parts.position,
        }
    }
}

/// Chooses what the copy begins with.
fn base<'f>(
    files: &'f Files,
    store: u64,
    listing: &Listing,
    salvaged: &mut Salvaged,
) -> Result<Base<'f>, ReadError> {
    for &sequence in listing.checkpoints.iter().rev() {
        match Stored::readable(files, store, sequence) {
            Ok(checkpoint) => {
                salvaged.checkpoint = Some(checkpoint.name().to_owned());
                salvaged.up_to = checkpoint.up_to;
                return Ok(Base::Whole(checkpoint));
            }
            Err(ReadError::Damaged(damage)) => salvaged.ignored.push(damage),
            Err(error) => return Err(error),
        }
    }
    let Some(&newest) = listing.checkpoints.last() else {
        return Ok(Base::Begin);
    };
    match Walk::new(files, store, listing, Position::START)
        .and_then(|mut walk| walk.next(&mut Vec::new()))
    {
        Ok(Some(_)) => return Ok(Base::Begin),
        Ok(None) | Err(ReadError::Damaged(_)) => {}
        Err(error) => return Err(error),
    }
    let parts = Parts::find(files, store, listing, newest)?;
    let blocks = parts.blocks.len() as u64;
    salvaged.checkpoint = Some(files::checkpoint(newest));
    salvaged.partial = Some(Partial {
        damage: salvaged.ignored.remove(0),
        blocks,
        left_out: parts.all.saturating_sub(blocks),
    });
    Ok(Base::Parts(parts))
}

/// Follows the log to its end or its first damage. `None`: there is none to follow.
fn follow(
    files: &Files,
    store: u64,
    listing: &Listing,
    base: &Base<'_>,
    salvaged: &mut Salvaged,
) -> Result<Option<Position>, ReadError> {
    if let Base::Parts(Parts {
        lost: Some(lost), ..
    }) = base
    {
        salvaged.damage = Some(lost.clone());
        return Ok(None);
    }
    let mut walk = match (Walk::new(files, store, listing, base.position()), base) {
        (Err(ReadError::Damaged(damage)), Base::Whole(_) | Base::Parts(_)) => {
            salvaged.damage = Some(damage);
            return Ok(None);
        }
        (walk, _) => walk?,
    };
    let mut payload = Vec::new();
    salvaged.damage = loop {
        match walk.next(&mut payload) {
            Ok(Some(read)) if read.header.kind == Kind::Data => {
                salvaged.frames += 1;
                salvaged.up_to = salvaged.up_to.max(read.header.up_to);
            }
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(ReadError::Damaged(damage)) => break Some(damage),
            Err(error) => return Err(error),
        }
    };
    Ok(Some(walk.at))
}

/// The journal's number, from whatever file still has it.
fn store(files: &Files, listing: &Listing) -> Result<u64, ReadError> {
    let missing = match source::identity(files, listing) {
        Err(error @ (ReadError::Damaged(_) | ReadError::NoJournal { .. })) => error,
        known => return known,
    };
    let segments = listing
        .segments
        .iter()
        .map(|number| files::segment(*number));
    let checkpoints = listing
        .checkpoints
        .iter()
        .map(|sequence| files::checkpoint(*sequence));
    let kinds = segments
        .map(|name| (name, Kind::Segment))
        .chain(checkpoints.map(|name| (name, Kind::Checkpoint)));
    for (name, kind) in kinds {
        if let Ok(read) = Source::open(files, name)?.first(kind, &mut Vec::new())? {
            return Ok(read.header.store);
        }
    }
    Err(missing)
}

fn count_left_out(
    files: &Files,
    store: u64,
    number: u64,
    end: Position,
    salvaged: &mut Salvaged,
) -> Result<(), Fault> {
    let source = Source::open(files, files::segment(number))?;
    let begin = if number == end.segment { end.offset } else { 0 };
    let _ = source.each(begin, &mut |_, read, _| {
        if let Ok(read) = read
            && read.header.store == store
            && read.header.sequence > end.sequence
            && read.header.kind == Kind::Data
        {
            salvaged.left_out += 1;
            salvaged.left_out_up_to = salvaged.left_out_up_to.max(read.header.up_to);
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}
