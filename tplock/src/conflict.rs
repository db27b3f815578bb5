//! When a transaction must die.

use std::fmt;

/// An older transaction is in the way of this one, which must give up its locks: wait-die.
///
/// Nothing happened. [`Attempt::again`](crate::Attempt::again) waits until the other one is out of
/// the way and begins anew with the same age, so that a transaction that keeps losing becomes the
/// oldest one in the end, which never loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict(pub(crate) ());

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an older transaction is in the way; nothing happened, try again with Attempt::again",
        )
    }
}

impl std::error::Error for Conflict {}
