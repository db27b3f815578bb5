//! [`Disk`]: all that the journal asks of files. [`Directory`] is the one of the operating system.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of the file that is locked. It is never removed: a lock on a file without a name would
/// keep nobody out.
pub const LOCK: &str = "lock";

/// Held for as long as the directory is locked; dropping it unlocks.
pub type Lock = Box<dyn Send + Sync>;

/// One directory of files, addressed by name.
///
/// What a method has done survives a crash only once it is synced: bytes and lengths by
/// [`sync_data`](Disk::sync_data), names by [`sync_dir`](Disk::sync_dir). Until then each sector
/// of 512 bytes, each length and each name may be found old or new, independently of the others.
/// After a method has failed, what it was to do may have happened, in part too.
pub trait Disk: Send + Sync {
    /// What messages call the directory.
    fn place(&self) -> String;

    /// Creates an empty file.
    ///
    /// # Errors
    /// If there is one of that name, or the disk fails.
    fn create(&self, name: &str) -> io::Result<()>;

    /// Writes all of `bytes`, and lengthens the file where they reach past its end.
    ///
    /// # Errors
    /// If not all was written; a part may have been.
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file, or lengthens it with zeros.
    ///
    /// # Errors
    /// If the disk fails or is full.
    fn set_len(&self, name: &str, len: u64) -> io::Result<()>;

    /// Returns once the file's bytes and length are on the medium.
    ///
    /// # Errors
    /// If they may not be. Calling it again proves nothing: the system may have dropped them.
    fn sync_data(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name, in one step; a file of that name is replaced.
    ///
    /// # Errors
    /// If there is no such file, or the disk fails.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// If there is no such file, as [`NotFound`](io::ErrorKind::NotFound), or the disk fails.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns once all names are on the medium: what was created, renamed and removed.
    ///
    /// # Errors
    /// If they may not be.
    fn sync_dir(&self) -> io::Result<()>;

    /// The names of the files, in no order.
    ///
    /// # Errors
    /// If the disk fails.
    fn list(&self) -> io::Result<Vec<String>>;

    /// The length of a file in bytes.
    ///
    /// # Errors
    /// If there is no such file, or the disk fails.
    fn len(&self, name: &str) -> io::Result<u64>;

    /// Fills `into` with the bytes that stand at `offset`.
    ///
    /// # Errors
    /// If the file ends before that, or the disk fails.
    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Says that a file is not written any more: what is kept to write it may go.
    fn release(&self, name: &str) {
        let _ = name;
    }

    /// Locks the directory, against other processes as well. `None`: another holds the lock.
    ///
    /// # Errors
    /// If the disk fails.
    fn lock(&self) -> io::Result<Option<Lock>>;
}

/// A directory of the file system.
///
/// It keeps the files open that it writes, until they are [released](Disk::release): a file that is
/// opened anew may miss an error that its last user caused. Of those that it only reads it keeps
/// the last one. None is kept where another process may replace it: when the directory is locked,
/// when that lock goes, and, of those that are read, when the files are listed.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    is_read_only: bool,
    /// Kept, so that a sync of the names needs no new handle.
    #[cfg(unix)]
    itself: File,
    open: Arc<Mutex<Handles>>,
}

#[derive(Debug, Default)]
struct Handles {
    written: HashMap<String, Arc<File>>,
    read: Option<(String, Arc<File>)>,
}

impl Handles {
    fn get(&self, name: &str) -> Option<Arc<File>> {
        let read = self.read.as_ref().filter(|(read, _)| read == name);
        let file = self.written.get(name).or(read.map(|(_, file)| file));
        file.map(Arc::clone)
    }

    fn forget(&mut self, name: &str) -> Option<Arc<File>> {
        self.read.take_if(|(read, _)| read == name);
        self.written.remove(name)
    }

    fn clear(&mut self) {
        self.written.clear();
        self.read = None;
    }
}

/// The lock's file, and what was opened under the lock.
struct Held {
    open: Arc<Mutex<Handles>>,
    _file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The lock goes after that, with its file.
        handles(&self.open).clear();
    }
}

