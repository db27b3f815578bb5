//! Which record an operation uses, and how long fields and scans are.

use clap::ValueEnum;
use rand::{RngExt, rngs::SmallRng};
use rand_distr::{Distribution as _, Zipf};

/// How the records that operations use are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Distribution {
    /// All loaded records alike.
    Uniform,
    /// A few are hot, scattered over all records, new ones included.
    Zipfian,
    /// The newest are hot.
    Latest,
    /// The first ones are hot, and all of them alike.
    Hotspot,
    /// The newer, the hotter: each is used less often than the one after it, by the same factor.
    Exponential,
    /// One after the other, from the first one on, and again.
    Sequential,
}

/// The parameters of the distributions that have no theta.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skew {
    /// The share of the loaded records that are hot in a hotspot.
    pub hot_records: f64,
    /// The share of the operations that use these.
    pub hot_operations: f64,
    /// So many percent of the operations of the exponential distribution use the newest records,
    /// ...
    pub percentile: f64,
    /// ... so many of them, as a share of those loaded.
    pub fraction: f64,
}

impl Default for Skew {
    /// YCSB's own defaults.
    fn default() -> Self {
        Self {
            hot_records: 0.2,
            hot_operations: 0.8,
            percentile: 95.0,
            fraction: 0.857_142_857_1,
        }
    }
}

/// How the lengths of fields or scans are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthDistribution {
    /// Always the longest.
    Constant,
    /// From the shortest to the longest, all alike.
    Uniform,
    /// The shortest is the most frequent.
    Zipfian,
}

/// Ranks from 0, the most frequent, up to a number of items, in proportion to 1 / (rank + 1) to the
/// power of theta.
#[derive(Clone, Debug)]
struct Ranks {
    items: u64,
    zipf: Zipf<f64>,
}

/// Nearer to 1, the sampler divides so small a difference by another one that few digits are left
/// of either. An exponent of 1 changes the weight of the last of `u64::MAX` ranks by less than a
/// millionth in place of it.
const NEARLY_1: f64 = 1e-8;

impl Ranks {
    fn new(items: u64, theta: f64) -> Self {
        let is_1 = (theta - 1.0).abs() < NEARLY_1;
        let theta = if is_1 { 1.0 } else { theta };
        let zipf = Zipf::new(items as f64, theta).expect("items and a theta that is not negative");
        Self { items, zipf }
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sample is a whole number above 0"
    )]
    fn draw(&self, random: &mut SmallRng) -> u64 {
        // The inverse of the cumulative distribution is rounded: it can come out above the last
        // item.
        (self.zipf.sample(random) as u64 - 1).min(self.items - 1)
    }
}

/// Chooses records that are there. Records count from 0 in the order they were inserted in.
#[derive(Clone, Debug)]
pub struct Chooser {
    distribution: Distribution,
    loaded: u64,
    theta: f64,
    skew: Skew,
    ranks: Ranks,
    /// The next record of a sequence, and how far it is to the one after it.
    next: u64,
    stride: u64,
}

/// So many times the zipfian distribution draws again. YCSB has no bound; but where hardly a record
/// is there of those expected, it can be that no rank at all falls on one.
const REDRAWS: usize = 1_000;

impl Chooser {
    /// A chooser for a table that starts with `loaded` records and is expected to grow by
    /// `inserts`; the `k`th hottest is used with a probability in proportion to 1 / k to the power
    /// of `theta`.
    ///
    /// # Panics
    /// If `loaded` is 0 or `theta` is negative.
    pub fn new(distribution: Distribution, loaded: u64, inserts: u64, theta: f64) -> Self {
        let ranked = match distribution {
            // The final number from the start: were it the number now, every insert would make
            // other records the hot ones.
            Distribution::Zipfian => loaded.saturating_add(inserts),
            _ => loaded,
        };
        Self {
            distribution,
            loaded,
            theta,
            skew: Skew::default(),
            ranks: Ranks::new(ranked, theta),
            next: 0,
            stride: 1,
        }
    }

    /// With other parameters than YCSB's defaults. A share is from 0 to 1, and drawing panics if
    /// that of the hot operations is not.
    #[must_use]
    pub fn with_skew(mut self, skew: Skew) -> Self {
        self.skew = skew;
        self
    }

