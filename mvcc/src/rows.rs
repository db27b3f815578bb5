//! What a row is, and how it is found: versions, tuples, the indexes by hash and by order, a
//! table's core. Knows no transaction.

pub(crate) mod cause;
pub(crate) mod core;
pub(crate) mod hash;
pub(crate) mod prefetch;
pub(crate) mod protected;
pub(crate) mod ranges;
pub(crate) mod schema_version;
pub(crate) mod tree;
pub(crate) mod tuple;
pub(crate) mod unlinked;
pub(crate) mod version;
