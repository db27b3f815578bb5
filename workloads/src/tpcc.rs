//! TPC-C, revision 5.11, over any engine: nine tables, five transactions, twelve consistency
//! conditions.
//!
//! # Departures from the specification
//!
//! - A terminal is a thread that calls the engine directly: no front end, no screens, one terminal
//!   for each thread in place of ten for each warehouse (threads beyond ten for a warehouse share
//!   districts). It neither keys nor thinks unless it is asked to (clause 5.2.5), so far fewer
//!   warehouses see far more transactions.
//! - A delivery runs at once in place of being queued (clause 2.7.2); its ten districts are one
//!   transaction, as clause 2.7.4.1 allows.
//! - `tpmC` counts the new-orders that committed, where clause 5.4.2 counts the one of a hundred
//!   that is rolled back as well. There is no ramp-up, no bound on response times (clause 5.2.5.7),
//!   and no price. It is for comparing engines here, and not a result in the sense of the
//!   Transaction Processing Performance Council.
//! - Nothing is durable (clause 3.5) but with `--durable`.
//! - The tables are not split vertically, which clause 1.4.5 allows and others make use of: a
//!   new-order reads the warehouse's tax in the very row that payments update.
//! - The history table gets a key, since every row here has one; the indexes by name and by
//!   customer are tables of their own.
//!
//! [`Profile::Vmvcc`](transactions::Profile::Vmvcc) departs further.

pub mod consistency;
mod driver;
mod load;
mod mix;
pub mod random;
mod report;
mod sanity;
pub mod schema;
mod settings;
#[cfg(test)]
mod tests;
mod text;
pub mod transactions;

pub use driver::{load_all, loads, measure, run};
pub use load::load;
pub use mix::Mix;
pub use report::{Report, TransactionReport};
pub use sanity::Figure;
pub use settings::Settings;
pub use text::Text;
