//! [`Mirror`]: one disk of two, each of which has all files.
//!
//! # Why it is one disk
//! Each operation is done on both sides, and has succeeded once both have it; so what was synced
//! was synced on both. A side whose operation fails is *lost*: it is not used any more, nor read,
//! since nothing that it says is believed. Before any operation that only the other side has is
//! taken for done, that side notes, durably, that it goes on alone.
//!
//! # Why recovery finds all that was acknowledged
//! Each side has a note: of which mirror it is, and the *branches* that it has been on, the present
//! one last. Both begin a new branch whenever they are opened together; a side that goes on alone
//! begins one by itself. So where one side's branch is among the earlier ones of the other, the
//! other has all that was acknowledged, and the first may lack some of it: it is stale, be it that
//! it was lost, or that an older copy was put in its place. Where both are on the same branch, both
//! have all that was acknowledged, and either may be taken: the first one, unless its files are
//! damaged and those of the second are not. Where neither branch is known to the other side, both
//! went on alone, and that is an error.
//!
//! The side that is taken is read only; the other one is made the same, where it is not. Before the
//! first of its files is touched it is noted, durably, that it is *not whole*, and it is noted to
//! be whole again when all of it is synced: a side that is not whole is never taken. So recovery
//! may end anywhere, and begins again with the same side. It happens before the journal looks at
//! the files, which finds on one disk what a crash may have left there; recovery of the journal is
//! done on both.

mod note;
mod recovery;

use crate::disk::{Disk, Lock};
use crate::error::{self, Fault, Full, ReadError};
use crate::files::{NOTE, TEMPORARY};
use note::Note;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

/// A [`Disk`] over two others, which may be on two devices. What it has acknowledged, both have.
/// When one fails, it goes on with the other.
///
/// Each write and each sync costs what it costs on both sides, one after the other. Opening reads
/// both sides, and copies what differs.
///
/// ```
/// use journal::{Directory, Mirror, Options, open};
/// use std::sync::Arc;
///
/// # let path = |side: &str| std::env::temp_dir().join(format!("journal-mirror-{side}-{}", std::process::id()));
/// # for side in ["a", "b"] { let _ = std::fs::remove_dir_all(path(side)); }
/// let side = |name| Directory::create(path(name)).map(Arc::new);
/// let options = Options { segment_bytes: 1 << 20, ..Options::default() };
/// let mirror = Mirror::open(side("a")?, side("b")?)?;
/// let mut opened = open(Arc::new(mirror), &options, &mut |_, _| Ok(()))?;
/// let reservation = opened.log.reserve(5)?;
/// opened.writer.append(b"hello", 1, reservation)?;        // both have it
/// opened.writer.close()?;
/// drop(opened.log);
///
/// std::fs::remove_dir_all(path("a"))?;
/// let mirror = Mirror::open(side("a")?, side("b")?)?;     // both have it again
/// # drop(mirror);
/// # for side in ["a", "b"] { std::fs::remove_dir_all(path(side))?; }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Mirror {
    sides: [Arc<dyn Disk>; 2],
    state: Mutex<State>,
    /// Of both sides, until somebody asks for the lock.
    locks: Mutex<Option<[Lock; 2]>>,
}

#[derive(Debug)]
struct State {
    /// What both sides, or the one that is left, have noted.
    note: Note,
    /// How often each has.
    written: [u64; 2],
    lost: Option<LostSide>,
    /// The last side has failed as well: nothing is done any more.
    is_dead: bool,
}

/// A side of a mirror that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostSide {
    /// Whether it is the second one.
    pub is_second: bool,
    /// The directory.
    pub directory: String,
    /// What failed there.
    pub reason: String,
}

impl fmt::Display for LostSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has failed: {}", self.directory, self.reason)
    }
}

