//! `--json`.

use serde::Serialize;
use std::path::{Path, PathBuf};
use workloads::InputError;

/// A file that appears when it is complete, and that was found to be writable before the run.
pub(super) struct JsonFile {
    path: PathBuf,
    partial: PathBuf,
}

impl JsonFile {
    pub(super) fn create(path: &Path) -> Result<Self, InputError> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let created = if path.is_dir() || path.file_name().is_none() {
            Err(std::io::ErrorKind::IsADirectory.into())
        } else {
            std::fs::write(&partial, "")
        };
        created.map_err(|error| {
            InputError::new(format!(
                "cannot write --json {}: {error}; name a file in a folder that exists and is writable",
                path.display()
            ))
        })?;
        Ok(Self {
            path: path.to_owned(),
            partial,
        })
    }

    pub(super) fn write(self, report: &impl Serialize) -> Result<(), String> {
        let text = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
        std::fs::write(&self.partial, text + "\n")
            .and_then(|()| std::fs::rename(&self.partial, &self.path))
            .map_err(|error| format!("cannot write --json {}: {error}", self.path.display()))
    }
}

impl Drop for JsonFile {
    fn drop(&mut self) {
        // Left over only if the run failed; once renamed it is gone.
        let _ = std::fs::remove_file(&self.partial);
    }
}
