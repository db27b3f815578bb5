//! `mvcc` and its peers, each behind [`Peer`](peers), under the same transactions.

mod durable;
mod durable_rows;
mod figure_rows;
mod measure;
mod options;
mod peer;
mod peers;
mod report;
mod rows;
mod stores;

use super::Failure;
use measure::{Job, Sample};
use options::Chosen;
pub(crate) use options::Options;
use peers::{Engine, Entry};
use report::{Cell, Environment, Report, Title, counted};
use rows::{Keys, Row, Setup};
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use workloads::interruption::interrupted;
use workloads::output;

/// What was measured: by row, number of threads, and engine.
type Samples = HashMap<(&'static str, usize, &'static str), Vec<Sample>>;

/// Measures, or reads what was measured, and prints.
pub(crate) fn main(options: &Options) -> Result<(), Failure> {
    let Chosen {
        engines,
        rows,
        durable_rows,
        figure_rows,
    } = options.chosen().map_err(Failure::Input)?;
    let saved = if options.from.is_empty() {
        None
    } else {
        Some(saved(&options.from).map_err(Failure::Input)?)
    };
    // Better before the measurements than after them.
    let (json, html) = (
        output::open("--json", options.json.as_deref())?,
        output::open("--html", options.html.as_deref())?,
    );

    let report = if let Some(report) = saved {
        report
    } else {
        let more = peers::MORE.filter(|_| options.peers.is_empty());
        if let Some(more) = more {
            output::note(more);
        }
        let samples = measure(options, &engines, &rows);
        let mut report = report(options, &engines, &rows, &samples);
        if !durable_rows.is_empty() {
            report.append(durable::measure(options, &durable_rows)?);
        }
        if !figure_rows.is_empty() {
            let (titles, figures) = durable::figures::measure(options, &figure_rows)?;
            report.rows.extend(titles);
            report.figures = figures;
        }
        report
    };
    let mut written = Ok(());
    for (file, text) in [(json, report.json()), (html, report.html())] {
        if let Some(file) = file {
            written = written.and(file.write(&text));
        }
    }
    let printed = output::print(report.tables(options.markdown).trim_end());
    written?;
    Ok(printed?)
}

/// What was saved in files, as one.
fn saved(paths: &[PathBuf]) -> Result<Report, String> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(json) => Ok((name, json)),
            Err(error) => Err(format!("cannot read {name}: {error}")),
        }
    };
    let files: Result<Vec<_>, String> = paths.iter().map(read).collect();
    Report::merged(&files?)
}

