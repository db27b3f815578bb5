//! What is salvaged where the log does not go back to its begin and the checkpoint is damaged.

mod support;

use journal::sim::{Image, SimDisk};
use journal::{Event, Salvaged, open, salvage, verify};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use support::{Timeline, append, options, recover};

const BLOCKS: u64 = 6;
/// Appended while the checkpoint is written, and in it: the log repeats these.
const AHEAD: Range<u64> = 5..7;
const ALL: u64 = 10;

/// A journal whose first segments are gone, with a checkpoint of one record in each block.
fn make() -> Image {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for number in 1..=ALL {
        if number == AHEAD.start {
            let mut checkpoint = opened.log.checkpoint().unwrap();
            for _ in AHEAD {
                assert!(append(&disk, &mut opened, &mut timeline, 0));
            }
            for record in &timeline.records {
                checkpoint.block(record).unwrap();
            }
            checkpoint.finish(BLOCKS).unwrap();
        } else if !AHEAD.contains(&number) {
            assert!(append(&disk, &mut opened, &mut timeline, 0));
        }
    }
    opened.writer.close().unwrap();
    let image = disk.image();
    assert!(!image.files.contains_key("log-00000001"));
    image
}

fn checkpoint_of(image: &Image) -> String {
    let mut names = image.files.keys();
    names
        .find(|name| name.starts_with("checkpoint-"))
        .unwrap()
        .clone()
}

/// The offsets of the checkpoint's frames: the first, the blocks, the footer.
fn frames_of(image: &Image) -> Vec<usize> {
    let bytes = &image.files[&checkpoint_of(image)];
    let is_frame = |at: &usize| bytes[*at..].starts_with(b"tscJ");
    let frames: Vec<_> = (0..bytes.len()).step_by(512).filter(is_frame).collect();
    assert_eq!(frames.len() as u64, BLOCKS + 2);
    frames
}

/// Salvages, opens the copy and takes the records' numbers out of it, as they apply in order.
fn salvaged(image: &Image) -> (Salvaged, BTreeSet<u64>, u64) {
    let copy = SimDisk::new();
    let from = SimDisk::after(image);
    let salvaged = salvage(Arc::new(from.clone()), Arc::new(copy.clone())).unwrap();
    assert!(from.image() == *image, "the damaged one is as it was");
    let copy = SimDisk::after(&copy.image());
    let (mut numbers, mut covered) = (BTreeSet::new(), 0);
    let number = |record: &[u8]| u64::from_le_bytes(record[..8].try_into().unwrap());
    let mut opened = open(Arc::new(copy.clone()), &options(), &mut |event, _| {
        match event {
            Event::Checkpoint { up_to, .. } => covered = up_to,
            Event::Block(record) => drop(numbers.insert(number(record))),
            Event::Frame { up_to, payload } if up_to > covered => {
                numbers.insert(number(payload));
            }
            _ => {}
        }
        Ok(())
    })
    .unwrap();
    let up_to = opened.summary.up_to;
    assert_eq!(salvaged.up_to, up_to);
    // It goes on as any other does.
    let reservation = opened.log.reserve(8).unwrap();
    opened
        .writer
        .append(&99_u64.to_le_bytes(), 99, reservation)
        .unwrap();
    opened.writer.close().unwrap();
    drop(opened.log);
    let again = verify(Arc::new(copy), &mut |_, _| Ok(())).unwrap();
    assert_eq!((again.up_to, again.ignored), (99, vec![]));
    (salvaged, numbers, up_to)
}

fn numbers_but(lost: &[u64]) -> BTreeSet<u64> {
    (1..=ALL).filter(|number| !lost.contains(number)).collect()
}

/// Wherever two bytes of the checkpoint flip, only the records of blocks that they are in are
/// lost, but for those that the log repeats and the checkpoint no longer claims to hold.
#[test]
fn the_whole_blocks_of_the_only_checkpoint_and_the_log_are_kept() {
    let image = make();
    let (name, frames) = (checkpoint_of(&image), frames_of(&image));
    let places: Vec<_> = frames
        .iter()
        .flat_map(|at| [at + 30, at + 70, at + 74])
        .collect();
    let frame_of = |at: usize| frames.iter().rposition(|frame| *frame <= at).unwrap() as u64;
    for &one in &places {
        for &other in &places {
            let mut changed = image.clone();
            let bytes = changed.files.get_mut(&name).unwrap();
            bytes[one] ^= 1;
            bytes[other] ^= 2;
            let (salvaged, numbers, up_to) = salvaged(&changed);
            let lost: BTreeSet<_> = [frame_of(one), frame_of(other)].into();
            let has_footer = !lost.contains(&(BLOCKS + 1));
            let blocks: Vec<_> = lost
                .into_iter()
                .filter(|at| (1..=BLOCKS).contains(at))
                .collect();
            let gone: Vec<_> = blocks
                .iter()
                .copied()
                .filter(|number| has_footer || !AHEAD.contains(number))
                .collect();
            assert_eq!(numbers, numbers_but(&gone), "{one} {other}: {salvaged:?}");
            assert_eq!(up_to, ALL);
            assert_eq!((salvaged.damage, salvaged.left_out), (None, 0));
            let partial = salvaged.partial.expect("it says so");
            assert_eq!(partial.damage.file, name);
            assert_eq!(partial.blocks, BLOCKS - blocks.len() as u64);
            if has_footer {
                assert_eq!(partial.left_out, blocks.len() as u64);
            }
        }
    }
}

