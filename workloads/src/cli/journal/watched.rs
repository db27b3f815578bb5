//! A directory that can no longer be read or written once a signal has come.

use journal::{Directory, Disk, Lock};
use std::io;
use workloads::interruption::interrupted;

/// What works on it ends early then, with an error.
pub(super) struct Watched(pub(super) Directory);

fn check() -> io::Result<()> {
    match interrupted() {
        Some(signal) => Err(io::Error::other(format!("ended by {}", signal.signal))),
        None => Ok(()),
    }
}

impl Disk for Watched {
    fn place(&self) -> String {
        self.0.place()
    }

    fn create(&self, name: &str) -> io::Result<()> {
        self.0.create(name)
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        check()?;
        self.0.write_at(name, offset, bytes)
    }

    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        self.0.set_len(name, len)
    }

    fn sync_data(&self, name: &str) -> io::Result<()> {
        self.0.sync_data(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.0.len(name)
    }

    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        check()?;
        self.0.read_at(name, offset, into)
    }

    fn lock(&self) -> io::Result<Option<Lock>> {
        self.0.lock()
    }
}
