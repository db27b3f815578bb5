//! What a run of experiments has measured so far, in a file, so that another run can go on from it.
//!
//! The first line says what is run; each other line is a measurement with its name. The file goes
//! when all is done.

use crate::{InputError, interruption};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The measurements of a run, kept as they are made.
pub struct Journal {
    path: PathBuf,
    file: RefCell<File>,
    /// Those of an earlier run, by name.
    earlier: HashMap<String, Value>,
}

impl Journal {
    /// Begins a journal in this file. `plan` is all that the measurements depend on.
    ///
    /// # Errors
    /// A message if the file is there already, since it has what another run may go on from, or if
    /// it cannot be written.
    pub fn begin(path: &Path, plan: &Value) -> Result<Self, InputError> {
        let created = File::create_new(path).and_then(|mut file| {
            writeln!(file, "{plan}")?;
            Ok(file)
        });
        let file = created.map_err(|error| {
            let path = path.display();
            InputError::new(if error.kind() == io::ErrorKind::AlreadyExists {
                format!(
                    "{path} has what an unfinished run has measured; go on from it with --continue, or remove it"
                )
            } else {
                format!("cannot write {path}: {error}")
            })
        })?;
        Ok(Self {
            path: path.to_owned(),
            file: file.into(),
            earlier: HashMap::new(),
        })
    }

    /// Goes on with the journal in this file.
    ///
    /// # Errors
    /// A message if there is none, or it is of another plan.
    pub fn resume(path: &Path, plan: &Value) -> Result<Self, InputError> {
        let fail = |error: &dyn Display| {
            InputError::new(format!("cannot continue from {}: {error}", path.display()))
        };
        let text = fs::read_to_string(path)
            .map_err(|error| fail(&format_args!("{error}; leave --continue out to begin")))?;
        let head = format!("{plan}\n");
        let Some(lines) = text.strip_prefix(&head) else {
            return Err(fail(
                &"it was begun with other options or by another version; give the same options, or remove it",
            ));
        };
        let mut earlier = HashMap::new();
        let mut whole = head.len();
        for line in lines.split_inclusive('\n') {
            // The process may have ended in the middle of the last line.
            let Ok((name, value)) = serde_json::from_str::<(String, Value)>(line) else {
                break;
            };
            if !line.ends_with('\n') {
                break;
            }
            whole += line.len();
            earlier.insert(name, value);
        }
        let opened = OpenOptions::new().append(true).open(path);
        let file = opened.and_then(|file| file.set_len(whole as u64).map(|()| file));
        Ok(Self {
            path: path.to_owned(),
            file: file.map_err(|error| fail(&error))?.into(),
            earlier,
        })
    }

    /// How many measurements there are from an earlier run.
    pub fn earlier(&self) -> usize {
        self.earlier.len()
    }

    /// Whether an earlier run has made this measurement.
    pub(super) fn has(&self, name: &str) -> bool {
        self.earlier.contains_key(name)
    }

    /// The measurement of this name: an earlier one, or one that is made now and kept. None is made
    /// or kept once a signal has come, which may have cut it short.
    pub(super) fn measure<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        measure: impl FnOnce() -> Result<T, String>,
    ) -> Result<T, String> {
        if let Some(value) = self.earlier.get(name) {
            let value = T::deserialize(value);
            return value.map_err(|error| format!("cannot continue with {name}: {error}"));
        }
        interruption::check()?;
        let value = measure()?;
        interruption::check()?;
        let line = serde_json::to_string(&(name, &value)).map_err(|error| error.to_string());
        let written = line.and_then(|line| {
            let written = writeln!(self.file.borrow_mut(), "{line}");
            written.map_err(|error| error.to_string())
        });
        written.map_err(|error| format!("cannot write {}: {error}", self.path.display()))?;
        Ok(value)
    }

    /// All is done: removes the file.
    ///
    /// # Errors
    /// A message if it cannot be removed.
    pub fn finish(self) -> Result<(), String> {
        fs::remove_file(&self.path)
            .map_err(|error| format!("cannot remove {}: {error}", self.path.display()))
    }
}
