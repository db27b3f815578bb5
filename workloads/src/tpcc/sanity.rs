//! Whether what the terminals asked for is what the specification asks for (clause 9.2.2.5).

use super::transactions::{NewOrder, OrderStatus, Payment};
use serde::Serialize;
use std::fmt;
use std::ops::RangeInclusive;

/// A figure with its bounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What it is of, and its unit.
    pub name: &'static str,
    /// `None` if there was nothing to count, or if one warehouse has no other to be remote.
    pub value: Option<f64>,
    /// The least that is within the bounds.
    pub least: f64,
    /// The most that is within the bounds.
    pub most: f64,
    /// How many it was counted over.
    pub samples: u64,
    /// Whether chance explains how far it is from the middle of the bounds: by three standard
    /// deviations at most, for so many samples. One that is out of bounds is wrong only if chance
    /// does not.
    pub by_chance: bool,
}

impl Figure {
    /// `variance` is that of one sample.
    fn new(
        name: &'static str,
        (sum, samples): (f64, u64),
        bounds: RangeInclusive<f64>,
        variance: f64,
    ) -> Self {
        let (&least, &most) = (bounds.start(), bounds.end());
        let deviation = (variance / samples as f64).sqrt();
        let value = (samples > 0).then(|| sum / samples as f64);
        let distance = value.map(|value| (value - f64::midpoint(least, most)).abs());
        Self {
            name,
            value,
            least,
            most,
            samples,
            by_chance: distance.is_some_and(|distance| distance <= 3.0 * deviation),
        }
    }

    /// So many of so many, in percent, where the middle of the bounds is what is asked for.
    fn share(
        name: &'static str,
        (count, samples): (u64, u64),
        bounds: RangeInclusive<f64>,
    ) -> Self {
        let percent = f64::midpoint(*bounds.start(), *bounds.end());
        let variance = percent * (100.0 - percent);
        Self::new(name, (count as f64 * 100.0, samples), bounds, variance)
    }

    /// Whether it is there and out of bounds.
    pub fn is_out(&self) -> bool {
        let bounds = self.least..=self.most;
        self.value.is_some_and(|value| !bounds.contains(&value))
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, least, most, ..
        } = self;
        match self.value {
            Some(value) => write!(f, "{name:<36} {value:>8.3}")?,
            None => write!(f, "{name:<36} {:>8}", "-")?,
        }
        write!(f, "  {least} to {most}, of {}", self.samples)?;
        match (self.is_out(), self.by_chance) {
            (true, false) => f.write_str("  OUT OF BOUNDS"),
            (true, true) => f.write_str("  OUT OF BOUNDS, as so few may be by chance"),
            (false, _) => Ok(()),
        }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inputs {
    orders: u64,
    rolled_back: u64,
    lines: u64,
    remote_lines: u64,
    payments: u64,
    remote_payments: u64,
    payments_by_name: u64,
    statuses: u64,
    statuses_by_name: u64,
}

impl Inputs {
    pub(super) fn order(&mut self, input: &NewOrder) {
        self.orders += 1;
        self.lines += input.lines();
        self.remote_lines += input.remote_lines();
    }

    pub(super) fn rolled_back(&mut self) {
        self.rolled_back += 1;
    }

    pub(super) fn payment(&mut self, input: &Payment) {
        self.payments += 1;
        self.remote_payments += u64::from(input.is_remote());
        self.payments_by_name += u64::from(input.is_by_name());
    }

    pub(super) fn status(&mut self, input: &OrderStatus) {
        self.statuses += 1;
        self.statuses_by_name += u64::from(input.is_by_name());
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.rolled_back += other.rolled_back;
        self.lines += other.lines;
        self.remote_lines += other.remote_lines;
        self.payments += other.payments;
        self.remote_payments += other.remote_payments;
        self.payments_by_name += other.payments_by_name;
        self.statuses += other.statuses;
        self.statuses_by_name += other.statuses_by_name;
    }

