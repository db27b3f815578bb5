//! Types of a fixed size, and what holds one value.

use super::{Decode, DecodeError, Encode, take};
use std::borrow::Cow;
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Encode for $type {
            fn encode(&self, into: &mut Vec<u8>) {
                into.extend_from_slice(&self.to_le_bytes());
            }
        }
        impl Decode for $type {
            fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
                let bytes = take(from, size_of::<Self>(), concat!("of ", stringify!($type)))?;
                Ok(Self::from_le_bytes(bytes.try_into().expect("as many were taken")))
            }
        }
    )*};
}

impl Encode for u8 {
    fn encode(&self, into: &mut Vec<u8>) {
        into.push(*self);
    }

    fn encode_each(values: &[Self], into: &mut Vec<u8>) {
        into.extend_from_slice(values);
    }
}

impl Decode for u8 {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok(take(from, 1, "of u8")?[0])
    }

    fn decode_each(from: &mut &[u8], count: usize) -> Result<Vec<Self>, DecodeError> {
        take(from, count, "so many bytes").map(<[u8]>::to_vec)
    }
}

numbers!(u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64);

macro_rules! sizes {
    ($($type:ty as $wide:ty),*) => {$(
        impl Encode for $type {
            fn encode(&self, into: &mut Vec<u8>) {
                // No platform has more than 64 bits.
                (*self as $wide).encode(into);
            }
        }
        impl Decode for $type {
            fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
                let error = DecodeError { expected: concat!("of ", stringify!($type), " here") };
                Self::try_from(<$wide>::decode(from)?).map_err(|_| error)
            }
        }
    )*};
}

sizes!(usize as u64, isize as i64);

macro_rules! nonzero {
    ($($type:ty),*) => {$(
        impl Encode for NonZero<$type> {
            fn encode(&self, into: &mut Vec<u8>) {
                self.get().encode(into);
            }
        }
        impl Decode for NonZero<$type> {
            fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
                let expected = concat!("of ", stringify!($type), " above or below 0");
                Self::new(<$type>::decode(from)?).ok_or(DecodeError { expected })
            }
        }
    )*};
}

nonzero!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

impl Encode for bool {
    fn encode(&self, into: &mut Vec<u8>) {
        into.push(u8::from(*self));
    }
}

impl Decode for bool {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        match u8::decode(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError {
                expected: "of bool",
            }),
        }
    }
}

impl Encode for char {
    fn encode(&self, into: &mut Vec<u8>) {
        u32::from(*self).encode(into);
    }
}

impl Decode for char {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        Self::from_u32(u32::decode(from)?).ok_or(DecodeError {
            expected: "of char",
        })
    }
}

impl Encode for Duration {
    fn encode(&self, into: &mut Vec<u8>) {
        self.as_secs().encode(into);
        self.subsec_nanos().encode(into);
    }
}

impl Decode for Duration {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        let (seconds, nanoseconds) = <(u64, u32)>::decode(from)?;
        if nanoseconds < 1_000_000_000 {
            Ok(Self::new(seconds, nanoseconds))
        } else {
            Err(DecodeError {
                expected: "of Duration",
            })
        }
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, into: &mut Vec<u8>) {
        self.is_some().encode(into);
        if let Some(value) = self {
            value.encode(into);
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        if bool::decode(from)? {
            T::decode(from).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<T: Encode, E: Encode> Encode for Result<T, E> {
    fn encode(&self, into: &mut Vec<u8>) {
        self.is_err().encode(into);
        match self {
            Ok(value) => value.encode(into),
            Err(error) => error.encode(into),
        }
    }
}

impl<T: Decode, E: Decode> Decode for Result<T, E> {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        if bool::decode(from)? {
            E::decode(from).map(Err)
        } else {
            T::decode(from).map(Ok)
        }
    }
}

macro_rules! pointers {
    ($($pointer:ident),*) => {$(
        impl<T: Encode + ?Sized> Encode for $pointer<T> {
            fn encode(&self, into: &mut Vec<u8>) {
                (**self).encode(into);
            }
        }
        impl<T: Decode> Decode for $pointer<T> {
            fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
                T::decode(from).map(Self::new)
            }
        }
        impl Decode for $pointer<str> {
            fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
                String::decode(from).map(Self::from)
            }
        }
        impl<T: Decode> Decode for $pointer<[T]> {
            fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
                Vec::decode(from).map(Self::from)
            }
        }
    )*};
}

pointers!(Box, Arc, Rc);

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, into: &mut Vec<u8>) {
        (**self).encode(into);
    }
}

impl<T: Encode + ToOwned + ?Sized> Encode for Cow<'_, T> {
    fn encode(&self, into: &mut Vec<u8>) {
        (**self).encode(into);
    }
}

impl<T: ToOwned<Owned: Decode> + ?Sized> Decode for Cow<'_, T> {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        T::Owned::decode(from).map(Self::Owned)
    }
}

macro_rules! tuples {
    ($(($($name:ident $at:tt),*))*) => {$(
        impl<$($name: Encode),*> Encode for ($($name,)*) {
            #[allow(unused_variables, clippy::unused_unit, reason = "of the empty tuple")]
            fn encode(&self, into: &mut Vec<u8>) {
                $(self.$at.encode(into);)*
            }
        }
        impl<$($name: Decode),*> Decode for ($($name,)*) {
            #[allow(unused_variables, clippy::unused_unit, reason = "of the empty tuple")]
            fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
                Ok(($($name::decode(from)?,)*))
            }
        }
    )*};
}

tuples! {
    ()
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
