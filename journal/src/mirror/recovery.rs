//! Making both sides the same. The module above argues why it may end anywhere, and begin again.

use super::MirrorError;
use super::note::Note;
use crate::copy::{self, Failed};
use crate::disk::{Disk, Lock};
use crate::error::{Damage, Fault, OpenError, ReadError};
use crate::files::{Files, Missing, NOTE};
use crate::{open, scan};
use std::sync::Arc;

/// How much is compared at a time.
const CHUNK: usize = 1 << 20;

/// A side, and what is there.
struct Side<'d> {
    disk: &'d Arc<dyn Disk>,
    files: Files,
    note: Option<Note>,
    /// How often it has written one.
    written: u64,
    /// The names of the journal's files.
    names: Vec<String>,
    /// What was not whole yet.
    temporary: Vec<String>,
}

pub(super) fn lock(disk: &Arc<dyn Disk>) -> Result<Lock, MirrorError> {
    let directory = disk.place();
    let locked = Files::new(Arc::clone(disk)).lock();
    let locked = locked.map_err(|source| MirrorError::Side {
        directory: directory.clone(),
        source,
    })?;
    locked.ok_or(MirrorError::Locked { directory })
}

/// Makes a side a journal of its own.
pub(super) fn part(disk: &Arc<dyn Disk>) -> Result<(), MirrorError> {
    let side = Side::look(disk)?;
    match &side.note {
        None => Ok(()),
        Some(note) if !note.is_whole => Err(MirrorError::NotWhole {
            directory: disk.place(),
        }),
        Some(_) => {
            let removed = side.files.remove(NOTE);
            let removed = removed.and_then(|()| side.files.sync_dir());
            removed.map_err(|fault| side.failed(fault))
        }
    }
}

/// Makes both sides the same, on a new branch. Returns what they note, and how often each has.
pub(super) fn recover(disks: &[Arc<dyn Disk>; 2]) -> Result<(Note, [u64; 2]), MirrorError> {
    let mut sides = [Side::look(&disks[0])?, Side::look(&disks[1])?];
    let differs = differing(&sides)?;
    let taken = if differs.is_empty() {
        choose(&sides)?
    } else {
        choose_whole(&sides)?
    };
    let mut note = sides[taken].note.take().unwrap_or_else(Note::new);
    let [from, to] = match &mut sides {
        [first, second] if taken == 0 => [first, second],
        [first, second] => [second, first],
    };
    if to.note.is_none() || !differs.is_empty() {
        to.mark_not_whole(note.mirror)?;
        from.copy_to(to, &differs)?;
    }
    note.is_whole = true;
    note.branch();
    // First the side that was taken: where it does not come to the other one, that is stale.
    from.write_note(&note)?;
    to.write_note(&note)?;
    // The journal sees what the first side has, and the other one may have others.
    for side in &sides {
        for name in &side.temporary {
            let removed = side.files.remove(name);
            removed.map_err(|fault| side.failed(fault))?;
        }
    }
    Ok((note, sides.map(|side| side.written)))
}

