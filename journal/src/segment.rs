//! Segments: files of one size that hold the frames of the log.
//!
//! A segment is written with zeros before it is used, so that a sync of a frame in it writes data
//! only: no lengths, no blocks to find. It gets its name when all that is on the medium.

use crate::files::{self, Files, Missing};
use crate::frame::{self, Header, Kind, SECTOR};

/// Where the first frame of the log stands in a segment.
pub(crate) const FIRST: u64 = SECTOR as u64;
/// How much is written with one call.
const CHUNK: u64 = 1 << 20;

/// The frame that each segment begins with.
pub(crate) fn header(store: u64, number: u64, capacity: u64) -> Vec<u8> {
    let payload = capacity.to_le_bytes();
    let header = Header {
        kind: Kind::Segment,
        store,
        incarnation: 0,
        sequence: number,
        up_to: 0,
        synced_to: 0,
        length: payload.len() as u64,
        before: 0,
    };
    let mut bytes = Vec::new();
    frame::encode(&header, &payload, &mut bytes);
    bytes
}

/// Creates a segment of `capacity` bytes, whole and durable when it returns.
pub(crate) fn create(files: &Files, store: u64, number: u64, capacity: u64) -> Result<(), Missing> {
    create_unless(files, store, number, capacity, &|| false).map(drop)
}

/// As [`create`], and gives it up where it `is_needless`. Whether it was created.
pub(crate) fn create_unless(
    files: &Files,
    store: u64,
    number: u64,
    capacity: u64,
    is_needless: &dyn Fn() -> bool,
) -> Result<bool, Missing> {
    let name = files::segment(number);
    let header = header(store, number, capacity);
    let written = write(files, &name, &header, capacity, is_needless);
    if let Ok(false) = &written {
        files.remove(&files::temporary(&name))?;
    }
    if let Err(Missing::Full(_)) = &written {
        // What was written takes the room that others need.
        files.remove(&files::temporary(&name))?;
    }
    written
}

fn write(
    files: &Files,
    name: &str,
    header: &[u8],
    capacity: u64,
    is_needless: &dyn Fn() -> bool,
) -> Result<bool, Missing> {
    let temporary = files.begin(name)?;
    files.set_len(&temporary, capacity)?;
    let mut chunk = header.to_vec();
    let mut offset = 0;
    while offset < capacity {
        let length = CHUNK.min(capacity - offset);
        chunk.resize(usize::try_from(length).expect("a chunk is small"), 0);
        files.write_at(&temporary, offset, &chunk)?;
        chunk.fill(0);
        offset += length;
        if is_needless() {
            return Ok(false);
        }
    }
    files.finish_for_writing(name)?;
    Ok(true)
}
