//! The distributions against their formulas.

use super::*;
use rand::SeedableRng;

const SAMPLES: u32 = 200_000;

/// How often each number below `bound` is drawn.
fn histogram(bound: u64, mut draw: impl FnMut(&mut SmallRng) -> u64) -> Vec<f64> {
    let mut random = SmallRng::seed_from_u64(7);
    let mut counts = vec![0.0; usize::try_from(bound).expect("small")];
    for _ in 0..SAMPLES {
        counts[usize::try_from(draw(&mut random)).expect("small")] += 1.0;
    }
    counts
}

fn weight(rank: usize, theta: f64) -> f64 {
    1.0 / (rank as f64 + 1.0).powf(theta)
}

/// Pearson's statistic stays below its 99.99 % quantile, which for n from 20 to 150 is below n +
/// 5.6 sqrt(n) + 8.
fn assert_fits(counts: &[f64], weights: &[f64]) {
    let sum: f64 = weights.iter().sum();
    let mut degrees = -1.0_f64;
    let mut statistic = 0.0;
    for (count, weight) in counts.iter().zip(weights) {
        let expected = weight / sum * f64::from(SAMPLES);
        if expected == 0.0 {
            assert!(*count == 0.0, "drawn {count} times, which cannot be");
            continue;
        }
        degrees += 1.0;
        statistic += (count - expected).powi(2) / expected;
    }
    let limit = degrees + 5.6 * degrees.sqrt() + 8.0;
    assert!(statistic < limit, "{statistic} of {limit}");
}

/// How frequent each of `records` records is when the ranks of `expected` are scattered over as
/// many.
fn scattered(records: usize, expected: usize, theta: f64) -> Vec<f64> {
    let mut weights = vec![0.0; expected];
    for rank in 0..expected {
        let record = fnv1a(rank as u64) % expected as u64;
        weights[usize::try_from(record).expect("small")] += weight(rank, theta);
    }
    weights.truncate(records);
    weights
}

#[test]
fn latest_follows_the_zipfian_formula_from_the_newest() {
    for theta in [0.2, 0.85, 0.99] {
        let mut chooser = Chooser::new(Distribution::Latest, 100, 0, theta);
        // The table grows: the formula is that of the number of records now.
        for records in [100, 130] {
            let counts = histogram(records, |random| chooser.choose(random, records));
            let records = counts.len();
            let weights: Vec<_> = (0..records)
                .map(|record| weight(records - 1 - record, theta))
                .collect();
            assert_fits(&counts, &weights);
        }
    }
}

#[test]
fn uniform_is_uniform_over_what_was_loaded() {
    let mut chooser = Chooser::new(Distribution::Uniform, 100, 50, 0.5);
    let counts = histogram(120, |random| chooser.choose(random, 120));
    assert_fits(&counts, &[vec![1.0; 100], vec![0.0; 20]].concat());
}

#[test]
fn zipfian_scatters_the_ranks_over_the_records() {
    for theta in [0.2, 0.85, 0.99] {
        let mut chooser = Chooser::new(Distribution::Zipfian, 100, 0, theta);
        let counts = histogram(100, |random| chooser.choose(random, 100));
        assert_fits(&counts, &scattered(100, 100, theta));
    }
}

#[test]
fn theta_next_to_1_is_as_skewed_as_1() {
    for distance in [
        1e-6,
        1e-7,
        2e-8,
        1e-8,
        1e-9,
        1e-12,
        1e-15,
        f64::EPSILON / 2.0,
    ] {
        let ranks = Ranks::new(100, 1.0 - distance);
        let counts = histogram(100, |random| ranks.draw(random));
        let weights: Vec<_> = (0..100).map(|rank| weight(rank, 1.0)).collect();
        assert_fits(&counts, &weights);
        // Of many, where what a digit is worth counts: by the integral of 1 / x, which is within 1
        // / n of the sums.
        let many = 1e15;
        let ranks = Ranks::new(1_000_000_000_000_000, 1.0 - distance);
        let mut random = SmallRng::seed_from_u64(7);
        let below = (0..SAMPLES).filter(|_| (ranks.draw(&mut random) as f64) < 1e6);
        let euler = 0.577_215_664_9;
        let expected = (1e6_f64.ln() + euler) / (f64::ln(many) + euler) * f64::from(SAMPLES);
        // Five standard deviations.
        let difference = (below.count() as f64 - expected).abs();
        assert!(
            difference < 5.0 * (expected * 0.6).sqrt(),
            "{distance}: {difference}"
        );
    }
}

#[test]
fn zipfian_draws_again_instead_of_a_record_that_is_not_there_yet() {
    let mut chooser = Chooser::new(Distribution::Zipfian, 60, 80, 0.99);
    for records in [60, 100, 140] {
        let counts = histogram(140, |random| chooser.choose(random, records));
        let there = usize::try_from(records).expect("small");
        let mut weights = scattered(there, 140, 0.99);
        weights.resize(140, 0.0);
        assert_fits(&counts, &weights);
    }
}

