//! Where results go: standard output, and files that were asked for.

use crate::InputError;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Prints a line, or several, to standard output.
///
/// # Errors
/// If they cannot be written: nobody reads any more, or there is no room.
pub fn print(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // All at once, for somebody else may write there as well.
    out.write_all(format!("{text}\n").as_bytes())?;
    out.flush()
}

/// Prints a line to standard error, if that can be written.
pub fn note(text: impl Display) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// What is to be said of standard output that could not be written, and how the process is to end.
/// Nothing is said if nobody reads any more, which is how a reader tells that it has seen enough.
pub fn failed(error: &io::Error) -> Option<String> {
    let is_over = error.kind() == io::ErrorKind::BrokenPipe;
    (!is_over).then(|| format!("cannot write to standard output: {error}"))
}

/// A file that is to hold a result, found to be writable before the work.
///
/// A regular file is replaced once its new content is complete, and keeps its permissions; what a
/// link leads to is replaced, not the link. Anything else that is there, as a pipe or a device, is
/// written to. `-` is standard output.
#[derive(Debug)]
pub struct Output {
    /// What it was asked for by: an option and its value.
    name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Standard,
    Error,
    /// Written to as it is.
    Open(File),
    /// Replaced, or made.
    File(PathBuf),
}

impl Output {
    /// `option` is what asks for it, for messages.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(option: &str, path: &Path) -> Result<Self, InputError> {
        let name = format!("{option} {}", path.display());
        match Place::find(path) {
            Ok(place) => Ok(Self { name, place }),
            Err(error) => Err(InputError::new(format!(
                "cannot write {name}: {error}; name a file in a folder that exists and is writable"
            ))),
        }
    }

    /// Whether it is standard output.
    pub fn is_standard(&self) -> bool {
        matches!(self.place, Place::Standard)
    }

    /// Standard output.
    pub fn standard() -> Self {
        Self {
            name: "to standard output".to_owned(),
            place: Place::Standard,
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// A message if that fails; a file that was to be replaced is as it was then.
    pub fn write(self, text: &str) -> Result<(), String> {
        self.stream(|out| out.write_all(text.as_bytes()))
    }

    /// Writes what `write` does.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn stream(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), String> {
        let written = match self.place {
            Place::Standard => buffered(io::stdout().lock(), write),
            Place::Error => buffered(io::stderr(), write),
            Place::Open(file) => clear(&file).and_then(|()| buffered(file, write)),
            Place::File(path) => replace(&path, |file| buffered(file, write)),
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(format!("cannot write {}: {error}", self.name))
            }
            _ => Ok(()),
        }
    }
}

fn buffered(
    out: impl Write,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    write(&mut out)?;
    out.flush()
}

impl Place {
    fn find(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Standard);
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            // Whoever redirected it has it open, and would not see what takes its place.
            Ok(found) if is_standard(&found)[0] => Ok(Self::Standard),
            Ok(found) if is_standard(&found)[1] => Ok(Self::Error),
            Ok(found) => {
                let file = OpenOptions::new().write(true).open(path)?;
                let real = fs::canonicalize(path)?;
                let is_replaced = found.is_file() && temporary(&real).is_ok();
                Ok(if is_replaced {
                    Self::File(real)
                } else {
                    Self::Open(file)
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let real = end_of_links(path)?;
                temporary(&real)?;
                Ok(Self::File(real))
            }
            Err(error) => Err(error),
        }
    }
}

/// Replaces a file, or makes it, by one that is complete.
///
/// # Errors
/// If that fails; then the file is as it was.
fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = temporary(path)?;
    write(file.as_file_mut())?;
    if let Ok(found) = fs::metadata(path) {
        fs::set_permissions(file.path(), found.permissions())?;
    }
    // A full disk may be noticed this late.
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

/// The file that an option asks for, if it does.
///
/// # Errors
/// As [`Output::open`].
pub fn open(option: &str, path: Option<&Path>) -> Result<Option<Output>, InputError> {
    path.map(|path| Output::open(option, path)).transpose()
}

/// A new file beside another one, under a name that nobody else has. It goes if it is dropped.
fn temporary(beside: &Path) -> io::Result<tempfile::NamedTempFile> {
    let name = beside.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let folder = beside.parent().filter(|folder| *folder != Path::new(""));
    let mut prefix = OsStr::new(".").to_owned();
    prefix.push(name);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    let mode: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(mode);
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

/// Makes sure that files can be made in a folder.
///
/// # Errors
/// If they cannot.
pub fn check_folder(folder: &Path) -> io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}

/// Where a chain of links leads to whose last one leads to nothing.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // As many as Linux follows.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

/// Takes out what is in a file that is not replaced.
fn clear(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(())
}

/// Whether a file is what is open under a descriptor.
#[cfg(unix)]
fn is_same(found: &Metadata, open: std::os::fd::BorrowedFd<'_>) -> bool {
    use std::os::unix::fs::MetadataExt;
    let open = open.try_clone_to_owned().map(File::from);
    let open = open.and_then(|open| open.metadata());
    open.is_ok_and(|open| (open.dev(), open.ino()) == (found.dev(), found.ino()))
}

/// Whether a file is standard output, or standard error.
fn is_standard(found: &Metadata) -> [bool; 2] {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        [
            is_same(found, io::stdout().as_fd()),
            is_same(found, io::stderr().as_fd()),
        ]
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        [false; 2]
    }
}
