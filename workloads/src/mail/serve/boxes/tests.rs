use super::*;
use crate::mail::declare;

fn stored(directory: &std::path::Path) -> Stored {
    let options = Store::options().segment_bytes(64 << 10);
    let (store, ()) = options.open(directory, declare).expect("there is room");
    Stored::new(store, 3).expect("the tables are there")
}

#[test]
fn each_user_has_one_name() {
    let place = tempfile::tempdir().expect("there is room");
    let boxes = stored(place.path());
    let user = |name: &str| boxes.user(name.as_bytes());
    assert_eq!(["user0", "USER2"].map(user), [Some(0), Some(2)]);
    for name in ["user3", "user01", "user+1", "user", "user-1", "x", ""] {
        assert_eq!(user(name), None, "{name}");
    }
}

#[test]
fn what_the_store_refuses_is_refused_to_all_recipients() {
    let place = tempfile::tempdir().expect("there is room");
    let boxes = stored(place.path());
    let message = |bytes: usize| vec![b'x'; bytes].into();
    let deliver = |bytes| boxes.deliver(&[1, 0], &message(bytes));
    assert_eq!(deliver(100), Ok(()));
    assert_eq!(deliver(60_000), Err(Refusal::TooLarge), "in two copies");
    let count = |user| boxes.read(user).map(|mail| mail.len());
    assert_eq!([0, 1, 2].map(count), [Ok(1), Ok(1), Ok(0)]);
    assert_eq!(boxes.delete(0, &[0]), Ok(()));
    assert_eq!([0, 1].map(count), [Ok(0), Ok(1)]);

    boxes.store.clone().close().expect("it has not stopped");
    assert_eq!(deliver(100), Err(Refusal::Stopped));
    assert_eq!(boxes.delete(1, &[0]), Err(Refusal::Stopped));
}
