//! TPC-C, revision 5.11, over any engine: nine tables, five transactions, twelve consistency conditions.
//!
//! What differs from the specification: each thread is a terminal that calls the engine directly (no front end, no screens); there is
//! no keying and thinking unless it is asked for; a delivery runs at once, in one transaction for all districts, in place of being
//! queued (clause 2.7.2); nothing is durable. So `tpmC` here is committed new-orders per minute, to compare engines with, and not a
//! result in the sense of the Transaction Processing Performance Council.

pub mod consistency;
mod driver;
mod load;
mod mix;
pub mod random;
mod report;
pub mod schema;
#[cfg(test)]
mod tests;
mod text;
pub mod transactions;

pub use driver::{Settings, load_all, measure, run};
pub use load::load;
pub use mix::Mix;
pub use report::{Report, TransactionReport};
pub use text::Text;
