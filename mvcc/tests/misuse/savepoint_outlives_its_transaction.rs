//! A savepoint borrows its transaction.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let tx = db.begin();
    let savepoint = tx.savepoint();
    tx.commit().unwrap();
    savepoint.roll_back();
}
