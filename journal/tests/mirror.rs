//! A journal on a mirror: what a crash may leave of both sides, at every moment; a side that fails
//! at any operation; sides that come back, or do not.

mod support;

use journal::sim::{Fault, Image, SimDisk};
use journal::{Mirror, MirrorError, OpenError, open};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use support::mirrored::{Mirrored, Pair, Unopened};
use support::{Timeline, options};

const NOTE: &str = "mirror";

/// What the journal sees of a side.
fn files(image: &Image) -> Image {
    let mut image = image.clone();
    image.files.remove(NOTE);
    image
}

/// Opens what was left, and checks that it is a prefix with all that was acknowledged, and that
/// both sides are the same.
fn check(pair: &Pair, timeline: &Timeline, acknowledged: u64) -> Mirrored {
    check_as(pair, [0, 1], timeline, acknowledged)
}

fn check_as(pair: &Pair, order: [usize; 2], timeline: &Timeline, acknowledged: u64) -> Mirrored {
    let left = pair.images();
    let found = pair.open_as(order);
    let found = found.unwrap_or_else(|error| panic!("{error:?}\n{}", show(&left)));
    support::check_prefix(&found.records, timeline, acknowledged, &left[0]);
    let [first, second] = pair.images();
    assert_eq!(files(&first), files(&second));
    assert!(found.mirror.lost().is_none());
    found
}

fn show(images: &[Image; 2]) -> String {
    images.each_ref().map(support::show).join("\nand\n")
}

/// The same where a side is gone besides: the other one has it, or says that it is not whole.
fn check_alone(images: &[Image; 2], gone: usize, timeline: &Timeline, acknowledged: u64) {
    let mut images = images.clone();
    images[gone] = Image::default();
    match Pair::after(&images).open() {
        Ok(found) => {
            support::check_prefix(&found.records, timeline, acknowledged, &images[1 - gone]);
        }
        Err(Unopened::Mirror(MirrorError::NotWhole { .. })) => {}
        Err(error) => panic!("{error:?}\n{}", show(&images)),
    }
}

/// Created, appended to, opened again.
fn program(pair: &Pair) -> Timeline {
    let mut timeline = Timeline::default();
    for line in 0..2 {
        let mut open = pair.open().unwrap();
        for _ in 0..3 {
            assert!(open.append(pair, &mut timeline, line));
        }
    }
    timeline
}

#[test]
fn every_crash_of_both_sides_leaves_a_prefix() {
    let pair = Pair::empty();
    pair.record();
    let timeline = program(&pair);
    let (mut nested, mut deepest, mut number) = (0, 0, 0_u64);
    let count = pair.crashes(|images, acknowledged| {
        number += 1;
        let left = Pair::after(&images);
        left.record();
        left.acknowledged.store(acknowledged, SeqCst);
        for gone in 0..2 {
            check_alone(&images, gone, &timeline, acknowledged);
        }
        let mut found = check(&left, &timeline, acknowledged);
        let mut records = Timeline {
            records: found.records.clone(),
        };
        // What was found is acknowledged by being found.
        left.acknowledged
            .store(records.records.len() as u64, SeqCst);
        assert!(found.append(&left, &mut records, 7));
        drop(found);
        // Opening twice is the same.
        let all = records.records.len() as u64;
        assert_eq!(check(&left, &records, all).records, records.records);
        if number % 41 != 0 {
            return;
        }
        // A crash in that.
        nested += left.crashes(|images, acknowledged| {
            let again = Pair::after(&images);
            again.record();
            let gone = usize::from(deepest % 2 == 0);
            check_alone(&images, gone, &records, acknowledged);
            // Before anything was found, what was acknowledged before the first crash.
            let found = check(&again, &records, acknowledged);
            drop(found);
            deepest += 1;
            if deepest % 101 == 0 {
                again.crashes(|images, _| {
                    drop(check(&Pair::after(&images), &records, acknowledged));
                });
            }
        });
    });
    println!("{count} crashes, {nested} in recovery");
    assert!(count > 300 && nested > 1_000, "{count} {nested}");
}

