//! Journals of each version of the format, as files: they are read for ever.

mod support;

use journal::sim::{Image, SimDisk};
use std::path::{Path, PathBuf};
use std::{env, fs};
use support::{Timeline, append, checkpoint, recover, take};

/// Version 1, as its first program has written it: a checkpoint's footer does not say how far the
/// log must reach for it. A program that does not know of that ignores it, so it is no other
/// version.
const FIRST: &str = "1";
/// Version 1 as it is written now.
const NOW: &str = "1-noted";

fn directory(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{version}"))
}

fn load(version: &str) -> Image {
    let entries = fs::read_dir(directory(version))
        .unwrap()
        .map(Result::unwrap);
    let files = entries.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    });
    Image {
        files: files.collect(),
    }
}

/// The journal that the files of version 1 were made of: opened three times, with a checkpoint
/// that the log repeats in part, closed once, and left with a frame that is not whole.
fn make() -> (Image, Timeline) {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..4 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    checkpoint(&disk, &mut opened, &mut timeline, true).unwrap();
    opened.writer.close().unwrap();
    drop(opened.log);
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..4 {
        assert!(append(&disk, &mut opened, &mut timeline, 1));
    }
    let mut image = disk.image();
    // The last frame takes two sectors, and the second did not reach the disk.
    let last = image.files.values_mut().next_back().unwrap();
    let cut = last.iter().rposition(|byte| *byte != 0).unwrap();
    last[cut / 512 * 512..].fill(0);
    timeline.records.pop();
    (image, timeline)
}

/// Reads it, and recovers it.
#[track_caller]
fn is_read(golden: &Image, timeline: &Timeline) {
    let (mut records, mut covered) = (Vec::new(), 0);
    let disk = std::sync::Arc::new(SimDisk::after(golden));
    let summary = journal::verify(disk, &mut |event, _| {
        take(&mut records, &mut covered, &event);
        Ok(())
    });
    assert_eq!((summary.unwrap().up_to, &records), (8, &timeline.records));
    assert_eq!(
        recover(&SimDisk::after(golden)).unwrap().records,
        timeline.records
    );
}

#[test]
fn version_1_is_read_and_written() {
    let (image, timeline) = make();
    if env::var_os("JOURNAL_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(directory(NOW)).unwrap();
        for (name, bytes) in &image.files {
            fs::write(directory(NOW).join(name), bytes).unwrap();
        }
    }
    is_read(&load(FIRST), &timeline);
    let golden = load(NOW);
    is_read(&golden, &timeline);
    // While 1 is the version that is written, not a byte of it changes.
    assert_eq!(
        image.files.keys().collect::<Vec<_>>(),
        golden.files.keys().collect::<Vec<_>>()
    );
    assert!(
        image == golden,
        "the bytes that are written are not those of version 1"
    );
}
