//! A journal on the simulated disk, and the oracle: what is recovered is a prefix of what was
//! appended, and has all that was acknowledged.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

pub mod hooked;
pub mod mirrored;
pub mod temporary;

use journal::sim::{Image, SimDisk};
use journal::{Disk, Event, LogError, OpenError, Opened, Options, ReadError, open};
use std::fmt::Write;
use std::sync::Arc;

/// Small, so that all can be enumerated: a frame of one sector fills a third of a segment.
pub fn options() -> Options {
    Options {
        segment_bytes: 2560,
        log_bytes: 1 << 20,
        helper: false,
        store: Some(7),
    }
}

/// What was appended, in order, and what is in it.
#[derive(Clone, Default, Debug)]
pub struct Timeline {
    pub records: Vec<Vec<u8>>,
}

impl Timeline {
    /// A record that no other time line has. Some take one sector, some more.
    pub fn issue(&mut self, line: u64) -> (Vec<u8>, u64) {
        let number = self.records.len() as u64 + 1;
        let length = [100, 500, 60, 900][usize::try_from(number % 4).unwrap()];
        let mut record = [number.to_le_bytes(), line.to_le_bytes()].concat();
        record.resize(length, 0x5a ^ u8::try_from(line % 200).unwrap());
        self.records.push(record.clone());
        (record, number)
    }
}

/// What an open journal gave back.
pub struct Recovered {
    pub opened: Opened,
    pub records: Vec<Vec<u8>>,
}

/// Takes up what is visited, as a user would: what a checkpoint holds is not taken twice.
pub fn take(records: &mut Vec<Vec<u8>>, covered: &mut u64, event: &Event<'_>) {
    match event {
        Event::Checkpoint { up_to, .. } => *covered = *up_to,
        Event::Block(block) => {
            let mut rest = *block;
            while !rest.is_empty() {
                let (length, after) = rest.split_at(8);
                let length = u64::from_le_bytes(length.try_into().unwrap());
                let (record, after) = after.split_at(usize::try_from(length).unwrap());
                records.push(record.to_vec());
                rest = after;
            }
        }
        Event::Frame { up_to, payload } if up_to > covered => records.push(payload.to_vec()),
        _ => {}
    }
}

pub fn recover(disk: &SimDisk) -> Result<Recovered, OpenError> {
    recover_with(disk, &options())
}

pub fn recover_with(disk: &SimDisk, options: &Options) -> Result<Recovered, OpenError> {
    let (mut records, mut covered) = (Vec::new(), 0);
    let opened = open(Arc::new(disk.clone()), options, &mut |event, _| {
        take(&mut records, &mut covered, &event);
        Ok(())
    })?;
    assert_eq!(
        opened.summary.up_to,
        records.len() as u64,
        "the order goes with the records"
    );
    Ok(Recovered { opened, records })
}

/// Checks that `image` is recovered as a prefix of `timeline` with the `acknowledged` first.
pub fn check(image: &Image, timeline: &Timeline, acknowledged: u64) -> (SimDisk, Recovered) {
    let disk = SimDisk::after(image);
    disk.acknowledge(acknowledged);
    disk.record();
    let recovered = match recover(&disk) {
        Ok(recovered) => recovered,
        Err(error) => panic!(
            "a crash left what cannot be recovered: {error}\n{}",
            show(image)
        ),
    };
    check_prefix(&recovered.records, timeline, acknowledged, image);
    check_files(&disk.image(), &recovered);
    (disk, recovered)
}

/// Nothing is left over: no file that was not whole, no segment after the end.
fn check_files(image: &Image, recovered: &Recovered) {
    let end = format!("log-{:08}", recovered.opened.summary.end.segment);
    for name in image.files.keys() {
        assert!(!name.contains(".tmp"), "{name} is left");
        assert!(!name.starts_with("log-") || *name <= end, "{name} is left");
    }
}

pub fn check_prefix(records: &[Vec<u8>], timeline: &Timeline, acknowledged: u64, image: &Image) {
    let count = records.len() as u64;
    assert!(
        timeline.records.starts_with(records),
        "{count} recovered records are no prefix\n{}",
        show(image)
    );
    assert!(
        acknowledged <= count,
        "{acknowledged} acknowledged, {count} left\n{}",
        show(image)
    );
}

/// Appends one record and acknowledges it; whether that went well.
pub fn append(disk: &SimDisk, opened: &mut Opened, timeline: &mut Timeline, line: u64) -> bool {
    let (record, number) = timeline.issue(line);
    let Ok(reservation) = opened.log.reserve(record.len()) else {
        // Refused: nothing happened.
        timeline.records.pop();
        return false;
    };
    let appended = opened.writer.append(&record, number, reservation).is_ok();
    if appended {
        disk.acknowledge(number);
    }
    appended
}

/// What a checkpoint of some records has in a block.
pub fn block(records: &[Vec<u8>]) -> Vec<u8> {
    let lengths = records
        .iter()
        .map(|record| (record.len() as u64).to_le_bytes());
    lengths
        .zip(records)
        .flat_map(|(length, record)| [&length[..], record].concat())
        .collect()
}

/// Writes a checkpoint, and appends one record meanwhile, which goes into it where `is_ahead`.
pub fn checkpoint(
    disk: &SimDisk,
    opened: &mut Opened,
    timeline: &mut Timeline,
    is_ahead: bool,
) -> Result<(), LogError> {
    let mut checkpoint = opened.log.checkpoint()?;
    let mut records = timeline.records.clone();
    append(disk, opened, timeline, 0);
    if is_ahead {
        records.clone_from(&timeline.records);
    }
    let middle = records.len() / 2;
    checkpoint.block(&block(&records[..middle]))?;
    checkpoint.block(&block(&records[middle..]))?;
    checkpoint.finish(records.len() as u64)
}

/// The names, lengths and first bytes of all sectors.
pub fn show(image: &Image) -> String {
    let mut shown = String::new();
    for (name, bytes) in &image.files {
        let _ = writeln!(shown, "{name}: {} bytes", bytes.len());
        for (at, sector) in bytes.chunks(512).enumerate() {
            let first = &sector[..sector.len().min(48)];
            let _ = writeln!(shown, "  {:5} {first:02x?}", at * 512);
        }
    }
    shown
}

pub fn is_damage(error: &OpenError) -> bool {
    matches!(error, OpenError::Read(ReadError::Damaged(_)))
}

/// The orders of what is recovered, where each frame has one record and each checkpoint all.
pub fn open_orders(
    disk: Arc<dyn Disk>,
    options: &Options,
) -> Result<(Opened, Vec<u64>), OpenError> {
    let (mut orders, mut covered) = (Vec::new(), 0);
    let opened = open(disk, options, &mut |event, _| {
        match event {
            Event::Checkpoint { up_to, .. } => {
                covered = up_to;
                orders.extend(1..=up_to);
            }
            Event::Frame { up_to, .. } if up_to > covered => orders.push(up_to),
            _ => {}
        }
        Ok(())
    })?;
    Ok((opened, orders))
}

/// Appends one record of so many bytes, with the order `number`.
pub fn put(opened: &mut Opened, number: u64, length: usize) -> Result<(), LogError> {
    let reservation = opened.log.reserve(length)?;
    Ok(opened
        .writer
        .append(&vec![1; length], number, reservation)?)
}
