//! The twelve consistency conditions (clauses 3.3.2.1 to 3.3.2.12).
//!
//! Each is a function of its own over anything that can be read. Tables for point access are walked by the keys that must be there:
//! a district's `D_NEXT_O_ID` says which orders it has, and an order has at most 15 lines. So each function costs what the data it is
//! about costs to read, and a check of all reads the order lines five times.

#[cfg(test)]
mod tests;

use super::schema::{HistoryKey, Order, OrderLine, Tables, key};
use super::transactions::MAX_LINES;
use crate::engine::{Engine, Read};
use std::collections::HashMap;
use std::fmt;

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number, from 1.
    pub condition: u8,
    /// The first of the rows that show it.
    pub rows: Vec<String>,
    /// How many others show it.
    pub more: u64,
}

/// So many rows of a violated condition are kept.
const SHOWN: usize = 10;

impl Violation {
    fn of(condition: u8) -> Self {
        Self {
            condition,
            rows: Vec::new(),
            more: 0,
        }
    }

    fn add(&mut self, row: impl FnOnce() -> String) {
        if self.rows.len() < SHOWN {
            self.rows.push(row());
        } else {
            self.more += 1;
        }
    }

    /// An error if anything was found.
    fn result(self) -> Result<(), Self> {
        if self.rows.is_empty() {
            Ok(())
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.condition;
        write!(
            f,
            "consistency condition {number} (clause 3.3.2.{number}) is violated:"
        )?;
        for row in &self.rows {
            write!(f, "\n  {row}")?;
        }
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        Ok(())
    }
}

/// One of the functions below.
type Condition<E, R> = fn(&Tables<E>, &R) -> Result<(), Violation>;

/// When a check is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After loading: all conditions hold.
    Loaded,
    /// Once transactions run or have run: the eleventh, which counts undelivered orders, does not hold any more.
    Running,
}

/// Checks the conditions that hold at this time, and returns those that do not.
pub fn check<E: Engine, R: Read<E>>(tables: &Tables<E>, read: &R, when: When) -> Vec<Violation> {
    let conditions: [Condition<E, R>; 12] = [
        condition_1,
        condition_2,
        condition_3,
        condition_4,
        condition_5,
        condition_6,
        condition_7,
        condition_8,
        condition_9,
        condition_10,
        condition_11,
        condition_12,
    ];
    (1..)
        .zip(conditions)
        .filter(|(number, _)| when == When::Loaded || *number != 11)
        .filter_map(|(_, condition)| condition(tables, read).err())
        .collect()
}

/// Warehouse and district numbers.
fn districts<E: Engine>(tables: &Tables<E>) -> impl Iterator<Item = (u32, u8)> {
    let districts = tables.scale.districts;
    (1..=tables.warehouses).flat_map(move |w| (1..=districts).map(move |d| (w, d)))
}

/// `D_NEXT_O_ID`, or 0 if there is no such district.
fn next_order<E: Engine>(tables: &Tables<E>, read: &impl Read<E>, (w, d): (u32, u8)) -> u32 {
    let district = read.get(&tables.district, &key::district(w, d));
    district.map_or(0, |district| district.next_order)
}

/// A district's orders with their numbers.
fn orders<'r, E: Engine>(
    tables: &'r Tables<E>,
    read: &'r impl Read<E>,
    (w, d): (u32, u8),
) -> impl Iterator<Item = (u32, &'r Order)> {
    let numbers = 1..next_order(tables, read, (w, d));
    numbers.filter_map(move |o| Some((o, read.get(&tables.order, &key::order(w, d, o))?)))
}

/// An order's lines with their numbers.
fn lines<'r, E: Engine>(
    tables: &'r Tables<E>,
    read: &'r impl Read<E>,
    (w, d, o): (u32, u8, u32),
) -> impl Iterator<Item = (u8, &'r OrderLine)> {
    let numbers = 1..=MAX_LINES;
    numbers.filter_map(move |n| Some((n, read.get(&tables.line, &key::line(w, d, o, n))?)))
}

/// `O_ID` of a district's rows in the new-order table, ascending.
fn new_orders<'r, E: Engine>(
    tables: &'r Tables<E>,
    read: &'r impl Read<E>,
    (w, d): (u32, u8),
) -> impl DoubleEndedIterator<Item = u32> {
    let all = key::order(w, d, 0)..=key::order(w, d, u32::MAX);
    let rows = read.range(&tables.new_order, all);
    rows.map(|(key, ())| key::order_of(*key))
}

/// `H_AMOUNT` of what was paid at a warehouse, by district.
fn income<E: Engine>(tables: &Tables<E>, read: &impl Read<E>, warehouse: u32) -> HashMap<u8, i64> {
    let bound = |district, number| HistoryKey {
        warehouse,
        district,
        thread: number,
        sequence: number,
    };
    let mut sums = HashMap::new();
    for (key, row) in read.range(&tables.history, bound(0, 0)..=bound(u8::MAX, u32::MAX)) {
        *sums.entry(key.district).or_default() += row.amount;
    }
    sums
}

