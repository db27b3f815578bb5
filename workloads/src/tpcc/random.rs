//! The random data of clauses 2.1.6 and 4.3.2.

use super::schema::{Address, Scale};
use super::text::Text;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::ops::RangeInclusive;

/// The run-time constants C of the non-uniform distribution (clause 2.1.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constants {
    /// For `C_LAST` in the initial population.
    pub load_last: u32,
    /// For `C_LAST` in the run.
    pub last: u32,
    /// For `C_ID`.
    pub customer: u32,
    /// For `OL_I_ID`.
    pub item: u32,
}

impl Constants {
    /// Draws them; the two for `C_LAST` differ by 65 to 119, but neither by 96 nor by 112.
    pub fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let load_last = random.random_range(0..=255);
        let last = loop {
            let last: u32 = random.random_range(0..=255);
            let delta = last.abs_diff(load_last);
            if (65..=119).contains(&delta) && delta != 96 && delta != 112 {
                break last;
            }
        };
        Self {
            load_last,
            last,
            customer: random.random_range(0..=1023),
            item: random.random_range(0..=8191),
        }
    }
}

/// A source of random data.
#[derive(Debug)]
pub struct Random {
    random: SmallRng,
    constants: Constants,
}

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SYLLABLES: [&str; 10] = [
    "BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING",
];

impl Random {
    /// A source of its own for each part of the work that runs in parallel.
    pub fn new(constants: Constants, seed: u64) -> Self {
        Self {
            random: SmallRng::seed_from_u64(seed),
            constants,
        }
    }

    /// Uniformly distributed.
    #[inline]
    pub fn uniform<T: rand::distr::uniform::SampleUniform + PartialOrd>(
        &mut self,
        range: RangeInclusive<T>,
    ) -> T {
        self.random.random_range(range)
    }

    /// True in so many cases of a hundred.
    #[inline]
    pub fn percent(&mut self, percent: u8) -> bool {
        self.uniform(0..=99) < percent
    }

    /// NURand(A, x, y) with the constant C (clause 2.1.6).
    #[inline]
    pub fn nurand(&mut self, a: u32, range: RangeInclusive<u32>, c: u32) -> u32 {
        let (x, y) = (*range.start(), *range.end());
        ((self.uniform(0..=a) | self.uniform(x..=y)) + c) % (y - x + 1) + x
    }

    /// `C_ID`
    #[inline]
    pub fn customer(&mut self, scale: &Scale) -> u32 {
        self.nurand(1023, 1..=scale.customers, self.constants.customer)
    }

    /// `OL_I_ID`
    #[inline]
    pub fn item(&mut self, scale: &Scale) -> u32 {
        self.nurand(8191, 1..=scale.items, self.constants.item)
    }

    /// `C_LAST` for a transaction: one that each district has.
    #[inline]
    pub fn last_name(&mut self, scale: &Scale) -> Text<16> {
        last_name(self.nurand(255, 0..=scale.last_names() - 1, self.constants.last))
    }

    /// `C_LAST` of a customer of the initial population (clause 4.3.3.1).
    pub fn loaded_last_name(&mut self, customer: u32, scale: &Scale) -> Text<16> {
        let number = if customer <= scale.last_names() {
            customer - 1
        } else {
            self.nurand(255, 0..=999, self.constants.load_last)
        };
        last_name(number)
    }

    /// Random letters and digits of a random length (clause 4.3.2.2).
    pub fn letters<const N: usize>(&mut self, length: RangeInclusive<usize>) -> Text<N> {
        let length = self.uniform(length);
        let mut bytes = [0; N];
        for byte in &mut bytes[..length] {
            *byte = LETTERS[self.uniform(0..=LETTERS.len() - 1)];
        }
        Text::new(&bytes)
    }

    /// Random digits (clause 4.3.2.2).
    pub fn digits<const N: usize>(&mut self) -> Text<N> {
        let mut bytes = [0; N];
        bytes.fill_with(|| self.uniform(b'0'..=b'9'));
        Text::new(&bytes)
    }

    /// `C_DATA`
    pub fn customer_data(&mut self) -> String {
        let length = self.uniform(300..=500);
        let letter = |_| char::from(LETTERS[self.uniform(0..=LETTERS.len() - 1)]);
        (0..length).map(letter).collect()
    }

    /// `I_DATA` or `S_DATA`: one of ten has "ORIGINAL" somewhere (clause 4.3.3.1).
    pub fn data(&mut self) -> Text<50> {
        let data = self.letters(26..=50);
        if !self.percent(10) {
            return data;
        }
        let mut bytes = data.bytes().to_vec();
        let at = self.uniform(0..=bytes.len() - ORIGINAL.len());
        bytes[at..at + ORIGINAL.len()].copy_from_slice(ORIGINAL);
        Text::new(&bytes)
    }

    /// An address; the zip code is four digits and 11111 (clause 4.3.2.7).
    pub fn address(&mut self) -> Address {
        let zip: Text<4> = self.digits();
        Address {
            streets: [self.letters(10..=20), self.letters(10..=20)],
            city: self.letters(10..=20),
            state: self.letters(2..=2),
            zip: Text::new(format!("{zip}11111").as_bytes()),
        }
    }