    /// The chooser of one of so many threads, which go through a sequence together: each takes its
    /// own records of it, whatever the others do.
    #[must_use]
    pub fn of_thread(mut self, thread: u64, threads: u64) -> Self {
        (self.next, self.stride) = (thread, threads);
        self
    }

    /// A record below `committed`, the number of records now, which never falls below the number
    /// loaded.
    #[inline]
    pub fn choose(&mut self, random: &mut SmallRng, committed: u64) -> u64 {
        match self.distribution {
            Distribution::Uniform => random.random_range(0..self.loaded),
            Distribution::Zipfian => {
                let mut record = 0;
                for _ in 0..=REDRAWS {
                    record = fnv1a(self.ranks.draw(random)) % self.ranks.items;
                    if record < committed {
                        return record;
                    }
                }
                record % committed
            }
            Distribution::Latest => {
                if self.ranks.items != committed {
                    self.ranks = Ranks::new(committed, self.theta);
                }
                committed - 1 - self.ranks.draw(random)
            }
            Distribution::Hotspot => self.hotspot(random),
            Distribution::Exponential => committed - 1 - self.age(random, committed),
            Distribution::Sequential => {
                let record = self.next % self.loaded;
                self.next = (record + self.stride) % self.loaded;
                record
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of the records loaded"
    )]
    fn hotspot(&self, random: &mut SmallRng) -> u64 {
        let hot = ((self.loaded as f64 * self.skew.hot_records) as u64).min(self.loaded);
        let is_hot = random.random_bool(self.skew.hot_operations);
        // One of the two may be empty.
        if hot == self.loaded || is_hot && hot > 0 {
            random.random_range(0..hot)
        } else {
            random.random_range(hot..self.loaded)
        }
    }

    /// How many of `committed` records are newer than the one that the exponential distribution
    /// draws. YCSB draws again until there are that many, and so from what the inverse of this part
    /// of the cumulative distribution gives at once.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates, and the logarithm is not above 0"
    )]
    fn age(&self, random: &mut SmallRng, committed: u64) -> u64 {
        let newest = self.loaded as f64 * self.skew.fraction;
        // Not above 0.
        let rate = (-self.skew.percentile / 100.0).ln_1p() / newest;
        let share = random.random::<f64>() * (rate * committed as f64).exp_m1();
        ((share.ln_1p() / rate) as u64).min(committed - 1)
    }
}

/// The exponent of YCSB's zipfian lengths.
const LENGTH_THETA: f64 = 0.99;

/// Draws lengths.
#[derive(Clone, Debug)]
pub struct Lengths {
    shortest: u64,
    longest: u64,
    ranks: Option<Ranks>,
}

impl Lengths {
    /// Lengths from `shortest` to `longest`.
    ///
    /// # Panics
    /// If `shortest` is above `longest` and lengths vary.
    pub fn new(distribution: LengthDistribution, shortest: u64, longest: u64) -> Self {
        let shortest = match distribution {
            LengthDistribution::Constant => longest,
            LengthDistribution::Uniform | LengthDistribution::Zipfian => shortest,
        };
        assert!(shortest <= longest, "{shortest} is above {longest}");
        let zipfian = distribution == LengthDistribution::Zipfian;
        Self {
            shortest,
            longest,
            ranks: zipfian.then(|| Ranks::new(longest - shortest + 1, LENGTH_THETA)),
        }
    }

    /// The mean length, nearly.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not above the longest"
    )]
    pub(super) fn mean(&self) -> u64 {
        let span = self.longest - self.shortest;
        if self.ranks.is_none() {
            return self.shortest + span / 2;
        }
        // As if theta were 1: n ranks by the sum of their weights, which is ln n and Euler's
        // constant.
        let items = span as f64 + 1.0;
        self.shortest + (items / (items.ln() + 0.577)) as u64
    }

    /// A length.
    pub fn draw(&self, random: &mut SmallRng) -> u64 {
        match &self.ranks {
            Some(ranks) => self.shortest + ranks.draw(random),
            None => random.random_range(self.shortest..=self.longest),
        }
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
mod tests;
