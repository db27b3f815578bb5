//! What the command is asked to do.

use super::durable_rows;
use super::figure_rows;
use super::peers::{self, Entry};
use super::rows::{ROWS, Row, SCAN};
use super::stores;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// More would not fit into memory.
const MOST_KEYS: u64 = 1 << 28;
const MOST_THREADS: usize = 1 << 10;

/// Options of `compare`.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these engines, and `mvcc`: names, or how they begin
    #[arg(long, value_delimiter = ',')]
    pub(super) peers: Vec<String>,

    /// Only these rows: names, or how they begin
    #[arg(long, value_delimiter = ',')]
    pub(super) rows: Vec<String>,

    /// Numbers of threads
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    pub(super) threads: Vec<usize>,

    /// How long a sample takes; a tenth more goes before as warm-up
    #[arg(long, default_value_t = 1.0)]
    pub(super) seconds: f64,

    /// Samples, of which the median is printed
    #[arg(long, default_value_t = 3)]
    pub(super) repeats: u64,

    /// Where the durable rows have their files: on the disk that is to be measured [default: the
    /// workspace's target directory]
    #[arg(long, value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,

    /// Keys in a table
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) keys: u64,

    /// Measure nothing: print what these files of --json hold, as one; for a comparison that was
    /// measured in pieces
    #[arg(long, value_delimiter = ',', value_name = "FILES", conflicts_with_all = ["peers", "rows", "threads", "seconds", "repeats", "keys"])]
    pub(super) from: Vec<PathBuf>,

    /// Print the tables as markdown
    #[arg(long)]
    pub(super) markdown: bool,

    /// Also write everything to this file as JSON
    #[arg(long)]
    pub(super) json: Option<PathBuf>,

    /// Also write everything to this file as a page with charts
    #[arg(long)]
    pub(super) html: Option<PathBuf>,
}

/// What is asked for.
pub(super) struct Chosen {
    pub(super) engines: Vec<Entry>,
    pub(super) rows: Vec<&'static Row>,
    pub(super) durable_rows: Vec<&'static durable_rows::Row>,
    pub(super) figure_rows: Vec<&'static figure_rows::Row>,
}

impl Options {
    /// The engines and the rows that are asked for, or one line that says what is accepted.
    pub(super) fn chosen(&self) -> Result<Chosen, String> {
        let refuse = |option, value: String, accepted: String| {
            Err(format!("--{option} {value}: accepted are {accepted}"))
        };
        let bad = |threads: &&usize| !(1..=MOST_THREADS).contains(*threads);
        if let Some(threads) = self.threads.iter().find(bad) {
            let accepted = format!("numbers from 1 to {MOST_THREADS}, as in 1,2");
            return refuse("threads", threads.to_string(), accepted);
        }
        if Duration::try_from_secs_f64(self.seconds).is_err() || self.seconds <= 0.0 {
            return refuse(
                "seconds",
                self.seconds.to_string(),
                "numbers above 0".into(),
            );
        }
        if self.repeats == 0 {
            return refuse("repeats", "0".into(), "numbers from 1 on".into());
        }
        if !(SCAN as u64..=MOST_KEYS).contains(&self.keys) {
            let accepted = format!("numbers from {SCAN} to {MOST_KEYS}");
            return refuse("keys", self.keys.to_string(), accepted);
        }
        let mut engines = peers::all();
        let names: Vec<&str> = engines.iter().map(|engine| engine.about.name).collect();
        let durable: Vec<&str> = stores::names();
        let all: Vec<&str> = names.iter().chain(&durable).copied().collect();
        let mut chosen = choose(&self.peers, &all).map_err(|unknown| {
            let more = peers::MORE.map_or_else(String::new, |more| format!("; {more}"));
            format!("--peers {unknown}: accepted are {}{more}", all.join(", "))
        })?;
        // What everything is compared with.
        chosen[0] = true;
        let mut chosen = chosen.into_iter();
        engines.retain(|_| chosen.next().unwrap_or(false));

        let names = ROWS.iter().map(|row| row.name);
        let names: Vec<&str> = names
            .chain(durable_rows::ROWS.iter().map(|row| row.name))
            .chain(figure_rows::ROWS.iter().map(|row| row.name))
            .collect();
        let chosen = choose(&self.rows, &names)
            .map_err(|unknown| format!("--rows {unknown}: accepted are {}", names.join(", ")))?;
        let (rows, more) = chosen.split_at(ROWS.len());
        let (durable_rows, figure_rows) = more.split_at(durable_rows::ROWS.len());
        let rows = ROWS.iter().zip(rows).filter(|(_, chosen)| **chosen);
        let durable_rows = durable_rows::ROWS
            .iter()
            .zip(durable_rows)
            .filter(|(_, chosen)| **chosen);
        let figure_rows = figure_rows::ROWS
            .iter()
            .zip(figure_rows)
            .filter(|(_, chosen)| **chosen);
        Ok(Chosen {
            engines,
            rows: rows.map(|(row, _)| row).collect(),
            durable_rows: durable_rows.map(|(row, _)| row).collect(),
            figure_rows: figure_rows.map(|(row, _)| row).collect(),
        })
    }
}

#[cfg(test)]
impl Options {
    /// What is measured in no time.
    pub(super) fn small() -> Self {
        Self {
            peers: Vec::new(),
            rows: Vec::new(),
            threads: vec![1, 2],
            seconds: 0.002,
            repeats: 1,
            keys: 1_000,
            directory: None,
            from: Vec::new(),
            markdown: false,
            json: None,
            html: None,
        }
    }
}

/// Which names are asked for: all if none is. Returns what is the name, or the beginning of a name,
/// of nothing.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Options)) -> String {
        let mut options = Options::small();
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
}