/// The n-th operation of a side fails, for all n: the other one goes on, and nothing that was
/// acknowledged is lost, whichever sides come back.
#[test]
fn whichever_operation_of_a_side_fails_nothing_is_lost() {
    let operations = {
        let pair = Pair::empty();
        program(&pair);
        pair.sides[0].operations()
    };
    let mut lost = 0;
    for side in 0..2 {
        for fault in Fault::ALL {
            for operation in 0..operations {
                lost += u64::from(fail(side, fault, operation));
            }
        }
    }
    assert!(lost > 100, "{lost} sides were lost");
}

/// Whether a side was lost.
fn fail(side: usize, fault: Fault, operation: u64) -> bool {
    let pair = Pair::empty();
    pair.sides[side].fail(operation, fault);
    let mut timeline = Timeline::default();
    let mut was_lost = false;
    for line in 0..2 {
        let mut opened = pair.open();
        if opened.is_err() {
            // While both are made the same, a side that fails is an error.
            pair.sides[side].mend();
            opened = pair.open();
        }
        let mut open = opened.unwrap();
        timeline.records.truncate(open.records.len());
        support::check_prefix(
            &open.records,
            &timeline,
            pair.acknowledged.load(SeqCst),
            &pair.images()[0],
        );
        for _ in 0..3 {
            let appended = open.append(&pair, &mut timeline, line);
            // A log that has no room for a new segment says so, and goes on.
            assert!(
                appended || open.mirror.lost().is_none(),
                "{side} {fault:?} {operation}"
            );
        }
        if let Some(side_lost) = open.mirror.lost() {
            was_lost = true;
            assert_eq!(side_lost.is_second, side == 1);
            let name = ["the first side", "the second side"][side];
            assert!(side_lost.to_string().contains(name), "{side_lost}");
        }
        drop(open);
        pair.sides[side].mend();
        let acknowledged = pair.acknowledged.load(SeqCst);
        let images = pair.images();
        // Both come back, in either order.
        for order in [[0, 1], [1, 0]] {
            drop(check_as(
                &Pair::after(&images),
                order,
                &timeline,
                acknowledged,
            ));
        }
        // The one that failed is gone.
        let left = Pair::after(&images);
        let mut sides = [left.sides[0].clone(), left.sides[1].clone()];
        sides[side] = SimDisk::new();
        drop(check(&Pair::new(sides), &timeline, acknowledged));
    }
    was_lost
}

fn filled(count: usize) -> (Pair, Timeline) {
    let pair = Pair::empty();
    let mut timeline = Timeline::default();
    let mut open = pair.open().unwrap();
    for _ in 0..count {
        assert!(open.append(&pair, &mut timeline, 0));
    }
    drop(open);
    (pair, timeline)
}

#[test]
fn an_older_copy_of_a_side_is_not_taken() {
    for side in 0..2 {
        let (pair, mut timeline) = filled(2);
        let old = pair.images();
        let mut open = pair.open().unwrap();
        assert!(open.append(&pair, &mut timeline, 0));
        drop(open);
        let mut images = pair.images();
        images[side] = old[side].clone();
        let all = timeline.records.len() as u64;
        drop(check(&Pair::after(&images), &timeline, all));
    }
}

#[test]
fn a_side_that_is_emptied_is_filled() {
    for side in 0..2 {
        let (pair, timeline) = filled(4);
        let mut images = pair.images();
        images[side] = Image::default();
        let all = timeline.records.len() as u64;
        drop(check(&Pair::after(&images), &timeline, all));
    }
}

#[test]
fn a_damaged_side_is_mended_from_the_other() {
    for side in 0..2 {
        let (pair, timeline) = filled(4);
        let images = pair.images();
        for (name, bytes) in files(&images[side]).files {
            for byte in [0, 80, 600, 1100, 1600]
                .into_iter()
                .filter(|at| *at < bytes.len())
            {
                let mut damaged = images.clone();
                let bytes = damaged[side].files.get_mut(&name).unwrap();
                bytes[byte] ^= 0x40;
                let all = timeline.records.len() as u64;
                drop(check(&Pair::after(&damaged), &timeline, all));
            }
            // A file that is gone.
            let mut lacking = images.clone();
            lacking[side].files.remove(&name);
            let all = timeline.records.len() as u64;
            drop(check(&Pair::after(&lacking), &timeline, all));
        }
    }
}