#[test]
fn zipfian_keeps_the_hot_record_while_the_table_grows() {
    let mut chooser = Chooser::new(Distribution::Zipfian, 1_000, 1_000, 0.99);
    let hottest = (0..).find_map(|rank| Some(fnv1a(rank) % 2_000).filter(|&it| it < 1_000));
    for records in [1_000, 1_003, 1_010] {
        let counts = histogram(records, |random| chooser.choose(random, records));
        let most = (0..1_000).max_by(|&a, &b| counts[a].total_cmp(&counts[b]));
        assert_eq!(most.map(|record| record as u64), hottest, "{records}");
    }
}

#[test]
fn hotspot_is_two_uniform_distributions() {
    for (hot_records, hot_operations, hot) in [
        (0.2, 0.8, 20),
        (0.5, 0.1, 50),
        (0.001, 0.9, 0),
        (1.0, 0.0, 100),
    ] {
        let skew = Skew {
            hot_records,
            hot_operations,
            ..Skew::default()
        };
        let mut chooser = Chooser::new(Distribution::Hotspot, 100, 50, 0.5).with_skew(skew);
        let counts = histogram(120, |random| chooser.choose(random, 120));
        let weight = |record| match (record, hot) {
            (100.., _) => 0.0,
            (_, 0 | 100) => 1.0,
            _ if record < hot => hot_operations / f64::from(hot),
            _ => (1.0 - hot_operations) / f64::from(100 - hot),
        };
        assert_fits(&counts, &(0..120).map(weight).collect::<Vec<_>>());
    }
}

#[test]
fn exponential_falls_by_a_factor_from_the_newest() {
    for (percentile, fraction) in [(95.0, 0.857_142_857_1), (50.0, 0.5), (1e-9, 3.0)] {
        let skew = Skew {
            percentile,
            fraction,
            ..Skew::default()
        };
        let mut chooser = Chooser::new(Distribution::Exponential, 60, 0, 0.5).with_skew(skew);
        for records in [60, 80] {
            let counts = histogram(records, |random| chooser.choose(random, records));
            // From the definition: this share of the operations uses the newest `fraction` of the
            // records loaded.
            let factor = (1.0 - percentile / 100.0_f64).powf(1.0 / (60.0 * fraction));
            let ages = (0..counts.len()).rev().map(|age| age as f64);
            assert_fits(
                &counts,
                &ages.map(|age| factor.powf(age)).collect::<Vec<_>>(),
            );
        }
    }
}

#[test]
fn threads_go_through_a_sequence_together() {
    let mut random = SmallRng::seed_from_u64(7);
    for (loaded, threads) in [(10, 1), (10, 3), (10, 5), (2, 3)] {
        let mut counts = vec![0; loaded];
        for thread in 0..threads {
            let all = Chooser::new(Distribution::Sequential, loaded as u64, 0, 0.5);
            let mut chooser = all.of_thread(thread, threads);
            for round in 0..loaded as u64 {
                let record = chooser.choose(&mut random, loaded as u64 + 5);
                assert_eq!(record, (thread + round * threads) % loaded as u64);
                counts[usize::try_from(record).expect("small")] += 1;
            }
        }
        assert_eq!(counts, vec![threads; loaded]);
    }
}

#[test]
fn a_table_that_has_hardly_begun_to_grow_still_has_records_to_choose() {
    let mut random = SmallRng::seed_from_u64(7);
    for expected in 1_000_000..1_000_010 {
        let mut chooser = Chooser::new(Distribution::Zipfian, 1, expected, 0.99);
        assert_eq!(chooser.choose(&mut random, 1), 0);
    }
}

#[test]
fn lengths_follow_their_distributions() {
    let draw = |distribution| {
        let lengths = Lengths::new(distribution, 3, 102);
        histogram(103, |random| lengths.draw(random))
    };
    let none = vec![0.0; 3];
    let uniform = draw(LengthDistribution::Uniform);
    assert_fits(&uniform, &[none.clone(), vec![1.0; 100]].concat());
    let zipfian: Vec<_> = (0..100).map(|rank| weight(rank, 0.99)).collect();
    assert_fits(
        &draw(LengthDistribution::Zipfian),
        &[none, zipfian].concat(),
    );
    for (distribution, counts) in [
        (LengthDistribution::Uniform, &uniform),
        (
            LengthDistribution::Zipfian,
            &draw(LengthDistribution::Zipfian),
        ),
    ] {
        let lengths = (0..103).map(f64::from).zip(counts);
        let sum: f64 = lengths.map(|(length, count)| length * count).sum();
        let mean = Lengths::new(distribution, 3, 102).mean() as f64;
        assert!(
            (mean / (sum / f64::from(SAMPLES)) - 1.0).abs() < 0.05,
            "{mean}"
        );
    }
    let constant = draw(LengthDistribution::Constant);
    assert!((constant[102] - f64::from(SAMPLES)).abs() < 0.5);
}

#[test]
fn the_hash_is_fnv_1a() {
    // Of eight zero bytes: the offset basis times the prime to the power of 8.
    let prime = 0x0100_0000_01b3_u64;
    let expected = 0xcbf2_9ce4_8422_2325_u64.wrapping_mul(prime.wrapping_pow(8));
    assert_eq!(fnv1a(0), expected);
}
