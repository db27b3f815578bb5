//! Each byte changed, each length cut: an error where it was known to be synced, a shorter prefix
//! where it was not; never a wrong record.

mod support;

use journal::sim::{Image, SimDisk};
use support::{Timeline, append, is_damage, recover};

/// A log of three segments, closed or as a crash leaves it, and what it holds.
fn log(is_closed: bool) -> (Image, Timeline) {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..5 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    if is_closed {
        opened.writer.close().unwrap();
    }
    (disk.image(), timeline)
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
    for is_closed in [false, true] {
        let (image, timeline) = log(is_closed);
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
                            // The last frame: nothing says that it was synced.
                            assert_eq!((is_closed, count), (false, all - 1), "{name} at {at}");
                            shorter += 1;
                        }
                    }
                }
            }
        }
        println!("closed: {is_closed}, errors {errors}, shorter {shorter}, the same {same}");
        assert!(errors > 0 && same > 0 && (shorter > 0) == !is_closed);
    }
}

#[test]
fn no_cut_length_gives_a_wrong_record() {
    let (image, timeline) = log(false);
    for (name, bytes) in &image.files {
        for length in 0..bytes.len() {
            let mut changed = image.clone();
            changed.files.get_mut(name).unwrap().truncate(length);
            let count = records(&changed, &timeline, &format!("{name} cut to {length}"));
            // A file is whole before it has its name. Of the identity, only a sector is looked at.
            assert_eq!(count, None, "{name} cut to {length}");
        }
    }
}

#[test]
fn a_file_that_is_gone_is_missed() {
    let (image, timeline) = log(true);
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
    let (image, _) = log(true);
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
