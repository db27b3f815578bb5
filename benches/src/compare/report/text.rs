//! The results as tables of text.

use super::{Cell, Report, Title, counted};
use std::fmt::Write;

/// Cells of text.
pub(super) struct Table {
    pub(super) head: Vec<String>,
    pub(super) lines: Vec<Vec<String>>,
    /// How many columns, from the left, hold text.
    pub(super) text: usize,
}

impl Table {
    fn new(head: &[&str], text: usize) -> Self {
        Self {
            head: head.iter().map(ToString::to_string).collect(),
            lines: Vec::new(),
            text,
        }
    }

    fn print(&self, markdown: bool) -> String {
        let width = |column: usize| {
            let cells = std::iter::once(&self.head).chain(&self.lines);
            let widths = cells.map(|line| line[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let print = |line: &[String]| {
            let cells = line.iter().zip(&widths).enumerate();
            let padded = cells.map(|(column, (cell, &width))| {
                if column < self.text {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            let padded: Vec<String> = padded.collect();
            if markdown {
                format!("| {} |\n", padded.join(" | "))
            } else {
                format!("{}\n", padded.join("  ").trim_end())
            }
        };
        let mut out = print(&self.head);
        if markdown {
            let rule = |column| if column < self.text { "---" } else { "---:" };
            let rules: Vec<&str> = (0..self.head.len()).map(rule).collect();
            let _ = writeln!(out, "| {} |", rules.join(" | "));
        }
        out.extend(self.lines.iter().map(|line| print(line)));
        out
    }
}

/// What stands above the figures of rows that have several.
pub(super) const SEVERAL: &str = "mvcc-store, figure by figure";

/// Whether the row is one of commits that survive.
fn is_durable(row: &str) -> bool {
    row.starts_with("durable-")
}

impl Report {
    /// Why engines cannot run rows; cells refer to them by number, from 1.
    pub(super) fn footnotes(&self) -> Vec<&str> {
        let mut reasons = Vec::new();
        for reason in self.results.iter().filter_map(|cell| cell.lacks.as_deref()) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }

    /// A table of the engines against the rows, durable ones or others, that there are for these
    /// threads. Where there is no figure, a footnote says why, or nothing was asked for.
    fn grid(
        &self,
        threads: usize,
        durable: bool,
        figure: impl Fn(&Cell) -> Option<String>,
    ) -> Table {
        let footnotes = self.footnotes();
        let print = |cell: &Cell| {
            let reason = cell.lacks.as_deref();
            let number = footnotes.iter().position(|known| Some(*known) == reason);
            let footnote = number.map(|number| format!("[{}]", number + 1));
            footnote.or_else(|| figure(cell)).unwrap_or_default()
        };
        let cells: Vec<_> = self
            .results
            .iter()
            .filter(|cell| cell.threads == threads && is_durable(&cell.row) == durable)
            .collect();
        let names = self.rows.iter().map(|row| row.name.as_str());
        let names = names.filter(|name| cells.iter().any(|cell| cell.row == *name));
        let names: Vec<&str> = names.collect();
        let first = ["engine", "isolation"].into_iter();
        let head: Vec<&str> = first.chain(names.iter().copied()).collect();
        let mut table = Table::new(&head, 2);
        for peer in &self.peers {
            if cells.iter().all(|cell| cell.peer != peer.name) {
                continue;
            }
            let cells = names.iter().map(|row| self.cell(row, threads, &peer.name));
            let line = [peer.name.clone(), peer.isolation.clone()].into_iter();
            let line = line.chain(cells.map(|cell| cell.map(print).unwrap_or_default()));
            table.lines.push(line.collect());
        }
        table
    }

    /// For a number of threads, tables and what is in them.
    pub(super) fn grids(&self, threads: usize) -> Vec<(String, Table)> {
        let throughput = |cell: &Cell| cell.throughput_tps.map(|tps| format!("{:.0}", tps / 1e3));
        let ratio = |cell: &Cell| cell.ratio.map(|ratio| format!("{ratio:.2}"));
        let retries = |cell: &Cell| {
            let retries = cell
                .retries_per_transaction
                .filter(|retries| *retries > 0.0);
            retries.map(|retries| format!("{retries:.5}"))
        };
        let threads_of = |cell: &&Cell| cell.threads == threads;
        let retried = self
            .results
            .iter()
            .filter(threads_of)
            .any(|cell| retries(cell).is_some());

        let counted = counted(threads);
        let mut grids = Vec::new();
        let has = |durable| {
            let mut cells = self.results.iter().filter(threads_of);
            cells.any(|cell| is_durable(&cell.row) == durable)
        };
        if has(false) {
            grids.push((
                format!("Thousand transactions per second, {counted}"),
                self.grid(threads, false, throughput),
            ));
            grids.push((
                format!("mvcc's throughput divided by each engine's, {counted}"),
                self.grid(threads, false, ratio),
            ));
        }
        if has(true) {
            let clients = counted.replace("thread", "client");
            let durable = |cell: &Cell| cell.throughput_tps.map(|tps| format!("{tps:.0}"));
            grids.push((
                format!("Durable transactions per second, {clients}"),
                self.grid(threads, true, durable),
            ));
            grids.push((
                format!("mvcc-store's throughput divided by each engine's, {clients}"),
                self.grid(threads, true, ratio),
            ));
        }
        if retried {
            let caption =
                format!("Failed attempts per transaction, where there were any, {counted}");
            grids.push((caption, self.grid(threads, false, retries)));
        }
        grids
    }

    /// What the engines are.
    pub(super) fn engines(&self) -> Table {
        let mut table = Table::new(&["engine", "version", "how"], 3);
        for peer in &self.peers {
            let line = [&peer.name, &peer.version, &peer.how];
            table.lines.push(line.map(String::clone).to_vec());
        }
        table
    }

    /// What the rows are.
    pub(super) fn legend(&self) -> Table {
        let mut table = Table::new(&["row", "a transaction"], 2);
        for Title { name, title } in &self.rows {
            table.lines.push(vec![name.clone(), title.clone()]);
        }
        table
    }

    /// The figures of rows that have several.
    pub(super) fn figures(&self) -> Table {
        let mut table = Table::new(&["row", "what", "unit", "median"], 3);
        for figure in &self.figures {
            let [row, what, unit] = [&figure.row, &figure.what, &figure.unit].map(String::clone);
            let line = vec![row, what, unit, format!("{:.2}", figure.value)];
            table.lines.push(line);
        }
        table
    }

    /// Everything as tables.
    pub(in super::super) fn tables(&self, markdown: bool) -> String {
        let mut out = String::new();
        for (name, value) in self.lines() {
            let bullet = if markdown { "- " } else { "" };
            let _ = writeln!(out, "{bullet}{name}: {value}");
        }
        let _ = write!(out, "\n{}", self.engines().print(markdown));
        let _ = write!(out, "\n{}", self.legend().print(markdown));
        for threads in self.threads() {
            for (caption, table) in self.grids(threads) {
                let _ = write!(out, "\n{caption}:\n\n{}", table.print(markdown));
            }
        }
        if !self.figures.is_empty() {
            let _ = write!(out, "\n{SEVERAL}:\n\n{}", self.figures().print(markdown));
        }
        let footnotes = self.footnotes();
        if !footnotes.is_empty() {
            out.push('\n');
        }
        for (position, reason) in footnotes.iter().enumerate() {
            let bullet = if markdown { "- " } else { "" };
            let _ = writeln!(out, "{bullet}[{}] {reason}", position + 1);
        }
        out
    }
}
