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
    /// What each deletion that has begun and has not returned has taken of what was owed.
    begun: Vec<Vec<Id>>,
}

/// The file: a line for each event, its kind, the user and the messages. `+`: was delivered. `!`:
/// was found when the file was opened. `?`: will be deleted, those of a line together. `-`: was
/// deleted. A `?` may stand before the `+` of its message.
struct Notes {
    file: File,
    path: String,
    /// Whether what has returned survives. Else it is noted in `later` until all does.
    acknowledges: bool,
    later: Mutex<String>,
}

impl Ledger {
    /// The ledger of mailboxes that hold what was `found`. With a directory, what is found is
    /// checked against the ledger there; `deletes_whole` is whether a deletion that a kill has come
    /// between must have been done to the end or not at all.
    ///
    /// # Errors
    /// If the file cannot be read or written; if mail was lost, or has come back.
    pub(super) fn open(
        directory: Option<&Path>,
        acknowledges: bool,
        deletes_whole: bool,
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
            if deletes_whole {
                book.check_begun(user, ids)?;
            }
            book.begun.clear();
            let owed = book.owed.len() as u64;
            // What was not known to have arrived, or was going to be deleted.
            let new = ids.iter().copied().filter(|id| !book.owed.contains(id));
            let new: Vec<_> = new.collect();
            book.owed.extend(&new);
            drop(book);
            // Not `+`: it is owed from now on, also where its deletion was begun before.
            notes.write(&line('!', user, &new))?;
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
        let ids = words.map(Id::parse).collect::<Option<Vec<_>>>()?;
        ids.first()?;
        for id in &ids {
            self.next_writer = self.next_writer.max(id.writer.checked_add(1)?);
        }
        let book = self.users.get_mut(user)?;
        let book = book.get_mut().unwrap_or_else(PoisonError::into_inner);
        match kind {
            "+" => ids.into_iter().for_each(|id| book.deliver(id)),
            "!" => book.find(ids),
            "?" => book.begin_to_delete(&ids),
            "-" => book.delete(&ids),
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
        self.book(user).begin_to_delete(ids);
        match &self.notes {
            Some(notes) => notes.write(&line('?', user, ids)),
            None => Ok(()),
        }
    }

    /// A deletion has returned.
    pub(super) fn deleted(&self, user: u32, ids: &[Id]) -> Result<(), String> {
        self.book(user).delete(ids);
        self.note('-', user, ids)
    }

    fn note(&self, kind: char, user: u32, ids: &[Id]) -> Result<(), String> {
        match &self.notes {
            Some(notes) if notes.acknowledges => notes.write(&line(kind, user, ids)),
            Some(notes) => {
                notes.later().push_str(&line(kind, user, ids));
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

/// The line of an event; none of no messages.
fn line(kind: char, user: u32, ids: &[Id]) -> String {
    if ids.is_empty() {
        return String::new();
    }
    let mut line = format!("{kind} {user}");
    for id in ids {
        write!(line, " {id}").expect("a string takes all");
    }
    line + "\n"
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

    fn find(&mut self, ids: Vec<Id>) {
        // What these were to do was checked by whoever has noted this.
        self.begun.clear();
        for id in ids {
            self.early.remove(&id);
            self.owed.insert(id);
        }
    }

    fn begin_to_delete(&mut self, ids: &[Id]) {
        let (owed, early): (Vec<Id>, Vec<Id>) = ids.iter().partition(|id| self.owed.remove(id));
        self.early.extend(early);
        self.begun.push(owed);
    }

    fn delete(&mut self, ids: &[Id]) {
        self.begun.clear();
        self.gone.extend(ids);
    }

    /// Checks that no deletion was done by half.
    fn check_begun(&self, user: u32, found: &[Id]) -> Result<(), String> {
        let found: HashSet<_> = found.iter().collect();
        for begun in &self.begun {
            let is_there = |id: &&Id| found.contains(id);
            let gone = begun.iter().find(|id| !is_there(id));
            if let (Some(there), Some(gone)) = (begun.iter().find(is_there), gone) {
                return Err(format!(
                    "message {gone} of user {user} is lost: its deletion was done by half, for {there} is there"
                ));
            }
        }
        Ok(())
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
