//! Concurrent ordered indexes, each behind [`OrderedIndex`], under the same operations; and our own
//! with all that a transaction is.

mod bplustree;
mod btreemap;
mod congee;
mod ferntree;
mod key;
mod masstree;
mod measure;
mod mvcc;
mod report;
mod scc;
mod skiplist;
#[cfg(test)]
mod tests;

use super::Failure;
use clap::Args;
use key::Key;
use measure::{Sample, Workload};
use std::path::PathBuf;
use workloads::interruption::interrupted;
use workloads::output;

/// What is asked of a candidate. Every call enters and leaves the candidate's own reclamation
/// scheme, if it has one.
trait OrderedIndex: Sync {
    /// The crate, and the variant where there is more than one.
    const NAME: &'static str;
    /// The type under which keys are stored.
    const KEYS: &'static str;
    /// Whether [`scan_back`](OrderedIndex::scan_back) may be called.
    const BACKWARDS: bool = true;

    /// An empty index.
    fn new() -> Self;

    /// Puts a key that is not there.
    fn insert(&self, key: Key, value: usize);

    /// The value of a key.
    fn get(&self, key: Key) -> Option<usize>;

    /// Whether the key was there, and is no longer.
    fn remove(&self, key: Key) -> bool;

    /// Calls `f` for the first `n` entries from `from` on, ascending.
    fn scan(&self, from: Key, n: usize, f: impl FnMut(Key, usize));

    /// Calls `f` for the last `n` entries up to and including `from`, descending.
    fn scan_back(&self, from: Key, n: usize, f: impl FnMut(Key, usize));
}

/// Options of `indexes`.
#[derive(Args)]
pub(crate) struct Options {
    /// Keys in a filled index
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=1 << 28))]
    keys: u64,

    /// Distance between neighbouring keys; 1 is dense, which suits radix trees
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1 << 10))]
    stride: u64,

    /// Numbers of threads
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,

    /// Repeats, of which the median is printed
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    repeats: u64,

    /// Only the candidates whose name contains one of these
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,

    /// Print the tables as markdown
    #[arg(long)]
    markdown: bool,

    /// Also write every repeat's figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A candidate, its type erased.
struct Candidate {
    name: &'static str,
    keys: &'static str,
    run: fn(&Workload) -> Option<Sample>,
}

const fn candidate<I: OrderedIndex>() -> Candidate {
    Candidate {
        name: I::NAME,
        keys: I::KEYS,
        run: measure::run::<I>,
    }
}

const CANDIDATES: [Candidate; 10] = [
    candidate::<mvcc::Index>(),
    candidate::<btreemap::Index>(),
    candidate::<skiplist::Index>(),
    candidate::<scc::Index>(),
    candidate::<bplustree::Index>(),
    candidate::<ferntree::Inline>(),
    candidate::<ferntree::Boxed>(),
    candidate::<masstree::Index<12>>(),
    candidate::<masstree::Index<8>>(),
    candidate::<congee::Index>(),
];

/// Measures and prints.
pub(crate) fn main(options: &Options) -> Result<(), Failure> {
    if options.threads.contains(&0) {
        return Err(Failure::Input("--threads: at least one thread".into()));
    }
    let chosen: Vec<&Candidate> = CANDIDATES
        .iter()
        .filter(|c| {
            options.only.is_empty() || options.only.iter().any(|o| c.name.contains(o.as_str()))
        })
        .collect();
    if chosen.is_empty() {
        return Err(Failure::Input(
            "--only: no candidate has such a name".into(),
        ));
    }
    // Better before the measurements than after them.
    let json = output::open("--json", options.json.as_deref())?;

    let mut results = Vec::new();
    for &threads in &options.threads {
        let mut samples = vec![Vec::new(); chosen.len()];
        for repeat in 0..options.repeats {
            if interrupted().is_some() {
                break;
            }
            let workload = Workload::draw(options.keys, options.stride, threads, repeat);
            for (candidate, samples) in chosen.iter().zip(&mut samples) {
                output::note(format_args!(
                    "{threads} threads, repeat {}: {}",
                    repeat + 1,
                    candidate.name
                ));
                let Some(sample) = (candidate.run)(&workload) else {
                    break;
                };
                samples.push(sample);
            }
        }
        results.extend(
            chosen
                .iter()
                .zip(samples)
                .filter(|(_, samples)| !samples.is_empty())
                .map(|(candidate, samples)| report::Row {
                    index: candidate.name,
                    stored_keys: candidate.keys,
                    threads,
                    samples,
                }),
        );
    }
    let written = json.map_or(Ok(()), |json| json.write(&report::json(options, &results)));
    let printed = output::print(report::table(options, &results));
    written?;
    Ok(printed?)
}
