//! Frames, read and written as the page of the package `journal` describes them, and by no code of
//! it.

use journal::sim::Image;
use std::collections::BTreeMap;
use std::ops::Range;

const SECTOR: usize = 512;
const HEADER: usize = 72;

/// Where numbers stand in a header: the kind in 2 bytes, the others in 8.
pub const KIND: usize = 6;
pub const STORE: usize = 8;
pub const SEQUENCE: usize = 24;
const INCARNATION: usize = 16;
const UP_TO: usize = 32;
const SYNCED_TO: usize = 40;
const LENGTH: usize = 48;
const BEFORE: usize = 56;

const SEGMENT: u8 = 2;
const DATA: u8 = 4;
const CHECKPOINT: u8 = 6;
const BLOCK: u8 = 7;
const FOOTER: u8 = 8;

/// Where the sequence and the checksum of the frame before stand in the payload of a *Checkpoint*
/// frame.
const PLACE_SEQUENCE: usize = HEADER + 16;
const PLACE_BEFORE: usize = HEADER + 24;

pub fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub fn set(bytes: &mut [u8], at: usize, word: u64) {
    bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
}

/// The frames that a file seems to have, whole or not: headers and payloads. One that says that it
/// is longer than the file ends with it, and others may stand in it.
pub fn frames(file: &[u8]) -> Vec<Range<usize>> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while at + HEADER <= file.len() {
        let mut space = SECTOR;
        if file[at..].starts_with(b"tscJ") {
            let rest = file.len() - at - HEADER;
            let length = usize::try_from(word(file, at + LENGTH)).unwrap_or(usize::MAX);
            frames.push(at..at + HEADER + length.min(rest));
            if length <= rest {
                space = (HEADER + length).next_multiple_of(SECTOR);
            }
        }
        at += space;
    }
    frames
}

/// Whether a frame holds records.
pub fn has_records(file: &[u8], frame: &Range<usize>) -> bool {
    [DATA, BLOCK].contains(&file[frame.start + KIND])
}

/// The transactions in a payload, as far as its records have right lengths.
fn transactions(payload: &[u8]) -> u64 {
    let (mut count, mut rest) = (0, payload.get(8..).unwrap_or_default());
    while let Some((length, record)) = rest.split_first_chunk() {
        count += u64::from(record.first() == Some(&0));
        let length = usize::try_from(u32::from_le_bytes(*length)).expect("32 bits");
        rest = record.get(length..).unwrap_or_default();
    }
    count
}

pub fn payload(frame: &Range<usize>) -> Range<usize> {
    frame.start + HEADER..frame.end
}

/// Gives a frame another payload. The file keeps its length where what is behind it has room.
pub fn replace(file: &mut Vec<u8>, frame: &Range<usize>, payload: &[u8]) {
    let len = file.len();
    let until = frame.end.next_multiple_of(SECTOR).min(len);
    let mut new = file[frame.start..frame.start + HEADER].to_vec();
    set(&mut new, LENGTH, payload.len() as u64);
    new.extend_from_slice(payload);
    new.resize(new.len().next_multiple_of(SECTOR), 0);
    file.splice(frame.start..until, new);
    let end = frames(file)
        .last()
        .map_or(0, |last| last.end.next_multiple_of(SECTOR));
    file.resize(end.max(len), 0);
}

/// Makes right what says how much there is: the lengths of segments, the numbers of transactions,
/// the counts in footers.
pub fn settle(image: &mut Image) {
    let mut logged = None;
    for file in image.files.values_mut() {
        let len = file.len() as u64;
        let (mut blocks, mut bytes) = (0, 0);
        for frame in frames(file) {
            let at = payload(&frame);
            match file[frame.start + KIND] {
                SEGMENT if at.len() == 8 => set(file, at.start, len),
                DATA if at.len() >= 8 => {
                    let before = logged.unwrap_or_else(|| word(file, at.start));
                    let up_to = before + transactions(&file[at.clone()]);
                    set(file, at.start, before);
                    set(file, frame.start + UP_TO, up_to);
                    logged = Some(up_to);
                }
                BLOCK => {
                    blocks += 1;
                    bytes += at.len() as u64;
                }
                FOOTER if at.len() == 16 => {
                    set(file, at.start, blocks);
                    set(file, at.start + 8, bytes);
                }
                _ => {}
            }
        }
    }
}

