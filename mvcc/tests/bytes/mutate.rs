//! What is done to a directory, as bytes say. All bytes say something.

use super::frames;
use super::subject::{Subject, subjects};
use journal::sim::Image;
use std::ops::Range;

/// The bytes that have not been used yet. Behind their end there are zeros.
pub struct Input<'b>(pub &'b [u8]);

impl<'b> Input<'b> {
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number % bound.max(1)
    }

    fn take(&mut self, most: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn bytes(&mut self) -> &'b [u8] {
        let count = usize::from(self.byte()) % 48;
        self.take(count)
    }

    /// A number from the edges, or any.
    fn number(&mut self) -> u64 {
        let add = u64::from(self.byte() % 4);
        match self.byte() % 10 {
            0 => add,
            1 => 0_u64.wrapping_sub(add + 1),
            2 => (1 << 62) - 1 + add,
            3 => (1 << 63) - 1 + add,
            4 => (1 << 32) - 2 + add,
            5 => (1 << 31) - 1 + add,
            6 => (1 << 30) - 1 + add,
            7 => (1 << 40) + add,
            8 => u64::from(self.byte()),
            _ => self
                .take(8)
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        }
    }

    fn name(&mut self, image: &Image) -> String {
        let at = self.below(image.files.len());
        let name = image.files.keys().nth(at);
        name.cloned().unwrap_or_else(|| "journal".to_owned())
    }

    fn place(&mut self, file: &[u8]) -> usize {
        let at = self.below(file.len());
        // Where frames begin, half of the time.
        if self.byte().is_multiple_of(2) {
            at
        } else {
            at / 512 * 512
        }
    }
}

/// A change that some checksum, or a file's name or length, shows. Whether it is a small one: a
/// byte or a length.
pub fn damage(image: &mut Image, subject: &Subject, input: &mut Input<'_>) -> bool {
    let name = input.name(image);
    let other = input.name(image);
    let from = image.files.get(&other).cloned().unwrap_or_default();
    let file = image.files.entry(name.clone()).or_default();
    let at = input.place(file);
    let until = |length: usize, file: &[u8]| at..(at + length).min(file.len());
    let what = input.byte() % 11;
    match what {
        0 => file
            .iter_mut()
            .skip(at)
            .take(1)
            .for_each(|byte| *byte ^= input.byte()),
        1 => {
            let (range, byte) = (until(input.below(4096), file), input.byte());
            file[range].fill([0, 0xff, byte][usize::from(byte % 3)]);
        }
        2 => {
            let bytes = input.bytes();
            let range = until(bytes.len(), file);
            file[range.clone()].copy_from_slice(&bytes[..range.len()]);
        }
        3 => file.truncate(at),
        4 => file.resize(file.len() + input.below(2048), input.byte() % 2 * 0xa5),
        5 => {
            let file = std::mem::replace(file, from);
            image.files.insert(other, file);
        }
        6 => drop(image.files.remove(&name)),
        7 => {
            let copy = file.clone();
            image.files.insert(other_name(input), copy);
        }
        8 => {
            // A frame, or any other piece.
            let begin = input.place(&from);
            let length = match frames::frames(&from)
                .iter()
                .find(|frame| frame.start == begin)
            {
                Some(frame) => frame.len().next_multiple_of(512),
                None => input.below(2048),
            };
            let piece = &from[begin..(begin + length).min(from.len())];
            let range = until(piece.len(), file);
            file[range.clone()].copy_from_slice(&piece[..range.len()]);
        }
        9 => drop(
            subject
                .earlier
                .files
                .get(&name)
                .map(|then| file.clone_from(then)),
        ),
        // Of another journal. Were its name taken as well, it would be that one.
        _ if name != "journal" => {
            let others = subjects();
            let theirs = &others[input.below(others.len())].image;
            if let Some(theirs) = theirs.files.get(&name) {
                file.clone_from(theirs);
            }
        }
        _ => {}
    }
    [0, 3, 4].contains(&what)
}

/// A name that files of a journal may have.
fn other_name(input: &mut Input<'_>) -> String {
    let number = input.number();
    let end = if input.byte().is_multiple_of(4) {
        ".tmp"
    } else {
        ""
    };
    match input.byte() % 4 {
        0 => format!("journal{end}"),
        1 => format!("something{end}"),
        2 => format!("checkpoint-{number:016}{end}"),
        _ => format!("log-{number:08}{end}"),
    }
}