/// Why a mirror cannot be opened. No file of a side that holds anything was changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum MirrorError {
    /// Another process, or another handle of this one, has a side open.
    Locked {
        /// The directory.
        directory: String,
    },
    /// A side holds files that are none of a journal.
    Others {
        /// The directory.
        directory: String,
        /// One of the files.
        file: String,
    },
    /// Both sides hold a journal, and they are no mirror of each other.
    Strangers {
        /// The directories.
        directories: [String; 2],
    },
    /// Each of the sides has gone on without the other.
    Parted {
        /// The directories.
        directories: [String; 2],
    },
    /// The side that has what was acknowledged last is not whole: the copying to it was ended
    /// early, and the side that it was copied from is not there.
    NotWhole {
        /// The directory.
        directory: String,
    },
    /// The files are damaged of the side that the other one would be copied from, or its note is.
    Damaged {
        /// The directory.
        directory: String,
        /// What is wrong.
        source: Box<ReadError>,
    },
    /// A side has no room to be made a copy of the other one.
    Full {
        /// The directory.
        directory: String,
        /// What had no room.
        source: Full,
    },
    /// A side cannot be read or written.
    Side {
        /// The directory.
        directory: String,
        /// What failed.
        source: Fault,
    },
}

impl fmt::Display for MirrorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { directory } => write!(
                f,
                "{directory} is in use: another process, or this one, has it open"
            ),
            Self::Others { directory, file } => write!(
                f,
                "{directory} cannot be a side of a mirror: it has the file {file}, which is none of a journal; name an empty directory"
            ),
            Self::Strangers {
                directories: [first, second],
            } => write!(
                f,
                "{first} and {second} hold two journals and are no mirror of each other; empty the one that is to be made a copy"
            ),
            Self::Parted {
                directories: [first, second],
            } => write!(
                f,
                "{first} and {second} have each gone on without the other; empty the one whose last commits are to be given up"
            ),
            Self::NotWhole { directory } => write!(
                f,
                "{directory} is not whole: it was being made a copy of a directory that is not here; name that one"
            ),
            Self::Damaged { directory, source } => write!(
                f,
                "{directory} is damaged, and the other side is not known to be better: {source}"
            ),
            Self::Full { directory, source } => write!(
                f,
                "{directory}: {source}; make room, or open the other side without a mirror"
            ),
            Self::Side { directory, source } => write!(
                f,
                "{directory}: {source}; open the other side without a mirror to go on without this one"
            ),
        }
    }
}

impl Error for MirrorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Damaged { source, .. } => Some(&**source),
            Self::Side { source, .. } => source.source(),
            _ => None,
        }
    }
}

impl Mirror {
    /// Locks both sides, and makes them the same: a new mirror, where both are empty; a copy of the
    /// one that holds a journal, where the other is empty or stale.
    ///
    /// # Errors
    /// If a side is in use, holds other files, or fails; if the sides are no mirror of each other,
    /// or each has gone on alone; if the one to copy from is damaged.
    pub fn open(first: Arc<dyn Disk>, second: Arc<dyn Disk>) -> Result<Self, MirrorError> {
        let sides = [first, second];
        let locks = [recovery::lock(&sides[0])?, recovery::lock(&sides[1])?];
        let (note, written) = recovery::recover(&sides)?;
        Ok(Self {
            sides,
            state: Mutex::new(State {
                note,
                written,
                lost: None,
                is_dead: false,
            }),
            locks: Mutex::new(Some(locks)),
        })
    }

    /// Makes a side a journal of its own, which goes on without the other side. That one cannot be
    /// its mirror again until it is emptied. A directory that is no side is left as it is.
    ///
    /// # Errors
    /// If it is in use, is not whole, or fails.
    pub fn part(side: &Arc<dyn Disk>) -> Result<(), MirrorError> {
        let _lock = recovery::lock(side)?;
        recovery::part(side)
    }

