use super::*;
use rand::SeedableRng;

#[test]
fn a_message_says_which_it_is_unless_a_byte_is_another() {
    let mut random = SmallRng::seed_from_u64(1);
    let id = Id {
        writer: 7,
        number: 9,
    };
    for length in [0, 12, 13, 100] {
        let message = id.message(3, length, &mut random);
        assert_eq!(message.len(), length.max(12));
        assert_eq!(Id::read(3, &message), Some(id));
        assert_eq!(Id::read(4, &message), None, "another user's");
        for at in 0..message.len() {
            let mut torn = message.to_vec();
            torn[at] ^= 1;
            assert_eq!(Id::read(3, &torn), None, "byte {at}");
            torn.truncate(at);
            assert_eq!(Id::read(3, &torn), None, "cut at {at}");
        }
    }
}

#[test]
fn realistic_sizes_have_their_median_and_their_bounds() {
    let mut random = SmallRng::seed_from_u64(2);
    let mut sizes: Vec<_> = (0..20_001)
        .map(|_| Profile::Realistic.draw(&mut random))
        .collect();
    sizes.sort_unstable();
    // Its logarithm has a standard error of 1.25 / sqrt(20001), some 0.9 %.
    assert!((970..1080).contains(&sizes[10_000]), "{}", sizes[10_000]);
    assert!(sizes[0] >= HEADER && sizes[20_000] <= LARGEST);
    assert_eq!(Profile::Published.draw(&mut random), 12);
}
