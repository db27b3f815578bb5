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
        let mut skipped = 0;
        let mut order_keys = Vec::with_capacity(districts.len());
        for district in districts {
            match self.oldest(tx, tables, district) {
                Some(order) => order_keys.push(order),
                None => skipped += 1,
            }
        }
        let orders = tx.get_many(&tables.order, &order_keys);
        let orders: Vec<_> = orders
            .map(|order| *order.expect("a new order has an order"))
            .collect();
        let customers = order_keys.iter().zip(&orders);
        let customers = customers.map(|(&order_key, order)| {
            key::customer(self.warehouse, key::district_of(order_key), order.customer)
        });
        let customers: Vec<_> = customers.collect();
        let rows = tx.get_many(&tables.customer, &customers);
        for (((&order_key, mut order), &customer_key), customer) in
            order_keys.iter().zip(orders).zip(&customers).zip(rows)
        {
            tx.remove_ordered(&tables.new_order, &order_key);
            order.carrier = Some(self.carrier);
            tx.insert(&tables.order, order_key, order);
            let mut customer = customer.expect("all customers are loaded").clone();
            customer.balance += self.deliver_lines(tx, tables, order_key, order.lines);
            customer.deliveries += 1;
            tx.insert(&tables.customer, customer_key, customer);
        }
        let delivered = |&order| (key::district_of(order), key::order_of(order));
        Delivered {
            orders: order_keys.iter().map(delivered).collect(),
            skipped,
        }
    }

    /// The key of a district's oldest order that is to be delivered.
    fn oldest<E: Engine>(
        &self,
        tx: &E::Transaction<'_>,
        tables: &Tables<E>,
        district: u8,
    ) -> Option<u64> {
        let first = key::order(self.warehouse, district, 0);
        let last = key::order(self.warehouse, district, u32::MAX);
        let mut orders = tx.range(&tables.new_order, first..=last);
        orders.next().map(|(order, ())| *order)
    }

    /// Delivers the lines of an order, and returns the sum of their amounts.
    fn deliver_lines<E: Engine>(
        &self,
        tx: &E::Transaction<'_>,
        tables: &Tables<E>,
        order_key: u64,
        lines: u8,
    ) -> i64 {
        let lines = (1..=lines).map(|line| key::line_of(order_key, line));
        let lines: Vec<_> = lines.collect();
        let mut total = 0;
        for (&line_key, line) in lines.iter().zip(tx.get_many(&tables.line, &lines)) {
            let line = *line.expect("an order has as many lines as it says");
            total += line.amount;
            let row = OrderLine {
                delivery: Some(self.date),
                ..line
            };
            tx.insert(&tables.line, line_key, row);
        }
        total
    }
}