/// As [`choose`], where the sides differ: one that can be recovered.
fn choose_whole(sides: &[Side<'_>; 2]) -> Result<usize, MirrorError> {
    let taken = choose(sides)?;
    let (from, to) = (&sides[taken], &sides[1 - taken]);
    let are_in_step = from.present().is_some() && from.present() == to.present();
    let found = from.sequence();
    if are_in_step && to.is_whole() {
        // Both have all that was acknowledged. Where files are damaged, or are gone, the one of
        // which less can be recovered is the one that lacks them.
        match (&found, to.sequence()) {
            (Ok(here), Ok(there)) if there <= *here => return Ok(taken),
            (_, Ok(_)) => return Ok(1 - taken),
            (_, Err(_)) => {}
        }
    }
    match found {
        Ok(_) => Ok(taken),
        Err(source) => Err(MirrorError::Damaged {
            directory: from.disk.place(),
            source: Box::new(source),
        }),
    }
}

/// Which side the other one is made the same as.
fn choose(sides: &[Side<'_>; 2]) -> Result<usize, MirrorError> {
    let directories = || [0, 1].map(|side: usize| sides[side].disk.place());
    let strangers = || {
        Err(MirrorError::Strangers {
            directories: directories(),
        })
    };
    let [first, second] = sides;
    // One that was being made a copy for the first time.
    let is_begun = |side: &Side<'_>| {
        let note = side.note.as_ref();
        note.is_some_and(|note| !note.is_whole && note.branches.is_empty())
    };
    let taken = match (&first.note, &second.note) {
        (None, None) if second.names.is_empty() => 0,
        // The other one has not noted anything yet.
        (None, Some(_)) if is_begun(second) && second.has_nothing() => 0,
        (Some(_), None) if is_begun(first) && first.has_nothing() => 1,
        (None, Some(_)) if is_begun(second) && !first.names.is_empty() => 0,
        (Some(_), None) if is_begun(first) && !second.names.is_empty() => 1,
        // The other one is new.
        (None, _) if first.names.is_empty() => 1,
        (_, None) if second.names.is_empty() => 0,
        (None, _) | (_, None) => return strangers(),
        (Some(one), Some(other)) if one.mirror != other.mirror => return strangers(),
        (Some(one), Some(other)) => match (one.present(), other.present()) {
            (one_is, other_is) if one_is == other_is => usize::from(!one.is_whole),
            // A copy that has not been whole yet has no branch.
            (None, _) => 1,
            (_, None) => 0,
            (Some(branch), _) if other.branches.contains(&branch) => 1,
            (_, Some(branch)) if one.branches.contains(&branch) => 0,
            _ => {
                return Err(MirrorError::Parted {
                    directories: directories(),
                });
            }
        },
    };
    if !sides[taken].is_whole() {
        return Err(MirrorError::NotWhole {
            directory: sides[taken].disk.place(),
        });
    }
    Ok(taken)
}

impl<'d> Side<'d> {
    fn look(disk: &'d Arc<dyn Disk>) -> Result<Self, MirrorError> {
        let directory = || disk.place();
        let failed = |source| MirrorError::Side {
            directory: directory(),
            source,
        };
        let files = Files::new(Arc::clone(disk));
        let listing = files.list().map_err(failed)?;
        if let Some(file) = listing.others.first() {
            return Err(MirrorError::Others {
                directory: directory(),
                file: file.clone(),
            });
        }
        let (mut note, mut written) = (None, 0);
        if listing.note {
            let read = Note::read(&**disk).map_err(|source| {
                failed(Fault {
                    operation: "read",
                    file: NOTE.to_owned(),
                    source,
                })
            })?;
            let (found, count) = read.ok_or_else(|| MirrorError::Damaged {
                directory: directory(),
                source: Box::new(ReadError::Damaged(Damage {
                    file: NOTE.to_owned(),
                    offset: 0,
                    expected: "a side's note".to_owned(),
                    found: "other bytes".to_owned(),
                })),
            })?;
            (note, written) = (Some(found), count);
        }
        Ok(Self {
            disk,
            files,
            note,
            written,
            names: listing.whole(),
            temporary: listing.temporary,
        })
    }

    fn failed(&self, source: Fault) -> MirrorError {
        MirrorError::Side {
            directory: self.disk.place(),
            source,
        }
    }

    fn is_whole(&self) -> bool {
        self.note.as_ref().is_none_or(|note| note.is_whole)
    }

    /// Whether there is no file, nor a part of one.
    fn has_nothing(&self) -> bool {
        self.names.is_empty() && self.temporary.is_empty()
    }

    fn present(&self) -> Option<u64> {
        self.note.as_ref()?.present()
    }

    /// How far its log goes, by the journal's own reading.
    fn sequence(&self) -> Result<u64, ReadError> {
        match open::was_created(&self.files) {
            Ok(false) => Ok(0),
            Ok(true) => {
                let scanned = scan::scan(&self.files, &mut |_, _| Ok(()))?;
                Ok(scanned.summary.end.sequence)
            }
            Err(OpenError::Read(error)) => Err(error),
            Err(other) => Err(ReadError::Refused(Box::new(other))),
        }
    }

    /// The note is durable when this returns.
    fn write_note(&mut self, note: &Note) -> Result<(), MirrorError> {
        let written = if self.written == 0 {
            note.create(&**self.disk, &mut self.written)
        } else {
            note.write_in_place(&**self.disk, &mut self.written)
        };
        written.map_err(|source| {
            self.failed(Fault {
                operation: "write",
                file: NOTE.to_owned(),
                source,
            })
        })
    }

    /// Before any of its files is touched. Its branches stay: it is as stale as it was.
    fn mark_not_whole(&mut self, mirror: u64) -> Result<(), MirrorError> {
        let mut note = self.note.take().unwrap_or_else(Note::new);
        (note.mirror, note.is_whole) = (mirror, false);
        self.write_note(&note)
    }

    /// Makes the other side the same in the files that differ. All of it is durable when this
    /// returns.
    fn copy_to(&self, to: &Self, differs: &[String]) -> Result<(), MirrorError> {
        let (copied, surplus): (Vec<_>, Vec<_>) =
            differs.iter().partition(|name| self.names.contains(name));
        for name in copied {
            let copied = copy::copy_file(&self.files, &to.files, name, u64::MAX);
            copied.map_err(|failed| match failed {
                Failed::Reading(fault) => self.failed(fault),
                Failed::Writing(Missing::Fault(fault)) => to.failed(fault),
                Failed::Writing(Missing::Full(source)) => MirrorError::Full {
                    directory: to.disk.place(),
                    source,
                },
            })?;
        }
        for name in surplus {
            let removed = to.files.remove(name);
            removed.map_err(|fault| to.failed(fault))?;
        }
        to.files.sync_dir().map_err(|fault| to.failed(fault))
    }
}

fn chunk(bytes: &mut [u8], left: u64) -> &mut [u8] {
    let length = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    &mut bytes[..length]
}

/// The files that are not the same on both sides.
fn differing(sides: &[Side<'_>; 2]) -> Result<Vec<String>, MirrorError> {
    let [one, other] = sides;
    let mut names: Vec<_> = one.names.iter().chain(&other.names).cloned().collect();
    names.sort_unstable();
    names.dedup();
    let mut differs = Vec::new();
    for name in names {
        let is_on_both = one.names.contains(&name) && other.names.contains(&name);
        if !is_on_both || !are_the_same(one, other, &name)? {
            differs.push(name);
        }
    }
    Ok(differs)
}

fn are_the_same(from: &Side<'_>, to: &Side<'_>, name: &str) -> Result<bool, MirrorError> {
    let len = |side: &Side<'_>| side.files.len(name).map_err(|fault| side.failed(fault));
    let whole = len(from)?;
    if whole != len(to)? {
        return Ok(false);
    }
    let mut bytes = [vec![0; CHUNK], vec![0; CHUNK]];
    let mut offset = 0;
    while offset < whole {
        let [one, other] = &mut bytes;
        let (one, other) = (chunk(one, whole - offset), chunk(other, whole - offset));
        for (side, into) in [(from, &mut *one), (to, &mut *other)] {
            let read = side.files.read_at(name, offset, into);
            read.map_err(|fault| side.failed(fault))?;
        }
        if one != other {
            return Ok(false);
        }
        offset += one.len() as u64;
    }
    Ok(true)
}
