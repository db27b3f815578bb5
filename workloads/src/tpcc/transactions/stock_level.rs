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
        let mut items = Vec::with_capacity(ORDERS as usize * 15);
        for number in next.saturating_sub(ORDERS).max(1)..next {
            let order_key = key::order(self.warehouse, self.district, number);
            let order = read.get(&tables.order, &order_key);
            let lines = order.expect("orders are numbered without gaps").lines;
            items.extend((1..=lines).map(|line| {
                let key = key::line(self.warehouse, self.district, number, line);
                let line = read.get(&tables.line, &key);
                line.expect("an order has as many lines as it says").item
            }));
        }
        items.sort_unstable();
        items.dedup();
        items.retain(|item| {
            let stock = read.get(&tables.stock, &key::stock(self.warehouse, *item));
            stock.expect("all warehouses stock all items").quantity < self.threshold
        });
        items.len()
    }
}