#[test]
fn a_stale_side_does_not_take_the_place_of_a_damaged_one() {
    let (pair, mut timeline) = filled(2);
    let old = pair.images();
    let mut open = pair.open().unwrap();
    assert!(open.append(&pair, &mut timeline, 0));
    drop(open);
    let mut images = pair.images();
    images[0] = old[0].clone();
    // The identity: it cannot be a torn tail.
    images[1].files.get_mut("journal").unwrap()[10] ^= 1;
    let left = Pair::after(&images);
    match left.open().err() {
        Some(Unopened::Mirror(MirrorError::Damaged { directory, .. })) => {
            assert_eq!(directory, "the second side");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(left.images(), images, "nothing was changed");
}

/// A side that was lost lacks what was acknowledged since, and so is not taken for the other one
/// where that is damaged.
#[test]
fn a_side_that_was_lost_does_not_take_the_place_of_a_damaged_one() {
    for lost in 0..2 {
        let (pair, mut timeline) = filled(2);
        let mut open = pair.open().unwrap();
        pair.sides[lost].fail(pair.sides[lost].operations(), Fault::Forever);
        assert!(open.append(&pair, &mut timeline, 0));
        drop(open);
        let mut images = pair.images();
        images[1 - lost].files.get_mut("journal").unwrap()[10] ^= 1;
        assert!(matches!(
            Pair::after(&images).open().err(),
            Some(Unopened::Mirror(MirrorError::Damaged { .. }))
        ));
    }
}

/// A stale side of which a part was made anew is neither what it was nor what it is to be.
#[test]
fn a_stale_side_that_was_being_copied_to_is_not_taken() {
    let (pair, mut timeline) = filled(4);
    let old = pair.images();
    let mut open = pair.open().unwrap();
    for _ in 0..6 {
        assert!(open.append(&pair, &mut timeline, 0));
    }
    drop(open);
    let mut images = pair.images();
    images[0] = old[0].clone();
    let mut not_whole = 0;
    for operation in 0.. {
        let left = Pair::after(&images);
        left.sides[0].fail(operation, Fault::Forever);
        if left.open().is_ok() {
            break;
        }
        left.sides[0].mend();
        let half = left.images();
        let is_touched = files(&half[0]) != files(&images[0]);
        let is_whole = files(&half[0]) == files(&half[1]);
        let alone = Pair::after(&[half[0].clone(), Image::default()]).open();
        if is_touched && !is_whole {
            not_whole += 1;
            assert!(matches!(
                alone.err(),
                Some(Unopened::Mirror(MirrorError::NotWhole { .. }))
            ));
        }
        let all = timeline.records.len() as u64;
        drop(check(&Pair::after(&half), &timeline, all));
    }
    assert!(not_whole > 3, "{not_whole}");
}

#[test]
fn sides_that_have_each_gone_on_alone_are_an_error() {
    let (pair, _) = filled(2);
    let images = pair.images();
    let alone = |side: usize| {
        let pair = Pair::after(&images);
        let mut timeline = Timeline::default();
        let mut open = pair.open().unwrap();
        timeline.records.clone_from(&open.records);
        pair.sides[1 - side].fail(pair.sides[1 - side].operations(), Fault::Forever);
        assert!(open.append(&pair, &mut timeline, side as u64));
        assert_eq!(open.mirror.lost().unwrap().is_second, side == 0);
        drop(open);
        pair.images()[side].clone()
    };
    let left = Pair::after(&[alone(0), alone(1)]);
    let before = left.images();
    assert!(matches!(
        left.open().err(),
        Some(Unopened::Mirror(MirrorError::Parted { .. }))
    ));
    assert_eq!(left.images(), before, "nothing was changed");
}

#[test]
fn a_side_is_not_opened_without_the_other_until_they_are_parted() {
    let (pair, timeline) = filled(2);
    let images = pair.images();
    let left = Pair::after(&images);
    let alone = || open(left.side(1), &options(), &mut |_, _| Ok(()));
    assert!(matches!(alone().err(), Some(OpenError::Side { .. })));
    assert_eq!(left.images(), images, "nothing was changed");
    Mirror::part(&left.side(1)).unwrap();
    drop(alone().unwrap());
    // The other side does not take its place, nor it that of the other.
    assert!(matches!(
        left.open().err(),
        Some(Unopened::Mirror(MirrorError::Strangers { .. }))
    ));
    // Once that is emptied, it becomes a copy.
    let emptied = Pair::new([SimDisk::new(), left.sides[1].clone()]);
    let all = timeline.records.len() as u64;
    drop(check(&emptied, &timeline, all));
}

#[test]
fn what_is_no_mirror_is_refused_and_left_alone() {
    let (pair, _) = filled(2);
    let (other, _) = filled(3);
    let images = [pair.images()[0].clone(), other.images()[1].clone()];
    let mut foreign = Image::default();
    foreign.files.insert("thesis.txt".to_owned(), vec![1]);
    let cases = [
        (images.clone(), "two journals"),
        ([images[0].clone(), foreign.clone()], "thesis.txt"),
        ([foreign, Image::default()], "thesis.txt"),
    ];
    for (images, part) in cases {
        let left = Pair::after(&images);
        match left.open().err() {
            Some(Unopened::Mirror(error)) => {
                assert!(error.to_string().contains(part), "{error}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(left.images(), images, "nothing was changed");
    }
    let locked = Pair::empty();
    let open = locked.open().unwrap();
    assert!(matches!(
        locked.open().err(),
        Some(Unopened::Mirror(MirrorError::Locked { .. }))
    ));
    drop(open);
    drop(locked.open().unwrap());
    let same: Arc<dyn journal::Disk> = Arc::new(SimDisk::new());
    assert!(matches!(
        Mirror::open(Arc::clone(&same), same).err(),
        Some(MirrorError::Locked { .. })
    ));
}

#[test]
fn a_side_that_was_being_copied_is_not_taken() {
    let (pair, timeline) = filled(4);
    let mut images = pair.images();
    images[1] = Image::default();
    let left = Pair::after(&images);
    // The copying ends early.
    left.sides[1].fail(left.sides[1].operations() + 7, Fault::Forever);
    assert!(matches!(
        left.open().err(),
        Some(Unopened::Mirror(MirrorError::Side { .. }))
    ));
    left.sides[1].mend();
    let half = left.images();
    assert!(files(&half[1]).files.len() < files(&half[0]).files.len());
    // Without the side that it was copied from.
    let alone = Pair::after(&[Image::default(), half[1].clone()]);
    assert!(matches!(
        alone.open().err(),
        Some(Unopened::Mirror(MirrorError::NotWhole { .. }))
    ));
    assert!(Mirror::part(&alone.side(1)).is_err());
    let all = timeline.records.len() as u64;
    drop(check(&Pair::after(&half), &timeline, all));
}

#[test]
fn a_full_side_is_met_before_anything_happens() {
    let (pair, mut timeline) = filled(1);
    let mut open = pair.open().unwrap();
    let used: usize = pair.images()[1].files.values().map(Vec::len).sum();
    pair.sides[1].set_quota(Some(used));
    let mut refused = false;
    for _ in 0..8 {
        refused |= !open.append(&pair, &mut timeline, 0);
    }
    assert!(refused && open.mirror.lost().is_none());
    pair.sides[1].set_quota(None);
    assert!(
        open.append(&pair, &mut timeline, 0),
        "it goes on when there is room"
    );
    drop(open);
    let all = timeline.records.len() as u64;
    drop(check(&pair, &timeline, all));
}
