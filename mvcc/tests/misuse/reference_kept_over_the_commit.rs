//! What a transaction has read lives as long as the transaction.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let table = db.table::<u64, String>("t").unwrap();
    let tx = db.begin();
    let value = tx.get(&table, &1);
    tx.commit().unwrap();
    println!("{value:?}");
}
