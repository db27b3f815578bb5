//! Each byte changed, each length cut: an error where it was known to be synced, a shorter prefix
//! where it was not; never a wrong record.

mod support;

use journal::Disk;
use journal::sim::{Image, SimDisk};
use support::{Timeline, append, checkpoint, is_damage, recover};

/// What a test damages: a log of several segments, and what it holds.
struct Subject {
    image: Image,
    timeline: Timeline,
    /// Nothing says that its last frame was synced.
    is_open: bool,
}

fn log(is_closed: bool, has_checkpoint: bool) -> Subject {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..5 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    if has_checkpoint {
        checkpoint(&disk, &mut opened, &mut timeline, false).unwrap();
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    if is_closed {
        opened.writer.close().unwrap();
    }
    Subject {
        image: disk.image(),
        timeline,
        is_open: !is_closed,
    }
}

/// Recovers a damaged image; `None` is an error.
fn records(image: &Image, timeline: &Timeline, what: &str) -> Option<usize> {
    match recover(&SimDisk::after(image)) {
        Ok(recovered) => {
            assert!(
                timeline.records.starts_with(&recovered.records),
                "{what}: a wrong record"
            );
            Some(recovered.records.len())
        }
        Err(error) => {
            let message = error.to_string();
            assert!(
                is_damage(&error) || message.contains("format"),
                "{what}: {message}"
            );
            None
        }
    }
}

#[test]
fn no_changed_byte_gives_a_wrong_record() {
    for (is_closed, has_checkpoint) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let Subject {
            image,
            timeline,
            is_open,
        } = log(is_closed, has_checkpoint);
        let all = timeline.records.len();
        let (mut errors, mut shorter, mut same) = (0, 0, 0);
        for (name, bytes) in &image.files {
            for at in 0..bytes.len() {
                for bit in [0x01, 0x80, 0xff] {
                    let mut changed = image.clone();
                    changed.files.get_mut(name).unwrap()[at] ^= bit;
                    match records(&changed, &timeline, &format!("{name} at {at}")) {
                        None => errors += 1,
                        Some(count) if count == all => same += 1,
                        Some(count) => {
                            assert_eq!((is_open, count), (true, all - 1), "{name} at {at}");
                            shorter += 1;
                        }
                    }
                }
            }
        }
        println!("errors {errors}, shorter {shorter}, the same {same}");
        assert!(errors > 0 && same > 0 && (shorter > 0) == is_open);
    }
}

#[test]
fn no_cut_length_gives_a_wrong_record() {
    let Subject {
        image, timeline, ..
    } = log(false, true);
    for (name, bytes) in &image.files {
        for length in 0..bytes.len() {
            let mut changed = image.clone();
            changed.files.get_mut(name).unwrap().truncate(length);
            // Under its own name a file is whole, so this is always an error.
            let count = records(&changed, &timeline, &format!("{name} cut to {length}"));
            assert_eq!(count, None, "{name} cut to {length}");
        }
    }
}