/// Changes what frames hold; the checksums are made right afterwards.
pub fn rewrite(image: &mut Image, input: &mut Input<'_>) {
    let other = input.name(image);
    let from = image.files.get(&other).cloned().unwrap_or_default();
    let name = input.name(image);
    let Some((file, frame)) = frame_of(image, &name, frames::has_records, input) else {
        return;
    };
    let range = frames::payload(&frame);
    let mut payload = file[range.clone()].to_vec();
    match input.byte() % 6 {
        0 => {
            let (at, bytes) = (input.below(payload.len()), input.bytes());
            let length = if input.byte().is_multiple_of(2) {
                bytes.len()
            } else {
                input.below(48)
            };
            let until = (at + length).min(payload.len());
            payload.splice(at..until, bytes.iter().copied());
        }
        1 => payload.extend(record(input)),
        2 => payload.truncate(input.below(payload.len())),
        3 => {
            // The records of another frame behind its own.
            let others = frames::frames(&from);
            if let Some(other) = others.get(input.below(others.len())) {
                payload.extend(from[frames::payload(other)].iter().skip(8));
            }
        }
        4 => {
            // Its own records once more, or many of one more.
            let own: Vec<u8> = payload.iter().skip(8).copied().collect();
            payload.extend(own);
        }
        _ => {
            let record = record(input);
            let count = input.below(200);
            payload.extend(std::iter::repeat_n(record, count).flatten());
        }
    }
    frames::replace(file, &frame, &payload);
}

/// Changes a number in a header or in a payload; the checksums are made right afterwards.
pub fn renumber(image: &mut Image, input: &mut Input<'_>) {
    let name = input.name(image);
    let number = input.number();
    let what = match input.byte() % 8 {
        0 => Some(frames::Number::Incarnation),
        1 => Some(frames::Number::Sequence),
        2 => Some(frames::Number::Transactions),
        _ => None,
    };
    if let Some(what) = what {
        return frames::raise(image, what, number);
    }
    let Some((file, frame)) = frame_of(image, &name, |_, _| true, input) else {
        return;
    };
    let number = number.to_le_bytes();
    let length = frame.len() - 72;
    let (at, width) = match input.byte() % 4 {
        0 => (frame.start + frames::KIND, 1),
        1 => (frame.start + frames::STORE + 8 * input.below(7), 8),
        2 => (frame.start + 72 + input.below(length / 8) * 8, 8),
        _ => (
            frame.start + 72 + input.below(length),
            1 << (input.byte() % 4),
        ),
    };
    let until = (at + width).min(frame.end);
    file[at..until].copy_from_slice(&number[..until - at]);
}

fn frame_of<'i>(
    image: &'i mut Image,
    name: &str,
    is_wanted: impl Fn(&[u8], &Range<usize>) -> bool,
    input: &mut Input<'_>,
) -> Option<(&'i mut Vec<u8>, Range<usize>)> {
    let file = image.files.get_mut(name)?;
    let mut frames = frames::frames(file);
    frames.retain(|frame| is_wanted(file, frame));
    let at = input.below(frames.len());
    (!frames.is_empty()).then(|| (file, frames.swap_remove(at)))
}

/// A record with right lengths: a table, or rows that count for no transaction.
fn record(input: &mut Input<'_>) -> Vec<u8> {
    let table = u32::try_from(input.number() % (1 << 32)).expect("it is below that");
    let mut record = Vec::new();
    let put = |bytes: &[u8], into: &mut Vec<u8>| {
        let length = u32::try_from(bytes.len()).expect("they are few");
        into.extend_from_slice(&length.to_le_bytes());
        into.extend_from_slice(bytes);
    };
    if input.byte().is_multiple_of(2) {
        record.push(1);
        record.extend_from_slice(&table.to_le_bytes());
        let names: [&[u8]; 4] = [b"people", b"orders", b"rest", input.bytes()];
        put(names[input.below(4)], &mut record);
        record.push(input.byte() % 3);
        let types: [&[u8]; 4] = [b"alloc::string::String", b"u64", b"i64", input.bytes()];
        put(types[input.below(4)], &mut record);
        put(types[input.below(4)], &mut record);
        record.extend_from_slice(&[input.byte() % 4, 0, 0, 0]);
    } else {
        record.push(2);
        // The tables of the store have the first numbers.
        let known = u32::from(input.byte() % 8);
        record.extend_from_slice(&(if known < 6 { known } else { table }).to_le_bytes());
        put(input.bytes(), &mut record);
        record.push(1);
        put(input.bytes(), &mut record);
    }
    let mut whole = Vec::new();
    put(&record, &mut whole);
    whole
}
