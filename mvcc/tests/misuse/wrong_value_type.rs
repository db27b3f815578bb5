//! Tables are typed.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let table = db.table::<u64, String>("t").unwrap();
    db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, 1))).unwrap();
}
