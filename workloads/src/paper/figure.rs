//! Figures: what is drawn, apart from how.

mod draw;

use super::Row;

/// A figure with one line for each series.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What stands above it.
    pub title: String,
    /// The horizontal axis.
    pub horizontal: Horizontal,
    /// What the vertical axis shows, with the unit. It begins at 0.
    pub vertical: String,
    /// The lines.
    pub series: Vec<Series>,
}

/// A horizontal axis.
#[derive(Clone, Debug)]
pub enum Horizontal {
    /// Values at equal distances, in the order that they were added in.
    Places {
        /// What they are values of, with the unit.
        label: String,
        /// The values.
        names: Vec<String>,
    },
    /// Time.
    Seconds,
}

impl Horizontal {
    /// Values at equal distances.
    pub(super) fn places(label: &str) -> Self {
        Self::Places {
            label: label.to_owned(),
            names: Vec::new(),
        }
    }
}

/// What a series stands for. Engines differ in colour and what is done with them in line and
/// marker, unless there is only one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    engine: String,
    way: String,
}

impl Mark {
    pub(super) fn of(engine: &str, way: &str) -> Self {
        Self {
            engine: engine.to_owned(),
            way: way.to_owned(),
        }
    }

    fn name(&self) -> String {
        match (&*self.engine, &*self.way) {
            (engine, "") => engine.to_owned(),
            ("", way) => way.to_owned(),
            (engine, way) => format!("{engine} {way}"),
        }
    }
}

/// A line.
#[derive(Clone, Debug)]
pub struct Series {
    mark: Mark,
    /// Where its points are.
    pub points: Vec<(f64, f64)>,
    /// The smallest and the largest of what each is the median of, if these are shown: one for each
    /// point, or none.
    spread: Vec<(f64, f64)>,
}

impl Figure {
    pub(super) fn new(title: String, horizontal: Horizontal, vertical: &str) -> Self {
        Self {
            title,
            horizontal,
            vertical: vertical.to_owned(),
            series: Vec::new(),
        }
    }

    /// Throughputs: a figure for each group of rows. `at` says where a row stands and which lines
    /// it belongs to.
    pub(super) fn of_groups<'r>(
        rows: impl IntoIterator<Item = &'r Row>,
        label: &str,
        group: impl Fn(&Row) -> String,
        at: impl Fn(&Row) -> Vec<(String, Mark)>,
    ) -> Vec<Self> {
        let mut groups: Vec<(String, Vec<&Row>)> = Vec::new();
        for row in rows {
            let name = group(row);
            match groups.iter_mut().find(|(known, _)| *known == name) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((name, vec![row])),
            }
        }
        let figure = |(title, rows): (String, Vec<&Row>)| {
            let most = rows.iter().map(|row| row.throughput_max_tps);
            let (scale, unit) = match most.fold(0.0, f64::max) {
                most if most >= 1e6 => (1e6, "million"),
                _ => (1e3, "thousand"),
            };
            let vertical = format!("{unit} transactions/s");
            let mut figure = Self::new(title, Horizontal::places(label), &vertical);
            for row in rows {
                let spread = (
                    row.throughput_min_tps / scale,
                    row.throughput_max_tps / scale,
                );
                for (place, mark) in at(row) {
                    figure.add(&place, &mark, row.throughput_tps / scale, Some(spread));
                }
            }
            figure
        };
        groups.into_iter().map(figure).collect()
    }

    /// Adds a point, with the smallest and the largest of what it is the median of.
    pub(super) fn add(&mut self, place: &str, mark: &Mark, value: f64, spread: Option<(f64, f64)>) {
        let Horizontal::Places { names, .. } = &mut self.horizontal else {
            unreachable!("points with names belong on an axis with names");
        };
        let at = names.iter().position(|name| name == place);
        let at = at.unwrap_or_else(|| {
            names.push(place.to_owned());
            names.len() - 1
        });
        let series = self.series(mark);
        series.points.push((at as f64, value));
        series.spread.extend(spread);
    }

    /// Adds a point at a time.
    pub(super) fn add_at(&mut self, seconds: f64, mark: &Mark, value: f64) {
        self.series(mark).points.push((seconds, value));
    }

    /// Whether there is something to draw.
    pub(super) fn has_points(&self) -> bool {
        !self.series.is_empty()
    }

    fn series(&mut self, mark: &Mark) -> &mut Series {
        let known = self.series.iter().position(|series| series.mark == *mark);
        let at = known.unwrap_or_else(|| {
            self.series.push(Series {
                mark: mark.clone(),
                points: Vec::new(),
                spread: Vec::new(),
            });
            self.series.len() - 1
        });
        &mut self.series[at]
    }
}
