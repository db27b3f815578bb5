//! How keys and values become bytes: [`Encode`] and [`Decode`], with the standard types.
//!
//! | type | bytes |
//! | --- | --- |
//! | integers, floats, `NonZero` | as many as the type has, little-endian; `usize` and `isize` as 8 |
//! | `bool` | 1: 0 or 1 |
//! | `char` | 4: its number |
//! | `String`, `str`, `Vec`, slices, maps, sets | the count of bytes or elements, 4 bytes; these |
//! | `Option` | 0; or 1 and the value |
//! | `Result` | 0 and the value; or 1 and the error |
//! | tuples, arrays | the elements, one after the other |
//! | `Box`, `Arc`, `Rc`, `Cow` | what is in them |
//! | `Duration` | seconds in 8 bytes, nanoseconds in 4 |
//! | a struct of [`fields`] | its fields, one after the other |
//!
//! The bytes do not say what type they are of; who stores them keeps the type's name and a version.
//! Decoding takes bytes from anywhere: it fails, and does not panic, and it allocates no more than
//! a small multiple of the bytes that are there. A type that holds itself can be nested as deeply
//! as the bytes say; give such types a bound of their own. A collection of more than 65,536 values
//! that take no bytes, as `()` does not, is not decoded.

mod collections;
mod scalars;
#[cfg(feature = "serde")]
mod serde;

#[cfg(feature = "serde")]
pub use self::serde::Serde;

pub use crate::codec_fields as fields;

use std::fmt;

/// Becomes bytes.
pub trait Encode {
    /// Adds the bytes to `into`.
    fn encode(&self, into: &mut Vec<u8>);

    /// Adds the bytes of each to `into`. Not to be overridden but for speed.
    fn encode_each(values: &[Self], into: &mut Vec<u8>)
    where
        Self: Sized,
    {
        for value in values {
            value.encode(into);
        }
    }
}

/// Comes from the bytes that [`Encode`] made.
pub trait Decode: Sized {
    /// Takes the value from the front of `from`, and leaves there what comes after it.
    ///
    /// # Errors
    /// If the bytes are not of a value of this type.
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError>;

    /// Takes so many values. Not to be overridden but for speed.
    ///
    /// # Errors
    /// If the bytes are not of so many values of this type.
    fn decode_each(from: &mut &[u8], count: usize) -> Result<Vec<Self>, DecodeError> {
        elements(from, count).collect()
    }
}

/// Decodes `count` values. A count that was read from the bytes is believed only as far as they go:
/// nothing is allocated for it, and many values that take no bytes are refused.
fn elements<T: Decode>(
    from: &mut &[u8],
    count: usize,
) -> impl Iterator<Item = Result<T, DecodeError>> {
    let mut without_bytes = 0;
    (0..count).map(move |_| {
        let before = from.len();
        let value = T::decode(from)?;
        without_bytes += usize::from(from.len() == before);
        if without_bytes > MOST_WITHOUT_BYTES {
            return Err(DecodeError {
                expected: "fewer values of no size",
            });
        }
        Ok(value)
    })
}

/// The most values without bytes that a collection is decoded with.
const MOST_WITHOUT_BYTES: usize = 1 << 16;

/// The bytes are not of a value of the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What was to be read.
    pub expected: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bytes are not {}", self.expected)
    }
}

impl std::error::Error for DecodeError {}

/// [`Encode`](crate::codec::Encode) and [`Decode`](crate::codec::Decode) for a struct: its fields,
/// one after the other in the order in which they are named here. That order is part of what is
/// stored.
///
/// A field that is not named is an error of the compiler.
///
/// ```
/// use journal::codec::{fields, from_bytes, to_bytes};
///
/// #[derive(Debug, PartialEq)]
/// struct Account {
///     owner: String,
///     balance: i64,
/// }
/// fields!(Account { owner, balance });
///
/// let account = Account { owner: "ann".into(), balance: 7 };
/// assert_eq!(from_bytes::<Account>(&to_bytes(&account)), Ok(account));
/// ```
#[macro_export]
macro_rules! codec_fields {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::codec::Encode for $type {
            fn encode(&self, into: &mut Vec<u8>) {
                $($crate::codec::Encode::encode(&self.$field, into);)*
            }
        }
        impl $crate::codec::Decode for $type {
            fn decode(from: &mut &[u8]) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self { $($field: $crate::codec::Decode::decode(from)?,)* })
            }
        }
    };
}

/// The bytes of a value.
pub fn to_bytes<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

/// The value that all of `bytes` are of.
///
/// # Errors
/// If they are not of one, or of one and more.
pub fn from_bytes<T: Decode>(mut bytes: &[u8]) -> Result<T, DecodeError> {
    let value = T::decode(&mut bytes)?;
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError {
            expected: "one value and no more",
        })
    }
}

/// Takes so many bytes from the front.
///
/// # Errors
/// If there are fewer; `expected` says what they are for.
pub fn take<'b>(
    from: &mut &'b [u8],
    count: usize,
    expected: &'static str,
) -> Result<&'b [u8], DecodeError> {
    let (taken, rest) = from
        .split_at_checked(count)
        .ok_or(DecodeError { expected })?;
    *from = rest;
    Ok(taken)
}

/// Adds a count of bytes or elements.
///
/// # Panics
/// If it is 2^32 or more: no segment holds as much.
pub fn encode_count(count: usize, into: &mut Vec<u8>) {
    let count = u32::try_from(count).expect("fewer than 2^32 elements");
    into.extend_from_slice(&count.to_le_bytes());
}

/// Takes a count of bytes or elements. It may be larger than what follows.
///
/// # Errors
/// If there are not enough bytes.
pub fn decode_count(from: &mut &[u8]) -> Result<usize, DecodeError> {
    let count = u32::decode(from).map_err(|_| DecodeError {
        expected: "a count",
    })?;
    usize::try_from(count).map_err(|_| DecodeError {
        expected: "a count",
    })
}
