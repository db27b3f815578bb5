//! Strings of a bounded size, stored in the row.

use mvcc::codec::{Decode, DecodeError, Encode};
use std::fmt;

/// A string of at most `N` bytes. Stored inline and padded with zero bytes, so a copy is a copy of
/// memory and the order of the bytes is the order of the strings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    /// Before all strings: the empty one.
    pub const FIRST: Self = Self([0; N]);
    /// Behind all strings; not a string itself.
    pub const LAST: Self = Self([u8::MAX; N]);

    /// The bytes, cut off at `N`.
    #[inline]
    pub fn new(bytes: &[u8]) -> Self {
        let mut text = [0; N];
        let length = bytes.len().min(N);
        text[..length].copy_from_slice(&bytes[..length]);
        Self(text)
    }

    /// The bytes without the padding.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        &self.0[..length]
    }

    /// Whether these eight bytes occur.
    #[inline]
    pub fn contains(&self, part: &[u8; 8]) -> bool {
        self.0.windows(8).any(|window| window == part)
    }
}

impl<const N: usize> Encode for Text<N> {
    fn encode(&self, into: &mut Vec<u8>) {
        self.0.encode(into);
    }
}

impl<const N: usize> Decode for Text<N> {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        Decode::decode(from).map(Self)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.bytes()))
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.bytes()), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_strings() {
        let texts = ["", "A", "AA", "AB", "B"].map(|text| Text::<4>::new(text.as_bytes()));
        assert!(texts.is_sorted());
        assert!(texts[4] < Text::LAST && texts[0] == Text::FIRST);
    }

    #[test]
    fn what_does_not_fit_is_cut_off() {
        assert_eq!(Text::<4>::new(b"ABCDEF").to_string(), "ABCD");
        assert_eq!(Text::<4>::new(b"AB").bytes(), b"AB");
    }

    #[test]
    fn a_part_is_found_anywhere() {
        assert!(Text::<20>::new(b"ORIGINAL").contains(b"ORIGINAL"));
        assert!(Text::<20>::new(b"0123456789abORIGINAL").contains(b"ORIGINAL"));
        assert!(!Text::<20>::new(b"ORIGINA").contains(b"ORIGINAL"));
    }
}
