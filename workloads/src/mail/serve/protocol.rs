//! What the two protocols have in common.

use super::lines::Line;

/// A protocol's side of a session, which knows no sockets.
pub(super) trait Protocol {
    /// What it says first.
    fn greeting(&self) -> String;

    /// The most bytes that the next line may have, its end included.
    fn longest(&self) -> usize;

    /// Whether the line that is awaited belongs to what was begun by an earlier one, which has a
    /// time limit as a whole.
    fn is_within(&self) -> bool;

    /// Takes a line, and adds what is to be answered. `false` ends the session.
    fn take(&mut self, line: Line, answer: &mut Vec<u8>) -> bool;

    /// What it says if the client takes too long.
    fn late(&self) -> &'static str;

    /// What it says if the server ends.
    fn ends(&self) -> &'static str;
}

/// So many mistakes end a session.
pub(super) const MISTAKES: u32 = 20;
