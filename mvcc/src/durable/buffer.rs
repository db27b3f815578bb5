//! What a thread's commits have recorded and the logger has not taken yet, and how they record it.

use super::record::{self, START};
use crate::conflict::{ConflictCause, Lost};
use crate::local::Local;
use crate::shared::Catalog;
use crate::table::key_of;
use crate::tuple::Tuple;
use crate::version::Version;
use crate::writes::Writes;
use crate::{durable::Logger, read};
use journal::codec::Encode;
use journal::{LogError, Reservation};
use std::cell::Cell;
use std::collections::VecDeque;
use std::ptr::NonNull;

/// How rows of a table get into the log.
#[derive(Clone, Copy)]
pub(crate) struct RowCodec {
    /// The table's number there.
    table: u32,
    encode: unsafe fn(NonNull<Tuple>, NonNull<Version>, &mut Vec<u8>),
}

impl RowCodec {
    pub(super) fn of<K: Encode, V: Encode>(table: u32) -> Self {
        Self {
            table,
            encode: |tuple, version, into| {
                // SAFETY: the caller's promise.
                let (key, value) = unsafe {
                    let value = read::value_of::<V>(version.as_ptr());
                    (key_of::<K>(tuple), value)
                };
                encode_row(key, value, into);
            },
        }
    }
}

/// Adds a key, and its value if it has one.
pub(super) fn encode_row<K: Encode, V: Encode>(key: &K, value: Option<&V>, into: &mut Vec<u8>) {
    record::with_length(into, |into| key.encode(into));
    into.push(u8::from(value.is_some()));
    if let Some(value) = value {
        record::with_length(into, |into| value.encode(into));
    }
}

/// How much room a thread reserves at once, in bytes of payload, if a commit needs less.
const CHUNK: usize = 64 << 10;

/// What a thread's commits have recorded, by timestamp, and the room in the log that they have.
///
/// It has room only while it has records or its thread is in a commit. So nobody waits for room that an idle thread has.
#[derive(Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    records: VecDeque<Record>,
    room: Option<Reservation>,
    /// The part of it that neither a record nor a commit under way has.
    free: u64,
    /// Commits under way: more than one where user code in a commit commits.
    under_way: u32,
}

#[derive(Clone, Copy)]
struct Record {
    timestamp: u64,
    length: usize,
}

impl Record {
    fn space(self) -> u64 {
        space(self.length)
    }
}

/// The room for a record of so many bytes.
fn space(length: usize) -> u64 {
    journal::space(length + START)
}

impl Buffer {
    pub(super) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    pub(super) fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// Takes room for a commit that is going to be under way.
    fn begin(&mut self, space: u64) -> bool {
        let fits = self.free >= space;
        if fits {
            self.free -= space;
            self.under_way += 1;
        }
        fits
    }

    fn add_room(&mut self, room: Reservation) {
        self.free += room.space();
        match &mut self.room {
            Some(all) => all.merge(room),
            none => *none = Some(room),
        }
    }

    /// A commit is not under way any more, and does not need its room.
    fn give_up(&mut self, space: u64) -> Option<Reservation> {
        self.under_way -= 1;
        self.free += space;
        self.unused_room()
    }

    fn push(&mut self, timestamp: u64, record: &[u8]) {
        self.under_way -= 1;
        self.bytes.extend_from_slice(record);
        self.records.push_back(Record {
            timestamp,
            length: record.len(),
        });
    }

    /// All its room, if nobody needs that.
    fn unused_room(&mut self) -> Option<Reservation> {
        if self.under_way > 0 || self.has_records() {
            return None;
        }
        self.free = 0;
        self.room.take()
    }

    /// Moves the records with timestamps below the cut to `taken`, with their room. Whether there are more.
    ///
    /// They are in the order of timestamps: of two commits of a thread, or of threads that have had this buffer one after the other, the
    /// later one has read the clock later.
    pub(super) fn take_below(&mut self, cut: u64, taken: &mut Taken) -> bool {
        let is_below = |record: &&Record| record.timestamp < cut;
        let count = self.records.iter().take_while(is_below).count();
        let (mut length, mut space) = (0, 0);
        for record in self.records.drain(..count) {
            let start = taken.bytes.len() + length;
            taken.records.push((record.timestamp, start, record.length));
            length += record.length;
            space += record.space();
        }
        taken.bytes.extend_from_slice(&self.bytes[..length]);
        self.bytes.drain(..length);
        let room = self.unused_room().or_else(|| {
            let room = self.room.as_mut().filter(|_| space > 0)?;
            let room = room.split_space(space);
            Some(room.expect("each record has its room"))
        });
        taken.add_room(room);
        self.has_records()
    }
}

/// What the logger has taken for one frame.
#[derive(Default)]
pub(super) struct Taken {
    bytes: Vec<u8>,
    /// Timestamp, start and length of each record.
    records: Vec<(u64, usize, usize)>,
    room: Option<Reservation>,
}

