//! A view has no methods that write.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let table = db.table::<u64, u64>("t").unwrap();
    db.view(|view| view.insert(&table, 1, 1));
}
