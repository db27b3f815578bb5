//! Several tables kept consistent with each other: what is in stock and what is ordered always add
//! up to what there was.

use mvcc::{Database, Read, Table};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

const PRODUCTS: [&str; 4] = ["anvil", "bell", "candle", "drum"];
const INITIAL: u32 = 2_000;

struct Order {
    product: &'static str,
    quantity: u32,
}

#[derive(Debug, PartialEq)]
enum Refused {
    OutOfStock,
}

struct Shop {
    db: Database,
    stock: Table<String, u32>,
    orders: Table<u64, Order>,
    next_order: AtomicU64,
}

impl Shop {
    /// Takes the goods and files the order, or does neither.
    fn order(&self, product: &'static str, quantity: u32) -> Result<u64, Refused> {
        let id = self.next_order.fetch_add(1, Relaxed);
        self.db.run(|tx| {
            let left = *tx
                .get(&self.stock, product)
                .expect("all products are listed");
            if left < quantity {
                return Err(Refused::OutOfStock);
            }
            tx.insert(&self.stock, product.to_owned(), left - quantity);
            tx.insert(&self.orders, id, Order { product, quantity });
            Ok(id)
        })
    }

    /// Takes any reader: a snapshot, a view or a transaction.
    fn check(&self, read: &impl Read) {
        for product in PRODUCTS {
            let orders = read.iter(&self.orders).map(|(_, order)| order);
            let ordered: u32 = orders
                .filter(|order| order.product == product)
                .map(|order| order.quantity)
                .sum();
            let left = read
                .get(&self.stock, product)
                .expect("all products are listed");
            assert_eq!(left + ordered, INITIAL, "{product}");
        }
    }
}

fn main() {
    let db = Database::new();
    let shop = Shop {
        stock: db.table("stock").expect("a new table"),
        orders: db.table("orders").expect("a new table"),
        next_order: AtomicU64::new(0),
        db,
    };
    let tx = shop.db.begin();
    for product in PRODUCTS {
        tx.insert(&shop.stock, product.to_owned(), INITIAL);
    }
    tx.commit().expect("nobody else is there yet");

    let open = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while open.load(Relaxed) {
                shop.check(&shop.db.snapshot());
            }
        });
        let customers: Vec<_> = (0..3)
            .map(|customer| {
                let shop = &shop;
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(customer);
                    (0..2_000)
                        .filter(|_| {
                            shop.order(PRODUCTS[random.usize(..4)], random.u32(1..6))
                                .is_ok()
                        })
                        .count()
                })
            })
            .collect();
        let served: usize = customers
            .into_iter()
            .map(|customer| customer.join().unwrap_or(0))
            .sum();
        open.store(false, Relaxed);
        let filed = shop.db.snapshot().iter(&shop.orders).count();
        assert_eq!(filed, served, "an order was lost");
        println!("{served} orders filed, {} refused", 6_000 - served);
    });
    shop.check(&shop.db.snapshot());
}
