//! `--json`, and the report as text.

use super::Failure;
use serde::Serialize;
use std::fmt::Display;
use std::path::Path;
use workloads::InputError;
use workloads::output::{self, Output};

/// Where a report goes: to the file of `--json`, if there is one, and to standard output.
pub(super) struct Reporter(Option<Output>);

impl Reporter {
    pub(super) fn open(json: Option<&Path>) -> Result<Self, InputError> {
        Ok(Self(output::open("--json", json)?))
    }

    /// Writes the file first. Where that fails, the text is there all the same.
    pub(super) fn report(self, report: &(impl Serialize + Display)) -> Result<(), Failure> {
        let Some(file) = self.0 else {
            return Ok(output::print(report)?);
        };
        let is_standard = file.is_standard();
        let json = serde_json::to_string_pretty(report).map_err(|error| error.to_string());
        let written = json.and_then(|text| file.write(&(text + "\n")));
        let printed = if is_standard {
            // One document, for a program to read.
            Ok(output::note(report))
        } else {
            output::print(report)
        };
        written.map_err(Failure::Run)?;
        Ok(printed?)
    }
}
