//! New-order (clause 2.4).

use super::{Profile, Terminal, now};
use crate::engine::{Engine, Read, Write};
use crate::tpcc::Text;
use crate::tpcc::random::{ORIGINAL, Random};
use crate::tpcc::schema::{Credit, Item, Moment, Order, OrderLine, Scale, Stock, Tables, key};

/// The most lines that an order has.
pub const MAX_LINES: u8 = 15;

/// The input.
#[derive(Clone, Debug)]
pub struct NewOrder {
    warehouse: u32,
    district: u8,
    customer: u32,
    entry: Moment,
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    item: u32,
    supply_warehouse: u32,
    quantity: u8,
}

/// An item that is not in the item table was ordered, so the order is rolled back (clause 2.4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusedItem;

/// The output (clause 2.4.3.3).
#[derive(Clone, Debug)]
pub struct Ordered {
    /// `O_ID`
    pub order: u32,
    /// `C_LAST`
    pub last: Text<16>,
    /// `C_CREDIT`
    pub credit: Credit,
    /// `C_DISCOUNT`, ten-thousandths
    pub discount: u16,
    /// `W_TAX` and `D_TAX`, ten-thousandths
    pub taxes: [u16; 2],
    /// The sum of the lines with discount and taxes, in cents, rounded.
    pub total: i64,
    /// The lines.
    pub lines: Vec<OrderedLine>,
}

/// A line of the output.
#[derive(Clone, Copy, Debug)]
pub struct OrderedLine {
    /// `I_NAME`
    pub name: Text<24>,
    /// `I_PRICE`, cents
    pub price: i64,
    /// `S_QUANTITY`
    pub stock: i32,
    /// `OL_AMOUNT`, cents
    pub amount: i64,
    /// Both the item and the stock are originals: brand in place of generic.
    pub brand: bool,
}

impl NewOrder {
    /// Draws an input (clause 2.4.1).
    pub fn draw(random: &mut Random, scale: &Scale, warehouses: u32, at: Terminal) -> Self {
        let rolled_back = at.profile == Profile::Spec && random.percent(1);
        let count = random.uniform(5..=MAX_LINES);
        let line = |number| {
            let remote = random.percent(1);
            let item = random.item(scale);
            Line {
                item: if rolled_back && number == count {
                    scale.items + 1
                } else {
                    item
                },
                supply_warehouse: if remote {
                    random.other(warehouses, at.warehouse)
                } else {
                    at.warehouse
                },
                quantity: random.uniform(1..=10),
            }
        };
        let lines = (1..=count).map(line).collect();
        Self {
            warehouse: at.warehouse,
            district: random.uniform(1..=scale.districts),
            customer: random.customer(scale),
            entry: now(),
            lines,
        }
    }

    /// How many lines it has.
    pub(in crate::tpcc) fn lines(&self) -> u64 {
        self.lines.len() as u64
    }

    /// How many of them another warehouse supplies.
    pub(in crate::tpcc) fn remote_lines(&self) -> u64 {
        let remote = |line: &&Line| line.supply_warehouse != self.warehouse;
        self.lines.iter().filter(remote).count() as u64
    }