    /// The side that has failed since it was opened, if one has.
    pub fn lost(&self) -> Option<LostSide> {
        self.state().lost.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock but the disk's, and then nothing is half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sides that are used.
    fn live(&self) -> io::Result<[bool; 2]> {
        let state = self.state();
        if state.is_dead {
            return Err(io::Error::other("both sides of the mirror have failed"));
        }
        Ok(match &state.lost {
            None => [true, true],
            Some(lost) => [lost.is_second, !lost.is_second],
        })
    }

    /// Goes on without a side, which is noted on the other one before this returns. Until then what
    /// the other side has done is not taken for done.
    ///
    /// # Errors
    /// If there is no other side, or it cannot note that.
    fn lose(&self, side: usize, error: &io::Error) -> io::Result<()> {
        let mut state = self.state();
        if state.is_dead {
            return Err(again(error));
        }
        match &state.lost {
            // Another thread has come first.
            Some(lost) if usize::from(lost.is_second) == side => return Ok(()),
            Some(_) => {
                state.is_dead = true;
                return Err(again(error));
            }
            None => {}
        }
        let mut note = state.note.clone();
        note.branch();
        let left = 1 - side;
        let noted = note.write_in_place(&*self.sides[left], &mut state.written[left]);
        if let Err(failed) = noted {
            state.is_dead = true;
            return Err(failed);
        }
        state.note = note;
        state.lost = Some(LostSide {
            is_second: side == 1,
            directory: self.sides[side].place(),
            reason: error.to_string(),
        });
        Ok(())
    }

    /// Does an operation on both sides.
    fn on_both(
        &self,
        file: &str,
        operation: impl Fn(&dyn Disk) -> io::Result<()>,
    ) -> io::Result<()> {
        let live = self.live()?;
        let done = [0, 1].map(|side| live[side].then(|| operation(&*self.sides[side])));
        let refuses = |error: &io::Error| is_about_names(error) || has_no_room(file, error);
        match done {
            [None | Some(Ok(())), None | Some(Ok(()))] => Ok(()),
            // Nothing has happened, and that says nothing against the disks.
            [Some(Err(first)), Some(Err(second))]
                if refuses(&first) && first.kind() == second.kind() =>
            {
                Err(first)
            }
            [Some(Err(error)), None] | [None, Some(Err(error))] if refuses(&error) => Err(error),
            // Of a new file nothing is needed yet: it is removed on both.
            [Some(Err(error)), _] | [_, Some(Err(error))] if has_no_room(file, &error) => {
                Err(error)
            }
            [Some(Err(error)), Some(Err(_))] => {
                // What one of them says it has not done, the other may have.
                self.state().is_dead = true;
                Err(error)
            }
            [Some(Err(error)), _] => self.lose(0, &error),
            [_, Some(Err(error))] => self.lose(1, &error),
        }
    }

    /// Reads from the first side, or from the second if that is lost, also just now.
    fn read<T>(&self, read: impl Fn(&dyn Disk) -> io::Result<T>) -> io::Result<T> {
        loop {
            let [first, _] = self.live()?;
            let side = usize::from(!first);
            match read(&*self.sides[side]) {
                Err(error) if !is_about_names(&error) && !is_short(&error) => {
                    self.lose(side, &error)?;
                }
                read => return read,
            }
        }
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror")
            .field("place", &self.place())
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}

fn again(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// Whether there is no such file, or one already. It says nothing against the disk.
fn is_about_names(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, NotFound};
    matches!(error.kind(), NotFound | AlreadyExists)
}

fn is_short(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

/// Whether there is no room for a file that is not whole yet. For any other, room was made before.
fn has_no_room(file: &str, error: &io::Error) -> bool {
    file.ends_with(TEMPORARY) && error::has_no_room(error)
}

impl Disk for Mirror {
    fn place(&self) -> String {
        let [first, second] = &self.sides;
        format!("{} (and its mirror {})", first.place(), second.place())
    }

    fn create(&self, name: &str) -> io::Result<()> {
        self.on_both(name, |side| side.create(name))
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.on_both(name, |side| side.write_at(name, offset, bytes))
    }

    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        self.on_both(name, |side| side.set_len(name, len))
    }

    fn sync_data(&self, name: &str) -> io::Result<()> {
        self.on_both(name, |side| side.sync_data(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.on_both(to, |side| side.rename(from, to))
    }

    /// A file that only one side has goes there: of one that was not whole, the other may have had
    /// no room for the beginning.
    fn remove(&self, name: &str) -> io::Result<()> {
        let live = self.live()?;
        let is_there = [0, 1].map(|side| live[side] && self.sides[side].len(name).is_ok());
        if !is_there.contains(&true) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.on_both(name, |side| match side.remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.on_both("", |side| side.sync_dir())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = self.read(|side| side.list())?;
        names.retain(|name| name != NOTE);
        Ok(names)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.read(|side| side.len(name))
    }

    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let length = into.len();
        let read = self.read(|side| {
            let mut bytes = vec![0; length];
            side.read_at(name, offset, &mut bytes)?;
            Ok(bytes)
        })?;
        into.copy_from_slice(&read);
        Ok(())
    }

    fn release(&self, name: &str) {
        for side in &self.sides {
            side.release(name);
        }
    }

    /// The locks of both sides, which it has had since it was opened. There is one for one user.
    fn lock(&self) -> io::Result<Option<Lock>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(locks.take().map(|locks| Box::new(locks) as Lock))
    }
}
