//! For each condition, a database in which it is the only one that does not hold.

use super::*;
use crate::tpcc::load;
use crate::tpcc::schema::{Customer, District, History, Scale, Warehouse};
use crate::tpcc::schema::{HistoryKey, Order, OrderLine, key};
use crate::tpcc::transactions::now;
use mvcc::{Database, Transaction};
use std::convert::Infallible;

const SCALE: Scale = Scale {
    items: 50,
    districts: 3,
    customers: 20,
    undelivered: 6,
};
/// Where rows are changed.
const W: u32 = 2;
const D: u8 = 2;
/// The oldest order that is not delivered yet.
const UNDELIVERED: u32 = 15;

struct Fixture {
    database: Database,
    tables: Tables<Database>,
}

impl Fixture {
    fn new() -> Self {
        let database = Database::new();
        let tables = Tables::open(&database, SCALE, 2).expect("the tables are new");
        load(&database, &tables, 2, 42).expect("it loads");
        Self { database, tables }
    }

    fn change(&self, change: impl Fn(&Transaction<'_>, &Tables<Database>)) {
        let Ok(()) = self
            .database
            .run(|tx| Ok::<_, Infallible>(change(tx, &self.tables)));
    }

    fn violations(&self, when: When) -> Vec<Violation> {
        check(&self.tables, &self.database.snapshot(), when)
    }

    /// Changes rows, and sees just this condition fail, with rows that name this place.
    fn breaks(
        when: When,
        condition: u8,
        place: &str,
        change: impl Fn(&Transaction<'_>, &Tables<Database>),
    ) {
        let fixture = Self::new();
        assert_eq!(fixture.violations(When::Loaded), []);
        fixture.change(change);
        let violations = fixture.violations(when);
        let numbers: Vec<_> = violations.iter().map(|found| found.condition).collect();
        assert_eq!(numbers, [condition], "{violations:?}");
        let found = &violations[0];
        assert!(found.rows.iter().all(|row| row.contains(place)), "{found}");
        let title = format!("condition {condition} (clause 3.3.2.{condition})");
        assert!(found.to_string().contains(&title), "{found}");
    }
}

type Tx<'t> = Transaction<'t>;
type T = Tables<Database>;

fn warehouse(tx: &Tx<'_>, tables: &T, change: impl FnOnce(&mut Warehouse)) {
    let mut row = *tx.get(&tables.warehouse, &W).expect("loaded");
    change(&mut row);
    tx.insert(&tables.warehouse, W, row);
}

fn district(tx: &Tx<'_>, tables: &T, change: impl FnOnce(&mut District)) {
    let key = key::district(W, D);
    let mut row = *tx.get(&tables.district, &key).expect("loaded");
    change(&mut row);
    tx.insert(&tables.district, key, row);
}

fn customer(tx: &Tx<'_>, tables: &T, number: u32, change: impl FnOnce(&mut Customer)) {
    let key = key::customer(W, D, number);
    let mut row = tx.get(&tables.customer, &key).expect("loaded").clone();
    change(&mut row);
    tx.insert(&tables.customer, key, row);
}

fn order(tx: &Tx<'_>, tables: &T, number: u32, change: impl FnOnce(&mut Order)) {
    let key = key::order(W, D, number);
    let mut row = *tx.get(&tables.order, &key).expect("loaded");
    change(&mut row);
    tx.insert(&tables.order, key, row);
}

fn line(tx: &Tx<'_>, tables: &T, number: u32, line: u8, change: impl FnOnce(&mut OrderLine)) {
    let key = key::line(W, D, number, line);
    let mut row = *tx.get(&tables.line, &key).expect("loaded");
    change(&mut row);
    tx.insert(&tables.line, key, row);
}

/// A payment to a district, by nobody who is a customer.
fn stray_payment(tx: &Tx<'_>, tables: &T, district: u8, amount: i64) {
    let customer = key::customer(W, district, 0);
    let old = HistoryKey {
        warehouse: W,
        district: D,
        thread: 0,
        sequence: 1,
    };
    let row = *tx.get(&tables.history, &old).expect("loaded");
    let stray = HistoryKey {
        district,
        sequence: 0,
        ..old
    };
    let row = History {
        customer,
        amount,
        ..row
    };
    tx.insert(&tables.history, stray, row);
}

/// Delivers an order, whether or not it is its turn.
fn deliver(tx: &Tx<'_>, tables: &T, number: u32) {
    let key = key::order(W, D, number);
    let row = *tx.get(&tables.order, &key).expect("loaded");
    tx.remove(&tables.new_order, &key);
    order(tx, tables, number, |order| order.carrier = Some(1));
    for n in 1..=row.lines {
        line(tx, tables, number, n, |line| {
            line.delivery = Some(row.entry);
        });
        let line = *tx
            .get(&tables.line, &key::line(W, D, number, n))
            .expect("just written");
        customer(tx, tables, row.customer, |customer| {
            customer.balance += line.amount;
        });
    }
}

#[test]
fn condition_1_needs_the_warehouse_to_have_what_its_districts_have() {
    // With a payment in a district that is none, so that the warehouse's payments still sum up.
    Fixture::breaks(When::Loaded, 1, "warehouse 2: W_YTD", |tx, tables| {
        warehouse(tx, tables, |row| row.ytd += 7);
        stray_payment(tx, tables, SCALE.districts + 1, 7);
    });
}

#[test]
fn condition_2_needs_the_next_number_to_follow_the_last() {
    Fixture::breaks(
        When::Loaded,
        2,
        "warehouse 2 district 2: D_NEXT_O_ID 22",
        |tx, tables| {
            district(tx, tables, |row| row.next_order += 1);
        },
    );
}

#[test]
fn condition_3_needs_new_orders_without_gaps() {
    Fixture::breaks(
        When::Running,
        3,
        "NO_O_ID from 15 to 20, but 5 rows",
        |tx, tables| {
            deliver(tx, tables, UNDELIVERED + 1);
        },
    );
}

#[test]
fn condition_4_needs_no_lines_without_an_order() {
    Fixture::breaks(
        When::Loaded,
        4,
        "warehouse 2 district 2: sum of O_OL_CNT",
        |tx, tables| {
            let row = *tx
                .get(&tables.line, &key::line(W, D, 1, 1))
                .expect("loaded");
            tx.insert(&tables.line, key::line(W, D, 21, 1), row);
        },
    );
}

#[test]
fn condition_5_needs_a_new_order_for_an_order_without_carrier() {
    Fixture::breaks(
        When::Running,
        5,
        "order 15: O_CARRIER_ID null, new-order row: false",
        |tx, tables| {
            tx.remove(&tables.new_order, &key::order(W, D, UNDELIVERED));
        },
    );
}

#[test]
fn condition_6_needs_as_many_lines_as_the_order_says() {
    // One more here and one less there, so that the district's sum is right.
    Fixture::breaks(When::Loaded, 6, "O_OL_CNT", |tx, tables| {
        order(tx, tables, 3, |row| row.lines += 1);
        order(tx, tables, 4, |row| row.lines -= 1);
    });
}

#[test]
fn condition_7_needs_delivery_dates_for_delivered_orders() {
    // The line's amount is 0, so no balance is wrong.
    Fixture::breaks(
        When::Loaded,
        7,
        "order 1 line 2: OL_DELIVERY_D null",
        |tx, tables| {
            line(tx, tables, 1, 2, |row| row.delivery = None);
        },
    );
}

#[test]
fn condition_8_needs_the_warehouse_to_have_what_was_paid() {
    Fixture::breaks(When::Loaded, 8, "warehouse 2: W_YTD", |tx, tables| {
        stray_payment(tx, tables, SCALE.districts + 1, 7);
    });
}

#[test]
fn condition_9_needs_the_districts_to_have_what_was_paid() {
    // A customer's payment that is booked elsewhere.
    Fixture::breaks(When::Loaded, 9, "D_YTD", |tx, tables| {
        let key = HistoryKey {
            warehouse: W,
            district: D,
            thread: 0,
            sequence: 1,
        };
        let row = *tx.get(&tables.history, &key).expect("loaded");
        tx.remove(&tables.history, &key);
        let elsewhere = HistoryKey {
            district: 1,
            thread: 1,
            ..key
        };
        tx.insert(&tables.history, elsewhere, row);
    });
}

#[test]
fn condition_10_needs_the_balance_to_be_what_was_ordered_and_paid() {
    Fixture::breaks(
        When::Loaded,
        10,
        "warehouse 2 district 2 customer 5: C_BALANCE",
        |tx, tables| {
            customer(tx, tables, 5, |row| {
                row.balance += 7;
                row.ytd_payment -= 7;
            });
        },
    );
}

#[test]
fn condition_11_needs_the_undelivered_orders_of_the_start() {
    Fixture::breaks(
        When::Loaded,
        11,
        "20 orders, 5 new-orders; 14 more were expected",
        |tx, tables| {
            deliver(tx, tables, UNDELIVERED);
        },
    );
}

#[test]
fn condition_12_needs_the_balance_to_fit_what_the_customer_has_paid() {
    Fixture::breaks(
        When::Loaded,
        12,
        "warehouse 2 district 2 customer 5: C_BALANCE",
        |tx, tables| {
            customer(tx, tables, 5, |row| row.ytd_payment += 7);
        },
    );
}

/// One row is changed; here without a second change that would keep it to one condition.
#[test]
fn one_wrong_row_breaks_all_conditions_about_it() {
    type Change = fn(&Tx<'_>, &T);
    let one_row: [(Change, &[u8]); 9] = [
        (
            |tx, tables| warehouse(tx, tables, |row| row.ytd += 1),
            &[1, 8],
        ),
        (
            |tx, tables| district(tx, tables, |row| row.ytd += 1),
            &[1, 9],
        ),
        (
            |tx, tables| district(tx, tables, |row| row.next_order -= 1),
            &[2],
        ),
        (
            |tx, tables| tx.remove(&tables.new_order, &key::order(W, D, 17)),
            &[3, 5, 11],
        ),
        (
            |tx, tables| order(tx, tables, 3, |row| row.lines += 1),
            &[4, 6],
        ),
        (
            |tx, tables| order(tx, tables, 3, |row| row.carrier = None),
            &[5, 7],
        ),
        (
            |tx, tables| line(tx, tables, 15, 1, |row| row.delivery = Some(now())),
            &[7, 10, 12],
        ),
        (|tx, tables| stray_payment(tx, tables, D, 7), &[8, 9]),
        (
            |tx, tables| customer(tx, tables, 5, |row| row.balance += 1),
            &[10, 12],
        ),
    ];
    for (change, conditions) in one_row {
        let fixture = Fixture::new();
        fixture.change(change);
        let violations = fixture.violations(When::Loaded);
        let numbers: Vec<_> = violations.iter().map(|found| found.condition).collect();
        assert_eq!(numbers, conditions, "{violations:?}");
    }
}

#[test]
fn a_row_that_is_lost_is_a_violation() {
    let fixture = Fixture::new();
    fixture.change(|tx, tables| tx.remove(&tables.warehouse, &W));
    fixture.change(|tx, tables| tx.remove(&tables.district, &key::district(1, 1)));
    fixture.change(|tx, tables| tx.remove(&tables.customer, &key::customer(2, 1, 1)));
    let violations = fixture.violations(When::Running);
    let numbers: Vec<_> = violations.iter().map(|found| found.condition).collect();
    // A lost district takes its number of orders along, so the conditions about orders say nothing.
    assert_eq!(numbers, [1, 2, 8, 9, 10, 12], "{violations:?}");
}

#[test]
fn many_rows_are_cut_off() {
    let mut violation = Violation::of(6);
    for row in 0..25 {
        violation.add(|| format!("row {row}"));
    }
    let text = violation.to_string();
    assert_eq!(text.lines().count(), 12);
    assert!(text.ends_with("row 9\n  and 15 more"), "{text}");
}
