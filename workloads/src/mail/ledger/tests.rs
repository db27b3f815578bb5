use super::*;
use std::fs;

fn id(number: u32) -> Id {
    Id { writer: 4, number }
}

fn open(place: &Path, acknowledges: bool, found: &[u32]) -> Result<Ledger, String> {
    let found = found.iter().map(|number| id(*number)).collect();
    Ledger::open(Some(place), acknowledges, true, &[found])
}

#[test]
fn what_is_owed_is_missed_and_what_is_gone_is_not_welcome() {
    let ledger = Ledger::open(None, true, true, &[vec![]]).expect("it needs no file");
    ledger.delivered(0, id(1)).expect("it needs no file");
    ledger.delivered(0, id(2)).expect("it needs no file");
    let owed = ledger.owed(0);
    let check = |read: &[u32]| {
        let read: Vec<_> = read.iter().map(|number| id(*number)).collect();
        ledger.check(0, &owed, &read)
    };
    assert_eq!(check(&[1, 2]), Ok(()));
    assert_eq!(check(&[1, 2, 3]), Ok(()), "it may have arrived meanwhile");
    assert!(check(&[2]).is_err_and(|error| error.contains("4.1 of user 0 is lost")));
    let begun = ledger.begin_to_delete(0, &[id(1)]);
    begun.expect("it needs no file");
    ledger.deleted(0, &[id(1)]).expect("it needs no file");
    assert!(check(&[1, 2]).is_err_and(|error| error.contains("4.1 of user 0 has come back")));
    assert_eq!(ledger.owed(0), HashSet::from([id(2)]));
}

#[test]
fn what_is_deleted_before_its_delivery_has_returned_is_not_owed() {
    let ledger = Ledger::open(None, true, true, &[vec![]]).expect("it needs no file");
    let begun = ledger.begin_to_delete(0, &[id(1)]);
    begun.expect("it needs no file");
    ledger.delivered(0, id(1)).expect("it needs no file");
    assert!(ledger.owed(0).is_empty());
}

/// As after a kill: 1 was delivered, 2 was deleted, 3 was about to be.
#[test]
fn the_next_run_checks_what_it_finds() {
    let place = tempfile::tempdir().expect("there is room");
    let ledger = open(place.path(), true, &[]).expect("there is room");
    for number in 1..=3 {
        ledger.delivered(0, id(number)).expect("there is room");
    }
    let begun = ledger.begin_to_delete(0, &[id(2), id(3)]);
    begun.expect("there is room");
    ledger.deleted(0, &[id(2)]).expect("there is room");
    drop(ledger);
    let file = place.path().join(NAME);
    let kept = fs::read_to_string(&file).expect("it is there");
    fs::write(&file, format!("{kept}+ 0 4.9")).expect("there is room");
    for (found, said) in [
        (&[1][..], None),
        (&[1, 3], None),
        (&[1, 7], None),
        (&[3], Some("4.1 of user 0 is lost")),
        (&[1, 2], Some("4.2 of user 0 has come back")),
    ] {
        let copy = tempfile::tempdir().expect("there is room");
        fs::copy(&file, copy.path().join(NAME)).expect("there is room");
        match (open(copy.path(), true, found), said) {
            (Ok(ledger), None) => {
                assert_eq!((ledger.found_again, ledger.next_writer), (1, 5));
                let owed: HashSet<_> = found.iter().map(|number| id(*number)).collect();
                assert_eq!(ledger.owed(0), owed);
            }
            (Err(error), Some(said)) => assert!(error.contains(said), "{error}"),
            (opened, _) => panic!("{found:?}: {:?}", opened.err()),
        }
    }
}

#[test]
fn what_need_not_survive_is_noted_once_it_does() {
    let place = tempfile::tempdir().expect("there is room");
    let noted = || fs::read_to_string(place.path().join(NAME)).expect("it is there");
    let ledger = open(place.path(), false, &[]).expect("there is room");
    ledger.delivered(0, id(1)).expect("there is room");
    let begun = ledger.begin_to_delete(0, &[id(2)]);
    begun.expect("there is room");
    ledger.deleted(0, &[id(2)]).expect("there is room");
    assert_eq!(noted(), "? 0 4.2\n");
    ledger.all_survives().expect("there is room");
    assert_eq!(noted(), "? 0 4.2\n+ 0 4.1\n- 0 4.2\n");
}

/// Its deletion was begun before its delivery had returned, and neither has: it was found after
/// that, and must be found from then on.
#[test]
fn what_was_found_is_owed_whatever_was_noted_before() {
    let place = tempfile::tempdir().expect("there is room");
    let ledger = open(place.path(), true, &[]).expect("there is room");
    ledger.begin_to_delete(0, &[id(1)]).expect("there is room");
    drop(ledger);
    let again = open(place.path(), true, &[1]).expect("it was not known");
    assert_eq!(again.found_again, 0);
    drop(again);
    let again = open(place.path(), true, &[1]).expect("it is there");
    assert_eq!(again.found_again, 1);
    drop(again);
    let lost = open(place.path(), true, &[]).err();
    assert!(lost.is_some_and(|error| error.contains("4.1 of user 0 is lost")));
}

/// A kill comes between a deletion and being told of it: all is gone, or nothing.
#[test]
fn a_deletion_that_was_done_by_half_is_found() {
    let place = tempfile::tempdir().expect("there is room");
    let ledger = open(place.path(), true, &[]).expect("there is room");
    for number in 1..=2 {
        ledger.delivered(0, id(number)).expect("there is room");
    }
    // The delivery of 3 has not returned: it may be there or not.
    let begun = ledger.begin_to_delete(0, &[id(1), id(2), id(3)]);
    begun.expect("there is room");
    drop(ledger);
    let file = place.path().join(NAME);
    for (found, deletes_whole, said) in [
        (&[1, 2, 3][..], true, None),
        (&[1, 2], true, None),
        (&[], true, None),
        (&[2, 3], true, Some("4.1 of user 0 is lost: its deletion")),
        (&[2, 3], false, None),
    ] {
        let copy = tempfile::tempdir().expect("there is room");
        fs::copy(&file, copy.path().join(NAME)).expect("there is room");
        let ids = found.iter().map(|number| id(*number)).collect();
        let opened = Ledger::open(Some(copy.path()), true, deletes_whole, &[ids]);
        match (opened.err(), said) {
            (None, None) => {}
            (Some(error), Some(said)) => assert!(error.contains(said), "{error}"),
            (error, _) => panic!("{found:?}: {error:?}"),
        }
    }
}

#[test]
fn a_line_that_is_none_is_told() {
    for line in ["+ 0", "+ 0 1", "+ 1 1.1", "* 0 1.1", "+ 0 4294967295.1"] {
        let place = tempfile::tempdir().expect("there is room");
        fs::write(place.path().join(NAME), format!("{line}\n")).expect("there is room");
        let error = open(place.path(), true, &[]).err().unwrap_or_default();
        assert!(error.contains(&format!("{line:?}")), "{line}: {error}");
    }
}
