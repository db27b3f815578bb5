//! `mvcc` and its peers, each behind [`Peer`](peers), under the same transactions.

mod measure;
mod peers;
mod report;
mod rows;

use super::Failure;
use clap::Args;
use measure::{Job, Sample};
use peers::{Engine, Entry};
use report::{Cell, Environment, Report, Title};
use rows::{Keys, ROWS, Row, SCAN, Setup};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `compare`.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these engines, and `mvcc`: names, or how they begin
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,

    /// Only these rows: names, or how they begin
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,

    /// Numbers of threads
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,

    /// How long a sample takes; a tenth more goes before as warm-up
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,

    /// Samples, of which the median is printed
    #[arg(long, default_value_t = 3)]
    repeats: u64,

    /// Keys in a table
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,

    /// Print the tables as markdown
    #[arg(long)]
    markdown: bool,

    /// Also write everything to this file as JSON
    #[arg(long)]
    json: Option<PathBuf>,

    /// Also write everything to this file as a page with charts
    #[arg(long)]
    html: Option<PathBuf>,
}

/// What was measured: by row, number of threads, and engine.
type Samples = HashMap<(&'static str, usize, &'static str), Vec<Sample>>;

/// Measures and prints.
pub(crate) fn main(options: &Options) -> Result<(), Failure> {
    let (engines, rows) = options.chosen().map_err(Failure::Input)?;
    let create = |path: &Option<PathBuf>| match path {
        None => Ok(None),
        Some(path) => match File::create(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) => Err(format!("{}: {error}", path.display())),
        },
    };
    let (json, html) = (create(&options.json)?, create(&options.html)?);

    if options.peers.is_empty()
        && let Some(more) = peers::MORE
    {
        eprintln!("{more}");
    }
    let samples = measure(options, &engines, &rows);
    let report = report(options, &engines, &rows, &samples);
    print!("{}", report.tables(options.markdown));
    for (file, text) in [(json, report.json()), (html, report.html())] {
        if let Some(mut file) = file {
            let written = file.write_all(text.as_bytes());
            written.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

impl Options {
    /// The engines and the rows that are asked for, or one line that says what is accepted.
    fn chosen(&self) -> Result<(Vec<Entry>, Vec<&'static Row>), String> {
        let least = SCAN as u64;
        if self.threads.is_empty() || self.threads.contains(&0) {
            return Err("--threads: accepted are numbers from 1 on, as in 1,2".into());
        }
        if Duration::try_from_secs_f64(self.seconds).is_err() || self.seconds <= 0.0 {
            return Err("--seconds: accepted are numbers above 0".into());
        }
        if self.repeats == 0 {
            return Err("--repeats: accepted are numbers from 1 on".into());
        }
        if self.keys < least || self.keys > 1 << 28 {
            return Err(format!(
                "--keys: accepted are numbers from {least} to {}",
                1 << 28
            ));
        }
        let mut engines = peers::all();
        let names: Vec<&str> = engines.iter().map(|engine| engine.about.name).collect();
        let mut chosen = choose(&self.peers, &names).map_err(|unknown| {
            let more = peers::MORE.map_or_else(String::new, |more| format!("; {more}"));
            format!("--peers {unknown}: accepted are {}{more}", names.join(", "))
        })?;
        // What everything is compared with.
        chosen[0] = true;
        let mut chosen = chosen.into_iter();
        engines.retain(|_| chosen.next().unwrap_or(false));

        let names = ROWS.map(|row| row.name);
        let chosen = choose(&self.rows, &names)
            .map_err(|unknown| format!("--rows {unknown}: accepted are {}", names.join(", ")))?;
        let rows = ROWS.iter().zip(chosen);
        let rows = rows.filter_map(|(row, chosen)| chosen.then_some(row));
        Ok((engines, rows.collect()))
    }
}

/// Which names are asked for: all if none is. Returns what is the name, or the beginning of a name, of nothing.
fn choose<'a>(asked: &'a [String], names: &[&str]) -> Result<Vec<bool>, &'a str> {
    let mut chosen = vec![asked.is_empty(); names.len()];
    for wanted in asked {
        let exact = names.contains(&wanted.as_str());
        let mut found = false;
        for (name, chosen) in names.iter().zip(&mut chosen) {
            let fits = if exact {
                name == wanted
            } else {
                !wanted.is_empty() && name.starts_with(wanted.as_str())
            };
            *chosen |= fits;
            found |= fits;
        }
        if !found {
            return Err(wanted);
        }
    }
    Ok(chosen)
}

