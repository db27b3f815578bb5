//! Types that know `serde`.

use super::{Decode, DecodeError, Encode, decode_count, encode_count, take};
use serde::{Serialize, de::DeserializeOwned};

/// A value that `serde` makes bytes of, in the form that `postcard` specifies, with their count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serde<T>(pub T);

impl<T: Serialize> Encode for Serde<T> {
    /// # Panics
    /// If the type refuses to be serialized.
    fn encode(&self, into: &mut Vec<u8>) {
        let bytes = postcard::to_stdvec(&self.0).expect("a type that serializes without errors");
        encode_count(bytes.len(), into);
        into.extend_from_slice(&bytes);
    }
}

impl<T: DeserializeOwned> Decode for Serde<T> {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        let count = decode_count(from)?;
        let bytes = take(from, count, "of a value of `serde`")?;
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(Self(value)),
            _ => Err(DecodeError {
                expected: "of a value of `serde`",
            }),
        }
    }
}
