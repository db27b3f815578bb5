use super::*;
use std::sync::Arc;

/// Mail of one writer, by number; `None` is torn.
fn mail(numbers: &[Option<u32>]) -> Vec<Mail> {
    let mut random = SmallRng::seed_from_u64(3);
    let message = |number: &Option<u32>| match number {
        Some(number) => {
            let id = Id {
                writer: 1,
                number: *number,
            };
            id.message(5, 20, &mut random)
        }
        None => Arc::from(&b"Hello world."[..]),
    };
    let mail = numbers.iter().map(message).zip(0..);
    mail.map(|(message, arrival)| Mail { arrival, message })
        .collect()
}

#[test]
fn what_is_torn_doubled_or_out_of_order_is_found() {
    let said = |numbers: &[Option<u32>]| identify(5, &mail(numbers)).err().unwrap_or_default();
    assert_eq!(said(&[]), "");
    assert_eq!(said(&[Some(1), Some(4), Some(9)]), "");
    assert_eq!(said(&[Some(1), None]), "message 1 of user 5 is torn");
    assert_eq!(
        said(&[Some(1), Some(2), Some(1)]),
        "message 1.1 of user 5 is there twice"
    );
    assert_eq!(
        said(&[Some(3), Some(2)]),
        "message 1.3 of user 5 stands before 1.2, which was delivered before it"
    );
}