/// `OL_AMOUNT` of all delivered lines, by the district's customers from 1; the first sum, for customer 0, is not used.
fn delivered<E: Engine>(tables: &Tables<E>, read: &impl Read<E>, place: (u32, u8)) -> Vec<i64> {
    let mut sums = vec![0; tables.scale.customers as usize + 1];
    for (o, order) in orders(tables, read, place) {
        let lines = lines(tables, read, (place.0, place.1, o));
        let lines = lines.filter(|(_, line)| line.delivery.is_some());
        if let Some(sum) = sums.get_mut(order.customer as usize) {
            *sum += lines.map(|(_, line)| line.amount).sum::<i64>();
        }
    }
    sums
}

/// `W_YTD` is the sum of `D_YTD`.
///
/// # Errors
/// The warehouses for which it is not.
pub fn condition_1<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(1);
    for w in 1..=tables.warehouses {
        let ytd = read.get(&tables.warehouse, &w).map(|row| row.ytd);
        let districts = (1..=tables.scale.districts)
            .filter_map(|d| read.get(&tables.district, &key::district(w, d)));
        let sum = districts.map(|row| row.ytd).sum();
        if ytd != Some(sum) {
            found.add(|| format!("warehouse {w}: W_YTD {ytd:?}, sum of D_YTD {sum}"));
        }
    }
    found.result()
}

/// `D_NEXT_O_ID` - 1 is the largest `O_ID`, and the largest `NO_O_ID` if there is one.
///
/// # Errors
/// The districts for which it is not.
pub fn condition_2<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(2);
    for (w, d) in districts(tables) {
        let next = next_order(tables, read, (w, d));
        // An order that has the next number is found, too.
        let mut numbers = (1..=next).rev();
        let order = numbers.find(|o| read.get(&tables.order, &key::order(w, d, *o)).is_some());
        let new_order = new_orders(tables, read, (w, d)).next_back();
        let last = next.checked_sub(1);
        if last.is_none() || order != last || new_order.is_some_and(|number| Some(number) != last) {
            found.add(|| {
                format!("warehouse {w} district {d}: D_NEXT_O_ID {next}, largest O_ID {order:?}, largest NO_O_ID {new_order:?}")
            });
        }
    }
    found.result()
}

/// The numbers in the new-order table have no gaps within a district.
///
/// # Errors
/// The districts that have.
pub fn condition_3<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(3);
    for (w, d) in districts(tables) {
        let numbers: Vec<_> = new_orders(tables, read, (w, d)).collect();
        let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else {
            continue;
        };
        if (last - first + 1) as usize != numbers.len() {
            found.add(|| {
                format!(
                    "warehouse {w} district {d}: NO_O_ID from {first} to {last}, but {} rows",
                    numbers.len()
                )
            });
        }
    }
    found.result()
}

/// The sum of `O_OL_CNT` is the number of a district's order lines.
///
/// # Errors
/// The districts for which it is not.
pub fn condition_4<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(4);
    for (w, d) in districts(tables) {
        let sum = orders(tables, read, (w, d)).map(|(_, order)| usize::from(order.lines));
        let sum: usize = sum.sum();
        // The next order's lines, too: it must not have any yet.
        let numbers = 1..=next_order(tables, read, (w, d));
        let rows = numbers.map(|o| lines(tables, read, (w, d, o)).count());
        let rows: usize = rows.sum();
        if sum != rows {
            found.add(|| {
                format!("warehouse {w} district {d}: sum of O_OL_CNT {sum}, but {rows} order lines")
            });
        }
    }
    found.result()
}

/// An order has no carrier if and only if it has a row in the new-order table.
///
/// # Errors
/// The orders for which that is not so.
pub fn condition_5<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(5);
    for (w, d) in districts(tables) {
        let new: Vec<_> = new_orders(tables, read, (w, d)).collect();
        for (o, order) in orders(tables, read, (w, d)) {
            let new = new.binary_search(&o).is_ok();
            if order.carrier.is_none() != new {
                let carrier = order.carrier;
                found.add(|| format!("warehouse {w} district {d} order {o}: O_CARRIER_ID {carrier:?}, new-order row: {new}"));
            }
        }
    }
    found.result()
}

/// `O_OL_CNT` is the number of an order's lines.
///
/// # Errors
/// The orders for which it is not.
pub fn condition_6<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(6);
    for (w, d) in districts(tables) {
        for (o, order) in orders(tables, read, (w, d)) {
            let rows = lines(tables, read, (w, d, o)).count();
            if usize::from(order.lines) != rows {
                let count = order.lines;
                found.add(|| format!("warehouse {w} district {d} order {o}: O_OL_CNT {count}, but {rows} order lines"));
            }
        }
    }
    found.result()
}

