//! Where the results go.

use super::machine::Machine;
use super::{Chapter, page};
use crate::InputError;
use crate::output::{self, Output};
use mvcc::Clock;
use serde_json::json;
use std::path::Path;

/// Makes sure that there is a folder for the results and that files can be written there.
///
/// # Errors
/// A message that says what is wrong with it.
pub fn create(folder: &Path) -> Result<(), InputError> {
    let created = std::fs::create_dir_all(folder).and_then(|()| output::check_folder(folder));
    created.map_err(|error| {
        InputError::new(format!(
            "cannot write to --out {}: {error}; name a folder that is writable, or that can be made",
            folder.display()
        ))
    })
}

/// Writes `EXPERIMENT.csv` and `EXPERIMENT.json` for each chapter and one report, `NAME.html`, of
/// all. `clock` is that of engine `mvcc`.
///
/// # Errors
/// A message if a figure cannot be drawn or a file not be written.
pub fn write(folder: &Path, name: &str, chapters: &[Chapter], clock: &Clock) -> Result<(), String> {
    let machine = Machine::new(clock);
    for chapter in chapters {
        let experiment = chapter.experiment.name();
        let results = json!({
            "experiment": experiment,
            "machine": machine,
            "parameters": chapter.parameters,
            "rows": chapter.rows,
        });
        let results = serde_json::to_string_pretty(&results).map_err(|error| error.to_string())?;
        put(&folder.join(format!("{experiment}.csv")), &chapter.csv)?;
        put(
            &folder.join(format!("{experiment}.json")),
            &(results + "\n"),
        )?;
    }
    let page = page::page(chapters, &machine)?;
    put(&folder.join(format!("{name}.html")), &page)
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    let file = Output::open("--out", path).map_err(|error| error.to_string())?;
    file.write(text)
}