/// What [`raise`] may raise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Number {
    Incarnation,
    Sequence,
    Transactions,
}

/// Adds to a number wherever it stands in the log and in checkpoints, so that these still agree.
pub fn raise(image: &mut Image, what: Number, add: u64) {
    for (mut name, mut file) in std::mem::take(&mut image.files) {
        for frame in frames(&file) {
            let kind = file[frame.start + KIND];
            let is_of_log = (3..=5).contains(&kind);
            let is_place = kind == CHECKPOINT && frame.len() >= PLACE_BEFORE + 16;
            let has_start = has_records(&file, &frame) && payload(&frame).len() >= 8;
            let places: &[(bool, usize)] = match what {
                Number::Incarnation => &[(is_of_log, INCARNATION), (is_place, PLACE_BEFORE + 8)],
                Number::Sequence => &[
                    (is_of_log, SEQUENCE),
                    (is_of_log || kind == FOOTER, SYNCED_TO),
                    (is_place, PLACE_SEQUENCE),
                ],
                Number::Transactions => {
                    &[(is_of_log || kind == FOOTER, UP_TO), (has_start, HEADER)]
                }
            };
            for (_, at) in places.iter().filter(|(is_there, _)| *is_there) {
                let raised = word(&file, frame.start + at).wrapping_add(add);
                set(&mut file, frame.start + at, raised);
                if *at == PLACE_SEQUENCE && is_place {
                    // A checkpoint is called by it.
                    name = format!("checkpoint-{raised:016}");
                }
            }
        }
        image.files.insert(name, file);
    }
}

/// Makes all checksums right, and all that name another.
pub fn seal(image: &mut Image) {
    let mut sums = BTreeMap::new();
    let mut before = None;
    let is_checkpoint = |name: &str| name.starts_with("checkpoint-");
    let (checkpoints, others): (Vec<_>, Vec<_>) = image
        .files
        .iter_mut()
        .partition(|(name, _)| is_checkpoint(name));
    for (name, file) in others {
        for frame in frames(file) {
            if name == "journal" || file[frame.start + KIND] == SEGMENT {
                seal_frame(file, &frame);
                continue;
            }
            if let Some(before) = before {
                set(file, frame.start + BEFORE, before);
            }
            let sum = seal_frame(file, &frame);
            sums.insert(word(file, frame.start + SEQUENCE), sum);
            before = Some(sum);
        }
    }
    for (_, file) in checkpoints {
        let mut before = 0;
        for frame in frames(file) {
            if file[frame.start + KIND] == CHECKPOINT && frame.len() >= PLACE_BEFORE + 8 {
                let sequence = word(file, frame.start + PLACE_SEQUENCE);
                if let Some(sum) = sums.get(&sequence.wrapping_sub(1)) {
                    set(file, frame.start + PLACE_BEFORE, *sum);
                }
            }
            set(file, frame.start + BEFORE, before);
            before = seal_frame(file, &frame);
        }
    }
}

/// Writes the two checksums of a frame, and returns them as the next one has to name them.
fn seal_frame(file: &mut [u8], frame: &Range<usize>) -> u64 {
    let of_payload = crc32fast::hash(&file[payload(frame)]);
    let header = &mut file[frame.start..frame.start + HEADER];
    header[64..68].copy_from_slice(&of_payload.to_le_bytes());
    let of_header = crc32fast::hash(&header[..68]);
    header[68..].copy_from_slice(&of_header.to_le_bytes());
    word(header, 64)
}
