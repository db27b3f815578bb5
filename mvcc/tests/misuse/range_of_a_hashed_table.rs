//! A table without order has no ranges.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let table = db.table::<u64, u64>("t").unwrap();
    db.view(|view| view.range(&table, 1..5).count());
}
