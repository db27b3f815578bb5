//! A commit ends the transaction.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let table = db.table::<u64, u64>("t").unwrap();
    let tx = db.begin();
    tx.commit().unwrap();
    tx.insert(&table, 1, 1);
}
