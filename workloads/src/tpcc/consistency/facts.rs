//! What the conditions are about, read in one go.
//!
//! Tables for point access are walked by the keys that must be there: a district's `D_NEXT_O_ID`
//! says which orders it has, and an order has at most 15 lines. An order that has the next number
//! already is found, too.

use crate::engine::{Engine, Read};
use crate::tpcc::schema::{Customer, HistoryKey, Order, Scale, Tables, key};
use crate::tpcc::transactions::MAX_LINES;
use std::collections::HashMap;

/// Of the whole database.
pub(super) struct Facts<'r> {
    pub(super) scale: Scale,
    pub(super) warehouses: Vec<WarehouseFacts<'r>>,
}

pub(super) struct WarehouseFacts<'r> {
    pub(super) number: u32,
    /// `W_YTD`, if the row is there.
    pub(super) ytd: Option<i64>,
    /// The sum of `H_AMOUNT` of what was paid there.
    pub(super) paid: i64,
    districts: Vec<DistrictFacts<'r>>,
}

pub(super) struct DistrictFacts<'r> {
    /// Warehouse and district.
    pub(super) place: (u32, u8),
    /// `D_YTD`, if the row is there.
    pub(super) ytd: Option<i64>,
    /// `D_NEXT_O_ID`, or 0.
    pub(super) next_order: u32,
    /// The sum of `H_AMOUNT` of what was paid there.
    pub(super) paid: i64,
    /// Of each number up to `next_order`, whether or not it has an order.
    pub(super) all_orders: Vec<OrderFacts<'r>>,
    /// `NO_O_ID` of the rows in the new-order table, ascending.
    pub(super) new_orders: Vec<u32>,
    customers: Vec<CustomerFacts<'r>>,
}

pub(super) struct OrderFacts<'r> {
    pub(super) number: u32,
    pub(super) order: Option<&'r Order>,
    /// Which lines there are, and which of them have a delivery date: a bit for each number.
    lines: u16,
    delivered: u16,
    /// The sum of `OL_AMOUNT` of the latter.
    amount: i64,
}

pub(super) struct CustomerFacts<'r> {
    pub(super) number: u32,
    pub(super) customer: Option<&'r Customer>,
    /// The sum of `OL_AMOUNT` of the customer's delivered lines.
    pub(super) delivered: i64,
    /// The sum of `H_AMOUNT` of the customer's payments, wherever they were made.
    pub(super) paid: i64,
}

/// The sums of `H_AMOUNT` of each.
#[derive(Default)]
struct Payments {
    warehouses: HashMap<u32, i64>,
    districts: HashMap<(u32, u8), i64>,
    /// By [`key::customer`].
    customers: HashMap<u64, i64>,
}

impl<'r> Facts<'r> {
    pub(super) fn gather<E: Engine>(tables: &'r Tables<E>, read: &'r impl Read<E>) -> Self {
        let payments = Payments::gather(tables, read);
        let warehouse = |number| WarehouseFacts {
            number,
            ytd: read.get(&tables.warehouse, &number).map(|row| row.ytd),
            paid: sum_of(&payments.warehouses, &number),
            districts: (1..=tables.scale.districts)
                .map(|district| DistrictFacts::gather(tables, read, &payments, (number, district)))
                .collect(),
        };
        Self {
            scale: tables.scale,
            warehouses: (1..=tables.warehouses).map(warehouse).collect(),
        }
    }

    pub(super) fn districts(&self) -> impl Iterator<Item = &DistrictFacts<'r>> {
        self.warehouses.iter().flat_map(WarehouseFacts::districts)
    }

    pub(super) fn orders(&self) -> impl Iterator<Item = (&DistrictFacts<'r>, &OrderFacts<'r>)> {
        self.districts()
            .flat_map(|district| district.all_orders.iter().map(move |it| (district, it)))
    }

    pub(super) fn customers(
        &self,
    ) -> impl Iterator<Item = (&DistrictFacts<'r>, &CustomerFacts<'r>)> {
        self.districts()
            .flat_map(|district| district.customers.iter().map(move |it| (district, it)))
    }
}

