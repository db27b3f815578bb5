//! Delivery (clause 2.7).

use super::{Profile, Terminal, now};
use crate::engine::{Engine, Read, Write};
use crate::tpcc::random::Random;
use crate::tpcc::schema::{Moment, OrderLine, Scale, Tables, key};
use std::ops::RangeInclusive;

/// The input.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    warehouse: u32,
    carrier: u8,
    date: Moment,
    profile: Profile,
}

/// The output: what would be in the result file (clause 2.7.3.2).
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The delivered orders: district and `O_ID`.
    pub orders: Vec<(u8, u32)>,
    /// Districts that had no order to deliver.
    pub skipped: u64,
}

impl Delivery {
    /// Draws an input (clause 2.7.1).
    pub fn draw(random: &mut Random, at: Terminal) -> Self {
        Self {
            warehouse: at.warehouse,
            carrier: random.uniform(1..=10),
            date: now(),
            profile: at.profile,
        }
    }

    /// The districts by transaction: all in one, or in the reduced profile one for each.
    pub fn parts(&self, scale: &Scale) -> impl Iterator<Item = RangeInclusive<u8>> + use<> {
        let districts = scale.districts;
        let size = match self.profile {
            Profile::Spec => districts,
            Profile::Vmvcc => 1,
        };
        let firsts = (1..=districts).step_by(size.into());
        firsts.map(move |first| first..=first + (size - 1))
    }

    /// Runs within a transaction (clause 2.7.4): the oldest order of each of these districts.
    ///
    /// # Panics
    /// If a row is missing that an earlier transaction wrote.
    pub fn run<E: Engine>(
        &self,
        tx: &E::Transaction<'_>,
        tables: &Tables<E>,
        districts: RangeInclusive<u8>,
    ) -> Delivered {
        let mut delivered = Delivered {
            orders: Vec::with_capacity(districts.len()),
            skipped: 0,
        };
        for district in districts {
            match self.deliver(tx, tables, district) {
                Some(order) => delivered.orders.push((district, order)),
                None => delivered.skipped += 1,
            }
        }
        delivered
    }

    /// The order's number, if the district has one to deliver.
    fn deliver<E: Engine>(
        &self,
        tx: &E::Transaction<'_>,
        tables: &Tables<E>,
        district: u8,
    ) -> Option<u32> {
        let order_key = {
            let all = key::order(self.warehouse, district, 0)
                ..=key::order(self.warehouse, district, u32::MAX);
            let mut orders = tx.range(&tables.new_order, all);
            *orders.next()?.0
        };
        tx.remove_ordered(&tables.new_order, &order_key);
        let number = key::order_of(order_key);
        let mut order = *tx
            .get(&tables.order, &order_key)
            .expect("a new order has an order");
        order.carrier = Some(self.carrier);
        tx.insert(&tables.order, order_key, order);

        let mut total = 0;
        let lines = (1..=order.lines).map(|line| key::line(self.warehouse, district, number, line));
        let lines: Vec<_> = lines.collect();
        for (&line_key, line) in lines.iter().zip(tx.get_many(&tables.line, &lines)) {
            let line = *line.expect("an order has as many lines as it says");
            total += line.amount;
            let row = OrderLine {
                delivery: Some(self.date),
                ..line
            };
            tx.insert(&tables.line, line_key, row);
        }

        let customer_key = key::customer(self.warehouse, district, order.customer);
        let customer = tx.get(&tables.customer, &customer_key);
        let mut customer = customer.expect("all customers are loaded").clone();
        customer.balance += total;
        customer.deliveries += 1;
        tx.insert(&tables.customer, customer_key, customer);
        Some(number)
    }
}
