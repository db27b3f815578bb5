//! How long a store takes to open, by what is in its directory.

use super::durability::cannot_write;
use super::figure::Mark;
use super::row::median;
use super::{Chapter, Experiment, Figure, Horizontal, Journal, Parameters};
use crate::interruption::{self, interrupted};
use mvcc::{OpenError, Store, Table, Transaction};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

pub(super) const TAKES: &[&str] = &["rows", "repeats", "value-size"];

const ABOUT: &[&str] = &[
    "A store of so many rows is opened: once when all of them are in the log, one commit for each ten, and once when they are in a checkpoint. What it \
     takes grows with what is in the directory, which the size of the log bounds, not with what was ever written.",
    "Beside it is the time to read the same files and do nothing with them. All files are in the system's cache.",
];

/// Rows of a commit.
const COMMIT: u64 = 10;

/// Openings of one directory.
#[derive(Clone, Serialize, Deserialize)]
struct Openings {
    bytes: u64,
    open_seconds: Vec<f64>,
    read_seconds: Vec<f64>,
}

/// A line of the CSV.
#[derive(Serialize)]
struct Row {
    rows: u64,
    /// Where they are: `log` or `checkpoint`.
    form: &'static str,
    bytes: u64,
    runs: usize,
    open_s: f64,
    rows_per_second: f64,
    /// Only to read the files.
    read_s: f64,
}

/// A line with what it was made of.
#[derive(Serialize)]
struct Measured {
    #[serde(flatten)]
    row: Row,
    measured: Openings,
}

const FORMS: [&str; 2] = ["log", "checkpoint"];

pub(super) fn run(
    parameters: &Parameters,
    folder: &Path,
    journal: &Journal,
) -> Result<Chapter, String> {
    let mut rows = Vec::new();
    for &count in &parameters.rows {
        let name = format!("recovery of {count} rows");
        let both = journal.measure(&name, || measure(parameters, folder, count))?;
        for (form, measured) in FORMS.into_iter().zip(both) {
            let open_s = median(measured.open_seconds.iter().copied()).expect("it was opened");
            let read_s = median(measured.read_seconds.iter().copied()).expect("it was read");
            let row = Row {
                rows: count,
                form,
                bytes: measured.bytes,
                runs: measured.open_seconds.len(),
                open_s,
                rows_per_second: count as f64 / open_s,
                read_s,
            };
            rows.push(Measured { row, measured });
        }
    }
    let mut time = Figure::new(
        format!("Opening a store, rows of {} bytes", parameters.value_size),
        Horizontal::places("thousand rows"),
        "seconds",
    );
    let mut rate = Figure::new(
        "Rows recovered".to_owned(),
        Horizontal::places("thousand rows"),
        "thousand rows/s",
    );
    for Measured { row, .. } in &rows {
        let place = (row.rows as f64 / 1e3).to_string();
        let mark = Mark::of(row.form, "");
        time.add(&place, &mark, row.open_s, None);
        let only_read = Mark::of(row.form, "only read");
        time.add(&place, &only_read, row.read_s, None);
        rate.add(&place, &mark, row.rows_per_second / 1e3, None);
    }
    let lines = rows.iter().map(|measured| &measured.row);
    Chapter::new(
        Experiment::Recovery,
        parameters,
        ABOUT,
        vec![time, rate],
        &rows,
        lines,
    )
}

type Rows = Table<u64, Box<[u8]>>;

fn open(directory: &Path) -> Result<(Store, Rows), OpenError> {
    // Checkpoints are written when they are asked for.
    let options = Store::options()
        .checkpoint_bytes(u64::MAX)
        .log_bytes(u64::MAX);
    options.open(directory, |tables| tables.table("rows"))
}

/// From the log, then from a checkpoint.
fn measure(parameters: &Parameters, folder: &Path, count: u64) -> Result<[Openings; 2], String> {
    let fail = |error: &dyn std::fmt::Display| error.to_string();
    let place = tempfile::tempdir_in(folder).map_err(|error| cannot_write(folder, &error))?;
    let directory = place.path();
    let (store, table) = open(directory).map_err(|error| fail(&error))?;
    let mut first = 0;
    while first < count && interrupted().is_none() {
        let fill = |tx: &Transaction<'_>| {
            for key in first..count.min(first + COMMIT) {
                let value = vec![key.to_le_bytes()[0]; parameters.value_size];
                tx.insert(&table, key, value.into());
            }
            Ok::<_, Infallible>(())
        };
        // Closing waits for it.
        drop(store.submit(fill).map_err(|error| fail(&error))?);
        first += COMMIT;
    }
    store.close().map_err(|error| fail(&error))?;
    let log = openings(directory, count, parameters.repeats)?;
    let (store, _) = open(directory).map_err(|error| fail(&error))?;
    store.checkpoint().map_err(|error| fail(&error))?;
    store.close().map_err(|error| fail(&error))?;
    let checkpoint = openings(directory, count, parameters.repeats)?;
    Ok([log, checkpoint])
}

fn openings(directory: &Path, count: u64, repeats: usize) -> Result<Openings, String> {
    let mut openings = Openings {
        bytes: 0,
        open_seconds: Vec::new(),
        read_seconds: Vec::new(),
    };
    for _ in 0..repeats {
        interruption::check()?;
        let start = Instant::now();
        let read = read_all(directory);
        openings.bytes = read.map_err(|error| format!("{}: {error}", directory.display()))?;
        openings.read_seconds.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let (store, table) = open(directory).map_err(|error| error.to_string())?;
        openings.open_seconds.push(start.elapsed().as_secs_f64());
        let found = store.view(|view| view.iter(&table).count()) as u64;
        if found != count {
            return Err(format!("of {count} rows {found} were recovered"));
        }
        store.close().map_err(|error| error.to_string())?;
    }
    Ok(openings)
}

/// Reads all files, and returns how many bytes they have.
fn read_all(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        bytes += io::copy(&mut fs::File::open(entry?.path())?, &mut Discard)?;
    }
    Ok(bytes)
}

/// Takes what is written as it comes. `io::sink` would let the system skip the reading.
struct Discard;

impl io::Write for Discard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        std::hint::black_box(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
