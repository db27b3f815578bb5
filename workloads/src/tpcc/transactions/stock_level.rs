//! Stock-level (clause 2.8).

use super::Terminal;
use crate::engine::{Engine, Read};
use crate::tpcc::random::Random;
use crate::tpcc::schema::{Tables, key};

/// So many of the district's last orders are looked at.
const ORDERS: u32 = 20;

/// The input.
#[derive(Clone, Copy, Debug)]
pub struct StockLevel {
    warehouse: u32,
    district: u8,
    threshold: i32,
}

impl StockLevel {
    /// Draws an input (clause 2.8.1).
    pub fn draw(random: &mut Random, at: Terminal) -> Self {
        Self {
            warehouse: at.warehouse,
            district: at.district,
            threshold: random.uniform(10..=20),
        }
    }

    /// How many of the items that were ordered last are low in stock (clause 2.8.2).
    ///
    /// # Panics
    /// If a row is missing that the initial population has.
    pub fn run<E: Engine>(&self, read: &impl Read<E>, tables: &Tables<E>) -> usize {
        let place = key::district(self.warehouse, self.district);
        let district = read.get(&tables.district, &place);
        let next = district.expect("all districts are loaded").next_order;
        let orders = next.saturating_sub(ORDERS).max(1)..next;
        let order_keys = orders
            .clone()
            .map(|number| key::order(self.warehouse, self.district, number));
        let order_keys: Vec<_> = order_keys.collect();
        let mut line_keys = Vec::with_capacity(ORDERS as usize * 15);
        for (number, order) in orders.zip(read.get_many(&tables.order, &order_keys)) {
            let lines = order.expect("orders are numbered without gaps").lines;
            let key = |line| key::line(self.warehouse, self.district, number, line);
            line_keys.extend((1..=lines).map(key));
        }
        let lines = read.get_many(&tables.line, &line_keys);
        let mut items: Vec<_> = lines
            .map(|line| line.expect("an order has as many lines as it says").item)
            .collect();
        items.sort_unstable();
        items.dedup();
        let stocks = items.iter().map(|item| key::stock(self.warehouse, *item));
        let stocks: Vec<_> = stocks.collect();
        read.get_many(&tables.stock, &stocks)
            .map(|stock| stock.expect("all warehouses stock all items").quantity)
            .filter(|quantity| *quantity < self.threshold)
            .count()
    }
}