impl Taken {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
        self.room = None;
    }

    fn add_room(&mut self, room: Option<Reservation>) {
        match (&mut self.room, room) {
            (Some(all), Some(room)) => all.merge(room),
            (none, room) => *none = none.take().or(room),
        }
    }

    /// The room for all of it, if there are records.
    pub(super) fn room(&mut self) -> Option<Reservation> {
        if self.records.is_empty() {
            self.room = None;
        }
        self.room.take()
    }

    /// Adds the records to a payload, by timestamp, and returns how many there are.
    pub(super) fn append_to(&mut self, payload: &mut Vec<u8>) -> u64 {
        // Stable, though it need not be: commits of the same timestamp have nothing to do with each other.
        self.records.sort_by_key(|&(timestamp, ..)| timestamp);
        for &(_, start, length) in &self.records {
            payload.extend_from_slice(&self.bytes[start..start + length]);
        }
        self.records.len() as u64
    }
}

/// What a thread keeps for logging from one commit to the next.
#[derive(Default)]
pub(crate) struct Logging {
    /// An empty list to encode into.
    scratch: Cell<Vec<u8>>,
    /// The bytes of payload that the last commit had no room for.
    pub(super) wanted: Cell<usize>,
    /// Room that was reserved for the next commit.
    room: Cell<Option<Reservation>>,
}

/// A list of more bytes is not kept.
const SCRATCH: usize = 64 << 10;

impl Logging {
    fn take_scratch(&self) -> Vec<u8> {
        self.scratch.take()
    }

    fn return_scratch(&self, mut scratch: Vec<u8>) {
        if scratch.capacity() <= SCRATCH {
            scratch.clear();
            self.scratch.set(scratch);
        }
    }

    /// Keeps room for the next commit, or gives up what was kept.
    pub(super) fn keep_room(&self, room: Option<Reservation>) {
        drop(self.room.replace(room));
    }

    fn take_room(&self) -> Option<Reservation> {
        self.room.take()
    }
}

/// A commit under way whose writes to durable tables are encoded and have room in the log. Dropping it gives the room back.
pub(crate) struct Logged<'l> {
    local: &'l Local,
    record: Vec<u8>,
    is_published: bool,
}

impl<'l> Logged<'l> {
    /// Encodes the writes to durable tables, which runs user code, and takes room for them. `None`: there are no such writes.
    pub(crate) fn of(
        writes: &Writes,
        catalog: Catalog,
        local: &'l Local,
    ) -> Result<Option<Self>, Lost> {
        if !catalog.has_log() {
            return Ok(None);
        }
        let logger = local.shared().log.get().expect("there is a log");
        let mut record = local.logging.take_scratch();
        let table = record::with_length(&mut record, |record| {
            record.push(record::TRANSACTION);
            let mut first = None;
            for write in writes.entries() {
                // SAFETY: the database keeps its tables.
                let codec = unsafe { write.table.as_ref() }.logged.get();
                if let Some((codec, version)) = codec.zip(write.buffered()) {
                    first.get_or_insert(write.table);
                    record.extend_from_slice(&codec.table.to_le_bytes());
                    // SAFETY: both are of the table's types; the transaction's slot is open since it found the tuple, and the version is its own.
                    unsafe { (codec.encode)(write.tuple, version, record) };
                }
            }
            first
        });
        let Some(table) = table else {
            local.logging.return_scratch(record);
            return Ok(None);
        };
        match take_room(logger, local, record.len()) {
            Ok(()) => Ok(Some(Self {
                local,
                record,
                is_published: false,
            })),
            Err(cause) => Err(Lost::new(table, cause)),
        }
    }

    /// Hands the record to the logger. The commit at this timestamp has happened, and is still announced.
    pub(crate) fn publish(mut self, timestamp: u64) {
        let mut buffer = self.local.worker().logged.lock();
        buffer.push(timestamp, &self.record);
        self.is_published = true;
        drop(buffer);
    }
}

impl Drop for Logged<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            let space = space(self.record.len());
            let room = self.local.worker().logged.lock().give_up(space);
            // Without the lock: it tells those who wait for room.
            drop(room);
        }
        let record = std::mem::take(&mut self.record);
        self.local.logging.return_scratch(record);
    }
}

/// Takes room for a record in this thread's buffer, without waiting.
fn take_room(logger: &Logger, local: &Local, length: usize) -> Result<(), ConflictCause> {
    let space = space(length);
    if logger.stopped().is_some() {
        return Err(ConflictCause::LogStopped);
    }
    let mut buffer = local.worker().logged.lock();
    if buffer.begin(space) {
        return Ok(());
    }
    let in_hand = local.logging.take_room();
    let wanted = length + START;
    let room = match in_hand.filter(|room| room.space() >= space) {
        Some(room) => Ok(Some(room)),
        None => match logger.log.try_reserve(wanted.max(CHUNK)) {
            Ok(None) | Err(LogError::TooLarge { .. }) => logger.log.try_reserve(wanted),
            reserved => reserved,
        },
    };
    match room {
        Ok(Some(room)) => {
            buffer.add_room(room);
            let fits = buffer.begin(space);
            debug_assert!(fits, "so much was reserved");
            Ok(())
        }
        Ok(None) | Err(LogError::TooLarge { .. }) => {
            local.logging.wanted.set(wanted);
            Err(ConflictCause::NoRoom)
        }
        Err(_) => Err(ConflictCause::LogStopped),
    }
}
