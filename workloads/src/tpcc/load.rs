//! The initial population (clause 4.3.3).

#[cfg(test)]
mod tests;

use super::random::{Constants, Random};
use super::schema::{
    Credit, Customer, CustomerDetails, District, History, HistoryKey, Item, Moment, NameKey, Order,
    OrderLine, Stock, StockDetails, Tables, Warehouse, key,
};
use super::text::Text;
use super::transactions::now;
use crate::engine::{Engine, Write};
use crate::interruption::{self, interrupted};
use crate::measure::progress;
use crate::team::{self, Start};
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// `C_YTD_PAYMENT`, and the amount of each customer's first payment, in cents.
const FIRST_PAYMENT: i64 = 1_000;
/// Items or stock rows that are loaded by one thread in one go.
const CHUNK: u32 = 5_000;
/// Rows of a transaction. A customer's rows and an order's rows stay together.
const BATCH: usize = 100;

/// A part of the work; its random numbers depend on nothing but the seed and its place in the list.
enum Part {
    Items(Range<u32>),
    Stock(u32, Range<u32>),
    Warehouse(u32),
    District(u32, u8),
}

/// Fills the tables with the given number of threads. The same seed gives the same rows, but for
/// dates, whatever the threads.
///
/// # Errors
/// A message if a thread cannot be started, or if a signal has ended it early.
pub fn load<E: Engine>(
    engine: &E,
    tables: &Tables<E>,
    threads: usize,
    seed: u64,
) -> Result<(), String> {
    let parts = parts(tables);
    let bar = progress(
        "loading",
        Some(parts.iter().map(|part| part.rows(tables)).sum()),
    );
    let next = AtomicUsize::new(0);
    let constants = Constants::new(seed);
    let start = Start::default();
    std::thread::scope(|scope| {
        let starter = start.starter();
        for _ in 0..threads {
            team::spawn(scope, || {
                if start.wait().is_none() {
                    return;
                }
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    let part = parts.get(number).filter(|_| interrupted().is_none());
                    let Some(part) = part else {
                        break;
                    };
                    let random = Random::new(constants, seed ^ (number as u64 + 1) << 32);
                    let mut loader = Loader {
                        engine,
                        tables,
                        random,
                        now: now(),
                    };
                    loader.load(part);
                    bar.inc(part.rows(tables));
                }
            })?;
        }
        Ok::<_, String>(starter.begin(threads))
    })?;
    bar.finish_and_clear();
    interruption::check()
}

fn parts<E: Engine>(tables: &Tables<E>) -> Vec<Part> {
    let items = tables.scale.items;
    let chunks = || {
        (1..=items)
            .step_by(CHUNK as usize)
            .map(move |first| first..(first + CHUNK).min(items + 1))
    };
    let mut parts: Vec<_> = chunks().map(Part::Items).collect();
    for warehouse in 1..=tables.warehouses {
        parts.push(Part::Warehouse(warehouse));
        parts.extend(
            (1..=tables.scale.districts).map(|district| Part::District(warehouse, district)),
        );
        parts.extend(chunks().map(|items| Part::Stock(warehouse, items)));
    }
    parts
}

impl Part {
    /// About so many rows, for the progress bar.
    fn rows<E: Engine>(&self, tables: &Tables<E>) -> u64 {
        match self {
            Self::Items(items) | Self::Stock(_, items) => u64::from(items.end - items.start),
            Self::Warehouse(_) => 1,
            // A customer, a payment, an order and ten lines.
            Self::District(..) => u64::from(tables.scale.customers) * 13,
        }
    }
}

struct Loader<'l, E: Engine> {
    engine: &'l E,
    tables: &'l Tables<E>,
    random: Random,
    now: Moment,
}

