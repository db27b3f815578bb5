//! Every image that a crash may leave, at every operation, recovered: a prefix, with all that was
//! acknowledged. Then a crash in that recovery, and again.

mod support;

use journal::Disk;
use journal::sim::{Image, Lie, SimDisk};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::{Timeline, append, check, checkpoint, recover};

/// What was enumerated.
#[derive(Debug, Default)]
struct Count {
    operations: u64,
    built: u64,
    sampled: u64,
    images: u64,
}

/// Checks each image that a crash may leave of what `disk` has recorded. Those that are new at
/// each moment are handed on, with the number of records that they hold acknowledged.
fn crash(
    disk: &SimDisk,
    timeline: &Timeline,
    count: &mut Count,
    mut each: impl FnMut(&Image, u64, SimDisk, support::Recovered),
) {
    let mut seen = HashSet::new();
    let mut acknowledged = None;
    for moment in disk.moments() {
        if acknowledged != Some(moment.acknowledged) {
            // An image that was in order before may have lost what has been acknowledged since.
            seen.clear();
            acknowledged = Some(moment.acknowledged);
        }
        count.operations += 1;
        let coverage = moment.images(&mut seen, moment.operations, |image| {
            count.images += 1;
            let (disk, recovered) = check(&image, timeline, moment.acknowledged);
            each(&image, moment.acknowledged, disk, recovered);
        });
        count.built += coverage.built;
        count.sampled += coverage.sampled;
    }
}

/// A log that is created, rotates twice, is closed or not, and is opened again.
fn program(is_closed: bool) -> (SimDisk, Timeline) {
    let disk = SimDisk::new();
    disk.record();
    let mut timeline = Timeline::default();
    for line in 0..2 {
        let mut opened = recover(&disk).unwrap().opened;
        for _ in 0..3 {
            assert!(append(&disk, &mut opened, &mut timeline, line));
        }
        if is_closed {
            opened.writer.close().unwrap();
        }
    }
    (disk, timeline)
}

