//! What an experiment found.

use super::row::Measured;
use super::{Experiment, Figure, Parameters};
use serde::Serialize;
use serde_json::Value;

/// An experiment's results.
pub struct Chapter {
    pub(super) experiment: Experiment,
    /// In paragraphs: what it is, and what to look for.
    pub(super) about: &'static [&'static str],
    /// The parameters that it has, by name.
    pub(super) parameters: Value,
    pub(super) figures: Vec<Figure>,
    /// The rows with everything that they were made of.
    pub(super) rows: Value,
    /// The rows, and above them their columns' names.
    pub(super) csv: String,
}

impl Chapter {
    /// `rows` go into the JSON, `lines` into the CSV.
    pub(super) fn new<L: Serialize>(
        experiment: Experiment,
        parameters: &Parameters,
        about: &'static [&'static str],
        mut figures: Vec<Figure>,
        rows: &impl Serialize,
        lines: impl Iterator<Item = L>,
    ) -> Result<Self, String> {
        figures.retain(Figure::has_points);
        let fail =
            |error: &dyn std::fmt::Display| format!("cannot write the results down: {error}");
        let mut writer = csv::Writer::from_writer(Vec::new());
        for line in lines {
            writer.serialize(line).map_err(|error| fail(&error))?;
        }
        let csv = writer.into_inner().map_err(|error| fail(&error))?;
        Ok(Self {
            experiment,
            about,
            parameters: parameters.of(experiment).into(),
            figures,
            rows: serde_json::to_value(rows).map_err(|error| fail(&error))?,
            csv: String::from_utf8(csv).map_err(|error| fail(&error))?,
        })
    }

    pub(super) fn of_rows(
        experiment: Experiment,
        parameters: &Parameters,
        about: &'static [&'static str],
        figures: Vec<Figure>,
        rows: &[Measured],
    ) -> Result<Self, String> {
        let lines = rows.iter().map(|measured| &measured.row);
        Self::new(experiment, parameters, about, figures, &rows, lines)
    }

    /// The results as a table.
    pub(super) fn table(&self) -> Table {
        let mut reader = csv::Reader::from_reader(self.csv.as_bytes());
        let names = reader.headers().cloned().unwrap_or_default();
        let rows: Vec<csv::StringRecord> = reader.records().flatten().collect();
        let mut table = Table::default();
        let mut columns = Vec::new();
        for (column, name) in names.iter().enumerate() {
            let mut values = rows.iter().map(|row| &row[column]);
            let first = values.next().unwrap_or_default();
            if rows.len() < 2 || values.any(|value| value != first) {
                table.head.push(name.to_owned());
                columns.push(column);
            } else if !first.is_empty() {
                table.constant.push((name.to_owned(), first.to_owned()));
            }
        }
        table.lines = rows
            .iter()
            .map(|row| columns.iter().map(|&column| short(&row[column])).collect())
            .collect();
        table
    }
}

/// A table of results.
#[derive(Default)]
pub(super) struct Table {
    /// What is the same in all lines: names and values.
    pub(super) constant: Vec<(String, String)>,
    /// The names of the other columns.
    pub(super) head: Vec<String>,
    pub(super) lines: Vec<Vec<String>>,
}

/// A number with as many digits as somebody would look at; anything else as it is.
fn short(cell: &str) -> String {
    match cell.parse::<f64>() {
        Ok(number) if cell.contains('.') => match number.abs() {
            100.0.. => format!("{number:.0}"),
            1.0.. => format!("{number:.2}"),
            _ => format!("{number:.4}"),
        },
        _ => cell.to_owned(),
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let constant: Vec<String> = self
            .constant
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        writeln!(f, "{}", constant.join(", "))?;
        let lines = || std::iter::once(&self.head).chain(&self.lines);
        let width = |column: usize| {
            lines()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        for line in lines() {
            let cells = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:>width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  "))?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Chapter {
    /// The name and the table.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.experiment.name(), self.table())
    }
}
