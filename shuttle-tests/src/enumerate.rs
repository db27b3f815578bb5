//! All programs of a small size.

use crate::history::Kind;
use crate::operation::{Key, POINTS};
use crate::program::{Body, Program, Range, Step};

/// How many programs [`programs`] gives.
///
/// There are 9 steps: get, put, delete and update of each of two keys, and a scan. So there are 9 + 9² = 90 lists of one or two steps,
/// 3 + 3² = 12 of which only read and can be run in three ways instead of one: 90 + 2 · 12 = 114 transactions. Two threads are alike, so they
/// make 114 · 115 / 2 = 6555 pairs. Each is run on an empty table, on one row, and on two.
pub const PROGRAMS: usize = 3 * 6555;

/// Every program of two transactions with one or two steps each on two keys of the table for points.
pub fn programs() -> impl Iterator<Item = Program> {
    let bodies = bodies();
    let pairs = (0..bodies.len()).flat_map(|first| (0..=first).map(move |second| (first, second)));
    pairs.flat_map(move |(first, second)| {
        [0, 1, 2].map(|rows| Program {
            seed: 0,
            initial: KEYS[..rows].to_vec(),
            threads: vec![vec![bodies[first].clone()], vec![bodies[second].clone()]],
        })
    })
}

const KEYS: [Key; 2] = [
    Key {
        table: POINTS,
        key: 0,
    },
    Key {
        table: POINTS,
        key: 1,
    },
];

fn bodies() -> Vec<Body> {
    let mut steps: Vec<_> = KEYS
        .into_iter()
        .flat_map(|key| {
            [
                Step::Get(key),
                Step::Insert(key),
                Step::Remove(key),
                Step::Update(key),
            ]
        })
        .collect();
    steps.push(Step::Scan(Range::all(POINTS)));
    let pairs = steps
        .iter()
        .flat_map(|&first| steps.iter().map(move |&second| vec![first, second]));
    let lists = steps.iter().map(|&step| vec![step]).chain(pairs);
    lists.flat_map(run_in_all_ways).collect()
}

fn run_in_all_ways(steps: Vec<Step>) -> impl Iterator<Item = Body> {
    let kinds: &[Kind] = if steps.iter().any(|step| step.writes()) {
        &[Kind::Begin]
    } else {
        &[Kind::Begin, Kind::View, Kind::Snapshot]
    };
    kinds.iter().map(move |&kind| Body {
        kind,
        steps: steps.clone(),
        gives_up: false,
    })
}
