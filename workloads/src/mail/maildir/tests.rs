use super::*;

fn read(maildir: &Maildir, user: u32) -> Vec<Vec<u8>> {
    let mail = maildir.read(user).expect("it can be read");
    mail.iter().map(|mail| mail.message.to_vec()).collect()
}

#[test]
fn mail_is_there_in_the_order_of_its_arrival_until_it_is_deleted() {
    let place = tempfile::tempdir().expect("there is room");
    let open = || Maildir::open(place.path(), 2, true, "two".into());
    let maildir = open().expect("it is new");
    maildir.loaded().expect("there is room");
    for word in ["a", "b", "c"] {
        let delivered = maildir.deliver(1, word.as_bytes().into());
        delivered.expect("there is room");
    }
    let mail = maildir.read(1).expect("it can be read");
    maildir.delete(1, &mail[1..2]).expect("it is there");
    assert_eq!(read(&maildir, 1), [b"a", b"c"]);
    assert!(open().is_err_and(|error| error.to_string().contains("in use")));
    drop(maildir);

    // Not delivered to the end.
    fs::write(place.path().join("0/tmp/7"), "x").expect("there is room");
    let maildir = open().expect("it is one");
    assert!(maildir.is_loaded());
    assert_eq!(read(&maildir, 0).len(), 0);
    maildir.deliver(1, b"d"[..].into()).expect("there is room");
    assert_eq!(read(&maildir, 1), [b"a", b"c", b"d"]);
    assert!(!place.path().join("0/tmp/7").exists());
}

#[test]
fn a_name_that_no_delivery_has_given_is_told() {
    for name in ["7", "letter", "18446744073709551615"] {
        let place = tempfile::tempdir().expect("there is room");
        let open = || Maildir::open(place.path(), 1, false, "one".into());
        open()
            .and_then(|maildir| maildir.loaded().map_err(InputError::new))
            .expect("it is new");
        fs::write(place.path().join("0/new").join(name), "x").expect("there is room");
        let error = open().expect_err("it is no message").to_string();
        assert!(error.contains(&format!("{name} is no message")), "{error}");
    }
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let place = tempfile::tempdir().expect("there is room");
    fs::write(place.path().join("letter"), "x").expect("there is room");
    let error = Maildir::open(place.path(), 2, true, "two".into()).expect_err("it is none");
    assert!(error.to_string().contains("something else"), "{error}");
    assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 1);
}
