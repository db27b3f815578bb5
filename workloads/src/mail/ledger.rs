//! What mail must be there, and what must not.

use super::message::Id;
use crate::InputError;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file, in the directory of the mail.
const NAME: &str = "acknowledged";

/// Refuses a run that is not checked on a directory with a ledger, which would not be true any
/// more.
///
/// # Errors
/// If there is one, and `check` is false.
pub fn refuse_unchecked(directory: &Path, check: bool) -> Result<(), InputError> {
    if !check && directory.join(NAME).exists() {
        return Err(InputError::new(format!(
            "{} has a ledger of what an earlier run has acknowledged; add --check, or name another directory",
            directory.display()
        )));
    }
    Ok(())
}

/// The ledger of all users.
pub(super) struct Ledger {
    users: Vec<Mutex<Book>>,
    notes: Option<Notes>,
    /// Deliveries of earlier runs that were looked for and found.
    pub(super) found_again: u64,
    /// The first writer that no earlier run has had.
    pub(super) next_writer: u32,
}

/// Of one user.
#[derive(Default)]
struct Book {
    /// Delivered, and nobody has begun to delete it.
    owed: HashSet<Id>,
    /// Somebody has begun to delete it, and its delivery has not returned yet.
    early: HashSet<Id>,
    /// Deleted.
    gone: HashSet<Id>,
}

/// The file: a line for each event, its kind, the user and the message. `+`: was delivered. `?`:
/// will be deleted. `-`: was deleted. A `?` may stand before the `+` of its message.
struct Notes {
    file: File,
    path: String,
    /// Whether what has returned survives. Else it is noted in `later` until all does.
    acknowledges: bool,
    later: Mutex<String>,
}

impl Ledger {
    /// The ledger of mailboxes that hold what was `found`. With a directory, what is found is
    /// checked against the ledger there.
    ///
    /// # Errors
    /// If the file cannot be read or written; if mail was lost, or has come back.
    pub(super) fn open(
        directory: Option<&Path>,
        acknowledges: bool,
        found: &[Vec<Id>],
    ) -> Result<Self, String> {
        let mut ledger = Self {
            users: found.iter().map(|_| Mutex::default()).collect(),
            notes: None,
            found_again: 0,
            next_writer: next_writer(found),
        };
        let Some(directory) = directory else {
            return Ok(ledger);
        };
        let (notes, text) = Notes::open(directory, acknowledges)?;
        for line in text.lines() {
            let taken = ledger.take(line);
            taken.ok_or_else(|| format!("the ledger {} has a line {line:?}", notes.path))?;
        }
        for (user, ids) in (0..).zip(found) {
            let mut book = ledger.book(user);
            book.check(user, &book.owed, ids)?;
            let owed = book.owed.len() as u64;
            // What was not known to have arrived, or was going to be deleted.
            let new = ids.iter().copied().filter(|id| !book.owed.contains(id));
            let new: Vec<_> = new.collect();
            book.owed.extend(&new);
            drop(book);
            notes.write(&lines('+', user, &new))?;
            ledger.found_again += owed;
        }
        ledger.notes = Some(notes);
        Ok(ledger)
    }

    /// Takes in a line of the file. `None`: it is none.
    fn take(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let kind = words.next()?;
        let user: usize = words.next()?.parse().ok()?;
        let (writer, number) = words.next()?.split_once('.')?;
        let id = Id {
            writer: writer.parse().ok()?,
            number: number.parse().ok()?,
        };
        self.next_writer = self.next_writer.max(id.writer + 1);
        let book = self.users.get_mut(user)?;
        let book = book.get_mut().unwrap_or_else(PoisonError::into_inner);
        match kind {
            "+" => book.deliver(id),
            "?" => book.begin_to_delete(id),
            "-" => drop(book.gone.insert(id)),
            _ => return None,
        }
        Some(())
    }

    fn book(&self, user: u32) -> MutexGuard<'_, Book> {
        let book = &self.users[usize::try_from(user).expect("there are as many")];
        book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A delivery has returned.
    pub(super) fn delivered(&self, user: u32, id: Id) -> Result<(), String> {
        self.book(user).deliver(id);
        self.note('+', user, &[id])
    }

