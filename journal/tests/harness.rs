//! The harness finds what it is for: disks that do less than they say. Each of its parts has such a
//! test; this is that of the log.

mod support;

use journal::sim::{Lie, SimDisk};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::{Timeline, append, check, recover};

/// Whether some crash loses or changes what was acknowledged.
fn is_caught(lie: Option<Lie>) -> bool {
    let disk = SimDisk::new();
    disk.lie(lie);
    disk.record();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..2 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    let crashes = || {
        for moment in disk.moments() {
            moment.images(&mut HashSet::new(), 1, |image| {
                check(&image, &timeline, moment.acknowledged);
            });
        }
    };
    catch_unwind(AssertUnwindSafe(crashes)).is_err()
}

#[test]
fn a_disk_that_does_not_sync_is_caught() {
    assert!(is_caught(Some(Lie::SyncData)));
    assert!(is_caught(Some(Lie::SyncDir)));
    assert!(!is_caught(None));
}
