//! The disk, with errors that name the operation and the file; and the names of the files.

use crate::disk::Disk;
use crate::error::{Fault, Full, has_no_room};
use crate::frame::MOST;
use std::io;
use std::sync::Arc;

pub(crate) use crate::frame::IDENTITY;
/// The file in which a side of a mirror notes what it is.
pub(crate) const NOTE: &str = "mirror";
/// What a name ends in until the file is whole. Such files are removed when a journal is opened.
pub(crate) const TEMPORARY: &str = ".tmp";

pub(crate) fn segment(number: u64) -> String {
    format!("log-{number:08}")
}

pub(crate) fn checkpoint(sequence: u64) -> String {
    format!("checkpoint-{sequence:016}")
}

pub(crate) fn temporary(name: &str) -> String {
    format!("{name}{TEMPORARY}")
}

/// What the files in a directory are, by their names.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) identity: bool,
    /// Whether it is a side of a mirror.
    pub(crate) note: bool,
    /// The numbers of the segments, ascending.
    pub(crate) segments: Vec<u64>,
    /// The sequences of the checkpoints, ascending.
    pub(crate) checkpoints: Vec<u64>,
    /// Names of files of ours that were not whole yet.
    pub(crate) temporary: Vec<String>,
    /// Names of files that are not ours.
    pub(crate) others: Vec<String>,
}

impl Listing {
    /// The names of the journal's files that are whole.
    pub(crate) fn whole(&self) -> Vec<String> {
        let identity = self.identity.then(|| IDENTITY.to_owned());
        let segments = self.segments.iter().copied().map(segment);
        let checkpoints = self.checkpoints.iter().copied().map(checkpoint);
        identity
            .into_iter()
            .chain(segments)
            .chain(checkpoints)
            .collect()
    }

    fn note(&mut self, name: String) {
        let (whole, is_temporary) = match name.strip_suffix(TEMPORARY) {
            Some(whole) => (whole, true),
            None => (name.as_str(), false),
        };
        let number = |prefix: &str, make: fn(u64) -> String| {
            let number = whole.strip_prefix(prefix)?.parse().ok()?;
            // `log-1` and `log-+0000001` are not ours, nor is what no log comes to.
            (make(number) == whole && number < MOST).then_some(number)
        };
        let (segment, checkpoint) = (number("log-", segment), number("checkpoint-", checkpoint));
        match (segment, checkpoint) {
            _ if whole == crate::disk::LOCK => {}
            (None, None) if whole != IDENTITY && whole != NOTE => self.others.push(name),
            _ if is_temporary => self.temporary.push(name),
            _ if whole == NOTE => self.note = true,
            (Some(number), _) => self.segments.push(number),
            (_, Some(sequence)) => self.checkpoints.push(sequence),
            (None, None) => self.identity = true,
        }
    }
}

/// Why there is no new file.
pub(crate) enum Missing {
    /// There is no room; nothing is left of it once the temporary file is discarded.
    Full(Full),
    Fault(Fault),
}

impl From<Fault> for Missing {
    fn from(fault: Fault) -> Self {
        if has_no_room(&fault.source) {
            Self::Full(Full {
                reason: fault.to_string(),
            })
        } else {
            Self::Fault(fault)
        }
    }
}

/// A disk whose errors say what was tried.
#[derive(Clone)]
pub(crate) struct Files(Arc<dyn Disk>);

impl Files {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self(disk)
    }

    pub(crate) fn place(&self) -> String {
        self.0.place()
    }

    fn tell<T>(
        &self,
        operation: &'static str,
        name: &str,
        done: io::Result<T>,
    ) -> Result<T, Fault> {
        done.map_err(|source| {
            let file = match name {
                "" => self.place(),
                name => name.to_owned(),
            };
            Fault {
                operation,
                file,
                source,
            }
        })
    }

    pub(crate) fn create(&self, name: &str) -> Result<(), Fault> {
        self.tell("create", name, self.0.create(name))
    }

    pub(crate) fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.tell("write", name, self.0.write_at(name, offset, bytes))
    }

    pub(crate) fn set_len(&self, name: &str, len: u64) -> Result<(), Fault> {
        self.tell("set the length of", name, self.0.set_len(name, len))
    }

    pub(crate) fn sync_data(&self, name: &str) -> Result<(), Fault> {
        self.tell("sync", name, self.0.sync_data(name))
    }

    /// Removes a file, unless somebody did that before.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Fault> {
        match self.0.remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => self.tell("remove", name, removed),
        }
    }

    /// Says that a file is not written any more.
    pub(crate) fn release(&self, name: &str) {
        self.0.release(name);
    }

    pub(crate) fn sync_dir(&self) -> Result<(), Fault> {
        self.tell("sync the directory", "", self.0.sync_dir())
    }

    pub(crate) fn len(&self, name: &str) -> Result<u64, Fault> {
        self.tell("read the length of", name, self.0.len(name))
    }

    pub(crate) fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> Result<(), Fault> {
        self.tell("read", name, self.0.read_at(name, offset, into))
    }

    pub(crate) fn lock(&self) -> Result<Option<crate::disk::Lock>, Fault> {
        self.tell("lock", crate::disk::LOCK, self.0.lock())
    }

    /// Creates an empty file under a temporary name, in the place of one that was left over.
    pub(crate) fn begin(&self, name: &str) -> Result<String, Fault> {
        let temporary = temporary(name);
        self.remove(&temporary)?;
        self.create(&temporary)?;
        Ok(temporary)
    }

    /// Gives a file that is written its name, durably: under its own name it is always whole.
    pub(crate) fn finish(&self, name: &str) -> Result<(), Missing> {
        self.finish_for_writing(name)?;
        self.release(name);
        Ok(())
    }

    /// As [`finish`](Self::finish), of a file that is written again.
    pub(crate) fn finish_for_writing(&self, name: &str) -> Result<(), Missing> {
        let temporary = temporary(name);
        self.sync_data(&temporary)?;
        self.tell("rename", &temporary, self.0.rename(&temporary, name))?;
        // Whatever the reason: from here on the name may be found or not.
        self.sync_dir().map_err(Missing::Fault)
    }

    /// Whether there is no file but the lock's.
    pub(crate) fn is_empty(&self) -> Result<bool, Fault> {
        let names = self.tell("list", "", self.0.list())?;
        Ok(names.iter().all(|name| name == crate::disk::LOCK))
    }

    pub(crate) fn list(&self) -> Result<Listing, Fault> {
        let mut listing = Listing::default();
        for name in self.tell("list", "", self.0.list())? {
            listing.note(name);
        }
        listing.segments.sort_unstable();
        listing.checkpoints.sort_unstable();
        Ok(listing)
    }
}