/// Takes all samples, or those that it can until a signal comes. The engines take turns within a
/// repeat; they stay loaded for all rows that begin in the same way.
fn measure(options: &Options, engines: &[Entry], rows: &[&'static Row]) -> Samples {
    let keys = Keys::new(options.keys);
    let mut samples = Samples::new();
    for setup in [Setup::Filled, Setup::Ordered, Setup::Empty] {
        let rows: Vec<_> = rows.iter().filter(|row| row.setup() == setup).collect();
        let able = |engine: &&Entry| rows.iter().any(|row| lack(engine, row).is_none());
        let loaded: Vec<(&Entry, Option<Box<dyn Engine>>)> = engines
            .iter()
            .filter(able)
            .take_while(|_| interrupted().is_none())
            .map(|engine| (engine, load(engine, setup, &keys)))
            .collect();
        for row in rows {
            for &threads in &options.threads {
                for (repeat, first) in (0..options.repeats).zip((0..loaded.len()).cycle()) {
                    if interrupted().is_some() {
                        return samples;
                    }
                    output::note(format_args!(
                        "{}, {}, repeat {}",
                        row.name,
                        counted(threads),
                        repeat + 1
                    ));
                    let plans = row.draw(&keys, threads, repeat);
                    let job = Job {
                        plans: &plans,
                        held: row.held.then_some(keys.unordered[0]),
                        duration: Duration::from_secs_f64(options.seconds),
                    };
                    // Each is the first in turn, so that none always comes after the same one.
                    let turns = loaded.iter().cycle().skip(first);
                    for (engine, loaded) in turns.take(loaded.len()) {
                        if lack(engine, row).is_some() {
                            continue;
                        }
                        let sample = match loaded {
                            Some(loaded) => loaded.run(&job),
                            None => (engine.load)(&[]).run(&job),
                        };
                        if interrupted().is_some() {
                            // It may have been cut short.
                            return samples;
                        }
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
    output::note(format_args!("loading {}", engine.about.name));
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
        name: row.name.into(),
        title: row.title.into(),
    };
    let mut cells = Vec::new();
    for &threads in &options.threads {
        for row in rows {
            let of = |engine: &Entry, of: fn(&Sample) -> f64| {
                let samples = samples.get(&(row.name, threads, engine.about.name))?;
                Some(samples.iter().map(of).collect::<Vec<f64>>())
            };
            let ours = of(&engines[0], |sample| sample.tps).map(median);
            cells.extend(engines.iter().filter_map(|engine| {
                let repeats = of(engine, |sample| sample.tps);
                let lacks = lack(engine, row);
                if repeats.is_none() && lacks.is_none() {
                    // It was not measured any more.
                    return None;
                }
                let tps = repeats.clone().map(median);
                Some(Cell {
                    row: row.name.into(),
                    threads,
                    peer: engine.about.name.into(),
                    throughput_tps: tps,
                    ratio: ours.zip(tps).map(|(ours, theirs)| ours / theirs),
                    retries_per_transaction: of(engine, |sample| sample.retries).map(median),
                    throughput_tps_of_repeats: repeats.unwrap_or_default(),
                    lacks: lacks.map(Into::into),
                })
            }));
        }
    }
    Report {
        environment: Environment::new(options.keys, options.seconds, options.repeats),
        rows: rows.iter().map(title).collect(),
        peers: if rows.is_empty() {
            Vec::new()
        } else {
            engines.iter().map(|engine| engine.about.into()).collect()
        },
        results: cells,
        figures: Vec::new(),
        interrupted: interrupted().map(|signal| {
            let count: usize = samples.values().map(Vec::len).sum();
            format!("{} ended it early, after {count} samples", signal.signal)
        }),
    }
}

/// The middle one, or what lies between the middle two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    f64::midpoint(values[(count - 1) / 2], values[count / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_runs_every_row_or_says_why_not() {
        let options = Options::small();
        let Chosen { engines, rows, .. } = options.chosen().expect("good input");
        let samples = measure(&options, &engines, &rows);
        let report = report(&options, &engines, &rows, &samples);
        assert_eq!(report.results.len(), 2 * rows.len() * engines.len());
        for cell in &report.results {
            assert_eq!(
                cell.throughput_tps.is_none(),
                cell.lacks.is_some(),
                "{cell:?}"
            );
            assert!(cell.throughput_tps.is_none_or(|tps| tps > 0.0), "{cell:?}");
        }
        for text in [report.tables(false), report.tables(true), report.html()] {
            assert!(text.contains("rwlock-btreemap"));
        }
        let json: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
        assert_eq!(json["results"][0]["row"], "uniform-100");
    }

    fn measured(rows: &str, seconds: f64) -> (String, String) {
        let options = Options {
            rows: vec![rows.into()],
            seconds,
            ..Options::small()
        };
        let Chosen { engines, rows, .. } = options.chosen().expect("good input");
        let samples = measure(&options, &engines, &rows);
        let report = report(&options, &engines, &rows, &samples);
        (rows[0].name.into(), report.json())
    }

    #[test]
    fn pieces_become_one_again() {
        let [hot, scans] = ["hot-key", "scan-100"].map(|row| measured(row, 0.001));
        let whole = Report::merged(&[scans.clone(), hot.clone()]).expect("they go together");
        let names: Vec<_> = whole.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["hot-key", "scan-100"]);
        assert!(!whole.tables(false).contains("uniform-100"));

        let refused = |other| {
            Report::merged(&[hot.clone(), other])
                .err()
                .expect("refused")
        };
        assert!(refused(hot.clone()).contains("both have hot-key"));
        assert!(refused(measured("scan-100", 0.002)).contains("samples"));
        assert!(refused(("x".into(), "{}".into())).contains("x holds no results"));
    }
}
