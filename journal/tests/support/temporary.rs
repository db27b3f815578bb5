//! A directory of the file system, for one test.

use journal::Directory;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// A directory of its own, removed at the end.
pub struct Temporary(pub PathBuf);

impl Temporary {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("journal-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub fn disk(&self) -> Arc<Directory> {
        Arc::new(Directory::create(&self.0).unwrap())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
