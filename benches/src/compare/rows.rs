//! The rows: what transactions do, and on which keys.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::ops::RangeInclusive;
use workloads::ycsb::{Chooser, Distribution, fnv1a};

/// The size of a value in bytes.
pub(super) const VALUE: usize = 100;

/// A value, which every engine stores inline or in one piece.
pub(super) type Value = [u8; VALUE];

/// Keys that a scan reads.
pub(super) const SCAN: usize = 100;
/// For each thread, as many operations are drawn ahead as there are keys, within these bounds. They
/// run in a circle.
const DRAWN: (usize, usize) = (1 << 12, 1 << 20);
/// Of scans, fewer by this factor.
const FEWER_SCANS: usize = 16;
/// Of the first values.
const FIRST: u8 = 0x5a;

/// Something that not every engine can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// Keys in ascending order.
    Order,
    /// A state that is kept while others write.
    Snapshots,
    /// New keys in a table in use.
    Inserts,
}

/// What is done with a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Reads its value.
    Read,
    /// Gives it another value without reading the one it has.
    Update,
    /// Gives a new key its first value.
    Insert,
}

/// An operation.
#[derive(Clone, Copy)]
pub(super) struct Op {
    pub(super) key: u64,
    pub(super) action: Action,
    fill: u8,
}

impl Op {
    pub(super) fn read(key: u64) -> Self {
        Self {
            key,
            action: Action::Read,
            fill: 0,
        }
    }

    pub(super) fn update(key: u64, fill: u8) -> Self {
        Self {
            key,
            action: Action::Update,
            fill,
        }
    }

    pub(super) fn insert(key: u64) -> Self {
        Self {
            key,
            action: Action::Insert,
            fill: FIRST,
        }
    }

    /// The value to be written.
    #[inline]
    pub(super) fn value(&self) -> Value {
        [self.fill; VALUE]
    }
}

/// How the keys of a row's operations are chosen.
#[derive(Clone, Copy)]
enum Choice {
    Uniform,
    Zipfian(f64),
    /// Always the same.
    One,
}

#[derive(Clone, Copy)]
enum Kind {
    Mix {
        /// The share of reads, in percent.
        reads: u8,
        /// Operations of a transaction.
        ops: usize,
        choice: Choice,
    },
    Scans,
    Inserts,
}

/// What an engine holds when a row begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    /// The keys; shared by all such rows.
    Filled,
    /// The keys, for scans.
    Ordered,
    /// Nothing, for each sample anew.
    Empty,
}

/// A row of the comparison.
pub(super) struct Row {
    /// What `--rows` takes.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    kind: Kind,
    /// Whether a snapshot is held meanwhile.
    pub(super) held: bool,
}

const fn mix(
    name: &'static str,
    title: &'static str,
    reads: u8,
    ops: usize,
    choice: Choice,
) -> Row {
    Row {
        name,
        title,
        kind: Kind::Mix { reads, ops, choice },
        held: false,
    }
}

const UNIFORM: Choice = Choice::Uniform;

/// All rows, in the order of the report.
#[rustfmt::skip]
pub(super) const ROWS: [Row; 12] = [
    mix("uniform-100", "one operation, uniform, 100 % reads", 100, 1, UNIFORM),
    mix("uniform-50", "one operation, uniform, 50 % reads", 50, 1, UNIFORM),
    mix("uniform-0", "one operation, uniform, updates", 0, 1, UNIFORM),
    mix("zipf85-100", "four operations, zipfian 0.85, 100 % reads", 100, 4, Choice::Zipfian(0.85)),
    mix("zipf85-80", "four operations, zipfian 0.85, 80 % reads", 80, 4, Choice::Zipfian(0.85)),
    mix("zipf85-50", "four operations, zipfian 0.85, 50 % reads", 50, 4, Choice::Zipfian(0.85)),
    mix("zipf85-0", "four operations, zipfian 0.85, updates", 0, 4, Choice::Zipfian(0.85)),
    mix("zipf95-50", "four operations, zipfian 0.95, 50 % reads", 50, 4, Choice::Zipfian(0.95)),
    mix("hot-key", "one operation, all threads read the same key", 100, 1, Choice::One),
    Row { held: true, ..mix("snapshot-50", "as uniform-50, with a snapshot held all the while", 50, 1, UNIFORM) },
    Row { name: "scan-100", title: "a scan of 100 ascending keys from a uniform one", kind: Kind::Scans, held: false },
    Row { name: "insert", title: "one insert of a new key, into a table that begins empty", kind: Kind::Inserts, held: false },
];

/// What a thread does.
pub(super) enum Plan {
    /// Transactions of so many operations, in a circle.
    Circle(Vec<Op>, usize),
    /// Scans, in a circle.
    Scans(Vec<RangeInclusive<u64>>),
    /// Transactions of one operation, once.
    Once(Vec<Op>),
}