impl<'r> WarehouseFacts<'r> {
    pub(super) fn districts(&self) -> impl Iterator<Item = &DistrictFacts<'r>> {
        self.districts.iter()
    }
}

impl<'r> DistrictFacts<'r> {
    fn gather<E: Engine>(
        tables: &'r Tables<E>,
        read: &'r impl Read<E>,
        payments: &Payments,
        place: (u32, u8),
    ) -> Self {
        let (w, d) = place;
        let row = read.get(&tables.district, &key::district(w, d));
        let next_order = row.map_or(0, |row| row.next_order);
        let order = |number| OrderFacts::gather(tables, read, (w, d, number));
        let all_orders: Vec<_> = (1..=next_order).map(order).collect();
        let mut delivered = vec![0; tables.scale.customers as usize + 1];
        for facts in &all_orders {
            if let Some(sum) = facts
                .order
                .and_then(|it| delivered.get_mut(it.customer as usize))
            {
                *sum += facts.amount;
            }
        }
        let customers = (0..).zip(delivered).skip(1).map(|(number, delivered)| {
            let key = key::customer(w, d, number);
            CustomerFacts {
                number,
                customer: read.get(&tables.customer, &key),
                delivered,
                paid: sum_of(&payments.customers, &key),
            }
        });
        let new_orders = key::order(w, d, 0)..=key::order(w, d, u32::MAX);
        let new_orders = read.range(&tables.new_order, new_orders);
        Self {
            place,
            ytd: row.map(|row| row.ytd),
            next_order,
            paid: sum_of(&payments.districts, &place),
            customers: customers.collect(),
            all_orders,
            new_orders: new_orders.map(|(key, ())| key::order_of(*key)).collect(),
        }
    }

    /// Those that are there, with their numbers, ascending.
    pub(super) fn orders(&self) -> impl DoubleEndedIterator<Item = (u32, &'r Order)> {
        self.all_orders
            .iter()
            .filter_map(|facts| Some((facts.number, facts.order?)))
    }
}

impl<'r> OrderFacts<'r> {
    fn gather<E: Engine>(
        tables: &'r Tables<E>,
        read: &'r impl Read<E>,
        (w, d, number): (u32, u8, u32),
    ) -> Self {
        let mut facts = Self {
            number,
            order: read.get(&tables.order, &key::order(w, d, number)),
            lines: 0,
            delivered: 0,
            amount: 0,
        };
        for line in 1..=MAX_LINES {
            if let Some(row) = read.get(&tables.line, &key::line(w, d, number, line)) {
                facts.lines |= 1 << line;
                if row.delivery.is_some() {
                    facts.delivered |= 1 << line;
                    facts.amount += row.amount;
                }
            }
        }
        facts
    }

    pub(super) fn line_count(&self) -> u32 {
        self.lines.count_ones()
    }

    /// The numbers of the lines, and whether they have a delivery date.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u8, bool)> {
        let has = |bits: u16, line: u8| bits & 1 << line != 0;
        (1..=MAX_LINES)
            .filter(move |line| has(self.lines, *line))
            .map(move |line| (line, has(self.delivered, line)))
    }
}

impl Payments {
    fn gather<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Self {
        let mut sums = Self::default();
        for (
            &HistoryKey {
                warehouse,
                district,
                ..
            },
            row,
        ) in read.range(&tables.history, ..)
        {
            *sums.warehouses.entry(warehouse).or_default() += row.amount;
            *sums.districts.entry((warehouse, district)).or_default() += row.amount;
            *sums.customers.entry(row.customer).or_default() += row.amount;
        }
        sums
    }
}

fn sum_of<K: std::hash::Hash + Eq>(sums: &HashMap<K, i64>, key: &K) -> i64 {
    sums.get(key).copied().unwrap_or(0)
}
