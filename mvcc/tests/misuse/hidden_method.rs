//! What is hidden in the docs cannot be called either: it does not check to which database a reader
//! belongs.

use mvcc::{AnyTable, Database, Lookup, Read, Table};

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

/// A type parameter has the methods of traits that have no name here.
fn through_a_type_parameter<R: Read>(read: &R, table: &Table<u64, u64>) {
    let moment = read.moment();
    read.with_ranges(|_| ());
    read.get_as_of(table, &1, moment);
    read.has_unindexed_writes(AnyTable::core(table));
}
