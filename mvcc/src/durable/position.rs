//! A place in the commits of a store, which may be stored.

use journal::codec::{Decode, DecodeError, Encode};
use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// A place between two commits of a store: how many were before.
///
/// It may be stored, in the same store or elsewhere, and is right after a restart. As text it is
/// the number in decimal digits, and is read from that again.
///
/// ```
/// use mvcc::FeedPosition;
///
/// let position = FeedPosition::new(7);
/// assert!(FeedPosition::START < position && position.number() == 7);
/// assert_eq!(position.to_string(), "7");
/// assert_eq!("7".parse(), Ok(position));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedPosition(u64);

impl FeedPosition {
    /// Before the first commit.
    pub const START: Self = Self(0);

    /// After so many commits to durable tables.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// How many commits to durable tables were before.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FeedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for FeedPosition {
    type Err = FeedPositionError;

    /// Reads what [`Display`](fmt::Display) writes, and nothing else: no sign, no blanks, no line
    /// end.
    fn from_str(text: &str) -> Result<Self, FeedPositionError> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        number.map(Self).ok_or_else(|| FeedPositionError {
            text: text.to_owned(),
        })
    }
}

/// A text is not that of a [`FeedPosition`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPositionError {
    /// What was to be read.
    text: String,
}

impl fmt::Display for FeedPositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no position in a feed: a position is a number below 2^64, in decimal digits \
             and nothing else",
            self.text
        )
    }
}

impl Error for FeedPositionError {}

impl Encode for FeedPosition {
    fn encode(&self, into: &mut Vec<u8>) {
        self.0.encode(into);
    }
}

impl Decode for FeedPosition {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        u64::decode(from).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_displayed_is_read_again() {
        for number in [0, 1, 10, 1 << 53, u64::MAX] {
            let position = FeedPosition::new(number);
            assert_eq!(position.to_string().parse(), Ok(position));
        }
    }

    #[test]
    fn what_is_no_position_is_told() {
        let beyond = (u128::from(u64::MAX) + 1).to_string();
        for text in ["", "+7", "-7", " 7", "7\n", "7.0", "0x7", "seven", &beyond] {
            let error = text.parse::<FeedPosition>().expect_err("it is no position");
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
