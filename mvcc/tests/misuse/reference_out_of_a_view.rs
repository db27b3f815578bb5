//! The same for a view.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let table = db.table::<u64, String>("t").unwrap();
    let value = db.view(|view| view.get(&table, &1));
    println!("{value:?}");
}