impl<E: Engine> Loader<'_, E> {
    fn load(&mut self, part: &Part) {
        match *part {
            Part::Items(ref items) => {
                let rows: Vec<_> = items.clone().map(|item| (item, self.item())).collect();
                self.insert(&rows, |tx, tables, (item, row)| {
                    tx.insert(&tables.item, item, row);
                });
            }
            Part::Stock(warehouse, ref items) => {
                let keys = items.clone().map(|item| key::stock(warehouse, item));
                let rows: Vec<_> = keys.map(|key| (key, self.stock())).collect();
                self.insert(&rows, |tx, tables, (key, row)| {
                    tx.insert(&tables.stock, key, row);
                });
            }
            Part::Warehouse(warehouse) => {
                let row = self.warehouse();
                self.insert(&[row], |tx, tables, row| {
                    tx.insert(&tables.warehouse, warehouse, row);
                });
            }
            Part::District(warehouse, district) => self.load_district(warehouse, district),
        }
    }

    fn insert<R: Clone>(&self, rows: &[R], insert: impl Fn(&E::Transaction<'_>, &Tables<E>, R)) {
        for batch in rows.chunks(BATCH) {
            let Ok(()) = self.engine.run(|tx| {
                for row in batch {
                    insert(tx, self.tables, row.clone());
                }
                Ok::<_, Infallible>(())
            });
        }
    }

    fn item(&mut self) -> Item {
        Item {
            image: self.random.uniform(1..=10_000),
            price: self.random.uniform(100..=10_000),
            name: self.random.letters(14..=24),
            data: self.random.data(),
        }
    }

    fn stock(&mut self) -> Stock {
        Stock {
            quantity: self.random.uniform(10..=100),
            ytd: 0,
            orders: 0,
            remote_orders: 0,
            details: Arc::new(StockDetails {
                dist_info: std::array::from_fn(|_| self.random.letters(24..=24)),
                data: self.random.data(),
            }),
        }
    }

    /// What all customers of a district have paid.
    fn district_ytd(&self) -> i64 {
        i64::from(self.tables.scale.customers) * FIRST_PAYMENT
    }

    fn warehouse(&mut self) -> Warehouse {
        Warehouse {
            name: self.random.letters(6..=10),
            address: self.random.address(),
            tax: self.random.uniform(0..=2_000),
            ytd: i64::from(self.tables.scale.districts) * self.district_ytd(),
        }
    }

    /// A district with its customers and their payments and orders.
    fn load_district(&mut self, warehouse: u32, district: u8) {
        let row = District {
            name: self.random.letters(6..=10),
            address: self.random.address(),
            tax: self.random.uniform(0..=2_000),
            ytd: self.district_ytd(),
            next_order: self.tables.scale.customers + 1,
        };
        let customers = 1..=self.tables.scale.customers;
        let customers: Vec<_> = customers
            .map(|customer| {
                (
                    customer,
                    self.customer(customer),
                    self.payment(warehouse, district, customer),
                )
            })
            .collect();
        let owners = self.random.permutation(self.tables.scale.customers);
        let orders: Vec<_> = (1..)
            .zip(owners)
            .map(|(number, customer)| (number, self.order(number, customer)))
            .collect();
        let place = key::district(warehouse, district);
        self.insert(&[row], |tx, tables, row| {
            tx.insert(&tables.district, place, row);
        });
        self.insert(&customers, |tx, tables, (customer, row, payment)| {
            let name = NameKey {
                district: place,
                last: row.last,
                first: row.details.first,
                customer,
            };
            let paid = HistoryKey {
                warehouse,
                district,
                thread: 0,
                sequence: customer,
            };
            tx.insert_ordered(&tables.name, name, ());
            tx.insert(&tables.customer, payment.customer, row);
            tx.insert_ordered(&tables.history, paid, payment);
        });
        self.insert(&orders, |tx, tables, (number, (row, lines))| {
            let key = key::order(warehouse, district, number);
            let customer = key::customer(warehouse, district, row.customer);
            tx.insert(&tables.order, key, row);
            tx.insert_ordered(&tables.customer_order, (customer, number), ());
            if row.carrier.is_none() {
                tx.insert_ordered(&tables.new_order, key, ());
            }
            for (line, row) in (1..).zip(lines) {
                let row = OrderLine {
                    supply_warehouse: warehouse,
                    ..row
                };
                tx.insert(
                    &tables.line,
                    key::line(warehouse, district, number, line),
                    row,
                );
            }
        });
    }

    fn customer(&mut self, customer: u32) -> Customer {
        let random = &mut self.random;
        Customer {
            last: random.loaded_last_name(customer, &self.tables.scale),
            credit: if random.percent(10) {
                Credit::Bad
            } else {
                Credit::Good
            },
            discount: random.uniform(0..=5_000),
            balance: -FIRST_PAYMENT,
            ytd_payment: FIRST_PAYMENT,
            payments: 1,
            deliveries: 0,
            details: Arc::new(CustomerDetails {
                first: random.letters(8..=16),
                middle: Text::new(b"OE"),
                address: random.address(),
                phone: random.digits(),
                since: self.now,
                credit_limit: 5_000_000,
                data: random.customer_data().into(),
            }),
        }
    }

    fn payment(&mut self, warehouse: u32, district: u8, customer: u32) -> History {
        History {
            customer: key::customer(warehouse, district, customer),
            date: self.now,
            amount: FIRST_PAYMENT,
            data: self.random.letters(12..=24),
        }
    }

    fn order(&mut self, number: u32, customer: u32) -> (Order, Vec<OrderLine>) {
        let scale = self.tables.scale;
        let random = &mut self.random;
        let delivered = number <= scale.customers - scale.undelivered;
        let lines = random.uniform(5..=15);
        let order = Order {
            customer,
            entry: self.now,
            carrier: delivered.then(|| random.uniform(1..=10)),
            lines,
            all_local: true,
        };
        let line = |_| OrderLine {
            item: random.uniform(1..=scale.items),
            supply_warehouse: 0,
            delivery: delivered.then_some(self.now),
            amount: if delivered {
                0
            } else {
                random.uniform(1..=999_999)
            },
            quantity: 5,
            dist_info: random.letters(24..=24),
        };
        (order, (0..lines).map(line).collect())
    }
}
