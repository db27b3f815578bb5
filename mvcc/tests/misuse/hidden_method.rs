//! What is hidden in the docs cannot be called either: it does not check to which database a reader belongs.

use mvcc::{AnyTable, Database, Lookup};

fn main() {
    let (db, other) = (Database::new(), Database::new());
    let table = db.table::<u64, u64>("t").unwrap();
    let snapshot = other.snapshot();
    AnyTable::rows(&table, &snapshot).count();
    let tx = other.begin();
    AnyTable::current(&table, &tx, &1);
    Lookup::hash(&table, &1);
    Lookup::find(&table, &1);
}
