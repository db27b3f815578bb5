//! All programs of a small size.
//!
//! They have two transactions on a thread each, with one or two steps on two keys. The steps are
//! get, put, delete and update of each key, and scans. Transactions that only read are run in all
//! three ways. Each program is run on an empty table, on one row, and on two. What differs only by
//! the order of the threads, or by the names of keys where these make no difference, is one
//! program.

use crate::history::Kind;
use crate::operation::{Key, ORDERED, POINTS};
use crate::program::{Body, Ending, Program, Range, Step};

const KEYS: u32 = 2;

/// How many [`points`] there are.
///
/// There are 9 steps, so 9 + 9² = 90 lists of one or two of them, 3 + 3² = 12 of which only read:
/// 90 + 2 · 12 = 114 transactions, and 114 · 115 / 2 = 6555 pairs. On one row, each is a program.
/// On none or two, the keys can be exchanged; that makes the same pair of 75 of them.
pub const POINT_PROGRAMS: usize = 6555 + 2 * (6555 + 75) / 2;

/// Programs on the table for point access, with scans of the whole table.
pub fn points() -> impl Iterator<Item = Program> {
    programs(POINTS, &[Range::all(POINTS)]).filter(|program| {
        let exchanged = program.initial.len() != 1;
        !exchanged || sorted(program.threads.clone()) <= sorted(with_keys_exchanged(program))
    })
}

/// How many [`ranges`] there are: of the 6555 pairs, those of the 84 transactions without a scan
/// are left out, 84 · 85 / 2.
pub const RANGE_PROGRAMS: usize = 3 * (6555 - 3570);

/// Programs on the ordered table, with scans of the whole table, and at least one of them.
pub fn ranges() -> impl Iterator<Item = Program> {
    programs(ORDERED, &[Range::all(ORDERED)]).filter(|program| {
        let mut steps = program
            .threads
            .iter()
            .flatten()
            .flat_map(|body| &body.steps);
        steps.any(|step| matches!(step, Step::Scan(_)))
    })
}

/// How many [`more_ranges`] there are: 11 steps make 132 lists, 30 of which only read, so 192
/// transactions and 192 · 193 / 2 pairs.
pub const MORE_RANGE_PROGRAMS: usize = 3 * 18528;

/// Programs on the ordered table with scans of the whole table, of its first row, and of its last
/// one.
pub fn more_ranges() -> impl Iterator<Item = Program> {
    let one = Range {
        limit: Some(1),
        ..Range::all(ORDERED)
    };
    let last = Range {
        reverse: true,
        ..one
    };
    programs(ORDERED, &[Range::all(ORDERED), one, last])
}

fn programs(table: u8, scans: &[Range]) -> impl Iterator<Item = Program> + use<> {
    let bodies = bodies(table, scans);
    let pairs = (0..bodies.len()).flat_map(|first| (0..=first).map(move |second| (first, second)));
    pairs.flat_map(move |(first, second)| {
        [0, 1, KEYS].map(|rows| Program {
            seed: 0,
            initial: (0..rows).map(|key| Key { table, key }).collect(),
            threads: vec![vec![bodies[first].clone()], vec![bodies[second].clone()]],
            attempts: 1,
        })
    })
}

fn bodies(table: u8, scans: &[Range]) -> Vec<Body> {
    let keys = (0..KEYS).map(|key| Key { table, key });
    let with_keys = keys.flat_map(|key| {
        [
            Step::Get(key),
            Step::Insert(key),
            Step::Remove(key),
            Step::Update(key),
        ]
    });
    let scans = scans.iter().copied().map(Step::Scan);
    let steps: Vec<_> = with_keys.chain(scans).collect();
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
        ending: Ending::Commits,
        outlives: 0,
    })
}

fn with_keys_exchanged(program: &Program) -> Vec<Vec<Body>> {
    let mut threads = program.threads.clone();
    for step in threads
        .iter_mut()
        .flatten()
        .flat_map(|body| &mut body.steps)
    {
        if let Step::Get(key) | Step::Insert(key) | Step::Remove(key) | Step::Update(key) = step {
            key.key = KEYS - 1 - key.key;
        }
    }
    threads
}

fn sorted(mut threads: Vec<Vec<Body>>) -> Vec<Vec<Body>> {
    threads.sort();
    threads
}
