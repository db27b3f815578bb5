//! Room that there is, and is not.

mod support;

use journal::sim::SimDisk;
use journal::{LogError, OpenError, Options};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use support::hooked::Hooked;
use support::{open_orders, options, put};

/// No handle is left for a new file: that is met before anything is done, as a full disk is.
#[test]
#[cfg(unix)]
fn too_many_open_files_are_no_room() {
    for number in [23, 24] {
        let is_short = Arc::new(AtomicBool::new(false));
        let short = Arc::clone(&is_short);
        let disk = Hooked::new(SimDisk::new(), move |operation, _, _| {
            if ["create", "list"].contains(&operation) && short.load(Ordering::Relaxed) {
                return Err(io::Error::from_raw_os_error(number));
            }
            Ok(())
        });
        let (mut opened, _) = open_orders(disk, &options()).unwrap();
        put(&mut opened, 1, 400).unwrap();
        is_short.store(true, Ordering::Relaxed);
        let full = opened.log.reserve(1400).unwrap_err();
        assert!(matches!(full, LogError::Full(_)), "{full}");
        let full = opened.log.checkpoint().unwrap_err();
        assert!(matches!(full, LogError::Full(_)), "{full}");
        is_short.store(false, Ordering::Relaxed);
        put(&mut opened, 2, 1400).unwrap();
        let checkpoint = opened.log.checkpoint().unwrap();
        is_short.store(true, Ordering::Relaxed);
        // What it makes superfluous goes with the next one.
        checkpoint.finish(2).unwrap();
        opened.log.check().unwrap();
        is_short.store(false, Ordering::Relaxed);
        let before = opened.log.bytes();
        put(&mut opened, 3, 400).unwrap();
        opened.log.checkpoint().unwrap().finish(3).unwrap();
        assert!(opened.log.bytes() < before);
    }
}

/// Somebody has removed an old segment by hand.
#[test]
fn a_file_that_is_gone_already_does_not_stop_the_log() {
    use journal::Disk;
    let disk = SimDisk::new();
    let (mut opened, _) = open_orders(Arc::new(disk.clone()), &options()).unwrap();
    for number in 1..=12 {
        put(&mut opened, number, 400).unwrap();
    }
    let meanwhile = disk.clone();
    let hooked = Hooked::new(disk.clone(), move |operation, name, _| {
        if operation == "remove" && name == "log-00000001" {
            let _ = meanwhile.remove(name);
        }
        Ok(())
    });
    drop(opened);
    let (opened, _) = open_orders(hooked, &options()).unwrap();
    opened.log.checkpoint().unwrap().finish(12).unwrap();
    opened.log.check().unwrap();
    assert!(!disk.image().files.contains_key("log-00000001"));
}

/// A log that was larger before: its only segment takes more than all may now.
#[test]
fn a_limit_that_was_lowered_leaves_room_for_the_next_segment() {
    let disk = SimDisk::new();
    let large = Options {
        segment_bytes: 64 << 10,
        ..options()
    };
    let (mut opened, _) = open_orders(Arc::new(disk.clone()), &large).unwrap();
    put(&mut opened, 1, 100).unwrap();
    drop(opened);
    let small = Options {
        log_bytes: 16 << 10,
        ..options()
    };
    let (mut opened, _) = open_orders(Arc::new(disk), &small).unwrap();
    for number in 2..400 {
        if let Err(full) = put(&mut opened, number, 400) {
            assert!(matches!(full, LogError::Full(_)), "{full}");
            opened.log.checkpoint().unwrap().finish(number - 1).unwrap();
            put(&mut opened, number, 400).unwrap();
        }
    }
    assert!(opened.log.bytes() <= 16 << 10);
}

