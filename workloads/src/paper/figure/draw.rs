//! Draws figures as SVG.

use super::{Figure, Horizontal, Mark, Series};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// Of a figure, in pixels; the legend comes below.
const SIZE: (u32, u32) = (600, 350);
/// Of a line of the legend, with two series in each.
const LEGEND_LINE: u32 = 20;
/// Lengths of a dash and of the gap after it, by the series' kind of line; the first is solid.
const DASHES: [Option<(u32, u32)>; 3] = [None, Some((7, 4)), Some((2, 3))];
const FONT: &str = "sans-serif";
/// Told apart by people who see fewer colours too (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(60, 60, 60),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// How a series looks.
#[derive(Clone, Copy)]
struct Look {
    colour: RGBColor,
    dash: Option<(u32, u32)>,
}

impl Figure {
    /// The figure as an `svg` element.
    ///
    /// # Errors
    /// A message if a value is not finite, or if it cannot be drawn.
    pub(in crate::paper) fn svg(&self) -> Result<String, String> {
        let mut points = self.series.iter().flat_map(|series| &series.points);
        if !points.all(|(x, y)| x.is_finite() && y.is_finite()) {
            return Err(format!(
                "the figure {:?} has a value that is no number",
                self.title
            ));
        }
        let mut svg = String::new();
        let lines = u32::try_from(self.series.len().div_ceil(2)).expect("there are few");
        let size = (SIZE.0, SIZE.1 + LEGEND_LINE * lines + 8);
        let drawn = self.draw(&SVGBackend::with_string(&mut svg, size).into_drawing_area());
        drawn.map_err(|error| format!("cannot draw the figure {:?}: {error}", self.title))?;
        Ok(svg)
    }

    fn draw(&self, area: &Area<'_>) -> Drawn {
        area.fill(&WHITE)?;
        let looks = self.looks();
        let (above, below) = area.split_vertically(SIZE.1);
        self.draw_legend(&below, &looks)?;
        let (left, right) = self.width();
        let values = self.series.iter().flat_map(|series| {
            let points = series.points.iter().map(|(_, y)| *y);
            points.chain(series.spread.iter().map(|(_, high)| *high))
        });
        let highest = match values.fold(0.0, f64::max) {
            0.0 => 1.0,
            highest => highest * 1.05,
        };
        let mut chart = ChartBuilder::on(&above)
            .caption(&self.title, (FONT, 17))
            .margin(10)
            .x_label_area_size(42)
            .y_label_area_size(58)
            .build_cartesian_2d(left..right, 0.0..highest)?;
        self.draw_axes(&mut chart)?;
        for (series, look) in self.series.iter().zip(looks) {
            series.draw(
                &mut chart,
                look,
                matches!(self.horizontal, Horizontal::Places { .. }),
            )?;
        }
        above.present()
    }

    /// From where to where the horizontal axis goes.
    fn width(&self) -> (f64, f64) {
        match &self.horizontal {
            Horizontal::Places { names, .. } => (-0.4, names.len() as f64 - 0.6),
            Horizontal::Seconds => {
                let all = self.series.iter().flat_map(|series| &series.points);
                (0.0, all.map(|(x, _)| *x).fold(0.001, f64::max))
            }
        }
    }

    fn draw_axes(&self, chart: &mut Chart<'_, '_>) -> Drawn {
        let name = |x: &f64| match &self.horizontal {
            Horizontal::Places { names, .. } => {
                let mut places = names.iter().enumerate();
                let place = places.find(|(place, _)| (*place as f64 - x).abs() < 1e-6);
                place.map_or(String::new(), |(_, name)| name.clone())
            }
            Horizontal::Seconds => format!("{x}"),
        };
        let (label, marks) = match &self.horizontal {
            Horizontal::Places { label, names } => (label.as_str(), names.len()),
            Horizontal::Seconds => ("time, s", 10),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.6))
            .label_style((FONT, 13))
            .axis_desc_style((FONT, 14))
            .x_desc(label)
            .y_desc(&self.vertical)
            .x_labels(marks)
            .x_label_formatter(&name)
            .y_label_formatter(&|y| {
                format!("{y:.6}")
                    .trim_end_matches('0')
                    .trim_end_matches('.')
                    .to_owned()
            })
            .draw()
    }

    fn draw_legend(&self, area: &Area<'_>, looks: &[Look]) -> Drawn {
        let column = SIZE.0.cast_signed() / 2 - 20;
        for (number, (series, look)) in self.series.iter().zip(looks).enumerate() {
            let number = i32::try_from(number).expect("there are few");
            let (x, y) = (
                50 + number % 2 * column,
                number / 2 * LEGEND_LINE.cast_signed() + 6,
            );
            let (dash, gap) = look.dash.unwrap_or((30, 1));
            for start in (0..30).step_by((dash + gap) as usize) {
                let end = (start + dash.cast_signed()).min(30);
                let line = vec![(x + start, y), (x + end, y)];
                area.draw(&PathElement::new(line, look.colour.stroke_width(2)))?;
            }
            area.draw(&Circle::new((x + 15, y), 3, look.colour.filled()))?;
            area.draw(&Text::new(series.mark.name(), (x + 36, y - 6), (FONT, 13)))?;
        }
        Ok(())
    }

    fn looks(&self) -> Vec<Look> {
        let of = |part: fn(&Mark) -> &String| {
            let mut known: Vec<&String> = Vec::new();
            let places: Vec<usize> = self
                .series
                .iter()
                .map(|series| {
                    let name = part(&series.mark);
                    known.iter().position(|it| *it == name).unwrap_or_else(|| {
                        known.push(name);
                        known.len() - 1
                    })
                })
                .collect();
            (places, known.len())
        };
        let ((engines, count), (ways, _)) = (of(|mark| &mark.engine), of(|mark| &mark.way));
        let looks = engines.into_iter().zip(ways).map(|(engine, way)| {
            let (colour, dash) = if count > 1 { (engine, way) } else { (way, 0) };
            Look {
                colour: COLOURS[colour % COLOURS.len()],
                dash: DASHES[dash % DASHES.len()],
            }
        });
        looks.collect()
    }
}

impl Series {
    fn draw(&self, chart: &mut Chart<'_, '_>, look: Look, markers: bool) -> Drawn {
        let style = look.colour.stroke_width(2);
        let points = self.points.iter().copied();
        if let Some((length, gap)) = look.dash {
            chart.draw_series(DashedLineSeries::new(points.clone(), length, gap, style))?;
        } else {
            chart.draw_series(LineSeries::new(points.clone(), style))?;
        }
        if markers {
            chart.draw_series(points.map(|point| Circle::new(point, 3, look.colour.filled())))?;
        }
        let spread = self.points.iter().zip(&self.spread);
        let bars = spread.map(|((x, _), (low, high))| {
            PathElement::new(
                vec![(*x, *low), (*x, *high)],
                look.colour.mix(0.5).stroke_width(1),
            )
        });
        chart.draw_series(bars)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
