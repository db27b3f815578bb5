//! A transaction borrows its database; a snapshot owns a handle.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let (tx, snapshot) = (db.begin(), db.snapshot());
    drop(db);
    println!("{tx:?} {snapshot:?}");
}
