//! Backups while the log goes on, and what is salvaged of a damaged one.

mod support;

use journal::sim::{Fault, SimDisk};
use journal::{CopyError, Options, dump, salvage, survey, verify};
use std::ops::ControlFlow;
use std::sync::Arc;
use support::{Timeline, append, checkpoint, options, recover, recover_with, take};

#[test]
fn a_backup_is_what_was_durable() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for number in 0..8 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
        if number == 4 {
            checkpoint(&disk, &mut opened, &mut timeline, true).unwrap();
        }
        let copy = SimDisk::new();
        opened.log.backup(Arc::new(copy.clone())).unwrap();
        let image = copy.image();
        assert_eq!(recover(&copy).unwrap().records, timeline.records);
        // And the backup itself is durable when it is done.
        let copy = SimDisk::after(&image);
        let error = opened.log.backup(Arc::new(copy)).unwrap_err();
        assert!(matches!(error, CopyError::NotEmpty { .. }), "{error}");
    }
}

#[test]
fn a_backup_that_was_not_finished_is_no_journal() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..3 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    checkpoint(&disk, &mut opened, &mut timeline, true).unwrap();
    let copy = SimDisk::new();
    opened.log.backup(Arc::new(copy.clone())).unwrap();
    for n in 0..copy.operations() {
        let copy = SimDisk::new();
        copy.fail(n, Fault::NoSpace);
        assert!(opened.log.backup(Arc::new(copy.clone())).is_err());
        copy.mend();
        // Nothing yet, no journal, or all of it where only its last sync failed: never a part.
        if let Ok(recovered) = recover(&copy) {
            let count = recovered.records.len();
            assert!(
                count == 0 || count == timeline.records.len(),
                "{count} records"
            );
        }
    }
    opened.log.check().unwrap();
}

#[test]
fn what_can_be_read_is_salvaged() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..9 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    opened.writer.close().unwrap();
    let image = disk.image();
    let mut lost = 0;
    for (name, bytes) in &image.files {
        for at in (0..bytes.len()).step_by(64) {
            let mut changed = image.clone();
            changed.files.get_mut(name).unwrap()[at] ^= 1;
            let is_damaged = recover(&SimDisk::after(&changed)).is_err();
            let copy = SimDisk::new();
            let from = Arc::new(SimDisk::after(&changed));
            let salvaged = match salvage(from, Arc::new(copy.clone())) {
                Ok(salvaged) => salvaged,
                Err(error) => {
                    // The begin of the only begin.
                    assert_eq!(name, "log-00000001", "{error}");
                    continue;
                }
            };
            let records = recover(&copy).unwrap().records;
            assert!(timeline.records.starts_with(&records));
            assert_eq!(salvaged.up_to, records.len() as u64);
            assert_eq!(salvaged.damage.is_some(), is_damaged && name != "journal");
            if salvaged.damage.is_some() {
                lost += 1;
                // All but the damaged frame is kept or counted.
                let counted = salvaged.frames + salvaged.left_out;
                let all = timeline.records.len() as u64;
                assert!(
                    counted + 1 >= all && counted <= all,
                    "{name} {at}: {salvaged:?}"
                );
                assert!(salvaged.left_out == 0 || salvaged.left_out_up_to == all);
            }
        }
    }
    assert!(lost > 20, "{lost}");
}

#[test]
fn verify_and_dump_tell_what_is_there() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let mut opened = recover(&disk).unwrap().opened;
    for _ in 0..3 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
    }
    checkpoint(&disk, &mut opened, &mut timeline, true).unwrap();
    opened.writer.close().unwrap();
    let before = disk.image();
    let (mut records, mut covered) = (Vec::new(), 0);
    let summary = verify(Arc::new(disk.clone()), &mut |event, _| {
        take(&mut records, &mut covered, &event);
        Ok(())
    });
    assert_eq!((summary.unwrap().up_to, records), (4, timeline.records));
    let mut lines = Vec::new();
    dump(Arc::new(disk.clone()), &mut |line| {
        lines.push(line.to_string());
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(disk.image(), before, "neither changes anything");
    for what in [
        "Identity",
        "Checkpoint",
        "Block 2",
        "Footer 3",
        "Data 5",
        "Close 6",
        "zeros",
    ] {
        assert!(
            lines.iter().any(|line| line.contains(what)),
            "{what} in {lines:#?}"
        );
    }
}

/// Recovery names the first damage, which is all that it needs to know.
#[test]
fn a_survey_finds_every_damage() {
    let disk = SimDisk::new();
    let mut timeline = Timeline::default();
    let options = Options {
        segment_bytes: 1 << 16,
        ..options()
    };
    let mut opened = recover_with(&disk, &options).unwrap().opened;
    for number in 0..9 {
        assert!(append(&disk, &mut opened, &mut timeline, 0));
        if number == 2 {
            checkpoint(&disk, &mut opened, &mut timeline, true).unwrap();
        }
    }
    opened.writer.close().unwrap();
    drop(opened.log);
    let mut image = disk.image();
    image
        .files
        .insert("log-00000042.tmp".to_owned(), vec![0; 700]);
    let bytes = image
        .files
        .values()
        .map(|file| file.len() as u64)
        .sum::<u64>();
    let sound = survey(Arc::new(SimDisk::after(&image))).unwrap();
    assert_eq!((sound.damages, sound.bytes), (vec![], bytes));
    assert_eq!((sound.checkpoints, sound.blocks), (1, 2));
    assert_eq!(sound.removed, ["log-00000042.tmp"]);
    let recovery = sound.recovery.unwrap();
    assert_eq!((recovery.up_to, recovery.frames), (10, sound.frames));
    assert!(recovery.is_closed && recovery.begin.segment <= recovery.end.segment);

    // A block, and every second frame with records that is not in the checkpoint.
    let mut places = Vec::new();
    for (name, bytes) in &image.files {
        for (number, sector) in bytes.chunks(512).enumerate() {
            let is_read = match sector[6] {
                7 => true,
                4 => u64::from(sector[24]) >= recovery.begin.sequence,
                _ => false,
            };
            if sector.starts_with(b"tscJ") && is_read {
                places.push((name.clone(), number as u64 * 512));
            }
        }
    }
    let places: Vec<_> = places.into_iter().step_by(2).collect();
    assert!(places.len() > 3);
    for (name, offset) in &places {
        let at = usize::try_from(*offset).unwrap() + 60;
        image.files.get_mut(name).unwrap()[at] ^= 1;
    }
    let disk = SimDisk::after(&image);
    let damaged = survey(Arc::new(disk.clone())).unwrap();
    assert!(disk.image() == image && damaged.recovery.is_none());
    let found: Vec<_> = damaged
        .damages
        .iter()
        .map(|it| (it.file.clone(), it.offset))
        .collect();
    assert_eq!(found, places, "{:#?}", damaged.damages);
}
