//! Nor can it leave the closure of `run`; a copy can.

use mvcc::Database;

fn main() {
    let db = Database::new();
    let table = db.table::<u64, String>("t").unwrap();
    let copy = db.run(|tx| Ok::<_, ()>(tx.get(&table, &1).cloned()));
    let value = db.run(|tx| Ok::<_, ()>(tx.get(&table, &1)));
    println!("{copy:?} {value:?}");
}
