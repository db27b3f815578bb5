//! What a thread's commits have recorded and the logger has not taken yet, and the room for that.

use crate::commit::log::record::START;
use journal::Reservation;
use std::collections::VecDeque;

/// What a thread's commits have recorded, by timestamp, and the room in the log that they have.
///
/// It is shared between its thread and the logger, which keeps it until it is empty, also if the
/// thread has ended. It has room only while it has records or its thread is in a commit. So nobody
/// waits for room that an idle thread has.
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
pub(crate) fn space(length: usize) -> u64 {
    journal::space(length + START)
}

impl Buffer {
    pub(crate) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    pub(crate) fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// Takes room for a commit that is going to be under way.
    pub(crate) fn begin(&mut self, space: u64) -> bool {
        let fits = self.free >= space;
        if fits {
            self.free -= space;
            self.under_way += 1;
        }
        fits
    }

    pub(crate) fn add_room(&mut self, room: Reservation) {
        self.free += room.space();
        match &mut self.room {
            Some(all) => all.merge(room),
            none => *none = Some(room),
        }
    }

    /// A commit is not under way any more, and does not need its room.
    pub(crate) fn give_up(&mut self, space: u64) -> Option<Reservation> {
        self.under_way -= 1;
        self.free += space;
        self.unused_room()
    }

    pub(crate) fn push(&mut self, timestamp: u64, record: &[u8]) {
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

    /// Moves the records with timestamps below the cut to `taken`, with their room. Whether there
    /// are more.
    ///
    /// They are in the order of timestamps: of two commits of a thread, the later one has read the
    /// clock later.
    pub(crate) fn take_below(&mut self, cut: u64, taken: &mut Taken) -> bool {
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
pub(crate) struct Taken {
    bytes: Vec<u8>,
    /// Timestamp, start and length of each record.
    records: Vec<(u64, usize, usize)>,
    room: Option<Reservation>,
}

impl Taken {
    pub(crate) fn clear(&mut self) {
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
    pub(crate) fn room(&mut self) -> Option<Reservation> {
        if self.records.is_empty() {
            self.room = None;
        }
        self.room.take()
    }

    /// Adds the records to a payload, by timestamp, and returns how many there are.
    pub(crate) fn append_to(&mut self, payload: &mut Vec<u8>) -> u64 {
        // Stable, though it need not be: commits of the same timestamp have nothing to do with each
        // other.
        self.records.sort_by_key(|&(timestamp, ..)| timestamp);
        for &(_, start, length) in &self.records {
            payload.extend_from_slice(&self.bytes[start..start + length]);
        }
        self.records.len() as u64
    }
}
