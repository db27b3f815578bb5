//! The five transactions (clauses 2.4 to 2.8).
//!
//! Each has its input, drawn before the transaction so that an attempt that is run again repeats
//! it, and its output, what a terminal would display.

mod delivery;
mod new_order;
mod order_status;
mod payment;
mod stock_level;

pub use delivery::{Delivered, Delivery};
pub use new_order::{MAX_LINES, NewOrder, Ordered, OrderedLine, UnusedItem};
pub use order_status::{OrderStatus, Status};
pub use payment::{Paid, Payment};
pub use stock_level::StockLevel;

use super::random::Random;
use super::schema::{Moment, NameKey, Scale, Tables, key};
use super::text::Text;
use crate::engine::{Engine, Read};
use clap::ValueEnum;
use std::time::{SystemTime, UNIX_EPOCH};

/// How inputs are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// As the specification says.
    Spec,
    /// Reduced, as in the published code of vMVCC (OSDI 2023): customers by number only, no
    /// rollbacks, all payments 2.50, and a delivery that commits each district by itself. But no
    /// order is skipped.
    // Its delivery takes order numbers from a counter, which moves on also where there is no order
    // yet.
    Vmvcc,
}

/// Where a terminal is: its warehouse is that of all its transactions (clause 2.4.1.1), its
/// district that of its stock-levels (clause 2.8.1.1).
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// The home warehouse, from 1.
    pub warehouse: u32,
    /// The district, from 1.
    pub district: u8,
    /// How it draws inputs.
    pub profile: Profile,
}

/// The present.
///
/// # Panics
/// If the clock says that 1970 is yet to come.
pub fn now() -> Moment {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let micros = elapsed.and_then(|elapsed| u64::try_from(elapsed.as_micros()).ok());
    micros
        .and_then(Moment::new)
        .expect("the system's clock is set to a time after 1970")
}

/// How a transaction names its customer.
#[derive(Clone, Copy, Debug)]
pub enum Chosen {
    /// By `C_ID`.
    Number(u32),
    /// By `C_LAST`, which several customers of a district may have.
    Name(Text<16>),
}

impl Chosen {
    /// By name in six of ten cases (clauses 2.5.1.2 and 2.6.1.2).
    fn draw(random: &mut Random, scale: &Scale, profile: Profile) -> Self {
        if profile == Profile::Spec && random.percent(60) {
            Self::Name(random.last_name(scale))
        } else {
            Self::Number(random.customer(scale))
        }
    }

    fn is_by_name(&self) -> bool {
        matches!(self, Self::Name(_))
    }

    /// The customer's number: of `n` with the name, the one at `n / 2`, rounded up, by first name
    /// (clauses 2.5.2.2 and 2.6.2.2).
    ///
    /// # Panics
    /// If the district has no customer with this name.
    fn find<E: Engine>(&self, read: &impl Read<E>, tables: &Tables<E>, place: (u32, u8)) -> u32 {
        let last = match *self {
            Self::Number(number) => return number,
            Self::Name(last) => last,
        };
        let district = key::district(place.0, place.1);
        let bound = |first, customer| NameKey {
            district,
            last,
            first,
            customer,
        };
        let range = bound(Text::FIRST, 0)..=bound(Text::LAST, u32::MAX);
        let rows = read.range(&tables.name, range);
        let found: Vec<u32> = rows.map(|(name, ())| name.customer).collect();
        assert!(
            !found.is_empty(),
            "warehouse {} district {} has no customer {last}",
            place.0,
            place.1
        );
        found[found.len().div_ceil(2) - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mvcc::Database;
    use std::convert::Infallible;

    #[test]
    fn of_a_name_the_middle_one_is_found() {
        let database = Database::new();
        let tables = Tables::open(&database, Scale::default(), 1).expect("the tables are new");
        let last = Text::new(b"BARBARBAR");
        let names = [(1, "D"), (2, "B"), (3, "A"), (4, "C")];
        // By first name: A; A B; A B D; A B C D. The one at half of the count, rounded up.
        for (count, expected) in [(1, 1), (2, 2), (3, 2), (4, 2)] {
            let Ok(()) = database.run(|tx| {
                for (customer, first) in &names[..count] {
                    let name = NameKey {
                        district: key::district(1, 1),
                        last,
                        first: Text::new(first.as_bytes()),
                        customer: *customer,
                    };
                    tx.insert(&tables.name, name, ());
                }
                Ok::<_, Infallible>(())
            });
            let found =
                database.view(|view| Chosen::Name(last).find::<Database>(view, &tables, (1, 1)));
            assert_eq!(found, expected, "of {count}");
        }
    }
}
