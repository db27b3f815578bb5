//! Embeddable, in-memory, strictly serializable multi-version transactions.
//!
//! ```
//! use mvcc::{Database, Table};
//!
//! let db = Database::new();
//! let stock: Table<&str, u32> = db.table("stock")?;
//! db.run(|tx| Ok::<_, ()>(tx.insert(&stock, "bolts", 10))).unwrap();
//!
//! let taken = db.run(|tx| {
//!     let left = *tx.get(&stock, "bolts").ok_or("unknown")?;
//!     if left < 3 {
//!         return Err("too few");
//!     }
//!     tx.insert(&stock, "bolts", left - 3);
//!     Ok(3)
//! });
//! assert_eq!(taken, Ok(3));
//! assert_eq!(db.view(|view| view.get(&stock, "bolts").copied()), Some(7));
//! # Ok::<(), mvcc::TableError>(())
//! ```
//!
//! - [`Database::run`]: a read-write transaction as a closure, run until it commits;
//!   [`Database::run_with`]: until a policy says that it is enough; [`Database::begin`]: one by
//!   hand
//! - [`Database::view`]: short reads; [`Database::snapshot`]: a state to keep;
//!   [`Database::limited_snapshot`]: one that may be given up
//! - [`Database::on_commit`]: every commit, whole and in order, with the rows that it has changed
//! - `Store`: tables that survive the process; `engine`: one closure for every engine
//! - [`Table`]: point access; [`OrderedTable`]: ranges as well; [`Index`] and [`UniqueIndex`]: rows
//!   by other keys
//!
//! The [`guide`] goes from the first table to hot keys, long reads, async programs, and how this
//! compares with other crates.
//!
//! # Features
//!
//! - `metrics`: `Database::record_metrics` hands the [statistics](Database::stats) to a recorder of
//!   the `metrics` crate
//! - `tracing`: conflicts, exclusive runs and expired snapshots as events of the `tracing` crate
//!
//! None is on by default.
//!
//! # Guarantee
//!
//! Every transaction is strictly serializable: one total order explains every read and agrees with
//! real time. Even a transaction that is going to be aborted only ever sees one consistent state.
//! Reads that write nothing never abort and never block a writer. [`Database::run`] returns: a
//! transaction that keeps losing is run while the commits of all other threads wait.
//!
//! # Protocol: locks, then clock
//!
//! A *version* is immutable once published: a timestamp, a value or tombstone, and the next older
//! version. A *tuple* is one word: a pointer to its newest version, with a tag that says free,
//! locked or dead. A version is visible at `r` iff it is the newest with a timestamp below `r`. A
//! commit *locks* its write set in address order, reads the *clock*, *validates* that all it has
//! read is still current, and *installs*: one release store publishes and unlocks a tuple. The code
//! says it in the same order, in `commit.rs`.
//!
//! A read waits while a tuple is locked. A transaction takes a timestamp only when it must: until
//! then it reads newest versions and checks after each read that the earlier ones are still the
//! newest (`commit/reads.rs`).
//!
//! # Invariants
//!
//! The code and the tests cite these numbers.
//!
//! - **I1** Clock readings are strictly monotone along any chain of program order and
//!   cache-coherence order.
//! - **I2** A snapshot at `r` is closed under commits below `r`: a writer that locks a tuple after
//!   a reader with timestamp `r` found it unlocked has a later timestamp, and a reader waits for
//!   one that came before.
//! - **I3** A read-write transaction is atomic at its timestamp: all it wrote was locked before the
//!   clock reading, all it read was current after it.
//! - **I4** No walk along a chain goes past a version whose timestamp is below the watermark. Below
//!   such a version, memory is reused at once.
//! - **I5** A version that lies between two live snapshots and is seen by neither is unlinked by
//!   one collector at a time, while the watermark stands still, and freed through the epoch.
//! - **I6** A tuple leaves its index only if it is locked, held by nobody, and without a value for
//!   every live and later transaction. Whoever buffers a write to a tuple without a value holds it;
//!   for others it stays because of their slot.
//! - **I7** A probe of the index that ends at a bucket that does not overflow has passed every
//!   bucket where an earlier insert can have put the key.
//! - **I8** No user code (`Hash`, `Eq`, `Ord`, `Clone`, `Drop`, closures) runs while a tuple, an
//!   index shard or a tree node is locked.
//! - **I9** What leaves an index (tuples, arrays, nodes) is freed when no slot is open from before,
//!   and then through the epoch.
//! - **I10** A commit knows the exact tuples of each range that it has read: the nodes are
//!   unchanged since they were walked through, and none of the tuples in them has a version that
//!   the transaction has not seen.
//!
//! # Words
//!
//! | word | what it stands for |
//! | --- | --- |
//! | *row* | a key with its value, as a user sees it |
//! | *tuple* | what stands for a key in an index; it leads to the row's versions |
//! | *lock* | what a commit, or who removes a tuple, has on it for a moment |
//! | *hold* | a transaction's claim that a tuple stays in its index (I6); counted |
//! | *slot* | where a reader announces what it may still read; so it *holds back* garbage |
//! | *watermark* | nobody reads below it; it, and which snapshots are above, is the *horizon* |
//! | *retire* | to note that a version was superseded, for collecting |
//! | *unlink* | to take a version out of its chain, or anything out of an index |
//! | *coarse clock* | some commit's timestamp, a few microseconds old |
//! | *gate* | closed while one transaction runs that must not lose, an *exclusive run*; only who is *inside* commits |
//! | *schema version* | changes with each new index, and says whether there are feeds or a log |
//! | *announce* | to say that a commit is under way, with a lower bound of its timestamp |
//! | *cut* | all commits below it are recorded |
//! | *worker*, *local* | a thread's share of a database: what others read of it, and what is its own |
//!
//! # Costs
//!
//! A view of one key costs a store to the thread's own slot, a fence and the lookup; no clock
//! reading. A commit costs one clock reading, and for each write a compare-and-swap and a store.
//! What a commit supersedes is recycled by the thread's later writes. Creating a key locks a part
//! of the index; in an ordered table it copies a node of at most 64 entries.
//!
//! # Platforms
//!
//! 64-bit. Timestamps come from the time-stamp counter on x86-64 where CPUID and the kernel vouch
//! for it, from the generic timer on aarch64, else from a shared counter; see [`Builder::clock`].

