//! Measures the rows of several figures.

use super::opened::Sample;
use super::{checkpoint, recovery};
use crate::Failure;
use crate::compare::figure_rows::{Figure, Kind, Row};
use crate::compare::median;
use crate::compare::options::Options;
use crate::compare::report::Title;
use workloads::interruption::interrupted;
use workloads::output;

/// Measures the rows.
///
/// # Errors
/// If there can be no directory.
pub(in crate::compare) fn measure(
    options: &Options,
    rows: &[&'static Row],
) -> Result<(Vec<Title>, Vec<Figure>), Failure> {
    let place = super::place(options)?;
    let mut figures: Vec<Figure> = Vec::new();
    for row in rows {
        let sample = match row.kind {
            Kind::Recovery => recovery::sample,
            Kind::Checkpoint => checkpoint::sample,
        };
        for repeat in 0..options.repeats {
            if interrupted().is_some() {
                break;
            }
            output::note(format_args!("{}, repeat {}", row.name, repeat + 1));
            let directory = place.path().join("mvcc-store");
            let samples = sample(options, &directory);
            // Otherwise the disk is full of what was measured before.
            let _ = std::fs::remove_dir_all(&directory);
            if interrupted().is_some() {
                // It may have been cut short.
                break;
            }
            for Sample { what, value, unit } in samples {
                let known = |figure: &&mut Figure| figure.row == row.name && figure.what == what;
                if let Some(figure) = figures.iter_mut().find(known) {
                    figure.repeats.push(value);
                    figure.value = median(figure.repeats.clone());
                } else {
                    figures.push(Figure {
                        row: row.name.into(),
                        what,
                        unit: unit.into(),
                        value,
                        repeats: vec![value],
                    });
                }
            }
        }
    }
    let title = |row: &&'static Row| Title {
        name: row.name.into(),
        title: row.title.into(),
    };
    Ok((rows.iter().map(title).collect(), figures))
}