/// As a disk of the user's may do.
#[test]
fn a_disk_that_panics_stops_the_log() {
    for helper in [false, true] {
        let disk = Hooked::new(SimDisk::new(), |operation, name, _| {
            let is_next = name.starts_with("log-00000002");
            assert!(operation != "create" || !is_next, "the disk panics");
            Ok(())
        });
        let limits = Options {
            helper,
            ..options()
        };
        let (opened, _) = open_orders(disk, &limits).unwrap();
        let reserved = catch_unwind(AssertUnwindSafe(|| opened.log.reserve(1400)));
        if let Ok(reserved) = reserved {
            let error = reserved.unwrap_err();
            assert!(matches!(error, LogError::Stopped(_)), "{error}");
        }
        let error = opened.log.reserve(1400).unwrap_err().to_string();
        assert!(error.contains("cannot create log-00000002"), "{error}");
        assert!(opened.writer.close().is_err());
    }
}

#[test]
fn an_append_that_panics_stops_the_log() {
    let is_bad = Arc::new(AtomicBool::new(false));
    let bad = Arc::clone(&is_bad);
    let disk = Hooked::new(SimDisk::new(), move |operation, _, _| {
        assert!(
            operation != "sync" || !bad.load(Ordering::Relaxed),
            "the disk panics"
        );
        Ok(())
    });
    let (mut opened, _) = open_orders(disk, &options()).unwrap();
    is_bad.store(true, Ordering::Relaxed);
    catch_unwind(AssertUnwindSafe(|| put(&mut opened, 1, 100))).unwrap_err();
    is_bad.store(false, Ordering::Relaxed);
    let error = put(&mut opened, 1, 100).unwrap_err().to_string();
    assert!(error.contains("cannot append to log-00000001"), "{error}");
}

#[test]
fn a_reservation_that_was_split_to_nothing_has_room_for_nothing() {
    let (mut opened, _) = open_orders(Arc::new(SimDisk::new()), &options()).unwrap();
    let mut whole = opened.log.reserve(100).unwrap();
    let part = whole.split(100).unwrap();
    assert_eq!((whole.bytes(), whole.space()), (0, 0));
    catch_unwind(AssertUnwindSafe(|| opened.writer.append(&[], 1, whole))).unwrap_err();
    // Nothing of the log was touched.
    opened.writer.append(&[1; 100], 1, part).unwrap();
    assert_eq!(opened.log.durable(), 1);
}

#[test]
fn sizes_beyond_all_numbers_are_refused() {
    let disk = SimDisk::new();
    let (opened, _) = open_orders(Arc::new(disk.clone()), &options()).unwrap();
    for bytes in [usize::MAX, usize::MAX - 10, usize::MAX - 600] {
        let error = opened.log.reserve(bytes).unwrap_err();
        assert!(matches!(error, LogError::TooLarge { .. }), "{error}");
        assert!(journal::space(bytes) > usize::MAX as u64 - 1024);
    }
    let disk = SimDisk::new();
    disk.set_quota(Some(1 << 20));
    for segment_bytes in [u64::MAX, u64::MAX - 1000, u64::MAX / 4] {
        let limits = Options {
            segment_bytes,
            ..options()
        };
        let error = open_orders(Arc::new(disk.clone()), &limits).unwrap_err();
        assert!(matches!(error, OpenError::Full(_)), "{error}");
    }
}

/// What a checkpoint has made room for is made ahead, though nobody asks.
#[test]
fn room_that_a_checkpoint_has_made_is_used_ahead() {
    let (made, is_made) = mpsc::channel();
    let disk = Hooked::new(SimDisk::new(), move |operation, name, _| {
        if operation == "rename" && name.starts_with("log-") {
            let _ = made.send(name.to_owned());
        }
        Ok(())
    });
    let limits = Options {
        helper: true,
        log_bytes: 0,
        ..options()
    };
    let (mut opened, _) = open_orders(disk, &limits).unwrap();
    let mut number = 0;
    while put(&mut opened, number + 1, 400).is_ok() {
        number += 1;
    }
    assert_eq!(is_made.try_iter().last().unwrap(), "log-00000004");
    opened.log.checkpoint().unwrap().finish(number).unwrap();
    let next = is_made.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(next, "log-00000005");
}