#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod clock;
mod collect;
mod commit;
#[cfg(feature = "durable")]
pub mod durable;
#[cfg(feature = "durable")]
pub mod engine;
mod feed;
mod memory;
#[cfg(mvcc_loom)]
#[doc(hidden)]
pub mod models;
mod rows;
mod secondary;
mod sync;
mod trace;

pub use api::database::{Builder, Database};
pub use api::duplicate::Duplicate;
pub use api::limited::{LimitedSnapshot, SnapshotExpired};
pub use api::read::{AnyTable, Lookup, Read};
pub use api::retry::{Exhausted, RetryPolicy, RunError};
pub use api::savepoint::Savepoint;
pub use api::snapshot::Snapshot;
pub use api::stats::{ConflictCount, OldestSnapshot, Stats};
pub use api::table::{OrderedTable, Table};
pub use api::transaction::Transaction;
pub use api::view::View;
pub use clock::timestamp::{Age, Timestamp};
pub use clock::{Audit, AuditError, Clock, ClockChoice, ClockError, ClockKind};
pub use commit::conflict::Conflict;
pub use commit::feeds::Overflow;
#[cfg(feature = "durable")]
pub use durable::{
    DurableFeed, FeedError, FeedPosition, OpenError, Schema, Store, StoreError, StoreOptions,
    Ticket, WhenFull,
};
pub use feed::{Change, Committed, Feed};
pub use rows::cause::ConflictCause;
pub use rows::core::TableError;
pub use secondary::{Index, IndexError, UniqueIndex};

/// How keys and values of durable tables become bytes: the traits, for types of one's own, and what
/// stands for the standard types.
#[cfg(feature = "durable")]
pub use journal::codec;

#[doc = include_str!("../guide.md")]
pub mod guide {}

/// The README's example is a test as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
