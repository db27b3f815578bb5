//! Strict two-phase locking behind the same kind of API as `mvcc`: the baseline to compare against.
//!
//! ```
//! use tplock::{Database, Table};
//!
//! let db = Database::new();
//! let stock: Table<String, u32> = db.table("stock")?;
//! db.run(|tx| Ok::<_, ()>(tx.insert(&stock, "bolts".to_owned(), 10))).unwrap();
//!
//! let taken = db.run(|tx| {
//!     let left = *tx.get(&stock, "bolts").ok_or("unknown")?;
//!     if left < 3 {
//!         return Err("too few");
//!     }
//!     tx.insert(&stock, "bolts".to_owned(), left - 3);
//!     Ok(3)
//! });
//! assert_eq!(taken, Ok(3));
//! assert_eq!(db.view(|view| view.get(&stock, "bolts").copied()), Some(7));
//! # Ok::<(), tplock::TableError>(())
//! ```
//!
//! - [`Database::run`]: a read-write transaction as a closure, run until it commits
//! - [`Database::view`]: a read-only one
//! - [`Database::begin`]: a transaction by hand
//!
//! # Guarantee
//!
//! Every transaction is strictly serializable. Each key that a transaction reads is locked shared,
//! each key that it writes exclusively, and all locks are held until the commit or the abort; at
//! the commit, while it holds them all, the transaction takes place. Readers lock as well, and
//! absence is locked like presence: in a point table by a tuple without a value, in an ordered
//! table by *next-key locking*. `hashed.rs` and `ordered.rs` argue each.
//!
//! Even a transaction that is going to die only ever sees one consistent state, for it does not
//! read without a lock.
//!
//! # Waiting and dying
//!
//! Deadlock is prevented by *wait-die*. A transaction that needs a lock which a conflicting one
//! has, or has asked for before, waits if it is the older and dies if it is the younger. So the
//! older wait for the younger only, never in a cycle. Requests are granted in the order of their
//! arrival. A transaction that has died has no locks; it waits until the one that it died for is
//! out of the way, and runs again with the age that it had. Only finitely many are older than it,
//! so in the end it is the oldest, and never dies again: nobody starves, readers included.
//! `lock.rs` has the argument for the queue.
//!
//! All that holds for transactions on different threads. Two that are open on one thread at the
//! same time are two transactions that may be in each other's way, and while one waits for the
//! other its thread does not end the other: with locks that are held to the end this cannot be
//! helped. A transaction that is leaked ([`std::mem::forget`]) holds its locks for good.
//!
//! There are no snapshots. A state that is kept would have to be locked for as long, and reading
//! from it could fail: that is a [`View`].
//!
//! # Dying
//!
//! `get` returns an `Option`, which leaves no room for "this transaction must die", and two-phase
//! locking has nothing consistent to return instead. So in the closures of [`Database::run`] and
//! [`Database::view`] a transaction that must die unwinds: [`std::panic::resume_unwind`] with a
//! payload of this crate, caught where the closure was called. It is no panic: the panic hook is
//! not called, and nothing is printed. But destructors run as in a panic, and see
//! [`std::thread::panicking`]; a [`std::sync::Mutex`] that is locked across an operation is
//! poisoned, and a destructor that uses the transaction makes the process abort, as one that panics
//! in a panic. A closure that catches it gains nothing, since every later operation unwinds again
//! and the transaction is never committed. The panics of a closure go through, and the transaction
//! is aborted.
//!
//! The operations of an [`Attempt`], which is driven by hand, return a [`Conflict`] instead.
//!
//! # Writes
//!
//! A write is buffered in its transaction until the commit and then exchanged for the value in the
//! tuple. So an abort has nothing to undo, a reference stays valid after a later write to the same
//! key by the same transaction, and values lie in their tuples with no pointer to follow.
//!
//! # User code
//!
//! `Hash`, `Drop` and closures run while no latch of this crate is held; `Eq`, `Ord` and `Clone` of
//! keys are called by the indexes, and must not use the database. At the end of a transaction locks
//! are given up first, before tuples are removed and values are dropped. So wherever user code
//! panics, no lock stays behind.
//!
//! # Memory
//!
//! A tuple without a value exists as long as somebody has a lock on it; the one who gives up the
//! last lock takes it out of its index. Nothing else is ever kept, and nothing is freed later.
//!
//! # Costs
//!
//! A point read is a lookup in a `DashMap`, one latch to take the lock and one to give it up; a
//! write, in addition, an allocation for the buffered value. Ages are handed to threads in blocks,
//! so that no counter is shared by all transactions. An ordered table is a tree with two levels
//! (`tree.rs`). A lookup is a search in it; an insert is three: finding the gap, making sure of it,
//! and inserting. A scan locks two things for each row, a gap and a key, and searches once for some
//! dozens of rows.

mod age;
mod attempt;
mod conflict;
mod core;
mod database;
mod hashed;
mod lock;
mod locks;
mod operations;
mod ordered;
mod read;
mod rows;
mod sync;
mod table;
mod transaction;
mod tree;
mod tuple;
mod unwind;

pub use attempt::Attempt;
pub use conflict::Conflict;
pub use database::{Database, Stats};
pub use read::Read;
#[cfg(shuttle)]
pub use sync::seed_bug;
pub use table::{AnyTable, Lookup, OrderedTable, Table, TableError};
pub use transaction::{Transaction, View};
pub use tuple::Row;
