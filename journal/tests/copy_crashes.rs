//! Every crash while a backup is copied, or what was salvaged: what it is made of stays as it was;
//! the copy is whole, or is no journal; and it can be written again.

mod support;

use journal::sim::{Image, Lie, SimDisk};
use journal::{CopyError, Event, salvage, verify};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use support::{Timeline, append, checkpoint, recover};

/// What was enumerated.
#[derive(Debug, Default)]
struct Count {
    operations: u64,
    built: u64,
    sampled: u64,
    images: u64,
    recoveries: u64,
    whole: u64,
    none: u64,
}

/// Writes a copy to a disk.
type Write<'w> = dyn Fn(&SimDisk) -> Result<(), CopyError> + 'w;

/// All that is in a journal, in its order; `None`: it is none.
fn content(image: &Image) -> Option<Vec<Vec<u8>>> {
    let mut content = Vec::new();
    let read = verify(Arc::new(SimDisk::after(image)), &mut |event, _| {
        match event {
            Event::Block(payload) | Event::Frame { payload, .. } => content.push(payload.to_vec()),
            _ => {}
        }
        Ok(())
    });
    read.is_ok().then_some(content)
}

/// Opens the copy that each crash leaves.
fn crash(source: &SimDisk, write: &Write<'_>, lie: Option<Lie>) -> Count {
    let before = (source.image(), source.operations());
    let copy = SimDisk::new();
    copy.lie(lie);
    copy.record();
    write(&copy).unwrap();
    copy.acknowledge(1);
    let all = content(&copy.image());
    assert!(all.as_ref().is_some_and(|all| !all.is_empty()));
    let (mut seen, mut count) = (HashSet::new(), Count::default());
    for moment in copy.moments() {
        if moment.acknowledged > 0 {
            seen.clear();
        }
        count.operations += 1;
        let coverage = moment.images(&mut seen, moment.operations, |image| {
            count.recoveries += 1;
            let found = content(&image);
            if found.is_none() {
                assert_eq!(moment.acknowledged, 0, "it was done");
                count.none += 1;
            } else {
                assert_eq!(found, all, "a part of it");
                count.whole += 1;
            }
            // The directory has something in it, unless nothing had begun.
            let again = SimDisk::after(&image);
            match write(&again) {
                Ok(()) => assert!(image.files.is_empty()),
                Err(error) => assert!(matches!(error, CopyError::NotEmpty { .. }), "{error}"),
            }
            if !image.files.is_empty() {
                assert!(again.image() == image, "what was refused was changed");
            }
        });
        count.sampled += coverage.sampled;
        count.built += coverage.built;
        count.images += coverage.different;
    }
    let again = SimDisk::new();
    write(&again).unwrap();
    assert_eq!(content(&again.image()), all, "it can be written again");
    assert!(
        (source.image(), source.operations()) == before,
        "the source was changed"
    );
    assert!(count.whole > 0 && count.none > 0, "{count:?}");
    count
}

/// The same on disks that lie, which are caught.
fn crash_and_lie(name: &str, source: &SimDisk, write: &Write<'_>) {
    let count = crash(source, write, None);
    println!("{name}, {count:?}");
    assert_eq!(count.sampled, 0, "all of it is enumerated");
    for lie in [Lie::SyncData, Lie::SyncDir] {
        let crashed = catch_unwind(AssertUnwindSafe(|| crash(source, write, Some(lie))));
        assert!(crashed.is_err(), "{name}: {lie:?} was not noticed");
    }
}

/// A log of several segments, with a checkpoint or not.
fn make(has_checkpoint: bool) -> (SimDisk, journal::Opened) {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for number in 0..4 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
        if has_checkpoint && number == 1 {
            checkpoint(&disk, &mut opened, &mut timeline, true).unwrap();
        }
    }
    (disk, opened)
}

#[test]
fn every_crash_in_a_backup_leaves_all_of_it_or_no_journal() {
    for has_checkpoint in [false, true] {
        let (disk, opened) = make(has_checkpoint);
        let write = |to: &SimDisk| opened.log.backup(Arc::new(to.clone()));
        let name = format!("backup, with a checkpoint: {has_checkpoint}");
        crash_and_lie(&name, &disk, &write);
    }
}

#[test]
fn every_crash_in_a_salvage_leaves_all_of_it_or_no_journal() {
    // A frame of the log, a block of the checkpoint, the log's last segments.
    for what in ["a frame", "a block", "the log"] {
        let (disk, opened) = make(what != "a frame");
        drop(opened);
        let mut image = disk.image();
        for (name, bytes) in &mut image.files {
            match what {
                "a frame" if name == "log-00000002" => bytes[512 + 80] ^= 1,
                "a block" if name.starts_with("checkpoint-") => bytes[512 + 80] ^= 1,
                _ => {}
            }
        }
        if what == "the log" {
            image.files.retain(|name, _| !name.starts_with("log-"));
        }
        let damaged = SimDisk::after(&image);
        let write = |to: &SimDisk| {
            let salvaged = salvage(Arc::new(damaged.clone()), Arc::new(to.clone()))?;
            assert!(salvaged.damage.is_some() || salvaged.partial.is_some());
            Ok(())
        };
        crash_and_lie(&format!("salvage, without {what}"), &damaged, &write);
    }
}
