//! Frames: the one form of all that is written. A file is a row of frames.
//!
//! The crate's page has the table of their bytes.

/// The file that says that the directory is a journal; written last when one is created.
pub(crate) const IDENTITY: &str = "journal";

/// The version of the format that this program writes and reads.
pub(crate) const FORMAT: u16 = 1;
/// What a disk writes whole, in bytes. Frames begin at multiples of it, so that no sector that
/// holds bytes of a synced frame is written again.
pub(crate) const SECTOR: usize = 512;
/// The bytes of a frame before its payload.
pub(crate) const HEADER: usize = 72;

/// The largest number of a frame, a segment or an incarnation that is believed when it is read: no
/// log comes that far, and one more is a number too.
pub(crate) const MOST: u64 = 1 << 63;

const MAGIC: [u8; 4] = *b"tscJ";

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Kind {
    /// The only frame of the file `journal`.
    Identity = 1,
    /// The first frame of a segment. Its sequence is the segment's number.
    Segment = 2,
    /// The first frame of an incarnation.
    Open = 3,
    /// Records.
    Data = 4,
    /// The last frame of an incarnation that was closed in good order.
    Close = 5,
    /// The first frame of a checkpoint.
    Checkpoint = 6,
    /// Records of a checkpoint. Its sequence counts from 1.
    Block = 7,
    /// The last frame of a checkpoint.
    Footer = 8,
}

impl Kind {
    fn from_number(number: u16) -> Option<Self> {
        use Kind::{Block, Checkpoint, Close, Data, Footer, Identity, Open, Segment};
        let all = [
            Identity, Segment, Open, Data, Close, Checkpoint, Block, Footer,
        ];
        all.into_iter().find(|kind| *kind as u16 == number)
    }

    /// Whether such frames make up the log.
    pub(crate) fn is_of_log(self) -> bool {
        matches!(self, Self::Open | Self::Data | Self::Close)
    }
}

/// What stands before the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// What the frame is for.
    pub(crate) kind: Kind,
    /// The journal that it belongs to: a number drawn when that was created.
    pub(crate) store: u64,
    /// How often the journal had been opened when it was written.
    pub(crate) incarnation: u64,
    /// Its number in the log, without gaps. In other files: the number in the file.
    pub(crate) sequence: u64,
    /// The cut: the log up to and with this frame holds all that comes before or at it.
    pub(crate) up_to: u64,
    /// All frames of the log with a smaller sequence were synced when this one was written.
    pub(crate) synced_to: u64,
    /// The length of the payload in bytes.
    pub(crate) length: u64,
    /// The checksum of the frame before; 0 for the first.
    pub(crate) before: u64,
}

/// Why bytes are not a frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Nothing but zeros.
    Nothing,
    /// They do not begin as a frame does.
    Magic,
    /// They begin as a frame of another format does.
    Format(u16),
    /// The checksum is not that of the bytes.
    Checksum,
    /// A kind that this format does not have.
    Kind(u16),
    /// A number that no log comes to.
    Number(u64),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => write!(f, "zeros"),
            Self::Magic => write!(f, "bytes that are no frame"),
            Self::Format(found) => write!(f, "a frame of format {found}"),
            Self::Checksum => write!(f, "a frame whose checksum is wrong"),
            Self::Kind(found) => write!(f, "a frame of the unknown kind {found}"),
            Self::Number(found) => write!(f, "a frame with the number {found}, beyond any log"),
        }
    }
}

/// A frame's header, with the checksums that stand beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// The header.
    pub(crate) header: Header,
    /// The checksum of the whole frame: that of its payload, and that of its header with it.
    pub(crate) checksum: u64,
}

impl Read {
    /// Reads a header from `bytes`, of which there must be [`HEADER`] at least.
    ///
    /// # Errors
    /// If they are not one.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let bytes = &bytes[..HEADER];
        let word = |at: usize| u64::from_le_bytes(array(&bytes[at..at + 8]));
        let half = |at: usize| u16::from_le_bytes(array(&bytes[at..at + 2]));
        if bytes[..4] != MAGIC {
            let is_zero = bytes.iter().all(|byte| *byte == 0);
            return Err(if is_zero {
                Unreadable::Nothing
            } else {
                Unreadable::Magic
            });
        }
        if half(4) != FORMAT {
            return Err(Unreadable::Format(half(4)));
        }
        if crc32fast::hash(&bytes[..68]) != u32::from_le_bytes(array(&bytes[68..])) {
            return Err(Unreadable::Checksum);
        }
        let kind = Kind::from_number(half(6)).ok_or(Unreadable::Kind(half(6)))?;
        let header = Header {
            kind,
            store: word(8),
            incarnation: word(16),
            sequence: word(24),
            up_to: word(32),
            synced_to: word(40),
            length: word(48),
            before: word(56),
        };
        let number = header.sequence.max(header.incarnation);
        if number > MOST {
            return Err(Unreadable::Number(number));
        }
        Ok(Self {
            header,
            checksum: word(64),
        })
    }

    /// Whether `payload` is the one that was written with this header.
    pub(crate) fn is_of(&self, payload: &[u8]) -> bool {
        let [a, b, c, d, ..] = self.checksum.to_le_bytes();
        payload.len() as u64 == self.header.length
            && crc32fast::hash(payload) == u32::from_le_bytes([a, b, c, d])
    }

    /// The bytes that the frame takes, if that is a number.
    pub(crate) fn space(&self) -> Option<u64> {
        let bytes = self.header.length.checked_add(HEADER as u64)?;
        bytes.checked_next_multiple_of(SECTOR as u64)
    }
}