    /// The figures, in the order of the clause.
    pub(super) fn figures(&self, warehouses: u32) -> Vec<Figure> {
        // Of nothing, where nothing can be remote.
        let remote = |count, all| (count, if warehouses == 1 { 0 } else { all });
        let (orders, payments) = (self.orders, self.payments);
        // From 5 to 15, all alike.
        let variance = 10.0;
        vec![
            Figure::share(
                "new-orders rolled back, %",
                (self.rolled_back, orders),
                0.9..=1.1,
            ),
            Figure::new(
                "lines of a new-order",
                (self.lines as f64, orders),
                9.5..=10.5,
                variance,
            ),
            Figure::share(
                "remote lines, %",
                remote(self.remote_lines, self.lines),
                0.95..=1.05,
            ),
            Figure::share(
                "remote payments, %",
                remote(self.remote_payments, payments),
                14.0..=16.0,
            ),
            Figure::share(
                "payments by last name, %",
                (self.payments_by_name, payments),
                57.0..=63.0,
            ),
            Figure::share(
                "order-statuses by last name, %",
                (self.statuses_by_name, self.statuses),
                57.0..=63.0,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tpcc::random::{Constants, Random};
    use crate::tpcc::schema::Scale;
    use crate::tpcc::transactions::{Profile, Terminal};

    /// What so many transactions of each kind ask for.
    fn drawn(count: u32, warehouses: u32, profile: Profile) -> Inputs {
        let mut random = Random::new(Constants::new(1), 2);
        let scale = Scale::default();
        let at = Terminal {
            warehouse: 1,
            district: 1,
            profile,
        };
        let mut inputs = Inputs::default();
        for number in 1..=count {
            inputs.order(&NewOrder::draw(&mut random, &scale, warehouses, at));
            inputs.payment(&Payment::draw(
                &mut random,
                &scale,
                warehouses,
                at,
                (1, number),
            ));
            inputs.status(&OrderStatus::draw(&mut random, &scale, at));
        }
        inputs
    }

    fn out(figures: &[Figure]) -> Vec<&'static str> {
        let out = figures.iter().filter(|it| it.is_out());
        out.map(|it| it.name).collect()
    }

    #[test]
    fn what_is_drawn_is_within_the_bounds() {
        let mut inputs = drawn(100_000, 3, Profile::Spec);
        inputs.rolled_back = 1_000;
        let figures = inputs.figures(3);
        assert_eq!(out(&figures), [""; 0], "{figures:?}");
        assert!(figures.iter().all(|it| it.value.is_some()));
    }

    #[test]
    fn the_reduced_profile_is_out_of_bounds() {
        let figures = drawn(100_000, 3, Profile::Vmvcc).figures(3);
        let expected = [
            "new-orders rolled back, %",
            "payments by last name, %",
            "order-statuses by last name, %",
        ];
        assert_eq!(out(&figures), expected);
        assert!(
            figures[0]
                .to_string()
                .ends_with("0.9 to 1.1, of 100000  OUT OF BOUNDS")
        );
    }

    #[test]
    fn the_bounds_are_within_the_bounds_and_what_is_beyond_is_not() {
        let figures = |rolled_back| {
            let inputs = Inputs {
                orders: 1_000_000,
                rolled_back,
                ..Inputs::default()
            };
            inputs.figures(2)[0].is_out()
        };
        assert_eq!(
            [8_999, 9_000, 11_000, 11_001].map(figures),
            [true, false, false, true]
        );
    }

    #[test]
    fn what_cannot_be_is_not_out_of_bounds() {
        let figures = drawn(1_000, 1, Profile::Spec).figures(1);
        assert_eq!((figures[2].value, figures[3].value), (None, None));
        assert!(!figures[2].is_out() && figures[2].to_string().contains(" - "));
        assert!(
            Inputs::default()
                .figures(2)
                .iter()
                .all(|it| it.value.is_none())
        );
    }

    #[test]
    fn few_may_be_out_of_bounds_by_chance() {
        for (rolled_back, by_chance) in [(0, false), (8, true), (12, true), (100, false)] {
            let inputs = Inputs {
                orders: 1_000,
                rolled_back,
                ..Inputs::default()
            };
            let figure = &inputs.figures(2)[0];
            assert!(figure.is_out());
            assert_eq!(figure.by_chance, by_chance, "{figure}");
            assert_eq!(
                figure.to_string().ends_with(", as so few may be by chance"),
                by_chance
            );
        }
    }
}
