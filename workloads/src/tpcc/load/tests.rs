//! What is loaded, at a small scale.

use super::*;
use crate::tpcc::random::ORIGINAL;
use crate::tpcc::schema::Scale;
use mvcc::Database;

const SCALE: Scale = Scale {
    items: 5_100,
    districts: 3,
    customers: 1_020,
    undelivered: 300,
};

fn loaded(threads: usize) -> (Database, Tables<Database>) {
    let database = Database::new();
    let tables = Tables::open(&database, SCALE, 2).expect("the tables are new");
    load(&database, &tables, threads, 1).expect("it loads");
    (database, tables)
}

#[test]
fn the_tables_have_their_cardinalities() {
    let (database, tables) = loaded(2);
    let snapshot = database.snapshot();
    let districts = 6;
    let customers = districts * 1_020;
    assert_eq!(snapshot.iter(&tables.warehouse).count(), 2);
    assert_eq!(snapshot.iter(&tables.district).count(), districts);
    assert_eq!(snapshot.iter(&tables.item).count(), 5_100);
    assert_eq!(snapshot.iter(&tables.stock).count(), 2 * 5_100);
    assert_eq!(snapshot.iter(&tables.customer).count(), customers);
    assert_eq!(snapshot.range(&tables.name, ..).count(), customers);
    assert_eq!(snapshot.range(&tables.history, ..).count(), customers);
    assert_eq!(snapshot.iter(&tables.order).count(), customers);
    // Each customer has one order.
    let owners = snapshot.range(&tables.customer_order, ..);
    let mut owners: Vec<_> = owners.map(|((customer, _), ())| *customer).collect();
    owners.dedup();
    assert_eq!(owners.len(), customers);
    assert_eq!(
        snapshot.range(&tables.new_order, ..).count(),
        districts * 300
    );
    let lines = snapshot.iter(&tables.line).count() as f64 / customers as f64;
    assert!((9.8..10.2).contains(&lines), "{lines} lines on average");
}

#[test]
fn the_rows_are_as_specified() {
    let (database, tables) = loaded(1);
    let snapshot = database.snapshot();
    for (_, row) in snapshot.iter(&tables.warehouse) {
        assert_eq!(row.ytd, 3 * 1_020 * 1_000);
        assert!(row.tax <= 2_000);
    }
    for (_, row) in snapshot.iter(&tables.district) {
        assert_eq!((row.next_order, row.ytd), (1_021, 1_020 * 1_000));
    }
    let mut bad = 0;
    for (_, row) in snapshot.iter(&tables.customer) {
        assert_eq!((row.balance, row.ytd_payment), (-1_000, 1_000));
        assert_eq!((row.payments, row.deliveries), (1, 0));
        assert!(row.discount <= 5_000 && (300..=500).contains(&row.details.data.len()));
        bad += u32::from(row.credit == Credit::Bad);
    }
    assert!((500..725).contains(&bad), "{bad} of 6,120 have bad credit");
    for (key, row) in snapshot.iter(&tables.order) {
        let delivered = key::order_of(*key) <= 720;
        assert_eq!(row.carrier.is_some(), delivered);
        assert!((5..=15).contains(&row.lines) && row.all_local);
    }
    for (_, row) in snapshot.iter(&tables.line) {
        assert_eq!(row.amount == 0, row.delivery.is_some());
        assert!(row.quantity == 5 && (1..=5_100).contains(&row.item));
    }
    let stock = snapshot.iter(&tables.stock).map(|(_, row)| row);
    let originals = stock.filter(|row| row.details.data.contains(ORIGINAL));
    let originals = originals.count();
    assert!(
        (900..1_150).contains(&originals),
        "{originals} of 10,200 are originals"
    );
}

#[test]
fn the_first_customers_have_each_last_name() {
    let (database, tables) = loaded(1);
    let snapshot = database.snapshot();
    let mut names: Vec<_> = (1..=1_000)
        .map(|number| {
            snapshot
                .get(&tables.customer, &key::customer(1, 1, number))
                .expect("loaded")
                .last
        })
        .collect();
    assert_eq!(names[371].to_string(), "PRICALLYOUGHT");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 1_000);
}

#[test]
fn the_same_seed_loads_the_same() {
    let names = |threads| {
        let (database, tables) = loaded(threads);
        let snapshot = database.snapshot();
        let names = snapshot.range(&tables.name, ..).map(|(name, ())| *name);
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(1), names(3));
}