/// A line has no delivery date if and only if its order has no carrier.
///
/// # Errors
/// The lines for which that is not so.
pub fn condition_7<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(7);
    for (w, d) in districts(tables) {
        for (o, order) in orders(tables, read, (w, d)) {
            for (n, line) in lines(tables, read, (w, d, o)) {
                if line.delivery.is_none() != order.carrier.is_none() {
                    let (date, carrier) = (line.delivery, order.carrier);
                    found.add(|| {
                        format!("warehouse {w} district {d} order {o} line {n}: OL_DELIVERY_D {date:?}, O_CARRIER_ID {carrier:?}")
                    });
                }
            }
        }
    }
    found.result()
}

/// `W_YTD` is the sum of `H_AMOUNT`.
///
/// # Errors
/// The warehouses for which it is not.
pub fn condition_8<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(8);
    for w in 1..=tables.warehouses {
        let ytd = read.get(&tables.warehouse, &w).map(|row| row.ytd);
        let sum = income(tables, read, w).values().sum();
        if ytd != Some(sum) {
            found.add(|| format!("warehouse {w}: W_YTD {ytd:?}, sum of H_AMOUNT {sum}"));
        }
    }
    found.result()
}

/// `D_YTD` is the sum of `H_AMOUNT`.
///
/// # Errors
/// The districts for which it is not.
pub fn condition_9<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(9);
    for w in 1..=tables.warehouses {
        let income = income(tables, read, w);
        for d in 1..=tables.scale.districts {
            let ytd = read.get(&tables.district, &key::district(w, d));
            let ytd = ytd.map(|row| row.ytd);
            let sum = income.get(&d).copied().unwrap_or(0);
            if ytd != Some(sum) {
                found.add(|| {
                    format!("warehouse {w} district {d}: D_YTD {ytd:?}, sum of H_AMOUNT {sum}")
                });
            }
        }
    }
    found.result()
}

/// `C_BALANCE` is the sum of the delivered `OL_AMOUNT`, less the sum of `H_AMOUNT`.
///
/// # Errors
/// The customers for which it is not.
pub fn condition_10<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(10);
    let mut paid = HashMap::<u64, i64>::new();
    for (_, row) in read.range(&tables.history, ..) {
        *paid.entry(row.customer).or_default() += row.amount;
    }
    for (w, d) in districts(tables) {
        for (c, delivered) in (0..).zip(delivered(tables, read, (w, d))).skip(1) {
            let key = key::customer(w, d, c);
            let balance = read.get(&tables.customer, &key).map(|row| row.balance);
            let paid = paid.get(&key).copied().unwrap_or(0);
            if balance != Some(delivered - paid) {
                found.add(|| {
                    format!("warehouse {w} district {d} customer {c}: C_BALANCE {balance:?}, delivered OL_AMOUNT {delivered}, H_AMOUNT {paid}")
                });
            }
        }
    }
    found.result()
}

/// After loading, all orders of a district but the last 900 (or what the scale says) are delivered: the counts of the order and the
/// new-order table differ by 2,100.
///
/// # Errors
/// The districts where they do not.
pub fn condition_11<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(11);
    let expected = (tables.scale.customers - tables.scale.undelivered) as usize;
    for (w, d) in districts(tables) {
        let orders = orders(tables, read, (w, d)).count();
        let new = new_orders(tables, read, (w, d)).count();
        if orders != new + expected {
            found.add(|| {
                format!("warehouse {w} district {d}: {orders} orders, {new} new-orders; {expected} more were expected")
            });
        }
    }
    found.result()
}

/// `C_BALANCE` + `C_YTD_PAYMENT` is the sum of the delivered `OL_AMOUNT`.
///
/// # Errors
/// The customers for which it is not.
pub fn condition_12<E: Engine>(tables: &Tables<E>, read: &impl Read<E>) -> Result<(), Violation> {
    let mut found = Violation::of(12);
    for (w, d) in districts(tables) {
        for (c, delivered) in (0..).zip(delivered(tables, read, (w, d))).skip(1) {
            let row = read.get(&tables.customer, &key::customer(w, d, c));
            let (balance, paid) = row.map(|row| (row.balance, row.ytd_payment)).unzip();
            if row.is_none_or(|row| row.balance + row.ytd_payment != delivered) {
                found.add(|| {
                    format!("warehouse {w} district {d} customer {c}: C_BALANCE {balance:?}, C_YTD_PAYMENT {paid:?}, delivered OL_AMOUNT {delivered}")
                });
            }
        }
    }
    found.result()
}
