//! Directories of stores, changed as bytes say, and opened: what may come of it. The property test
//! and the fuzzer make the bytes.
#![allow(unreachable_pub, reason = "it is a module of two crates")]

mod frames;
mod mutate;
mod subject;

use journal::sim::{Image, SimDisk};
use journal::{Disk, dump, salvage, survey, verify};
use mutate::Input;
use std::ops::ControlFlow;
use std::sync::Arc;
use subject::{Content, Subject, subjects};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Refused,
    /// With this many of the commits.
    Opened(usize),
    /// With something else: the checksums had been made right after the change.
    OpenedOther,
}

/// Changes a directory as `bytes` say, and opens it: the state after a prefix of the commits, or an
/// error that says what is wrong. Where checksums were made right after the change, any state.
///
/// # Panics
/// If something else comes of it.
pub fn check(bytes: &[u8]) -> Outcome {
    let mut input = Input(bytes);
    let subject = &subjects()[input.below(subjects().len())];
    let is_sealed = input.byte() % 2 == 1;
    let mut image = subject.image.clone();
    let count = 1 + input.below(3);
    let mut is_small = count == 1 && !is_sealed;
    for _ in 0..count {
        if is_sealed {
            mutate::rewrite(&mut image, &mut input);
        } else {
            is_small &= mutate::damage(&mut image, subject, &mut input);
        }
    }
    if is_sealed {
        frames::settle(&mut image);
        for _ in 0..input.below(3) {
            mutate::renumber(&mut image, &mut input);
        }
        frames::seal(&mut image);
    }
    let outcome = open(&image, subject, is_sealed);
    look(&image, is_sealed);
    let all = subject.states.len() - 1;
    assert!(
        image != subject.image || outcome == Outcome::Opened(all),
        "{outcome:?}"
    );
    if let (Outcome::Opened(count), true) = (outcome, is_small) {
        // Of the last frame nothing says that it was synced.
        assert!(count + 1 >= all, "{count} of {all} are left");
    }
    outcome
}

fn open(image: &Image, subject: &Subject, is_sealed: bool) -> Outcome {
    let disk = SimDisk::after(image);
    let probe = Arc::new(());
    let outcome = match subject::open(&disk, &probe) {
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("cannot open the store: ") && text.lines().count() == 1);
            Outcome::Refused
        }
        Ok((store, tables)) => {
            let found = Content::of(&store, &tables);
            subject::follow(&store, &tables);
            let is_going = subject::go_on(&store, &tables);
            drop((store, tables));
            if !is_sealed {
                assert!(is_going, "a commit after the opening");
                let again = SimDisk::after(&disk.image());
                let (store, tables) = subject::open(&again, &probe).expect("it was opened before");
                assert_eq!(Content::of(&store, &tables), found.with_more());
            }
            match subject.states.iter().position(|state| *state == found) {
                Some(count) => Outcome::Opened(count),
                None if is_sealed => Outcome::OpenedOther,
                None => panic!("no state that was"),
            }
        }
    };
    // Whatever threads it has started have ended, and with them all that they had of it.
    assert_eq!(
        Arc::strong_count(&probe),
        1,
        "something is left: {outcome:?}"
    );
    assert!(
        disk.lock().expect("it does not fail").is_some(),
        "it is locked: {outcome:?}"
    );
    outcome
}

/// What an operator does with it: nothing of it panics, and it stays as it is.
fn look(image: &Image, is_sealed: bool) {
    let disk = SimDisk::after(image);
    let shared = || Arc::new(disk.clone());
    let _ = verify(shared(), &mut |_, _| Ok(()));
    let _ = survey(shared());
    let _ = dump(shared(), &mut |_| ControlFlow::Continue(()));
    let copy = SimDisk::new();
    if let Ok(salvaged) = salvage(shared(), Arc::new(copy.clone())) {
        let opened = subject::open(&copy, &Arc::new(()));
        if !is_sealed && salvaged.partial.is_none() {
            let (store, tables) = opened.expect("what is salvaged can be opened");
            let found = Content::of(&store, &tables);
            // Where the file `journal` is gone, the others say whose it was: they may be another's.
            let all = || subjects().iter().flat_map(|subject| &subject.states);
            assert!(
                all().any(|state| *state == found),
                "salvaged what never was"
            );
        }
    }
    assert!(disk.image() == *image, "it was changed");
}
