//! The n-th operation fails, for all n: nothing acknowledged is lost, and the log stops for good.

mod support;

use journal::sim::{Fault, SimDisk};
use journal::{LogError, OpenError};
use std::collections::HashSet;
use support::{Timeline, append, check, check_prefix, checkpoint, recover};

const LAST: u64 = 70;

/// Opens, appends, until the fault; `None` where opening met it.
fn run(disk: &SimDisk, timeline: &mut Timeline) -> Option<bool> {
    let mut opened = match recover(disk) {
        Ok(recovered) => recovered.opened,
        Err(error) => {
            assert!(!matches!(error, OpenError::Locked { .. }), "{error}");
            return None;
        }
    };
    let mut is_full = false;
    for number in 0..6 {
        if number == 3 {
            match checkpoint(disk, &mut opened, timeline, false) {
                Ok(()) => continue,
                // Given up; the log goes on.
                Err(LogError::Full(_)) if !is_full => is_full = true,
                Err(LogError::Stopped(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        if append(disk, &mut opened, timeline, 0) {
            continue;
        }
        match opened.log.reserve(1) {
            // There was no room once; the next one finds some.
            Ok(_) if !is_full => is_full = true,
            Ok(_) => panic!("two faults where there was one"),
            Err(LogError::Stopped(stopped)) => {
                assert!(stopped.fault.is_some());
                // For good: also once the disk is well.
                disk.mend();
                let issued = timeline.records.len();
                assert!(!append(disk, &mut opened, timeline, 0));
                assert_eq!(
                    timeline.records.len(),
                    issued,
                    "it is refused before it is issued"
                );
                assert!(opened.writer.close().is_err());
                return Some(false);
            }
            Err(error) => panic!("{error}"),
        }
    }
    Some(true)
}

#[test]
fn the_nth_operation_fails() {
    let (mut stopped, mut refused, mut unopened, mut images) = (0, 0, 0, 0);
    for fault in Fault::ALL {
        for n in 0..LAST {
            let disk = SimDisk::new();
            let mut timeline = Timeline::default();
            disk.fail(n, fault);
            let met = run(&disk, &mut timeline);
            match met {
                None => unopened += 1,
                Some(false) => stopped += 1,
                Some(true) => refused += u64::from(disk.operations() > n),
            }
            disk.mend();
            disk.record();
            let acknowledged = disk.moments()[0].acknowledged;
            // The machine stays up: memory is read where the disk has something else.
            let recovered = recover(&disk).unwrap_or_else(|error| panic!("{fault:?} {n}: {error}"));
            check_prefix(&recovered.records, &timeline, acknowledged, &disk.image());
            timeline.records = recovered.records;
            disk.acknowledge(timeline.records.len() as u64);
            // Then it goes down: what was recovered must have become durable.
            let mut opened = recovered.opened;
            append(&disk, &mut opened, &mut timeline, 1);
            for moment in disk.moments() {
                moment.images(&mut HashSet::new(), n, |image| {
                    images += 1;
                    // Before it was opened again, what was not acknowledged may be gone or not.
                    check(&image, &timeline, moment.acknowledged);
                });
            }
        }
    }
    println!("stopped {stopped}, refused {refused}, not opened {unopened}, images {images}");
    assert!(stopped > 50 && refused > 5 && unopened > 50 && images > 5000);
}

#[test]
fn a_full_disk_is_met_before_and_goes_away() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    disk.set_quota(Some(512 + 2 * 2560));
    while append(&disk, &mut opened, &mut timeline, 0) {}
    let written = timeline.records.len();
    assert!(written >= 3, "{written}");
    let full = opened.log.reserve(1000).unwrap_err();
    assert!(matches!(full, LogError::Full(_)), "{full}");
    opened.log.check().unwrap();
    disk.set_quota(None);
    assert!(append(&disk, &mut opened, &mut timeline, 0));
    drop(opened);
    assert_eq!(recover(&disk).unwrap().records.len(), written + 1);
}