/// Takes all samples. The engines take turns within a repeat; they stay loaded for all rows that begin in the same way.
fn measure(options: &Options, engines: &[Entry], rows: &[&'static Row]) -> Samples {
    let keys = Keys::new(options.keys);
    let mut samples = Samples::new();
    for setup in [Setup::Filled, Setup::Ordered, Setup::Empty] {
        let rows: Vec<_> = rows.iter().filter(|row| row.setup() == setup).collect();
        let able = |engine: &&Entry| rows.iter().any(|row| lack(engine, row).is_none());
        let loaded: Vec<(&Entry, Option<Box<dyn Engine>>)> = engines
            .iter()
            .filter(able)
            .map(|engine| (engine, load(engine, setup, &keys)))
            .collect();
        for row in rows {
            for &threads in &options.threads {
                for repeat in 0..options.repeats {
                    eprintln!("{}, {threads} threads, repeat {}", row.name, repeat + 1);
                    let plans = row.draw(&keys, threads, repeat);
                    let job = Job {
                        plans: &plans,
                        held: row.held.then_some(keys.unordered[0]),
                        duration: Duration::from_secs_f64(options.seconds),
                    };
                    for (engine, loaded) in &loaded {
                        if lack(engine, row).is_some() {
                            continue;
                        }
                        let sample = match loaded {
                            Some(loaded) => loaded.run(&job),
                            None => (engine.load)(&[]).run(&job),
                        };
                        let key = (row.name, threads, engine.about.name);
                        samples.entry(key).or_default().push(sample);
                    }
                }
            }
        }
    }
    samples
}

/// Loads an engine, unless each sample begins with an empty one.
fn load(engine: &Entry, setup: Setup, keys: &Keys) -> Option<Box<dyn Engine>> {
    let load = match setup {
        Setup::Filled => engine.load,
        Setup::Ordered => engine.load_ordered,
        Setup::Empty => return None,
    };
    eprintln!("loading {}", engine.about.name);
    Some(load(&keys.unordered))
}

/// Why an engine cannot run a row, if it cannot.
fn lack(engine: &Entry, row: &Row) -> Option<&'static str> {
    row.need().and_then(|need| engine.lacks(need))
}

fn report(
    options: &Options,
    engines: &[Entry],
    rows: &[&'static Row],
    samples: &Samples,
) -> Report {
    let title = |row: &&'static Row| Title {
        name: row.name,
        title: row.title,
    };
    let mut cells = Vec::new();
    for &threads in &options.threads {
        for row in rows {
            let of = |engine: &Entry| samples.get(&(row.name, threads, engine.about.name));
            let ours = of(&engines[0]).map(|samples| median(samples, |s| s.mtps));
            cells.extend(engines.iter().map(|engine| {
                let samples = of(engine).map_or(&[][..], Vec::as_slice);
                let mtps = (!samples.is_empty()).then(|| median(samples, |s| s.mtps));
                Cell {
                    row: row.name,
                    threads,
                    peer: engine.about.name,
                    mtps,
                    ratio: ours.zip(mtps).map(|(ours, theirs)| ours / theirs),
                    retries_per_transaction: mtps.map(|_| median(samples, |s| s.retries)),
                    mtps_of_repeats: samples.iter().map(|sample| sample.mtps).collect(),
                    lacks: lack(engine, row),
                }
            }));
        }
    }
    Report {
        environment: Environment::new(options.keys, options.seconds, options.repeats),
        threads: options.threads.clone(),
        rows: rows.iter().map(title).collect(),
        peers: engines.iter().map(|engine| engine.about).collect(),
        results: cells,
    }
}

/// The middle one, or what lies between the middle two.
fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let count = values.len();
    f64::midpoint(values[(count - 1) / 2], values[count / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            peers: Vec::new(),
            rows: Vec::new(),
            threads: vec![1, 2],
            seconds: 0.002,
            repeats: 1,
            keys: 1_000,
            markdown: false,
            json: None,
            html: None,
        }
    }

    fn refused(change: impl FnOnce(&mut Options)) -> String {
        let mut options = options();
        change(&mut options);
        let error = options.chosen().err().expect("bad input");
        assert!(error.contains("accepted are") && !error.contains('\n'));
        error
    }

    #[test]
    fn bad_input_is_answered_by_what_is_accepted() {
        refused(|options| options.threads = vec![1, 0]);
        refused(|options| options.seconds = 0.0);
        refused(|options| options.seconds = f64::NAN);
        refused(|options| options.repeats = 0);
        refused(|options| options.keys = 1);
        assert!(refused(|options| options.rows = vec!["x".into()]).contains("scan-100"));
        assert!(refused(|options| options.peers = vec![String::new()]).contains("dashmap"));
    }

    #[test]
    fn names_are_chosen_whole_or_by_how_they_begin() {
        let names = ["mvcc", "mvcc-core", "stm"];
        let choose = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
            choose(&asked, &names).map_err(ToString::to_string)
        };
        assert_eq!(choose(&[]), Ok(vec![true, true, true]));
        assert_eq!(choose(&["mvcc"]), Ok(vec![true, false, false]));
        assert_eq!(choose(&["mv", "stm"]), Ok(vec![true, true, true]));
        assert_eq!(choose(&["stm", "mvccx"]), Err("mvccx".into()));
    }

    #[test]
    fn every_engine_runs_every_row_or_says_why_not() {
        let options = options();
        let (engines, rows) = options.chosen().expect("good input");
        let samples = measure(&options, &engines, &rows);
        let report = report(&options, &engines, &rows, &samples);
        assert_eq!(report.results.len(), 2 * rows.len() * engines.len());
        for cell in &report.results {
            assert_eq!(cell.mtps.is_none(), cell.lacks.is_some(), "{cell:?}");
            assert!(cell.mtps.is_none_or(|mtps| mtps > 0.0), "{cell:?}");
        }
        for text in [report.tables(false), report.tables(true), report.html()] {
            assert!(text.contains("rwlock-btreemap"));
        }
        let json: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
        assert_eq!(json["results"][0]["row"], "uniform-100");
    }
}
