//! A disk that asks before some operations.

use journal::{Disk, Lock};
use std::io;
use std::sync::Arc;

/// Receives the operation, the file and the offset, and may let it fail.
type Hook = Box<dyn Fn(&str, &str, u64) -> io::Result<()> + Send + Sync>;

/// A disk whose operations that change anything, and reads, go through a hook first.
pub struct Hooked {
    disk: Arc<dyn Disk>,
    hook: Hook,
}

impl Hooked {
    pub fn new(
        disk: impl Disk + 'static,
        hook: impl Fn(&str, &str, u64) -> io::Result<()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            disk: Arc::new(disk),
            hook: Box::new(hook),
        })
    }
}

impl Disk for Hooked {
    fn place(&self) -> String {
        self.disk.place()
    }
    fn create(&self, name: &str) -> io::Result<()> {
        (self.hook)("create", name, 0)?;
        self.disk.create(name)
    }
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        (self.hook)("write", name, offset)?;
        self.disk.write_at(name, offset, bytes)
    }
    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        (self.hook)("set_len", name, len)?;
        self.disk.set_len(name, len)
    }
    fn sync_data(&self, name: &str) -> io::Result<()> {
        (self.hook)("sync", name, 0)?;
        self.disk.sync_data(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        (self.hook)("rename", to, 0)?;
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        (self.hook)("remove", name, 0)?;
        self.disk.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        (self.hook)("sync", "", 0)?;
        self.disk.sync_dir()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        (self.hook)("list", "", 0)?;
        self.disk.list()
    }
    fn len(&self, name: &str) -> io::Result<u64> {
        self.disk.len(name)
    }
    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        (self.hook)("read", name, offset)?;
        self.disk.read_at(name, offset, into)
    }
    fn lock(&self) -> io::Result<Option<Lock>> {
        self.disk.lock()
    }
}
