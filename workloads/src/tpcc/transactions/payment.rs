//! Payment (clause 2.5).

use super::{Chosen, Profile, Terminal, now};
use crate::engine::{Engine, Read, Write};
use crate::tpcc::Text;
use crate::tpcc::random::Random;
use crate::tpcc::schema::{
    Credit, Customer, CustomerDetails, History, HistoryKey, Moment, Scale, Tables, key,
};
use std::sync::Arc;

/// The most bytes that `C_DATA` has.
const MAX_DATA: usize = 500;

/// The input.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Also says where the payment is made.
    key: HistoryKey,
    customer: Chosen,
    /// The customer's own warehouse and district.
    resident: (u32, u8),
    amount: i64,
    date: Moment,
}

/// The output, besides what was input (clause 2.5.3.4).
#[derive(Clone, Debug)]
pub struct Paid {
    /// The customer's row, as it is now.
    pub customer: Customer,
    /// The first 200 bytes of `C_DATA`, if the credit is bad.
    pub data: Option<Text<200>>,
}

impl Payment {
    /// Draws an input (clause 2.5.1); `thread` and `sequence` make the new row's key.
    pub fn draw(
        random: &mut Random,
        scale: &Scale,
        warehouses: u32,
        at: Terminal,
        (thread, sequence): (u32, u32),
    ) -> Self {
        let district = random.uniform(1..=scale.districts);
        let resident = if random.percent(15) {
            let warehouse = random.other(warehouses, at.warehouse);
            (warehouse, random.uniform(1..=scale.districts))
        } else {
            (at.warehouse, district)
        };
        Self {
            key: HistoryKey {
                warehouse: at.warehouse,
                district,
                thread,
                sequence,
            },
            customer: Chosen::draw(random, scale, at.profile),
            resident,
            amount: match at.profile {
                Profile::Spec => random.uniform(100..=500_000),
                Profile::Vmvcc => 250,
            },
            date: now(),
        }
    }

    /// Whether the customer is of another warehouse.
    pub(in crate::tpcc) fn is_remote(&self) -> bool {
        self.resident.0 != self.key.warehouse
    }

    /// Whether the customer is chosen by last name.
    pub(in crate::tpcc) fn is_by_name(&self) -> bool {
        self.customer.is_by_name()
    }

    /// Runs within a transaction (clause 2.5.2).
    ///
    /// # Panics
    /// If a row is missing that the initial population has.
    pub fn run<E: Engine>(&self, tx: &E::Transaction<'_>, tables: &Tables<E>) -> Paid {
        let HistoryKey {
            warehouse: number,
            district: district_number,
            ..
        } = self.key;
        let mut warehouse = *tx
            .get(&tables.warehouse, &number)
            .expect("the home warehouse is loaded");
        warehouse.ytd += self.amount;
        tx.insert(&tables.warehouse, number, warehouse);
        let place = key::district(number, district_number);
        let mut district = *tx
            .get(&tables.district, &place)
            .expect("all districts are loaded");
        district.ytd += self.amount;
        tx.insert(&tables.district, place, district);

        let customer_number = self.customer.find::<E>(tx, tables, self.resident);
        let customer_key = key::customer(self.resident.0, self.resident.1, customer_number);
        let customer = tx.get(&tables.customer, &customer_key);
        let mut customer = customer.expect("all customers are loaded").clone();
        customer.balance -= self.amount;
        customer.ytd_payment += self.amount;
        customer.payments += 1;
        let mut data = None;
        if customer.credit == Credit::Bad {
            let text = self.data(customer_number, &customer.details.data);
            data = Some(Text::new(text.as_bytes()));
            customer.details = Arc::new(CustomerDetails {
                data: text.into(),
                ..CustomerDetails::clone(&customer.details)
            });
        }
        tx.insert(&tables.customer, customer_key, customer.clone());
        let row = History {
            customer: customer_key,
            date: self.date,
            amount: self.amount,
            data: history_data(&warehouse.name, &district.name),
        };
        tx.insert_ordered(&tables.history, self.key, row);
        Paid { customer, data }
    }

    /// `C_DATA` of a customer with bad credit: this payment in front of the others.
    fn data(&self, customer: u32, old: &str) -> String {
        let (warehouse, district) = self.resident;
        let HistoryKey {
            warehouse: paid_warehouse,
            district: paid_district,
            ..
        } = self.key;
        let (units, cents) = (self.amount / 100, self.amount % 100);
        let mut data = format!(
            "{customer} {district} {warehouse} {paid_district} {paid_warehouse} {units}.{cents:02} "
        );
        data.push_str(old);
        // All of it is ASCII.
        data.truncate(MAX_DATA);
        data
    }
}

/// The names with four blanks between.
fn history_data(warehouse: &Text<10>, district: &Text<10>) -> Text<24> {
    Text::new(&[warehouse.bytes(), b"    ", district.bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_credit_is_noted_in_front() {
        let payment = Payment {
            key: HistoryKey {
                warehouse: 3,
                district: 4,
                thread: 1,
                sequence: 1,
            },
            customer: Chosen::Number(5),
            resident: (6, 7),
            amount: 12_305,
            date: now(),
        };
        assert_eq!(payment.data(5, "OLD"), "5 7 6 4 3 123.05 OLD");
        assert_eq!(payment.data(5, &"x".repeat(500)).len(), 500);
    }

    #[test]
    fn both_names_are_in_the_history() {
        let data = history_data(&Text::new(b"WWWWWWWWWW"), &Text::new(b"DDDDDD"));
        assert_eq!(data.to_string(), "WWWWWWWWWW    DDDDDD");
    }
}
