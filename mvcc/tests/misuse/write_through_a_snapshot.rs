//! Nor has a snapshot.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let table = db.table::<u64, u64>("t").unwrap();
    db.snapshot().remove(&table, &1);
}
