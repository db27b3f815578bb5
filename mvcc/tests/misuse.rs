//! What the compiler refuses, and what it says. After a change of the compiler,
//! `TRYBUILD=overwrite cargo test --test misuse` records the messages anew; read the difference
//! before you commit it. For types that may not be sent, it names their innermost parts, so for
//! these there are assertions instead.

use mvcc::{Database, OrderedTable, Savepoint, Snapshot, Table, Transaction, View};
use static_assertions::{assert_impl_all, assert_not_impl_any};

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}

// A transaction belongs to its thread. So it cannot be held across an `.await` in a future that may
// move to another one.
assert_not_impl_any!(Transaction<'static>: Send, Sync, Clone);
assert_not_impl_any!(View<'static>: Send, Sync, Clone);
assert_not_impl_any!(Savepoint<'static>: Send, Sync, Clone);
// A snapshot may be shared; so may all handles.
assert_impl_all!(Snapshot: Send, Sync);
assert_not_impl_any!(Snapshot: Clone);
assert_impl_all!(Database: Send, Sync, Clone);
assert_impl_all!(Table<u64, String>: Send, Sync, Clone);
assert_impl_all!(OrderedTable<u64, String>: Send, Sync, Clone);
