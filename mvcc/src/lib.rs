//! Embeddable, in-memory, strictly serializable multi-version transactions.

mod clock;
mod commit;
mod database;
mod garbage;
mod index;
mod local;
mod read;
mod reads;
mod shared;
mod slots;
mod snapshot;
mod stats;
mod sync;
mod table;
mod timestamp;
mod transaction;
mod tuple;
mod version;
mod view;
mod writes;

pub use clock::{Audit, AuditError, Clock, ClockChoice, ClockError, ClockKind};
pub use commit::Conflict;
pub use database::{Builder, Database};
pub use read::Read;
pub use snapshot::Snapshot;
pub use stats::Stats;
pub use table::{AnyTable, Lookup, Table, TableError};
pub use timestamp::Timestamp;
pub use transaction::Transaction;
pub use view::View;
