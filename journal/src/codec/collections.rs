//! Types of any size.

use super::{Decode, DecodeError, Encode, decode_count, elements, encode_count, take};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};

impl Encode for str {
    fn encode(&self, into: &mut Vec<u8>) {
        encode_count(self.len(), into);
        into.extend_from_slice(self.as_bytes());
    }
}

impl Encode for String {
    fn encode(&self, into: &mut Vec<u8>) {
        self.as_str().encode(into);
    }
}

impl Decode for String {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        let expected = "of a string";
        let count = decode_count(from)?;
        let bytes = take(from, count, expected)?.to_vec();
        Self::from_utf8(bytes).map_err(|_| DecodeError { expected })
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, into: &mut Vec<u8>) {
        encode_count(self.len(), into);
        T::encode_each(self, into);
    }
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    fn encode(&self, into: &mut Vec<u8>) {
        T::encode_each(self, into);
    }
}

impl<T: Decode, const N: usize> Decode for [T; N] {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        let elements = T::decode_each(from, N)?;
        elements.try_into().map_err(|_| DecodeError {
            expected: "of an array",
        })
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, into: &mut Vec<u8>) {
        self.as_slice().encode(into);
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        let count = decode_count(from)?;
        T::decode_each(from, count)
    }
}

macro_rules! sequences {
    ($(
        $type:ident<$element:ident $(: $bound:ident $(+ $more:ident)*)? $(, $hasher:ident)?>
    ),*) => {$(
        impl<$element: Encode $(, $hasher)?> Encode for $type<$element $(, $hasher)?> {
            fn encode(&self, into: &mut Vec<u8>) {
                encode_count(self.len(), into);
                for element in self {
                    element.encode(into);
                }
            }
        }
        impl<$element: Decode $(+ $bound $(+ $more)*)? $(, $hasher: BuildHasher + Default)?> Decode
            for $type<$element $(, $hasher)?>
        {
            fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
                let count = decode_count(from)?;
                elements(from, count).collect()
            }
        }
    )*};
}

sequences!(VecDeque<T>, BTreeSet<T: Ord>, HashSet<T: Eq + Hash, S>);

macro_rules! maps {
    ($($type:ident<K: $bound:ident $(+ $more:ident)* $(, $hasher:ident)?>),*) => {$(
        impl<K: Encode, V: Encode $(, $hasher)?> Encode for $type<K, V $(, $hasher)?> {
            fn encode(&self, into: &mut Vec<u8>) {
                encode_count(self.len(), into);
                for (key, value) in self {
                    key.encode(into);
                    value.encode(into);
                }
            }
        }
        impl<K: Decode + $bound $(+ $more)*, V: Decode $(, $hasher: BuildHasher + Default)?> Decode
            for $type<K, V $(, $hasher)?>
        {
            fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
                let count = decode_count(from)?;
                elements(from, count).collect()
            }
        }
    )*};
}

maps!(BTreeMap<K: Ord>, HashMap<K: Eq + Hash, S>);