/// A log with checkpoints: one that the log repeats in part, a crash, one that holds the rest.
fn program_with_checkpoints() -> (SimDisk, Timeline) {
    let disk = SimDisk::new();
    disk.record();
    let mut timeline = Timeline::default();
    for is_ahead in [false, true] {
        let mut opened = recover(&disk).unwrap().opened;
        for _ in 0..2 {
            assert!(append(&disk, &mut opened, &mut timeline, 0));
        }
        checkpoint(&disk, &mut opened, &mut timeline, is_ahead).unwrap();
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    (disk, timeline)
}

#[test]
fn every_crash_beside_a_checkpoint_leaves_a_prefix() {
    let (disk, timeline) = program_with_checkpoints();
    let kept: Vec<_> = disk.image().files.into_keys().collect();
    assert!(!kept.contains(&"log-00000001".to_owned()), "{kept:?}");
    let mut counts = [Count::default(), Count::default()];
    let [first, second] = &mut counts;
    let mut number = 0;
    crash(&disk, &timeline, first, |image, _, disk, recovered| {
        number += 1;
        // What is in a file that is not whole yet makes no difference; so not each of them.
        let is_whole = !image.files.keys().any(|name| name.contains(".tmp"));
        if is_whole || number % 97 == 0 {
            let (disk, mut timeline) = (
                disk,
                Timeline {
                    records: recovered.records,
                },
            );
            let mut opened = recovered.opened;
            disk.acknowledge(timeline.records.len() as u64);
            checkpoint(&disk, &mut opened, &mut timeline, number % 2 == 0).unwrap();
            append(&disk, &mut opened, &mut timeline, 1);
            crash(&disk, &timeline, second, |_, _, _, _| {});
        }
    });
    println!("beside a checkpoint, {counts:?}");
    assert!(counts[0].images > 1000 && counts[1].images > 50_000);
}

/// The disk lies while the checkpoint gets its name and the log before it is removed, and at no
/// other time.
#[test]
fn a_disk_that_does_not_sync_is_caught_beside_a_checkpoint() {
    for lie in [None, Some(Lie::SyncData), Some(Lie::SyncDir)] {
        let disk = SimDisk::new();
        disk.record();
        let mut timeline = Timeline::default();
        let mut opened = recover(&disk).unwrap().opened;
        for _ in 0..4 {
            assert!(append(&disk, &mut opened, &mut timeline, 0));
        }
        let mut checkpoint = opened.log.checkpoint().unwrap();
        checkpoint
            .block(&support::block(&timeline.records))
            .unwrap();
        disk.lie(lie);
        checkpoint.finish(4).unwrap();
        disk.lie(None);
        let crash = || crash(&disk, &timeline, &mut Count::default(), |_, _, _, _| {});
        let crashed = catch_unwind(AssertUnwindSafe(crash));
        assert_eq!(crashed.is_err(), lie.is_some(), "{lie:?}");
    }
}

#[test]
fn every_crash_leaves_a_prefix() {
    for is_closed in [false, true] {
        let (disk, timeline) = program(is_closed);
        let mut count = Count::default();
        crash(&disk, &timeline, &mut count, |image, _, disk, recovered| {
            // Recovering twice is the same.
            let records = recovered.records;
            drop(recovered.opened);
            let again = recover(&disk).unwrap().records;
            assert_eq!(records, again, "{}", support::show(image));
        });
        println!("log, closed: {is_closed}, {count:?}");
        assert_eq!(count.sampled, 0, "all of it is enumerated");
    }
}

/// A crash in recovery, at each of its operations, and in what is appended after it; and the same
/// again.
#[test]
fn every_crash_in_recovery_leaves_the_same() {
    let (disk, timeline) = program(false);
    let mut counts = [Count::default(), Count::default(), Count::default()];
    let [first, second, third] = &mut counts;
    let mut number = 0;
    let mut seen = HashSet::new();
    crash(
        &disk,
        &timeline,
        first,
        |image, acknowledged, disk, recovered| {
            if !seen.insert((image.clone(), acknowledged)) {
                return;
            }
            number += 1;
            let (disk, timeline) = go_on(&disk, recovered, number);
            let mut depth = 0;
            crash(&disk, &timeline, second, |_, _, disk, recovered| {
                depth += 1;
                // A third of a third: each goes through all operations of a recovery once more.
                if (number + depth) % 97 == 0 {
                    let (disk, timeline) = go_on(&disk, recovered, number + 50);
                    crash(&disk, &timeline, third, |_, _, _, _| {});
                }
            });
        },
    );
    println!("in recovery, {counts:?}");
}

/// After a recovery: acknowledges what it gave, and appends on a time line of its own.
fn go_on(disk: &SimDisk, mut recovered: support::Recovered, line: u64) -> (SimDisk, Timeline) {
    let mut timeline = Timeline {
        records: recovered.records,
    };
    // What was recovered may have been seen, so no later crash may lose it.
    disk.acknowledge(timeline.records.len() as u64);
    append(disk, &mut recovered.opened, &mut timeline, 2 + line % 100);
    append(disk, &mut recovered.opened, &mut timeline, 2 + line % 100);
    (disk.clone(), timeline)
}

/// Files that were copied into a directory, and never synced: once the journal is open, it is
/// durable.
#[test]
fn what_somebody_copied_here_is_durable_once_it_is_open() {
    let (disk, timeline) = program_with_checkpoints();
    let copy = SimDisk::new();
    for (name, bytes) in disk.image().files {
        copy.create(&name).unwrap();
        copy.write_at(&name, 0, &bytes).unwrap();
    }
    let recovered = recover(&copy).unwrap();
    assert_eq!(recovered.records, timeline.records);
    copy.acknowledge(recovered.records.len() as u64);
    copy.record();
    let mut count = Count::default();
    let (copy, timeline) = go_on(&copy, recovered, 0);
    crash(&copy, &timeline, &mut count, |_, _, _, _| {});
    assert!(count.images > 5, "{count:?}");
}
