//! Mailboxes as mail servers keep them: a folder for each, a file for each message.

use super::driver::run;
use super::mailboxes::{Mail, Mailboxes};
use super::report::Report;
use super::settings::Settings;
use crate::InputError;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A directory of mailboxes. A message is written to `USER/tmp`, synced, renamed to `USER/new`, and
/// that folder is synced. A name is the number of the arrival.
#[derive(Debug)]
pub struct Maildir {
    directory: PathBuf,
    syncs: bool,
    arrivals: AtomicU64,
    is_loaded: bool,
    wanted: String,
    /// Nobody else uses the directory.
    _lock: File,
}

/// What its mailboxes hold, once they are loaded.
const HOLDS: &str = "holds";
const LOCK: &str = "lock";

/// Runs on a Maildir.
///
/// # Errors
/// A message if the directory cannot be read or written, or if mail was lost, doubled, torn, or
/// came back.
pub fn run_on_maildir(maildir: &Maildir, settings: &Settings) -> Result<Report, String> {
    // Without syncs as well, what is in the files survives a kill of the process.
    run(maildir, settings, Some(&maildir.directory), true)
}

impl Maildir {
    /// Opens a directory for `users` mailboxes, and creates what is not there. `wanted` says what
    /// they are loaded with: what is there already must be that. Without `syncs`, nothing is
    /// synced.
    ///
    /// # Errors
    /// If it holds something else, is in use, or cannot be written.
    pub fn open(
        directory: &Path,
        users: u32,
        syncs: bool,
        wanted: String,
    ) -> Result<Self, InputError> {
        let name = directory.display();
        let failed = |error: io::Error| {
            InputError::new(format!(
                "cannot use {name} as a Maildir: {error}; name a directory that can be written"
            ))
        };
        let refuse = |found: &str| {
            Err(InputError::new(format!(
                "cannot run on {name}: it holds {found}, not {wanted}; ask for the same, or name another directory"
            )))
        };
        fs::create_dir_all(directory).map_err(failed)?;
        let is_loaded = match fs::read_to_string(directory.join(HOLDS)) {
            Ok(holds) if holds == wanted => true,
            Ok(holds) => return refuse(&holds),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if fs::read_dir(directory).map_err(failed)?.next().is_some() {
                    return refuse("something else, or a part of a load that was ended early");
                }
                false
            }
            Err(error) => return Err(failed(error)),
        };
        let lock = File::create(directory.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(InputError::new(format!(
                    "{name} is in use: a process has it open; end that process first"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let maildir = Self {
            directory: directory.to_owned(),
            syncs,
            arrivals: AtomicU64::new(0),
            is_loaded,
            wanted,
            _lock: lock,
        };
        maildir.prepare(users).map_err(failed)?;
        Ok(maildir)
    }

    /// Creates the folders, removes what was not delivered, and finds the last arrival.
    fn prepare(&self, users: u32) -> io::Result<()> {
        for user in 0..users {
            let (tmp, new) = (self.folder(user, "tmp"), self.folder(user, "new"));
            fs::create_dir_all(&tmp)?;
            fs::create_dir_all(&new)?;
            for entry in fs::read_dir(&tmp)? {
                fs::remove_file(entry?.path())?;
            }
            let next = arrivals(&new)?.last().map_or(0, |last| last + 1);
            self.arrivals.fetch_max(next, Relaxed);
            self.sync(&self.directory.join(user.to_string()))?;
        }
        self.sync(&self.directory)
    }

    fn folder(&self, user: u32, name: &str) -> PathBuf {
        self.directory.join(user.to_string()).join(name)
    }

    fn put(&self, user: u32, message: &[u8]) -> io::Result<()> {
        let name = file_name(self.arrivals.fetch_add(1, Relaxed));
        let new = self.folder(user, "new");
        let tmp = self.folder(user, "tmp").join(&name);
        self.write(File::create_new(&tmp)?, message)?;
        fs::rename(tmp, new.join(name))?;
        self.sync(&new)
    }

    fn write(&self, mut file: File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)?;
        if self.syncs {
            file.sync_all()?;
        }
        Ok(())
    }

    fn all(&self, user: u32) -> io::Result<Vec<Mail>> {
        let new = self.folder(user, "new");
        let read = |arrival| {
            let message = fs::read(new.join(file_name(arrival)))?.into();
            Ok(Mail { arrival, message })
        };
        arrivals(&new)?.into_iter().map(read).collect()
    }

    fn remove(&self, user: u32, mail: &[Mail]) -> io::Result<()> {
        let new = self.folder(user, "new");
        for Mail { arrival, .. } in mail {
            fs::remove_file(new.join(file_name(*arrival)))?;
        }
        self.sync(&new)
    }

    fn note(&self) -> io::Result<()> {
        let file = File::create(self.directory.join(HOLDS))?;
        self.write(file, self.wanted.as_bytes())?;
        self.sync(&self.directory)
    }

    fn sync(&self, folder: &Path) -> io::Result<()> {
        if self.syncs {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn failed(&self, operation: &str, user: u32, error: &io::Error) -> String {
        let directory = self.directory.display();
        format!("cannot {operation} mail of user {user} in {directory}: {error}")
    }
}

/// In the order of the numbers.
fn file_name(arrival: u64) -> String {
    format!("{arrival:020}")
}

/// The arrivals of a folder, ascending.
fn arrivals(folder: &Path) -> io::Result<Vec<u64>> {
    let mut arrivals = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let arrival: Option<u64> = name.to_str().and_then(|name| name.parse().ok());
        // There is one more after each.
        let arrival = arrival.filter(|&arrival| arrival < u64::MAX && *name == *file_name(arrival));
        arrivals.push(arrival.ok_or_else(|| {
            io::Error::other(format!("{} is no message", folder.join(&name).display()))
        })?);
    }
    arrivals.sort_unstable();
    Ok(arrivals)
}

impl Mailboxes for Maildir {
    fn name(&self) -> String {
        let name = if self.syncs {
            "maildir"
        } else {
            "maildir without syncs"
        };
        name.to_owned()
    }

    fn deletes_whole(&self) -> bool {
        false
    }

    fn deliver(&self, user: u32, message: Arc<[u8]>) -> Result<(), String> {
        let put = self.put(user, &message);
        put.map_err(|error| self.failed("deliver", user, &error))
    }

    fn read(&self, user: u32) -> Result<Vec<Mail>, String> {
        let read = self.all(user);
        read.map_err(|error| self.failed("read", user, &error))
    }

    fn delete(&self, user: u32, mail: &[Mail]) -> Result<(), String> {
        let removed = self.remove(user, mail);
        removed.map_err(|error| self.failed("delete", user, &error))
    }

    fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    fn loaded(&self) -> Result<(), String> {
        let directory = self.directory.display();
        self.note()
            .map_err(|error| format!("cannot write to {directory}: {error}"))
    }
}

#[cfg(test)]
mod tests;
