//! What is encoded is decoded, and bytes from anywhere are decoded or refused.

use journal::codec::{Decode, Encode, Serde, from_bytes, to_bytes};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

#[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq, Clone)]
struct Order {
    customer: String,
    lines: Vec<(u32, Option<f64>)>,
}

fn round_trip<T: Encode + Decode + PartialEq + Debug>(value: &T) {
    let bytes = to_bytes(value);
    assert_eq!(&from_bytes::<T>(&bytes).unwrap(), value);
    for length in (0..bytes.len()).step_by(1 + bytes.len() / 50) {
        assert!(
            from_bytes::<T>(&bytes[..length]).is_err(),
            "{value:?} cut to {length}"
        );
    }
    assert!(from_bytes::<T>(&[&bytes[..], &[0]].concat()).is_err());
}

type Scalars = (u8, u64, i16, i128, f64, bool, char);
type Nested = BTreeMap<u16, Option<Result<(u32, Vec<Box<str>>), Arc<[i8]>>>>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scalars(value: Scalars) { round_trip(&value); }

    #[test]
    fn nested(value: Nested) { round_trip(&value); }

    #[test]
    fn collections(value: (HashMap<u16, String>, BTreeSet<i64>, HashSet<u8>, VecDeque<[u8; 3]>)) {
        round_trip(&value);
    }

    #[test]
    fn others(seconds: u64, nanos in 0..1_000_000_000_u32, size: usize, text: String) {
        round_trip(&(Duration::new(seconds, nanos), size, Cow::<'static, str>::Owned(text), ()));
    }

    #[test]
    fn with_serde(customer: String, lines: Vec<(u32, Option<f64>)>) {
        round_trip(&(Serde(Order { customer, lines }), 1_u8));
    }

}

proptest! {
    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        // No panic; and what is accepted is what was encoded.
        if let Ok(value) = from_bytes::<Scalars>(&bytes) {
            prop_assert_eq!(to_bytes(&value), bytes.clone());
        }
        let _ = from_bytes::<Nested>(&bytes);
        let _ = from_bytes::<Serde<Order>>(&bytes);
    }
}

/// A count of four billion before no elements, of a type that takes bytes and of one that does not.
#[test]
fn a_count_is_believed_only_as_far_as_there_are_bytes() {
    let bytes = [0xff; 4];
    assert!(from_bytes::<Vec<u64>>(&bytes).is_err());
    assert!(from_bytes::<String>(&bytes).is_err());
    assert!(from_bytes::<Vec<()>>(&bytes).is_err());
    assert!(from_bytes::<HashMap<u64, u8>>(&bytes).is_err());
    assert!(from_bytes::<Serde<Order>>(&bytes).is_err());
}

/// The bytes are a format: they may not change.
#[test]
fn the_bytes_of_each_type() {
    assert_eq!(to_bytes(&0x0102_u16), [2, 1]);
    assert_eq!(to_bytes(&-1_i32), [0xff; 4]);
    assert_eq!(to_bytes(&7_usize), [7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(to_bytes(&1.0_f32), [0, 0, 0x80, 0x3f]);
    assert_eq!(to_bytes(&(true, 'A')), [1, 0x41, 0, 0, 0]);
    assert_eq!(to_bytes("ab"), [2, 0, 0, 0, b'a', b'b']);
    assert_eq!(to_bytes(&vec![1_u8, 2]), [2, 0, 0, 0, 1, 2]);
    assert_eq!(to_bytes(&[1_u8, 2]), [1, 2]);
    assert_eq!(to_bytes(&[Some(9_u8), None]), [1, 9, 0]);
    assert_eq!(to_bytes(&[Ok::<u8, u16>(1), Err(2)]), [0, 1, 1, 2, 0]);
    assert_eq!(
        to_bytes(&BTreeMap::from([(1_u8, 2_u8)])),
        [1, 0, 0, 0, 1, 2]
    );
    assert_eq!(
        to_bytes(&Duration::new(1, 2)),
        [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]
    );
    assert_eq!(to_bytes(&Serde(300_u32)), [2, 0, 0, 0, 0xac, 2]);
}
