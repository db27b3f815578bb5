//! The twelve consistency conditions (clauses 3.3.2.1 to 3.3.2.12).
//!
//! A check reads the database once (`facts.rs`); each condition is a function of what was found
//! there.

mod facts;
#[cfg(test)]
mod tests;

use super::schema::Tables;
use crate::engine::{Engine, Read};
use facts::{CustomerFacts, DistrictFacts, Facts, OrderFacts};
use serde::Serialize;
use std::fmt;

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// When a check is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After loading: all conditions hold.
    Loaded,
    /// Once transactions run or have run: the eleventh, which counts undelivered orders, does not
    /// hold any more.
    Running,
}

/// Checks the conditions that hold at this time, and returns those that do not.
pub fn check<E: Engine>(tables: &Tables<E>, read: &impl Read<E>, when: When) -> Vec<Violation> {
    let conditions = [
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
    let facts = Facts::gather(tables, read);
    (1..)
        .zip(conditions)
        .filter(|(number, _)| when == When::Loaded || *number != 11)
        .filter_map(|(number, condition)| {
            let mut found = Violation::of(number);
            condition(&facts, &mut found);
            (!found.rows.is_empty()).then_some(found)
        })
        .collect()
}

/// `W_YTD` is the sum of `D_YTD`.
fn condition_1(facts: &Facts<'_>, found: &mut Violation) {
    for warehouse in &facts.warehouses {
        let sum: i64 = warehouse.districts().filter_map(|it| it.ytd).sum();
        if warehouse.ytd != Some(sum) {
            found.add(|| {
                format!(
                    "warehouse {}: W_YTD {}, sum of D_YTD {sum}",
                    warehouse.number,
                    or_missing(warehouse.ytd)
                )
            });
        }
    }
}

/// `D_NEXT_O_ID` - 1 is the largest `O_ID`, and the largest `NO_O_ID` if there is one.
fn condition_2(facts: &Facts<'_>, found: &mut Violation) {
    for district in facts.districts() {
        let next = district.next_order;
        let last = next.checked_sub(1);
        let order = district.orders().last().map(|(number, _)| number);
        let new_order = district.new_orders.last().copied();
        // Without orders, the largest number is 0.
        if last.is_none()
            || order.or(Some(0)) != last
            || new_order.is_some_and(|it| Some(it) != last)
        {
            found.add(|| {
                format!(
                    "{district}: D_NEXT_O_ID {next}, largest O_ID {}, largest NO_O_ID {}",
                    or_missing(order),
                    or_missing(new_order)
                )
            });
        }
    }
}

/// The numbers in the new-order table have no gaps within a district.
fn condition_3(facts: &Facts<'_>, found: &mut Violation) {
    for district in facts.districts() {
        let numbers = &district.new_orders;
        let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else {
            continue;
        };
        if (last - first + 1) as usize != numbers.len() {
            let rows = numbers.len();
            found.add(|| format!("{district}: NO_O_ID from {first} to {last}, but {rows} rows"));
        }
    }
}

/// The sum of `O_OL_CNT` is the number of a district's order lines.
fn condition_4(facts: &Facts<'_>, found: &mut Violation) {
    for district in facts.districts() {
        let sum: u32 = district
            .orders()
            .map(|(_, order)| u32::from(order.lines))
            .sum();
        let rows: u32 = district.all_orders.iter().map(OrderFacts::line_count).sum();
        if sum != rows {
            found.add(|| format!("{district}: sum of O_OL_CNT {sum}, but {rows} order lines"));
        }
    }
}

/// An order has no carrier if and only if it has a row in the new-order table.
fn condition_5(facts: &Facts<'_>, found: &mut Violation) {
    for district in facts.districts() {
        for (number, order) in district.orders() {
            let new = district.new_orders.binary_search(&number).is_ok();
            if order.carrier.is_none() != new {
                let carrier = or_null(order.carrier);
                found.add(|| {
                    format!(
                        "{district} order {number}: O_CARRIER_ID {carrier}, new-order row: {new}"
                    )
                });
            }
        }
    }
}

/// `O_OL_CNT` is the number of an order's lines.
fn condition_6(facts: &Facts<'_>, found: &mut Violation) {
    for (district, facts) in facts.orders() {
        let Some(order) = facts.order else { continue };
        let (count, rows) = (order.lines, facts.line_count());
        if u32::from(count) != rows {
            let number = facts.number;
            found.add(|| {
                format!("{district} order {number}: O_OL_CNT {count}, but {rows} order lines")
            });
        }
    }
}

/// A line has no delivery date if and only if its order has no carrier.
fn condition_7(facts: &Facts<'_>, found: &mut Violation) {
    for (district, facts) in facts.orders() {
        let Some(order) = facts.order else { continue };
        for (line, delivered) in facts.lines() {
            if delivered != order.carrier.is_some() {
                let (number, carrier) = (facts.number, or_null(order.carrier));
                let date = if delivered { "set" } else { "null" };
                found.add(|| {
                    format!("{district} order {number} line {line}: OL_DELIVERY_D {date}, O_CARRIER_ID {carrier}")
                });
            }
        }
    }
}

/// `W_YTD` is the sum of `H_AMOUNT`.
fn condition_8(facts: &Facts<'_>, found: &mut Violation) {
    for warehouse in &facts.warehouses {
        let paid = warehouse.paid;
        if warehouse.ytd != Some(paid) {
            found.add(|| {
                format!(
                    "warehouse {}: W_YTD {}, sum of H_AMOUNT {paid}",
                    warehouse.number,
                    or_missing(warehouse.ytd)
                )
            });
        }
    }
}

/// `D_YTD` is the sum of `H_AMOUNT`.
fn condition_9(facts: &Facts<'_>, found: &mut Violation) {
    for district in facts.districts() {
        let paid = district.paid;
        if district.ytd != Some(paid) {
            found.add(|| {
                format!(
                    "{district}: D_YTD {}, sum of H_AMOUNT {paid}",
                    or_missing(district.ytd)
                )
            });
        }
    }
}

/// `C_BALANCE` is the sum of the delivered `OL_AMOUNT`, less the sum of `H_AMOUNT`.
fn condition_10(facts: &Facts<'_>, found: &mut Violation) {
    for (district, facts) in facts.customers() {
        let CustomerFacts {
            number,
            customer,
            delivered,
            paid,
        } = *facts;
        let balance = customer.map(|row| row.balance);
        if balance != Some(delivered - paid) {
            found.add(|| {
                format!(
                    "{district} customer {number}: C_BALANCE {}, delivered OL_AMOUNT {delivered}, H_AMOUNT {paid}",
                    or_missing(balance)
                )
            });
        }
    }
}

/// After loading, all orders of a district but the last 900 (or what the scale says) are delivered:
/// the counts of the order and the new-order table differ by 2,100.
fn condition_11(facts: &Facts<'_>, found: &mut Violation) {
    let expected = (facts.scale.customers - facts.scale.undelivered) as usize;
    for district in facts.districts() {
        let (orders, new) = (district.orders().count(), district.new_orders.len());
        if orders != new + expected {
            found.add(|| {
                format!(
                    "{district}: {orders} orders, {new} new-orders; {expected} more were expected"
                )
            });
        }
    }
}

/// `C_BALANCE` + `C_YTD_PAYMENT` is the sum of the delivered `OL_AMOUNT`.
fn condition_12(facts: &Facts<'_>, found: &mut Violation) {
    for (district, facts) in facts.customers() {
        let CustomerFacts {
            number,
            customer,
            delivered,
            ..
        } = *facts;
        let (balance, paid) = customer.map(|row| (row.balance, row.ytd_payment)).unzip();
        if customer.is_none_or(|row| row.balance + row.ytd_payment != delivered) {
            found.add(|| {
                format!(
                    "{district} customer {number}: C_BALANCE {}, C_YTD_PAYMENT {}, delivered OL_AMOUNT {delivered}",
                    or_missing(balance),
                    or_missing(paid)
                )
            });
        }
    }
}

/// A column of a row that may not be there.
fn or_missing(column: Option<impl ToString>) -> String {
    column.map_or_else(|| "missing".to_owned(), |value| value.to_string())
}

/// A column that may be null.
fn or_null(column: Option<impl ToString>) -> String {
    column.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

impl fmt::Display for DistrictFacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (warehouse, district) = self.place;
        write!(f, "warehouse {warehouse} district {district}")
    }
}