    /// What must be read from now on, until somebody begins to delete it.
    pub(super) fn owed(&self, user: u32) -> HashSet<Id> {
        self.book(user).owed.clone()
    }

    /// Checks what was read, and that what was owed before is there.
    pub(super) fn check(&self, user: u32, owed: &HashSet<Id>, read: &[Id]) -> Result<(), String> {
        self.book(user).check(user, owed, read)
    }

    /// Before it is done: a kill may come between that and being told of it.
    pub(super) fn begin_to_delete(&self, user: u32, ids: &[Id]) -> Result<(), String> {
        let mut book = self.book(user);
        for id in ids {
            book.begin_to_delete(*id);
        }
        drop(book);
        match &self.notes {
            Some(notes) => notes.write(&lines('?', user, ids)),
            None => Ok(()),
        }
    }

    /// A deletion has returned.
    pub(super) fn deleted(&self, user: u32, ids: &[Id]) -> Result<(), String> {
        self.book(user).gone.extend(ids);
        self.note('-', user, ids)
    }

    fn note(&self, kind: char, user: u32, ids: &[Id]) -> Result<(), String> {
        match &self.notes {
            Some(notes) if notes.acknowledges => notes.write(&lines(kind, user, ids)),
            Some(notes) => {
                notes.later().push_str(&lines(kind, user, ids));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// All that has returned survives now.
    pub(super) fn all_survives(&self) -> Result<(), String> {
        match &self.notes {
            Some(notes) => notes.write(&std::mem::take(&mut *notes.later())),
            None => Ok(()),
        }
    }
}

/// The first writer that has written none of these.
pub(super) fn next_writer(found: &[Vec<Id>]) -> u32 {
    let writers = found.iter().flatten().map(|id| id.writer + 1);
    writers.max().unwrap_or(0)
}

fn lines(kind: char, user: u32, ids: &[Id]) -> String {
    let mut lines = String::new();
    for id in ids {
        writeln!(lines, "{kind} {user} {id}").expect("a string takes all");
    }
    lines
}

impl Notes {
    /// The file, and what it holds.
    fn open(directory: &Path, acknowledges: bool) -> Result<(Self, String), String> {
        let path = directory.join(NAME);
        let open = || -> io::Result<_> {
            let mut options = OpenOptions::new();
            let mut file = options.read(true).append(true).create(true).open(&path)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            // A kill may have left a part of a line.
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            text.truncate(whole);
            file.set_len(whole as u64)?;
            Ok((file, text))
        };
        let path = path.display().to_string();
        let (file, text) =
            open().map_err(|error| format!("cannot use the ledger {path}: {error}"))?;
        let notes = Self {
            file,
            path,
            acknowledges,
            later: Mutex::default(),
        };
        Ok((notes, text))
    }

    /// With one call, so that lines of threads do not mix.
    fn write(&self, lines: &str) -> Result<(), String> {
        let written = (&self.file).write_all(lines.as_bytes());
        written.map_err(|error| format!("cannot write the ledger {}: {error}", self.path))
    }

    fn later(&self) -> MutexGuard<'_, String> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn deliver(&mut self, id: Id) {
        if !self.early.remove(&id) {
            self.owed.insert(id);
        }
    }

    fn begin_to_delete(&mut self, id: Id) {
        if !self.owed.remove(&id) {
            self.early.insert(id);
        }
    }

    fn check(&self, user: u32, owed: &HashSet<Id>, read: &[Id]) -> Result<(), String> {
        if let Some(id) = read.iter().find(|id| self.gone.contains(id)) {
            return Err(format!(
                "message {id} of user {user} has come back: it was deleted"
            ));
        }
        let read: HashSet<_> = read.iter().collect();
        match owed.iter().find(|id| !read.contains(id)) {
            Some(id) => Err(format!(
                "message {id} of user {user} is lost: it was delivered, and nobody has deleted it"
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