#[test]
fn blocks_are_kept_where_the_log_is_gone() {
    let image = make();
    let (name, frames) = (checkpoint_of(&image), frames_of(&image));
    let without_log = |damaged: &[usize]| {
        let mut changed = image.clone();
        changed.files.retain(|name, _| !name.starts_with("log-"));
        for frame in damaged {
            changed.files.get_mut(&name).unwrap()[frames[*frame] + 40] ^= 1;
        }
        salvaged(&changed)
    };
    let all: BTreeSet<_> = (1..=BLOCKS).collect();
    let (whole, numbers, up_to) = without_log(&[]);
    assert_eq!((numbers, up_to), (all.clone(), BLOCKS));
    // The log went on while the checkpoint was written, and that part of it is gone.
    let partial = whole.partial.unwrap();
    assert_eq!((partial.blocks, partial.left_out), (BLOCKS, 0));
    assert!(whole.damage.unwrap().file.starts_with("log-"));
    let (partial, numbers, up_to) = without_log(&[3]);
    assert_eq!((numbers.len() as u64, up_to), (BLOCKS - 1, BLOCKS));
    assert_eq!(partial.partial.unwrap().left_out, 1);
    // Nothing says where the log goes on, nor what the checkpoint is up to.
    let (neither, numbers, up_to) = without_log(&[0, 7]);
    assert_eq!((numbers, up_to), (all, 0));
    assert!(neither.damage.unwrap().found.contains("no such frame"));
}

/// It says how far into a segment the log had come; the copy has no segment of that length.
#[test]
fn a_whole_checkpoint_is_kept_where_the_log_is_gone() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..3 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    let mut checkpoint = opened.log.checkpoint().unwrap();
    for record in &timeline.records {
        checkpoint.block(record).unwrap();
    }
    checkpoint.finish(3).unwrap();
    drop(opened);
    let mut image = disk.image();
    image.files.retain(|name, _| !name.starts_with("log-"));
    let (whole, numbers, up_to) = salvaged(&image);
    assert_eq!((numbers, up_to), ([1, 2, 3].into(), 3));
    assert_eq!((whole.partial, whole.ignored), (None, vec![]));
    assert_eq!(whole.checkpoint, Some(checkpoint_of(&image)));
    assert!(whole.damage.unwrap().file.starts_with("log-"));
    let copy = SimDisk::new();
    salvage(Arc::new(SimDisk::after(&image)), Arc::new(copy.clone())).unwrap();
    let log = copy
        .image()
        .files
        .into_iter()
        .rfind(|(name, _)| name.starts_with("log-"));
    assert_eq!(log.unwrap().1.len(), 512);
}

/// Frames behind a damaged one are not applied, and orders that they have are not given again.
#[test]
fn a_log_that_cannot_be_placed_is_counted() {
    let mut image = make();
    let (name, frames) = (checkpoint_of(&image), frames_of(&image));
    let sequence: u64 = name.trim_start_matches("checkpoint-").parse().unwrap();
    for frame in [0, 7] {
        image.files.get_mut(&name).unwrap()[frames[frame] + 40] ^= 1;
    }
    for (name, bytes) in &mut image.files {
        if name.starts_with("log-") {
            for sector in bytes.chunks_mut(512) {
                if sector[24..32] == (sequence - 1).to_le_bytes() {
                    sector[50] ^= 1;
                }
            }
        }
    }
    let (salvaged, numbers, up_to) = salvaged(&image);
    assert_eq!((numbers.len() as u64, up_to), (BLOCKS, ALL));
    assert_eq!(salvaged.frames, 0);
    assert_eq!(salvaged.left_out, ALL - AHEAD.start + 1);
    assert_eq!(salvaged.left_out_up_to, ALL);
}

/// The log is then preferred, for it leads to a state that once was.
#[test]
fn a_log_that_goes_back_to_its_begin_needs_no_checkpoint() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    assert!(append(&disk, &mut opened, &mut timeline, 0));
    let mut checkpoint = opened.log.checkpoint().unwrap();
    checkpoint.block(&timeline.records[0]).unwrap();
    checkpoint.finish(1).unwrap();
    opened.writer.close().unwrap();
    let mut image = disk.image();
    let name = checkpoint_of(&image);
    image.files.get_mut(&name).unwrap()[512] ^= 1;
    let (salvaged, numbers, up_to) = salvaged(&image);
    assert_eq!((numbers, up_to), ([1].into(), 1));
    assert_eq!((salvaged.checkpoint, salvaged.partial), (None, None));
    assert_eq!(salvaged.ignored.len(), 1);
}

#[test]
fn nothing_is_an_error() {
    let mut image = make();
    let name = checkpoint_of(&image);
    image.files.retain(|file, _| !file.starts_with("log-"));
    image.files.get_mut(&name).unwrap().fill(0);
    let copy = SimDisk::new();
    let error = salvage(Arc::new(SimDisk::after(&image)), Arc::new(copy.clone())).unwrap_err();
    assert!(error.to_string().contains(&name), "{error}");
    assert!(copy.image().files.is_empty());
}