impl Row {
    pub(super) fn setup(&self) -> Setup {
        match self.kind {
            Kind::Mix { .. } => Setup::Filled,
            Kind::Scans => Setup::Ordered,
            Kind::Inserts => Setup::Empty,
        }
    }

    /// What not every engine can do.
    pub(super) fn need(&self) -> Option<Need> {
        match self.kind {
            Kind::Mix { .. } => self.held.then_some(Need::Snapshots),
            Kind::Scans => Some(Need::Order),
            Kind::Inserts => Some(Need::Inserts),
        }
    }

    /// Draws what each thread does.
    pub(super) fn draw(&self, keys: &Keys, threads: usize, seed: u64) -> Vec<Plan> {
        let random = |thread| SmallRng::seed_from_u64(seed << 16 | thread as u64);
        let draw = |thread| match self.kind {
            Kind::Mix { reads, ops, choice } => {
                Plan::Circle(keys.mix(reads, ops, choice, &mut random(thread)), ops)
            }
            Kind::Scans => Plan::Scans(keys.ranges(&mut random(thread))),
            Kind::Inserts => {
                let dealt = keys.unordered.iter().skip(thread).step_by(threads);
                Plan::Once(dealt.map(|&key| Op::insert(key)).collect())
            }
        };
        (0..threads).map(draw).collect()
    }
}

/// The keys that are loaded.
pub(super) struct Keys {
    pub(super) unordered: Vec<u64>,
    ascending: Vec<u64>,
}

impl Keys {
    /// So many, hashed as in YCSB.
    pub(super) fn new(count: u64) -> Self {
        let unordered: Vec<u64> = (0..count).map(fnv1a).collect();
        let mut ascending = unordered.clone();
        ascending.sort_unstable();
        assert!(
            ascending.windows(2).all(|pair| pair[0] < pair[1]),
            "the hash of record numbers does not collide"
        );
        Self {
            unordered,
            ascending,
        }
    }

    fn drawn(&self) -> usize {
        self.unordered.len().clamp(DRAWN.0, DRAWN.1)
    }

    /// Transactions of so many operations, on keys that differ within one.
    fn mix(&self, reads: u8, ops: usize, choice: Choice, random: &mut SmallRng) -> Vec<Op> {
        let records = self.unordered.len() as u64;
        let (distribution, theta) = match choice {
            Choice::Uniform | Choice::One => (Distribution::Uniform, 0.0),
            Choice::Zipfian(theta) => (Distribution::Zipfian, theta),
        };
        let mut chooser = Chooser::new(distribution, records, 0, theta);
        let count = self.drawn().next_multiple_of(ops);
        let mut drawn: Vec<Op> = Vec::with_capacity(count);
        while drawn.len() < count {
            let key = match choice {
                Choice::One => self.unordered[0],
                Choice::Uniform | Choice::Zipfian(_) => fnv1a(chooser.choose(random, records)),
            };
            let transaction = &drawn[drawn.len() / ops * ops..];
            if transaction.iter().any(|op| op.key == key) {
                continue;
            }
            drawn.push(if random.random_range(0..100) < reads {
                Op::read(key)
            } else {
                Op::update(key, random.random())
            });
        }
        drawn
    }

    fn ranges(&self, random: &mut SmallRng) -> Vec<RangeInclusive<u64>> {
        let mut range = || {
            let first = random.random_range(0..=self.ascending.len() - SCAN);
            self.ascending[first]..=self.ascending[first + SCAN - 1]
        };
        (0..self.drawn() / FEWER_SCANS).map(|_| range()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_has_its_share_of_reads() {
        let keys = Keys::new(100_000);
        for row in &ROWS {
            let Kind::Mix { reads, .. } = row.kind else {
                continue;
            };
            for plan in row.draw(&keys, 2, 1) {
                let Plan::Circle(ops, _) = plan else {
                    panic!("{} draws no mix", row.name)
                };
                let read = ops.iter().filter(|op| op.action == Action::Read).count();
                let share = 100.0 * read as f64 / ops.len() as f64;
                assert!((share - f64::from(reads)).abs() < 1.0, "{share}");
            }
        }
    }

    #[test]
    fn ranges_hold_the_keys_of_a_scan() {
        let keys = Keys::new(1_000);
        for range in keys.ranges(&mut SmallRng::seed_from_u64(1)) {
            let inside = keys.unordered.iter().filter(|key| range.contains(*key));
            assert_eq!(inside.count(), SCAN);
        }
    }

    #[test]
    fn every_key_is_inserted_once() {
        let keys = Keys::new(1_001);
        let insert = ROWS.iter().find(|row| row.name == "insert");
        let mut inserted: Vec<u64> = Vec::new();
        for plan in insert.expect("a row").draw(&keys, 3, 1) {
            let Plan::Once(ops) = plan else {
                panic!("inserts run once")
            };
            inserted.extend(ops.iter().map(|op| op.key));
        }
        inserted.sort_unstable();
        assert_eq!(inserted, keys.ascending);
    }
}
