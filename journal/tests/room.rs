//! Room that there is, and is not.

mod support;

use journal::LogError;
use journal::sim::SimDisk;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