fn handles(open: &Mutex<Handles>) -> MutexGuard<'_, Handles> {
    // Whatever a panic leaves, each name that is there has its own file.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory {
    /// A directory that exists. It stays the same one when the process changes its own.
    ///
    /// # Errors
    /// If it does not, or is none.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = std::path::absolute(path.into())?;
        let tell = |kind, reason: &dyn std::fmt::Display| {
            io::Error::new(kind, format!("cannot open {}: {reason}", path.display()))
        };
        let metadata = fs::metadata(&path).map_err(|error| tell(error.kind(), &error))?;
        if !metadata.is_dir() {
            let kind = io::ErrorKind::NotADirectory;
            return Err(tell(kind, &"it is not a directory"));
        }
        Ok(Self {
            #[cfg(unix)]
            itself: File::open(&path)?,
            path,
            is_read_only: false,
            open: Arc::default(),
        })
    }

    /// A directory that exists, and that nothing is changed in through this: what would fails.
    /// Its lock keeps out those who write, and is not there where they have left none.
    ///
    /// # Errors
    /// If it does not exist, or is none.
    pub fn read_only(path: impl Into<PathBuf>) -> io::Result<Self> {
        let mut directory = Self::open(path)?;
        directory.is_read_only = true;
        Ok(directory)
    }

    /// A directory that is created unless it exists, durably in either case: who created it may not
    /// have come to that. The one above must exist.
    ///
    /// # Errors
    /// If it cannot be created, synced or opened.
    pub fn create(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let is_new = match fs::create_dir(&path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        let directory = Self::open(path)?;
        if let Some(above) = fs::canonicalize(&directory.path)?.parent() {
            match sync_directory(above) {
                // Who may not read the one above was given this one by somebody else.
                Err(error) if !is_new && error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
        Ok(directory)
    }

    fn refuse_if_read_only(&self) -> io::Result<()> {
        if self.is_read_only {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it was opened to be read",
            ));
        }
        Ok(())
    }

    /// Others may read meanwhile.
    fn lock_shared(&self) -> io::Result<Option<Lock>> {
        match File::open(self.path.join(LOCK)) {
            Ok(file) => {
                let locked = file.try_lock_shared();
                held(file, locked, &self.open)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(Box::new(()))),
            Err(error) => Err(error),
        }
    }

    fn files(&self) -> MutexGuard<'_, Handles> {
        handles(&self.open)
    }

    fn writable(&self, name: &str) -> io::Result<Arc<File>> {
        if let Some(file) = self.files().written.get(name) {
            return Ok(Arc::clone(file));
        }
        self.refuse_if_read_only()?;
        let path = self.path.join(name);
        let file = Arc::new(OpenOptions::new().read(true).write(true).open(path)?);
        let mut files = self.files();
        files.written.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn readable(&self, name: &str) -> io::Result<Arc<File>> {
        if let Some(file) = self.files().get(name) {
            return Ok(file);
        }
        let file = Arc::new(File::open(self.path.join(name))?);
        self.files().read = Some((name.to_owned(), Arc::clone(&file)));
        Ok(file)
    }
}

impl Disk for Directory {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn create(&self, name: &str) -> io::Result<()> {
        self.refuse_if_read_only()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = options.open(self.path.join(name))?;
        let mut files = self.files();
        files.forget(name);
        files.written.insert(name.to_owned(), Arc::new(file));
        Ok(())
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_all_at(&*self.writable(name)?, bytes, offset)
    }

    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        self.writable(name)?.set_len(len)
    }

    fn sync_data(&self, name: &str) -> io::Result<()> {
        self.writable(name)?.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.refuse_if_read_only()?;
        fs::rename(self.path.join(from), self.path.join(to))?;
        let mut files = self.files();
        files.forget(to);
        if let Some(file) = files.forget(from) {
            files.written.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.refuse_if_read_only()?;
        drop(self.files().forget(name));
        fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        #[cfg(unix)]
        self.itself.sync_all()?;
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.files().read = None;
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        let file = self.files().get(name);
        let metadata = match file {
            Some(file) => file.metadata()?,
            None => fs::metadata(self.path.join(name))?,
        };
        Ok(metadata.len())
    }

    fn read_at(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        read_exact_at(&*self.readable(name)?, into, offset)
    }

    fn release(&self, name: &str) {
        drop(self.files().forget(name));
    }

    fn lock(&self) -> io::Result<Option<Lock>> {
        if self.is_read_only {
            return self.lock_shared();
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(self.path.join(LOCK))?;
        let locked = file.try_lock();
        held(file, locked, &self.open)
    }
}

fn held(
    file: File,
    locked: Result<(), TryLockError>,
    open: &Arc<Mutex<Handles>>,
) -> io::Result<Option<Lock>> {
    match locked {
        Ok(()) => {
            let open = Arc::clone(open);
            handles(&open).clear();
            Ok(Some(Box::new(Held { open, _file: file })))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Other systems sync names with what they name, and open no directory.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_exact_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                into = &mut into[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