/// A first segment that was cut was taken for that of a journal whose creation had not come to its
/// end, and an empty one was created in its place.
#[test]
fn a_first_segment_that_is_not_whole_is_damage() {
    for records in 0..3 {
        let disk = SimDisk::new();
        let mut timeline = Timeline::default();
        let mut opened = recover(&disk).unwrap().opened;
        for _ in 0..records {
            assert!(append(&disk, &mut opened, &mut timeline, 0));
        }
        drop(opened);
        let image = disk.image();
        let whole = image.files["log-00000001"].len();
        for has_identity in [true, false] {
            for length in (0..whole).chain([whole + 1, whole + 512]) {
                let mut changed = image.clone();
                let bytes = changed.files.get_mut("log-00000001").unwrap();
                bytes.resize(length, 0);
                if !has_identity {
                    changed.files.remove("journal");
                }
                let disk = SimDisk::after(&changed);
                let error = recover(&disk).err();
                let error = error.unwrap_or_else(|| panic!("{length} bytes were accepted"));
                assert!(disk.image() == changed, "{length}: {error}");
                let text = error.to_string();
                assert!(text.contains("log-00000001"), "{text}");
                if has_identity {
                    assert!(is_damage(&error), "{text}");
                    assert!(
                        text.contains("at byte") && text.contains("expected"),
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over_while_older_files_say_the_same() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    assert!(append(&disk, &mut opened, &mut timeline, 0));
    checkpoint(&disk, &mut opened, &mut timeline, true).unwrap();
    drop(opened);
    let mut image = disk.image();
    let name = image.files.keys().next().unwrap().clone();
    assert!(name.starts_with("checkpoint-"));
    image.files.get_mut(&name).unwrap()[20] ^= 1;
    let recovered = recover(&SimDisk::after(&image)).unwrap();
    assert_eq!(recovered.records, timeline.records);
    let ignored = &recovered.opened.summary.ignored;
    assert_eq!((ignored.len(), &ignored[0].file), (1, &name));
}

/// Two copies of one directory went on, and a segment of one came into the other: all numbers in
/// it are as expected.
#[test]
fn a_segment_of_another_copy_is_told_by_the_checksum_before() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    assert!(append(&disk, &mut opened, &mut timeline, 0));
    drop(opened);
    let image = disk.image();
    let mut ends = Vec::new();
    for line in 1..3 {
        let (disk, mut timeline) = (SimDisk::after(&image), timeline.clone());
        let mut opened = recover(&disk).unwrap().opened;
        for _ in 0..6 {
            assert!(append(&disk, &mut opened, &mut timeline, line));
        }
        ends.push(disk.image());
    }
    let (name, theirs) = ends[1].files.pop_last().unwrap();
    assert_ne!(name, "log-00000001");
    ends[0].files.insert(name, theirs);
    let error = recover(&SimDisk::after(&ends[0]))
        .err()
        .expect("the two are told apart");
    assert!(is_damage(&error), "{error}");
}

#[test]
fn a_file_that_is_gone_is_missed() {
    let Subject {
        image, timeline, ..
    } = log(true, false);
    for name in image.files.keys() {
        let mut changed = image.clone();
        changed.files.remove(name);
        match recover(&SimDisk::after(&changed)) {
            Err(error) if name == "journal" => {
                assert!(
                    error
                        .to_string()
                        .contains("is not a journal: it has the file log-")
                );
            }
            Err(error) => assert!(is_damage(&error) && error.to_string().contains("log-")),
            // The last segment: nothing in the others knows of it.
            Ok(recovered) => {
                assert_eq!(Some(name), image.files.keys().last());
                assert!(timeline.records.starts_with(&recovered.records));
            }
        }
    }
}

#[test]
fn a_later_format_is_told_from_damage() {
    let Subject { image, .. } = log(true, false);
    for name in ["journal", "log-00000001"] {
        let mut changed = image.clone();
        changed.files.get_mut(name).unwrap()[4] = 2;
        let error = recover(&SimDisk::after(&changed))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("format 2") && error.contains(name),
            "{error}"
        );
    }
}

/// Many places at once: whatever the bytes, an error or a prefix.
#[test]
fn no_changed_bytes_give_a_wrong_record() {
    let Subject {
        image, timeline, ..
    } = log(false, true);
    let names: Vec<_> = image.files.keys().cloned().collect();
    let (mut errors, mut prefixes) = (0, 0);
    for seed in 0..3000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut changed = image.clone();
        for _ in 0..random.usize(1..6) {
            let name = &names[random.usize(..names.len())];
            let other = changed.files[&names[random.usize(..names.len())]].clone();
            let bytes = changed.files.get_mut(name).unwrap();
            let at = random.usize(..=bytes.len());
            match random.u8(..6) {
                0 => bytes.truncate(at),
                1 => *bytes = other,
                2 => bytes[at..].fill(0),
                3 => bytes[at..].fill_with(|| random.u8(..)),
                4 => bytes.resize(at + 512, 0xff),
                _ => bytes
                    .iter_mut()
                    .skip(at)
                    .take(8)
                    .for_each(|byte| *byte = random.u8(..)),
            }
        }
        match records(&changed, &timeline, &format!("seed {seed}")) {
            Some(_) => prefixes += 1,
            None => errors += 1,
        }
    }
    assert!(
        errors > 2000 && prefixes > 100,
        "{errors} errors, {prefixes} prefixes"
    );
}

/// Whoever follows the log was told for ever that a checkpoint had removed the segment.
#[test]
fn a_segment_that_is_gone_under_a_reader_is_an_error() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..6 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    let mut reader = opened.log.reader().unwrap();
    disk.remove("log-00000001").unwrap();
    let error = reader.next(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("log-00000001"), "{error}");
}

/// A checkpoint whose checksums are right names a place that its segment does not have.
#[test]
fn a_place_behind_the_end_of_its_segment_is_damage() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    assert!(append(&disk, &mut opened, &mut timeline, 0));
    let mut checkpoint = opened.log.checkpoint().unwrap();
    checkpoint
        .block(&support::block(&timeline.records))
        .unwrap();
    checkpoint.finish(1).unwrap();
    drop(opened);
    let image = disk.image();
    let name = image.files.keys().find(|name| name.starts_with("check"));
    for offset in [0, 513, 1 << 20, 1 << 62, 0_u64.wrapping_sub(512)] {
        let mut changed = image.clone();
        let file = changed.files.get_mut(name.unwrap()).unwrap();
        file[80..88].copy_from_slice(&offset.to_le_bytes());
        let of_payload = crc32fast::hash(&file[72..112]);
        file[64..68].copy_from_slice(&of_payload.to_le_bytes());
        let mut before = [0; 8];
        for sector in file.chunks_mut(512) {
            if sector.starts_with(b"tscJ") {
                sector[56..64].copy_from_slice(&before);
                let of_header = crc32fast::hash(&sector[..68]);
                sector[68..72].copy_from_slice(&of_header.to_le_bytes());
                before.copy_from_slice(&sector[64..72]);
            }
        }
        match recover(&SimDisk::after(&changed)) {
            // It cannot be one, so it is passed over: the log goes back to its begin.
            Ok(recovered) => {
                assert!(offset % 512 != 0 || offset == 0, "{offset} was believed");
                assert_eq!(recovered.records, timeline.records);
                assert_eq!(recovered.opened.summary.ignored.len(), 1);
            }
            Err(error) => assert!(is_damage(&error), "{offset}: {error}"),
        }
    }
}
