//! How commits get into the log: they encode, take room, and leave a record in their thread's
//! buffer.

use crate::commit::conflict::Lost;
use crate::commit::log::buffer::space;
use crate::commit::log::logger::{Logger, SharedBuffer};
use crate::commit::log::record::{self, START};
use crate::commit::writes::Writes;
use crate::rows::cause::ConflictCause;
use crate::rows::core::RowCodec;
use crate::rows::tuple::key_of;
use crate::rows::version::value_of;
use journal::codec::Encode;
use journal::{LogError, Reservation};
use std::cell::{Cell, OnceCell};

/// How rows of a table with these types get into the log, where this is its number.
pub(crate) fn codec_of<K: Encode, V: Encode>(table: u32) -> RowCodec {
    RowCodec {
        table,
        encode: |tuple, version, into| {
            // SAFETY: the caller's promise.
            let (key, value) = unsafe {
                let value = value_of::<V>(version.as_ptr());
                (key_of::<K>(tuple), value)
            };
            encode_row(key, value, into);
        },
    }
}

/// Adds a key, and its value if it has one.
pub(crate) fn encode_row<K: Encode, V: Encode>(key: &K, value: Option<&V>, into: &mut Vec<u8>) {
    record::with_length(into, |into| key.encode(into));
    into.push(u8::from(value.is_some()));
    if let Some(value) = value {
        record::with_length(into, |into| value.encode(into));
    }
}

/// How much room a thread reserves at once, in bytes of payload, if a commit needs less.
const CHUNK: usize = 64 << 10;

/// What a thread keeps for logging from one commit to the next.
#[derive(Default)]
pub(crate) struct Logging {
    /// The thread's buffer, once it has committed something.
    buffer: OnceCell<SharedBuffer>,
    /// An empty list to encode into.
    scratch: Cell<Vec<u8>>,
    /// The bytes of payload that the last commit had no room for.
    pub(crate) wanted: Cell<usize>,
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
    pub(crate) fn keep_room(&self, room: Option<Reservation>) {
        drop(self.room.replace(room));
    }

    fn take_room(&self) -> Option<Reservation> {
        self.room.take()
    }
}

/// A commit under way whose writes to durable tables are encoded and have room in the log. Dropping
/// it gives the room back.
pub(crate) struct Logged<'l> {
    logging: &'l Logging,
    buffer: &'l SharedBuffer,
    record: Vec<u8>,
    is_published: bool,
}

impl<'l> Logged<'l> {
    /// Encodes the writes to durable tables, which runs user code, and takes room for them. `None`:
    /// there are no such writes.
    pub(crate) fn of(
        writes: &Writes,
        logger: &Logger,
        logging: &'l Logging,
    ) -> Result<Option<Self>, Lost> {
        let buffer = logging.buffer.get_or_init(|| logger.new_buffer());
        let mut record = logging.take_scratch();
        let table = record::with_length(&mut record, |record| {
            record.push(record::TRANSACTION);
            let mut first = None;
            for write in writes.entries() {
                // SAFETY: the database keeps its tables.
                let codec = unsafe { write.table.as_ref() }.logged.get();
                if let Some((codec, version)) = codec.zip(write.buffered()) {
                    first.get_or_insert(write.table);
                    record.extend_from_slice(&codec.table.to_le_bytes());
                    // SAFETY: both are of the table's types; the transaction's slot is open since
                    // it found the tuple, and the version is its own.
                    unsafe { (codec.encode)(write.tuple, version, record) };
                }
            }
            first
        });
        let Some(table) = table else {
            logging.return_scratch(record);
            return Ok(None);
        };
        match take_room(logger, logging, buffer, record.len()) {
            Ok(()) => Ok(Some(Self {
                logging,
                buffer,
                record,
                is_published: false,
            })),
            Err(cause) => Err(Lost::new(table, cause)),
        }
    }

    /// Hands the record to the logger. The commit at this timestamp has happened, and is still
    /// announced.
    pub(crate) fn publish(mut self, timestamp: u64) {
        let mut buffer = self.buffer.lock();
        buffer.push(timestamp, &self.record);
        self.is_published = true;
        drop(buffer);
    }
}

impl Drop for Logged<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            let space = space(self.record.len());
            let room = self.buffer.lock().give_up(space);
            // Without the lock: it tells those who wait for room.
            drop(room);
        }
        let record = std::mem::take(&mut self.record);
        self.logging.return_scratch(record);
    }
}

/// Takes room for a record in this thread's buffer, without waiting.
fn take_room(
    logger: &Logger,
    logging: &Logging,
    buffer: &SharedBuffer,
    length: usize,
) -> Result<(), ConflictCause> {
    let space = space(length);
    if logger.stopped().is_some() {
        return Err(ConflictCause::LogStopped);
    }
    let mut buffer = buffer.lock();
    if buffer.begin(space) {
        return Ok(());
    }
    let in_hand = logging.take_room();
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
            logging.wanted.set(wanted);
            Err(ConflictCause::NoRoom)
        }
        Err(_) => Err(ConflictCause::LogStopped),
    }
}
