//! What a crash may leave, enumerated.

use super::{Moment, Node, SECTOR, State, Step};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// So many images of one set of names are enumerated to the end; of more, a part is taken.
const ALL: usize = 1 << 14;
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
    /// Sets of names of which not all images were built.
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
    /// that differ from "nothing done" or "all done" in one or two places, and samples.
    ///
    /// # Panics
    /// If more than twelve names were changed since the last sync of the directory.
    pub fn images(
        &self,
        seen: &mut HashSet<u64>,
        seed: u64,
        mut each: impl FnMut(Image),
    ) -> Coverage {
        let mut coverage = Coverage::default();
        let mut sets = HashSet::new();
        let steps = &self.state.steps;
        assert!(
            steps.len() <= 12,
            "more steps than can be enumerated before a sync"
        );
        for done in 0..1_u32 << steps.len() {
            let names = names_after(&self.state, steps, done);
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
                    each(image);
                }
            };
            if !pick_all(&choices, &mut build) {
                pick_some(&choices, seed, &mut build);
                coverage.sampled += 1;
            }
        }
        coverage
    }
}

fn names_after(state: &State, steps: &[Step], done: u32) -> BTreeMap<String, usize> {
    let mut names = state.kept.clone();
    for (at, step) in steps.iter().enumerate() {
        if done & (1 << at) != 0 {
            step.apply(&mut names);
        }
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

/// Builds all combinations, if they are not too many.
fn pick_all(choices: &[Choice], build: &mut impl FnMut(&[usize])) -> bool {
    let count = choices.iter().try_fold(1_usize, |count, choice| {
        count.checked_mul(choice.place.options())
    });
    let Some(count) = count.filter(|count| *count <= ALL) else {
        return false;
    };
    let mut picked = vec![0; choices.len()];
    for _ in 0..count {
        build(&picked);
        for (pick, choice) in picked.iter_mut().zip(choices) {
            *pick += 1;
            if *pick < choice.place.options() {
                break;
            }
            *pick = 0;
        }
    }
    true
}

fn pick_some(choices: &[Choice], seed: u64, build: &mut impl FnMut(&[usize])) {
    let old = vec![0; choices.len()];
    let new: Vec<_> = choices
        .iter()
        .map(|choice| choice.place.options() - 1)
        .collect();
    let last = new.clone();
    for base in [old, new] {
        build(&base);
        for first in 0..choices.len() {
            for second in first..choices.len() {
                let mut picked = base.clone();
                for at in [first, second] {
                    picked[at] = last[at] - base[at].min(last[at]);
                }
                build(&picked);
            }
        }
    }
    let mut random = seed | 1;
    for _ in 0..SAMPLES {
        let picked: Vec<_> = choices
            .iter()
            .map(|choice| {
                // Xorshift: all that is asked of it is to differ.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                usize::try_from(random % choice.place.options() as u64).expect("a small number")
            })
            .collect();
        build(&picked);
    }
}
