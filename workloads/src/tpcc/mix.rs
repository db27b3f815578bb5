//! Which transactions terminals choose, and how long they wait.

use super::random::Random;
use crate::InputError;
use std::fmt;
use std::str::FromStr;

/// A kind of transaction. Its number is its place in the mix and in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NewOrder,
    Payment,
    OrderStatus,
    Delivery,
    StockLevel,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::NewOrder,
        Self::Payment,
        Self::OrderStatus,
        Self::Delivery,
        Self::StockLevel,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NewOrder => "new_order",
            Self::Payment => "payment",
            Self::OrderStatus => "order_status",
            Self::Delivery => "delivery",
            Self::StockLevel => "stock_level",
        }
    }

    /// Seconds of keying before it and of thinking after it, the latter on average (clauses 5.2.5.2
    /// and 5.2.5.4).
    pub(super) fn waits(self) -> (f64, f64) {
        match self {
            Self::NewOrder => (18.0, 12.0),
            Self::Payment => (3.0, 12.0),
            Self::OrderStatus => (2.0, 10.0),
            Self::Delivery | Self::StockLevel => (2.0, 5.0),
        }
    }
}

/// How many percent of the transactions are new-order, payment, order-status, delivery, and
/// stock-level (clause 5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix([u8; 5]);

impl Default for Mix {
    fn default() -> Self {
        Self([45, 43, 4, 4, 4])
    }
}

impl FromStr for Mix {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        let wrong = |found: &str| {
            InputError::new(format!(
                "--mix {text}: {found}; expected five whole percentages that sum to 100, for new-order, payment, order-status, delivery, stock-level, such as 45,43,4,4,4"
            ))
        };
        let shares: Result<Vec<u8>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        let shares = shares.map_err(|_| wrong("not all are whole percentages"))?;
        let count = shares.len();
        let shares = <[u8; 5]>::try_from(shares).map_err(|_| wrong(&format!("{count} numbers")))?;
        match shares.iter().map(|share| u32::from(*share)).sum() {
            100 => Ok(Self(shares)),
            sum => Err(wrong(&format!("the sum is {sum}"))),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [new_order, payment, order_status, delivery, stock_level] = self.0;
        write!(
            f,
            "{new_order},{payment},{order_status},{delivery},{stock_level}"
        )
    }
}

impl Mix {
    pub(super) fn draw(self, random: &mut Random) -> Kind {
        let mut dice = random.uniform(0..=99_u8);
        for (kind, share) in Kind::ALL.into_iter().zip(self.0) {
            if dice < share {
                return kind;
            }
            dice -= share;
        }
        unreachable!("the shares sum to 100")
    }
}