    /// Runs within a transaction (clause 2.4.2).
    ///
    /// # Errors
    /// [`UnusedItem`] if the last item is none.
    ///
    /// # Panics
    /// If a row is missing that the initial population has.
    pub fn run<E: Engine>(
        &self,
        tx: &E::Transaction<'_>,
        tables: &Tables<E>,
    ) -> Result<Ordered, UnusedItem> {
        let place = key::district(self.warehouse, self.district);
        let customer_key = key::customer(self.warehouse, self.district, self.customer);
        let warehouse = tx.get(&tables.warehouse, &self.warehouse);
        let warehouse_tax = warehouse.expect("the home warehouse is loaded").tax;
        let mut district = *tx
            .get(&tables.district, &place)
            .expect("all districts are loaded");
        let order = district.next_order;
        district.next_order += 1;
        tx.insert(&tables.district, place, district);
        let customer = tx.get(&tables.customer, &customer_key);
        let customer = customer.expect("all customers are loaded");

        let order_key = key::order(self.warehouse, self.district, order);
        let row = Order {
            customer: self.customer,
            entry: self.entry,
            carrier: None,
            lines: u8::try_from(self.lines.len()).expect("at most 15 lines"),
            all_local: self
                .lines
                .iter()
                .all(|line| line.supply_warehouse == self.warehouse),
        };
        tx.insert(&tables.order, order_key, row);
        tx.insert_ordered(&tables.new_order, order_key, ());
        tx.insert_ordered(&tables.customer_order, (customer_key, order), ());
        let items: Vec<_> = self.lines.iter().map(|line| line.item).collect();
        let stocks = self.lines.iter();
        let stocks: Vec<_> = stocks
            .map(|line| key::stock(line.supply_warehouse, line.item))
            .collect();
        let items = tx.get_many(&tables.item, &items);
        let stocks = tx.get_many(&tables.stock, &stocks);
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut rows = Vec::with_capacity(self.lines.len());
        for (((number, line), item), stock) in (1..).zip(&self.lines).zip(items).zip(stocks) {
            // An unused item is the last one: what comes before it is done all the same.
            let Some(item) = item else { break };
            let stock = stock.expect("all warehouses stock all items").clone();
            let (row, output) = self.order_line(tx, tables, line, (item, stock));
            rows.push((key::line_of(order_key, number), row));
            lines.push(output);
        }
        tx.insert_many(&tables.line, rows);
        if lines.len() < self.lines.len() {
            return Err(UnusedItem);
        }

        let sum: i64 = lines.iter().map(|line| line.amount).sum();
        let taxes = [warehouse_tax, district.tax];
        Ok(Ordered {
            order,
            last: customer.last,
            credit: customer.credit,
            discount: customer.discount,
            taxes,
            total: total(sum, customer.discount, taxes),
            lines,
        })
    }

    fn order_line<E: Engine>(
        &self,
        tx: &E::Transaction<'_>,
        tables: &Tables<E>,
        line: &Line,
        (item, mut stock): (&Item, Stock),
    ) -> (OrderLine, OrderedLine) {
        take(
            &mut stock,
            line.quantity,
            line.supply_warehouse != self.warehouse,
        );
        let amount = i64::from(line.quantity) * item.price;
        let row = OrderLine {
            item: line.item,
            supply_warehouse: line.supply_warehouse,
            delivery: None,
            amount,
            quantity: line.quantity,
            dist_info: stock.details.district(self.district),
        };
        let output = OrderedLine {
            name: item.name,
            price: item.price,
            stock: stock.quantity,
            amount,
            brand: item.data.contains(ORIGINAL) && stock.details.data.contains(ORIGINAL),
        };
        let stock_key = key::stock(line.supply_warehouse, line.item);
        tx.insert(&tables.stock, stock_key, stock);
        (row, output)
    }
}

/// Takes a quantity from the stock, which is refilled by 91 when fewer than 10 would remain (clause
/// 2.4.2.2).
fn take(stock: &mut Stock, quantity: u8, remote: bool) {
    let ordered = i32::from(quantity);
    stock.quantity -= ordered;
    if stock.quantity < 10 {
        stock.quantity += 91;
    }
    stock.ytd += u32::from(quantity);
    stock.orders += 1;
    stock.remote_orders += u32::from(remote);
}

/// The sum of the lines less the discount, plus the taxes, rounded to whole cents.
fn total(sum: i64, discount: u16, taxes: [u16; 2]) -> i64 {
    let share = 10_000 - i64::from(discount);
    let taxed = 10_000 + i64::from(taxes[0]) + i64::from(taxes[1]);
    (sum * share * taxed + 50_000_000) / 100_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tpcc::schema::StockDetails;
    use std::sync::Arc;

    #[test]
    fn the_total_is_exact() {
        assert_eq!(total(10_000, 0, [0, 0]), 10_000);
        assert_eq!(total(10_000, 5_000, [2_000, 1_000]), 6_500);
        assert_eq!(total(999, 1_234, [567, 89]), 933);
    }

    #[test]
    fn stock_is_refilled() {
        let details = StockDetails {
            dist_info: [Text::FIRST; 10],
            data: Text::FIRST,
        };
        let mut stock = Stock {
            quantity: 20,
            ytd: 0,
            orders: 0,
            remote_orders: 0,
            details: Arc::new(details),
        };
        take(&mut stock, 10, false);
        assert_eq!(stock.quantity, 10);
        take(&mut stock, 1, true);
        assert_eq!((stock.quantity, stock.ytd), (100, 11));
        assert_eq!((stock.orders, stock.remote_orders), (2, 1));
    }
}
