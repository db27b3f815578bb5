//! Which record an operation uses.

use clap::ValueEnum;
use rand::{RngExt, rngs::SmallRng};
use rand_distr::{Distribution as _, Zipf};

/// How the records that operations use are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Distribution {
    /// All alike.
    Uniform,
    /// A few are hot, scattered over all records.
    Zipfian,
    /// The newest are hot.
    Latest,
}

/// Chooses record numbers.
#[derive(Clone, Debug)]
pub struct Chooser {
    distribution: Distribution,
    zipf: Zipf<f64>,
}

impl Chooser {
    /// A chooser for a table that starts with `records` records; the `k`th hottest is used with a probability in proportion to
    /// 1 / k to the power of `theta`.
    ///
    /// # Panics
    /// If `records` is 0 or `theta` is negative.
    pub fn new(distribution: Distribution, records: u64, theta: f64) -> Self {
        let zipf =
            Zipf::new(records as f64, theta).expect("records and a theta that is not negative");
        Self { distribution, zipf }
    }

    /// A record number below `records`, the number of records now. Zipfian ranks are drawn from the number at the start.
    #[inline]
    pub fn choose(&self, random: &mut SmallRng, records: u64) -> u64 {
        match self.distribution {
            Distribution::Uniform => random.random_range(0..records),
            Distribution::Zipfian => fnv1a(self.rank(random)) % records,
            Distribution::Latest => records - 1 - self.rank(random).min(records - 1),
        }
    }

    /// From 0, the hottest.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sample is a whole number from 1 to the number of records"
    )]
    fn rank(&self, random: &mut SmallRng) -> u64 {
        self.zipf.sample(random) as u64 - 1
    }
}

/// The 64-bit FNV-1a hash of a number's eight bytes, which scatters records over the key space.
#[inline]
pub fn fnv1a(number: u64) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    number
        .to_le_bytes()
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const SAMPLES: u32 = 200_000;

    fn histogram(distribution: Distribution, records: u64, theta: f64) -> Vec<f64> {
        let chooser = Chooser::new(distribution, records, theta);
        let mut random = SmallRng::seed_from_u64(7);
        let mut counts = vec![0.0; usize::try_from(records).expect("small")];
        for _ in 0..SAMPLES {
            let record = chooser.choose(&mut random, records);
            counts[usize::try_from(record).expect("small")] += 1.0;
        }
        counts
    }

    /// Pearson's statistic stays below its 99.99 % quantile, about n + 5.3 sqrt(n) for n = 99.
    fn assert_fits(counts: &[f64], probability: impl Fn(usize) -> f64) {
        let statistic: f64 = counts
            .iter()
            .enumerate()
            .map(|(i, count)| {
                let expected = probability(i) * f64::from(SAMPLES);
                (count - expected).powi(2) / expected
            })
            .sum();
        assert!(statistic < 152.0, "{statistic}");
    }

    #[test]
    fn latest_follows_the_zipfian_formula_from_the_newest() {
        for theta in [0.2, 0.85, 0.99] {
            let weight = |rank: usize| 1.0 / (rank as f64 + 1.0).powf(theta);
            let sum: f64 = (0..100).map(weight).sum();
            let counts = histogram(Distribution::Latest, 100, theta);
            assert_fits(&counts, |record| weight(99 - record) / sum);
        }
    }

    #[test]
    fn uniform_is_uniform() {
        assert_fits(&histogram(Distribution::Uniform, 100, 0.5), |_| 0.01);
    }

    #[test]
    fn zipfian_scatters_the_hot_records() {
        let counts = histogram(Distribution::Zipfian, 1_000, 0.99);
        let hottest = (0..1_000).max_by(|&a, &b| counts[a].total_cmp(&counts[b]));
        assert_eq!(hottest.map(|record| record as u64), Some(fnv1a(0) % 1_000));
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // Of eight zero bytes: the offset basis times the prime to the power of 8.
        let prime = 0x0100_0000_01b3_u64;
        let expected = 0xcbf2_9ce4_8422_2325_u64.wrapping_mul(prime.wrapping_pow(8));
        assert_eq!(fnv1a(0), expected);
    }
}
