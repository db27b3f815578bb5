//! A mail server's mailboxes, as the family of verified systems that this project follows measures
//! them: mail is *delivered*, and *picked up* by its user, who may *delete* what was read before
//! the mailbox is unlocked.
//!
//! It runs on tables of any [`Engine`](crate::engine::Engine), and on a [`Maildir`], as mail
//! servers keep it, to compare with. Each iteration of a thread is one delivery and one pickup, at
//! random users.
//!
//! Whatever is read is checked: mail is whole, is there once, and in the order of its arrival. With
//! [`Settings::check`], a ledger is kept as well: what was delivered is there until it is deleted,
//! and what was deleted does not come back. On a directory, the ledger is a file in it, which
//! survives a kill of the process (not a loss of power), and the next run checks what it finds
//! against that.

mod boxes;
mod driver;
mod ledger;
mod mailboxes;
mod maildir;
mod message;
mod report;
pub mod serve;
mod settings;

pub use boxes::{declare, run_on_engine};
pub use ledger::refuse_unchecked;
pub use maildir::{Maildir, run_on_maildir};
pub use message::Profile;
pub use report::Report;
pub use settings::{Settings, bytes, loads};
