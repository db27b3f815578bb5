//! The results as a table, as markdown, as JSON.

use super::Options;
use super::measure::Sample;
use serde::Serialize;
use workloads::interruption::interrupted;

const HEAD: [&str; 9] = [
    "index",
    "stored keys",
    "threads",
    "get",
    "insert random",
    "insert ascending",
    "scan 100",
    "back 10",
    "remove",
];
/// How many columns, from the left, hold text.
const TEXT: usize = 2;

/// A candidate with a number of threads.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) index: &'static str,
    pub(super) stored_keys: &'static str,
    pub(super) threads: usize,
    pub(super) samples: Vec<Sample>,
}

impl Row {
    fn median(&self, of: impl Fn(&Sample) -> Option<f64>) -> String {
        let mut values: Vec<f64> = self.samples.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        match values.len() {
            0 => "-".into(),
            n => format!("{:.0}", f64::midpoint(values[(n - 1) / 2], values[n / 2])),
        }
    }

    fn cells(&self) -> [String; 9] {
        [
            self.index.into(),
            self.stored_keys.into(),
            self.threads.to_string(),
            self.median(|s| Some(s.get)),
            self.median(|s| Some(s.insert_random)),
            self.median(|s| Some(s.insert_ascending)),
            self.median(|s| Some(s.scan_100)),
            self.median(|s| s.scan_back_10),
            self.median(|s| Some(s.remove)),
        ]
    }
}

/// Why not all was measured, if it was not.
fn interruption() -> Option<String> {
    interrupted().map(|signal| format!("{} ended it early.", signal.signal))
}

/// The medians.
pub(super) fn table(options: &Options, rows: &[Row]) -> String {
    let cells: Vec<[String; 9]> = std::iter::once(HEAD.map(String::from))
        .chain(rows.iter().map(Row::cells))
        .collect();
    let width: [usize; 9] = std::array::from_fn(|column| {
        cells
            .iter()
            .map(|row| row[column].len())
            .max()
            .expect("the head")
    });
    let (before, between, after) = if options.markdown {
        ("| ", " | ", " |")
    } else {
        ("", "  ", "")
    };

    let mut lines = vec![format!(
        "Nanoseconds per operation and thread, medians of {}; {} keys, {} apart.\n",
        options.repeats, options.keys, options.stride
    )];
    lines.extend(interruption().map(|why| why + "\n"));
    for (line, row) in cells.iter().enumerate() {
        let padded: [String; 9] = std::array::from_fn(|column| {
            let (cell, width) = (&row[column], width[column]);
            if column < TEXT {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        lines.push(format!("{before}{}{after}", padded.join(between)));
        if line == 0 && options.markdown {
            let rules: [&str; 9] =
                std::array::from_fn(|column| if column < TEXT { "---" } else { "---:" });
            lines.push(format!("| {} |", rules.join(" | ")));
        }
    }
    lines.join("\n")
}

/// Every repeat's figures.
pub(super) fn json(options: &Options, rows: &[Row]) -> String {
    #[derive(Serialize)]
    struct Report<'a> {
        unit: &'static str,
        keys: u64,
        stride: u64,
        repeats: u64,
        results: &'a [Row],
        #[serde(skip_serializing_if = "Option::is_none")]
        interrupted: Option<String>,
    }
    let report = Report {
        unit: "nanoseconds per operation and thread",
        keys: options.keys,
        stride: options.stride,
        repeats: options.repeats,
        results: rows,
        interrupted: interruption(),
    };
    serde_json::to_string_pretty(&report).expect("numbers and strings")
}
