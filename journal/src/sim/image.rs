//! What a crash may leave, enumerated.

use super::{Moment, Node, SECTOR, State};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// So many images of one set of names are enumerated to the end; of more, a part is taken.
const ALL: usize = 1 << 14;
/// The same of sets of names.
const STEPS: usize = 1 << 12;
/// How many more are sampled where not all are taken.
const SAMPLES: usize = 200;

/// What a disk holds when nothing is in flight: files by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Image {
    /// The bytes of each file.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// How much of what may be left was enumerated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Images that were built.
    pub built: u64,
    /// Those of them that no moment before had left: they were handed on.
    pub different: u64,
    /// Sets of names of which not all images were built, and moments of which not all such sets
    /// were.
    pub sampled: u64,
}

/// What may be found in one place of a file, without what is the same.
struct Choice {
    node: usize,
    place: Place,
}

enum Place {
    Length(Vec<usize>),
    Sector(usize, Vec<Vec<u8>>),
}

impl Place {
    fn options(&self) -> usize {
        match self {
            Self::Length(lengths) => lengths.len(),
            Self::Sector(_, versions) => versions.len(),
        }
    }
}

impl Moment {
    /// Hands on each image that a crash at this moment may leave, unless `seen` has it.
    ///
    /// Of a few un-synced sectors, lengths and names, all combinations are built; of more, those
    /// that differ from "nothing done" or "all done" in one or two places, and samples that the
    /// seed chooses.
    pub fn images(
        &self,
        seen: &mut HashSet<u64>,
        seed: u64,
        mut each: impl FnMut(Image),
    ) -> Coverage {
        let mut coverage = Coverage::default();
        let mut sets = HashSet::new();
        let steps = vec![2; self.state.steps.len()];
        let (done, is_all) = picks(&steps, STEPS, seed);
        coverage.sampled += u64::from(!is_all);
        for done in done {
            let names = names_after(&self.state, &done);
            if !sets.insert(names.clone()) {
                continue;
            }
            let choices = choices(&self.state, &names);
            let mut build = |picked: &[usize]| {
                coverage.built += 1;
                let image = image(&self.state, &names, &choices, picked);
                let mut hasher = DefaultHasher::new();
                image.hash(&mut hasher);
                if seen.insert(hasher.finish()) {
                    coverage.different += 1;
                    each(image);
                }
            };
            let options: Vec<_> = choices
                .iter()
                .map(|choice| choice.place.options())
                .collect();
            let (picks, is_all) = picks(&options, ALL, seed);
            coverage.sampled += u64::from(!is_all);
            for picked in &picks {
                build(picked);
            }
        }
        coverage
    }
}

fn names_after(state: &State, done: &[usize]) -> BTreeMap<String, usize> {
    let mut names = state.kept.clone();
    let done = state.steps.iter().zip(done).filter(|(_, done)| **done == 1);
    for (step, _) in done {
        step.apply(&mut names);
    }
    names
}

fn choices(state: &State, names: &BTreeMap<String, usize>) -> Vec<Choice> {
    let mut choices = Vec::new();
    for &node in names.values() {
        let file = &state.nodes[node];
        let mut lengths = vec![file.kept.len()];
        lengths.extend(&file.lengths);
        dedup(&mut lengths);
        if lengths.len() > 1 {
            choices.push(Choice {
                node,
                place: Place::Length(lengths),
            });
        }
        for sector in 0..file.seen.len().div_ceil(SECTOR) {
            let versions = versions(file, sector);
            if versions.len() > 1 {
                choices.push(Choice {
                    node,
                    place: Place::Sector(sector, versions),
                });
            }
        }
    }
    choices
}

/// What may be found in a sector: as it was at the sync first, as it is now last.
fn versions(file: &Node, sector: usize) -> Vec<Vec<u8>> {
    let whole = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.resize(SECTOR, 0);
        bytes
    };
    let begin = sector * SECTOR;
    let mut versions = Vec::new();
    match file.kept.get(begin..) {
        Some(kept) if !kept.is_empty() => versions.push(whole(&kept[..kept.len().min(SECTOR)])),
        // The file has grown here: what stood in the block may show.
        _ => versions.extend([vec![0; SECTOR], vec![0xa5; SECTOR]]),
    }
    for version in file.sectors.get(&sector).into_iter().flatten() {
        versions.push(whole(version));
    }
    dedup(&mut versions);
    versions
}

/// Drops what stands there already further on.
fn dedup<T: PartialEq>(values: &mut Vec<T>) {
    let mut at = 0;
    while at < values.len() {
        if values[at + 1..].contains(&values[at]) {
            values.remove(at);
        } else {
            at += 1;
        }
    }
}

fn image(
    state: &State,
    names: &BTreeMap<String, usize>,
    choices: &[Choice],
    picked: &[usize],
) -> Image {
    let mut nodes: BTreeMap<usize, (Vec<u8>, usize)> = names
        .values()
        .map(|node| {
            (
                *node,
                (
                    state.nodes[*node].kept.clone(),
                    state.nodes[*node].kept.len(),
                ),
            )
        })
        .collect();
    for (choice, &pick) in choices.iter().zip(picked) {
        let (bytes, length) = nodes.get_mut(&choice.node).expect("it has a name");
        match &choice.place {
            Place::Length(lengths) => *length = lengths[pick],
            Place::Sector(sector, versions) => {
                let end = (sector + 1) * SECTOR;
                bytes.resize(bytes.len().max(end), 0);
                bytes[sector * SECTOR..end].copy_from_slice(&versions[pick]);
            }
        }
    }
    for (bytes, length) in nodes.values_mut() {
        bytes.resize(*length, 0);
    }
    let files = names
        .iter()
        .map(|(name, node)| (name.clone(), nodes[node].0.clone()));
    Image {
        files: files.collect(),
    }
}

/// All combinations of so many options, the first alternating the fastest, or some if there are
/// more than `most`. Whether these are all.
fn picks(options: &[usize], most: usize, seed: u64) -> (Vec<Vec<usize>>, bool) {
    let count = options
        .iter()
        .try_fold(1_usize, |count, options| count.checked_mul(*options));
    match count.filter(|count| *count <= most) {
        Some(count) => (pick_all(options, count), true),
        None => (pick_some(options, seed), false),
    }
}

fn pick_all(options: &[usize], count: usize) -> Vec<Vec<usize>> {
    let mut picked = vec![0; options.len()];
    let next = || {
        let this = picked.clone();
        for (pick, options) in picked.iter_mut().zip(options) {
            *pick += 1;
            if *pick < *options {
                break;
            }
            *pick = 0;
        }
        this
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn pick_some(options: &[usize], seed: u64) -> Vec<Vec<usize>> {
    let old = vec![0; options.len()];
    let last: Vec<_> = options.iter().map(|options| options - 1).collect();
    let mut picks = Vec::new();
    for base in [old, last.clone()] {
        for first in 0..options.len() {
            for second in first..options.len() {
                let mut picked = base.clone();
                for at in [first, second] {
                    picked[at] = last[at] - base[at].min(last[at]);
                }
                picks.push(picked);
            }
        }
        picks.push(base);
    }
    let mut random = seed | 1;
    for _ in 0..SAMPLES {
        let any = options.iter().map(|options| {
            // Xorshift: all that is asked of it is to differ.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % *options as u64).expect("a small number")
        });
        picks.push(any.collect());
    }
    picks
}
