//! All programs of a small size.

use crate::history::Kind;
use crate::operation::{Key, POINTS};
use crate::program::{Body, Program, Range, Step};

/// How many programs [`programs`] gives.
///
/// With k keys there are 4 k + 1 steps (get, put, delete and update of each key, one scan), k + 1 of which only read, so there are
/// (4 k + 1) + (4 k + 1)² lists of one or two steps, (k + 1) + (k + 1)² of which only read and can be run in three ways instead of one.
/// That is 30 + 2 · 6 = 42 transactions for one key, and 90 + 2 · 12 = 114 for two. Two threads are alike, so n transactions make
/// n (n + 1) / 2 pairs: 903 and 6555. Each is run on an empty table and on a full one.
pub const PROGRAMS: usize = 2 * (903 + 6555);

/// Every program of two transactions with one or two steps each on one or two keys of the table for points.
///
/// Those on two keys include some that differ from one on one key by the other's being there, and by names.
pub fn programs() -> impl Iterator<Item = Program> {
    (1..=2).flat_map(|keys| {
        let bodies = bodies(keys);
        let pairs =
            (0..bodies.len()).flat_map(|first| (0..=first).map(move |second| (first, second)));
        let programs = pairs.flat_map(move |(first, second)| {
            [0, keys].map(|rows| Program {
                seed: 0,
                initial: (0..rows).map(Key::point).collect(),
                threads: vec![vec![bodies[first].clone()], vec![bodies[second].clone()]],
            })
        });
        programs.collect::<Vec<_>>()
    })
}

fn bodies(keys: u32) -> Vec<Body> {
    let keys = (0..keys).map(Key::point);
    let mut steps: Vec<_> = keys
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
