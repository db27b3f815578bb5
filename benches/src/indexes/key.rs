//! The key, and its order-preserving encodings for crates that take no composite keys.

/// A table's number and a row's.
pub(super) type Key = (u32, u64);

/// Over how many tables the keys are spread.
pub(super) const TABLES: u64 = 4;

const ROW_BITS: u32 = 40;

/// The key in 64 bits: 24 for the table, 40 for the row. Loses nothing for the keys that are drawn
/// here; not every key would fit.
pub(super) fn pack((table, row): Key) -> u64 {
    debug_assert!(table < 1 << (64 - ROW_BITS) && row < 1 << ROW_BITS);
    u64::from(table) << ROW_BITS | row
}

/// Undoes [`pack`].
pub(super) fn unpack(packed: u64) -> Key {
    let table = u32::try_from(packed >> ROW_BITS).expect("24 bits");
    (table, packed & ((1 << ROW_BITS) - 1))
}

/// The key as 12 bytes, big-endian, or packed and as 8.
pub(super) fn to_bytes<const BYTES: usize>(key: Key) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    if BYTES == 8 {
        bytes.copy_from_slice(&pack(key).to_be_bytes());
    } else {
        bytes[..4].copy_from_slice(&key.0.to_be_bytes());
        bytes[4..].copy_from_slice(&key.1.to_be_bytes());
    }
    bytes
}

/// Undoes [`to_bytes`].
pub(super) fn from_bytes<const BYTES: usize>(bytes: &[u8]) -> Key {
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("8 bytes"));
    if BYTES == 8 {
        unpack(number(bytes))
    } else {
        let table = u32::from_be_bytes(bytes[..4].try_into().expect("4 bytes"));
        (table, number(&bytes[4..]))
    }
}
