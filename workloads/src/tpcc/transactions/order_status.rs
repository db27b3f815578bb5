//! Order-status (clause 2.6).

use super::{Chosen, Terminal};
use crate::engine::{Engine, Read};
use crate::tpcc::random::Random;
use crate::tpcc::schema::{Customer, Order, OrderLine, Scale, Tables, key};

/// The input.
#[derive(Clone, Copy, Debug)]
pub struct OrderStatus {
    place: (u32, u8),
    customer: Chosen,
}

/// The output (clause 2.6.3.4).
#[derive(Clone, Debug)]
pub struct Status {
    /// The customer.
    pub customer: Customer,
    /// `O_ID` of the customer's last order.
    pub number: u32,
    /// The order.
    pub order: Order,
    /// Its lines.
    pub lines: Vec<OrderLine>,
}

impl OrderStatus {
    /// Draws an input (clause 2.6.1).
    pub fn draw(random: &mut Random, scale: &Scale, at: Terminal) -> Self {
        Self {
            place: (at.warehouse, random.uniform(1..=scale.districts)),
            customer: Chosen::draw(random, scale, at.profile),
        }
    }

    /// Whether the customer is chosen by last name.
    pub(in crate::tpcc) fn is_by_name(&self) -> bool {
        self.customer.is_by_name()
    }

    /// Reads (clause 2.6.2).
    ///
    /// # Panics
    /// If a row is missing that the initial population has.
    pub fn run<E: Engine>(&self, read: &impl Read<E>, tables: &Tables<E>) -> Status {
        let (warehouse, district) = self.place;
        let customer = self.customer.find(read, tables, self.place);
        let customer = key::customer(warehouse, district, customer);
        let row = read.get(&tables.customer, &customer);
        let row = row.expect("all customers are loaded").clone();
        let orders = (customer, 0)..=(customer, u32::MAX);
        let mut orders = read.range(&tables.customer_order, orders);
        let &(_, number) = orders.next_back().expect("all customers have an order").0;
        let order = read.get(&tables.order, &key::order(warehouse, district, number));
        let order = *order.expect("the index names orders that are there");
        let line = |line| {
            let line = read.get(&tables.line, &key::line(warehouse, district, number, line));
            *line.expect("an order has as many lines as it says")
        };
        Status {
            customer: row,
            number,
            order,
            lines: (1..=order.lines).map(line).collect(),
        }
    }
}
