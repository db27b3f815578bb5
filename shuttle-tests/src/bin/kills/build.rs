//! Building a variant.

use crate::Seeded;
use shuttle_tests::bugs::SUBJECTS;
use std::env::current_exe;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;
use workloads::interruption::interrupted;

/// How often it is looked whether a process has ended, and whether a signal has come.
pub(crate) const PATIENCE: Duration = Duration::from_millis(5);

/// This program, built on crates with a seeded bug or without any. Its file goes with it.
pub(crate) struct Variant {
    pub(crate) program: PathBuf,
}

impl Variant {
    /// Builds in a directory of its own, so that only what depends on the bug is built again.
    /// `None`: a signal came before that was done.
    pub(crate) fn build(bug: Option<Seeded>) -> Result<Option<Self>, Box<dyn Error>> {
        let program = current_exe()?;
        let target = program
            .ancestors()
            .nth(2)
            .ok_or("this program is not in a target directory")?
            .join("seeded-bugs");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .args([
                "build",
                "--quiet",
                "--profile",
                "kills",
                "--package",
                "shuttle-tests",
                "--bin",
                "kills",
            ])
            .arg("--target-dir")
            .arg(&target)
            .envs(SUBJECTS.iter().map(|subject| (subject.variable, "")))
            .envs(bug.map(|(subject, bug)| (subject.variable, bug.name)));
        let name = bug.map_or("right", |(_, bug)| bug.name);
        let mut cargo = command.spawn()?;
        let status = loop {
            if interrupted().is_some() {
                cargo.kill()?;
            }
            match cargo.try_wait()? {
                Some(status) => break status,
                None => thread::sleep(PATIENCE),
            }
        };
        if interrupted().is_some() {
            return Ok(None);
        }
        if !status.success() {
            return Err(format!("the variant {name} cannot be built").into());
        }
        // The next one is built while this one runs.
        let copy = target.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        fs::copy(
            target
                .join("kills")
                .join(program.file_name().unwrap_or("kills".as_ref())),
            &copy,
        )?;
        Ok(Some(Self { program: copy }))
    }
}

impl Drop for Variant {
    fn drop(&mut self) {
        // A file that is left behind does no harm.
        let _ = fs::remove_file(&self.program);
    }
}