/// The bytes that a frame of so long a payload takes: whole sectors. Where that is no number, the
/// most that are one.
pub(crate) fn space(payload: usize) -> u64 {
    const MOST: u64 = u64::MAX / SECTOR as u64 * SECTOR as u64;
    let bytes = (payload as u64).checked_add(HEADER as u64);
    let bytes = bytes.and_then(|bytes| bytes.checked_next_multiple_of(SECTOR as u64));
    bytes.unwrap_or(MOST)
}

/// Puts a frame in the place of what is in `into`, and returns its checksum.
///
/// # Panics
/// If the header's length is not the payload's.
pub(crate) fn encode(header: &Header, payload: &[u8], into: &mut Vec<u8>) -> u64 {
    assert_eq!(header.length, payload.len() as u64);
    into.clear();
    into.extend_from_slice(&MAGIC);
    into.extend_from_slice(&FORMAT.to_le_bytes());
    into.extend_from_slice(&(header.kind as u16).to_le_bytes());
    let Header {
        kind: _,
        store,
        incarnation,
        sequence,
        up_to,
        synced_to,
        length,
        before,
    } = *header;
    for word in [
        store,
        incarnation,
        sequence,
        up_to,
        synced_to,
        length,
        before,
    ] {
        into.extend_from_slice(&word.to_le_bytes());
    }
    into.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    into.extend_from_slice(&crc32fast::hash(into).to_le_bytes());
    let checksum = u64::from_le_bytes(array(&into[64..]));
    into.extend_from_slice(payload);
    into.resize(into.len().next_multiple_of(SECTOR), 0);
    checksum
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the range is so long")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u64) -> Header {
        Header {
            kind: Kind::Data,
            store: 1,
            incarnation: 2,
            sequence: 3,
            up_to: 4,
            synced_to: 5,
            length,
            before: 6,
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for length in [0, 1, SECTOR - HEADER, SECTOR - HEADER + 1, 5000] {
            let payload = vec![7; length];
            let mut bytes = vec![1; 3];
            let checksum = encode(&header(length as u64), &payload, &mut bytes);
            assert_eq!(bytes.len() as u64, space(length));
            let read = Read::decode(&bytes).unwrap();
            assert_eq!(
                read,
                Read {
                    header: header(length as u64),
                    checksum
                }
            );
            assert_eq!(read.space(), Some(space(length)));
            assert!(read.is_of(&bytes[HEADER..HEADER + length]));
        }
    }

    /// Recovery adds to them.
    #[test]
    fn a_number_that_no_log_comes_to_is_refused() {
        for (sequence, incarnation) in [(MOST, MOST), (MOST + 1, 2), (3, u64::MAX)] {
            let header = Header {
                incarnation,
                sequence,
                ..header(0)
            };
            let mut bytes = Vec::new();
            encode(&header, &[], &mut bytes);
            let read = Read::decode(&bytes).map(|read| read.header);
            let number = sequence.max(incarnation);
            let expected = match number {
                MOST => Ok(header),
                _ => Err(Unreadable::Number(number)),
            };
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn no_bit_of_header_or_payload_may_flip() {
        let payload = *b"some bytes";
        let mut bytes = Vec::new();
        encode(&header(10), &payload, &mut bytes);
        for bit in 0..(HEADER + payload.len()) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let is_whole = Read::decode(&flipped)
                .is_ok_and(|read| read.is_of(&flipped[HEADER..HEADER + payload.len()]));
            assert!(!is_whole, "bit {bit}");
        }
    }

    #[test]
    fn a_length_beyond_all_numbers_takes_no_space() {
        let mut bytes = Vec::new();
        encode(&header(0), &[], &mut bytes);
        bytes[48..56].fill(0xff);
        let sum = crc32fast::hash(&bytes[..68]);
        bytes[68..72].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Read::decode(&bytes).unwrap().space(), None);
    }
}