    /// The numbers from 1 to `n` in a random order.
    pub fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = (1..=n).collect();
        for last in (1..numbers.len()).rev() {
            let other = self.uniform(0..=last);
            numbers.swap(last, other);
        }
        numbers
    }

    /// A number from 1 to `n` that is not `except`, or `except` if there is no other.
    #[inline]
    pub fn other(&mut self, n: u32, except: u32) -> u32 {
        if n == 1 {
            return except;
        }
        let number = self.uniform(1..=n - 1);
        number + u32::from(number >= except)
    }

    /// Exponentially distributed with this mean, cut off at ten times it (clause 5.2.5.4).
    pub fn exponential(&mut self, mean: f64) -> f64 {
        // Above 0, whose logarithm is infinite.
        let random = 1.0 - self.random.random::<f64>();
        (-random.ln() * mean).min(10.0 * mean)
    }
}

/// What marks an item as an original.
pub const ORIGINAL: &[u8; 8] = b"ORIGINAL";

/// The last name of a number below 1,000: a syllable for each digit (clause 4.3.2.3).
pub fn last_name(number: u32) -> Text<16> {
    let digit = |unit: u32| SYLLABLES[(number / unit % 10) as usize].as_bytes();
    Text::new(&[digit(100), digit(10), digit(1)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(seed: u64) -> Random {
        Random::new(Constants::new(seed), seed)
    }

    #[test]
    fn last_names_are_made_of_syllables() {
        assert_eq!(last_name(371).to_string(), "PRICALLYOUGHT");
        assert_eq!(last_name(0).to_string(), "BARBARBAR");
        assert_eq!(last_name(999).to_string(), "EINGEINGEING");
        assert_eq!(last_name(777).bytes().len(), 15);
    }

    #[test]
    fn the_constants_keep_their_distance() {
        for seed in 0..1_000 {
            let constants = Constants::new(seed);
            let delta = constants.last.abs_diff(constants.load_last);
            assert!((65..=119).contains(&delta) && delta != 96 && delta != 112);
            assert!(constants.customer <= 1023 && constants.item <= 8191);
        }
    }

    #[test]
    fn nurand_stays_within_bounds_and_is_skewed() {
        let mut random = random(1);
        let mut counts = vec![0_u32; 3_001];
        for _ in 0..300_000 {
            counts[random.nurand(1023, 1..=3_000, 259) as usize] += 1;
        }
        assert_eq!(counts[0], 0);
        // Uniformly, the busiest tenth would have a tenth of all; the bitwise or makes numbers with
        // many ones frequent.
        counts.sort_unstable_by(|left, right| right.cmp(left));
        let busiest: u32 = counts[..300].iter().sum();
        assert!((75_000..240_000).contains(&busiest), "{busiest}");
        assert!(counts[2_900] < 30, "{}", counts[2_900]);
    }

    #[test]
    fn nurand_adds_its_constant_within_the_range() {
        let draw = |c| {
            let mut random = random(7);
            (0..1_000)
                .map(|_| random.nurand(255, 0..=999, c))
                .collect::<Vec<_>>()
        };
        let shifted: Vec<_> = draw(0)
            .iter()
            .map(|number| (number + 123) % 1_000)
            .collect();
        assert_eq!(draw(123), shifted);
    }

    #[test]
    fn strings_have_their_length_and_letters() {
        let mut random = random(2);
        for _ in 0..1_000 {
            let text: Text<24> = random.letters(14..=24);
            assert!((14..=24).contains(&text.bytes().len()));
            assert!(text.bytes().iter().all(u8::is_ascii_alphanumeric));
            let digits: Text<16> = random.digits();
            assert_eq!(digits.bytes().len(), 16);
            assert!(digits.bytes().iter().all(u8::is_ascii_digit));
            let zip = random.address().zip.to_string();
            assert!(zip.len() == 9 && zip.ends_with("11111"), "{zip}");
            assert!((300..=500).contains(&random.customer_data().len()));
        }
    }

    #[test]
    fn one_of_ten_is_original() {
        let mut random = random(3);
        let data: Vec<_> = (0..10_000).map(|_| random.data()).collect();
        assert!(
            data.iter()
                .all(|data| (26..=50).contains(&data.bytes().len()))
        );
        let originals = data.iter().filter(|data| data.contains(ORIGINAL)).count();
        assert!((900..1_100).contains(&originals), "{originals}");
    }

    #[test]
    fn a_permutation_has_each_number_once() {
        let mut numbers = random(4).permutation(100);
        assert!(!numbers.is_sorted());
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(1..=100));
    }

    #[test]
    fn another_number_is_another_number() {
        let mut random = random(5);
        for except in 1..=3 {
            let others: std::collections::BTreeSet<_> =
                (0..100).map(|_| random.other(3, except)).collect();
            assert!(
                others
                    .into_iter()
                    .eq((1..=3).filter(|number| *number != except))
            );
        }
        assert_eq!(random.other(1, 1), 1);
    }

    #[test]
    fn think_times_have_their_mean_and_an_end() {
        let mut random = random(6);
        let times: Vec<_> = (0..100_000).map(|_| random.exponential(12.0)).collect();
        assert!(times.iter().all(|time| (0.0..=120.0).contains(time)));
        let mean = times.iter().sum::<f64>() / 1e5;
        assert!((11.8..12.2).contains(&mean), "{mean}");
    }
}
