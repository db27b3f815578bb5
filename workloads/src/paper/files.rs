//! Where the results go.

use super::machine::Machine;
use super::{Chapter, page};
use crate::InputError;
use mvcc::Clock;
use serde_json::json;
use std::path::Path;

/// Makes sure that there is a folder for the results and that files can be written there.
///
/// # Errors
/// A message that says what is wrong with it.
pub fn create(folder: &Path) -> Result<(), InputError> {
    let probe = folder.join(".partial");
    let created = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, ""))
        .and_then(|()| std::fs::remove_file(&probe));
    created.map_err(|error| {
        InputError::new(format!(
            "cannot write to --out {}: {error}; name a folder that is writable, or that can be made",
            folder.display()
        ))
    })
}

/// Writes `EXPERIMENT.csv` and `EXPERIMENT.json` for each chapter and one report, `NAME.html`, of all. `clock` is that of engine `mvcc`.
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

/// Writes a file that appears when it is complete.
fn put(path: &Path, text: &str) -> Result<(), String> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
