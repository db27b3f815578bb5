//! Orders that are found by customer, by state and by a reference that nobody may use twice; and
//! totals that follow every change.

use mvcc::{Database, Feed, Index, IndexError, OrderedTable, Overflow, Read, UniqueIndex};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const CUSTOMERS: u32 = 20;
const SUBMISSIONS: u64 = 4_000;

#[derive(Clone)]
struct Order {
    customer: u32,
    /// Chosen by the customer, so that an order that is sent twice is filed once.
    reference: String,
    cents: u64,
    shipped: bool,
}

type Orders = OrderedTable<u64, Order>;

/// The table with its indexes: a field for each, so a misspelt name does not compile.
#[derive(Clone)]
struct Shop {
    db: Database,
    orders: Orders,
    by_reference: UniqueIndex<String, Orders>,
    by_customer: Index<u32, Orders>,
    /// Only orders that are to be shipped.
    open: Index<(), Orders>,
}

/// What all orders are worth.
#[derive(Debug, Default, PartialEq)]
struct Totals {
    open: u64,
    shipped: u64,
}

impl Totals {
    fn of(&mut self, order: &Order) -> &mut u64 {
        if order.shipped {
            &mut self.shipped
        } else {
            &mut self.open
        }
    }

    fn count(read: &impl Read, orders: &Orders) -> Self {
        let mut totals = Self::default();
        for (_, order) in read.iter(orders) {
            *totals.of(order) += order.cents;
        }
        totals
    }

    /// Follows the commits from a known state on, until nothing more comes.
    fn follow(mut self, feed: &mut Feed, orders: &Orders, done: &AtomicBool) -> Self {
        loop {
            let was_done = done.load(Relaxed);
            let Some(commit) = feed.recv_timeout(Duration::from_millis(10)) else {
                if was_done {
                    return self;
                }
                continue;
            };
            for change in commit.changes(orders) {
                if let Some(order) = change.before {
                    *self.of(order) -= order.cents;
                }
                if let Some(order) = change.after {
                    *self.of(order) += order.cents;
                }
            }
        }
    }
}

impl Shop {
    fn open(db: Database) -> Result<Self, IndexError> {
        let orders: Orders = db.ordered_table("orders")?;
        Ok(Self {
            by_reference: db.unique_index(&orders, "by_reference", |_, order| {
                [order.reference.clone()]
            })?,
            by_customer: db.index(&orders, "by_customer", |_, order| [order.customer])?,
            open: db.index(&orders, "open", |_, order| (!order.shipped).then_some(()))?,
            orders,
            db,
        })
    }

    /// Files an order, once; says whether it was new.
    fn submit(&self, order: &Order) -> bool {
        let filed = self.db.run(|tx| {
            let number = tx.last(&self.orders).map_or(1, |(last, _)| last + 1);
            tx.insert_unique(&self.orders, number, order.clone())
        });
        filed.is_ok()
    }

    /// Ships the oldest order that waits.
    fn ship(&self) -> Option<u64> {
        let shipped = self.db.run(|tx| {
            let Some((&number, order)) = self.open.rows(tx, &()).next() else {
                return Ok::<_, Infallible>(None);
            };
            let shipped = Order {
                shipped: true,
                ..order.clone()
            };
            tx.insert(&self.orders, number, shipped);
            Ok(Some(number))
        });
        shipped.unwrap_or_else(|never| match never {})
    }

    /// The indexes find all orders, and no order twice.
    fn check(&self, read: &impl Read) {
        let all = read.iter(&self.orders).count();
        let of = |customer| self.by_customer.rows(read, &customer).count();
        assert_eq!((0..CUSTOMERS).map(of).sum::<usize>(), all);
        assert_eq!(self.by_reference.range::<str>(read, ..).count(), all);
        let open = read.iter(&self.orders).filter(|(_, order)| !order.shipped);
        assert!(
            self.open
                .rows(read, &())
                .map(|(number, _)| number)
                .eq(open.map(|(number, _)| number))
        );
    }
}

fn main() -> Result<(), IndexError> {
    let shop = Shop::open(Database::new())?;
    let (snapshot, mut feed) = shop.db.on_commit(256, Overflow::Wait);
    let (done, submitted) = (AtomicBool::new(false), AtomicBool::new(false));
    let (filed, shipped) = (AtomicU64::new(0), AtomicU64::new(0));
    let totals = std::thread::scope(|scope| {
        let totals = Totals::count(&snapshot, &shop.orders);
        let follower = scope.spawn(|| totals.follow(&mut feed, &shop.orders, &done));
        let customers: Vec<_> = (0..2)
            .map(|seed| {
                let (shop, filed) = (&shop, &filed);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for _ in 0..SUBMISSIONS {
                        let order = Order {
                            customer: random.u32(..CUSTOMERS),
                            // Some are sent twice, by the same thread or the other one.
                            reference: format!("R{}", random.u64(..SUBMISSIONS)),
                            cents: random.u64(100..10_000),
                            shipped: false,
                        };
                        filed.fetch_add(shop.submit(&order).into(), Relaxed);
                    }
                })
            })
            .collect();
        let shipper = scope.spawn(|| {
            loop {
                let was_last = submitted.load(Relaxed);
                match shop.ship() {
                    Some(_) => shipped.fetch_add(1, Relaxed),
                    None if was_last => break,
                    None => 0,
                };
                if shipped.load(Relaxed) % 512 == 0 {
                    shop.check(&shop.db.snapshot());
                }
            }
        });
        let finished = customers
            .into_iter()
            .all(|customer| customer.join().is_ok());
        submitted.store(true, Relaxed);
        let finished = shipper.join().is_ok() && finished;
        done.store(true, Relaxed);
        assert!(finished, "a customer or the shipper failed");
        follower.join().expect("no change is missing")
    });

    let snapshot = shop.db.snapshot();
    shop.check(&snapshot);
    assert_eq!(
        totals,
        Totals::count(&snapshot, &shop.orders),
        "the feed's totals"
    );
    let (filed, shipped) = (filed.into_inner(), shipped.into_inner());
    assert_eq!(snapshot.iter(&shop.orders).count() as u64, filed);
    assert_eq!((shipped, totals.open), (filed, 0), "all are shipped");
    println!(
        "{filed} of {} submissions were new and are shipped, worth {} cents",
        2 * SUBMISSIONS,
        totals.shipped
    );
    Ok(())
}
