//! What users touch. Each file says itself how a database opens what is in it.

pub(crate) mod database;
pub(crate) mod duplicate;
pub(crate) mod limited;
mod lookup;
#[cfg(feature = "metrics")]
mod metrics;
mod peek;
pub(crate) mod read;
pub(crate) mod reader;
mod reserve;
pub(crate) mod retry;
#[cfg(feature = "durable")]
pub(crate) mod room;
pub(crate) mod savepoint;
pub(crate) mod scan;
pub(crate) mod snapshot;
pub(crate) mod stats;
pub(crate) mod table;
pub(crate) mod transaction;
pub(crate) mod view;
