//! The order that a history forces upon its transactions.
//!
//! All edges hold in every serialization, so a cycle means that there is none. Where the order of
//! two versions is not observed, nothing is assumed; it follows in the end from two rules, which
//! are applied until nothing new comes out. For a transaction R that saw the version of W, and
//! another writer X of the key:
//! - if W is before X, then R is before X, or it would have seen X's version or a later one;
//! - if X is before R, then X is before W, for the same reason.

use super::cycle;
use super::edge::{Dependency, Edge, Reason};
use super::observe::{Observation, Writes};
use crate::history::{History, Outcome};
use crate::operation::{Key, Value};
use crate::verdict::{Anomaly, Violation};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A version that was seen: its writer and its value; `None` before the first write.
type Version = Option<(usize, u64)>;

/// What was done to one key.
#[derive(Default)]
struct Accesses {
    writers: BTreeSet<usize>,
    /// Whether it may have been removed: then one does not know which absence a read has seen.
    removed: bool,
    reads: Vec<(usize, Version)>,
    /// The longest list that was seen.
    longest: Vec<u64>,
}

pub(super) fn check(
    history: &History,
    writes: &Writes,
    observations: &[Observation],
) -> Result<(), Violation> {
    let accesses = accesses(history, writes, observations)?;
    let mut graph = Graph::new(history);
    for (key, accesses) in &accesses {
        graph.add_lists(*key, accesses, writes);
        graph.add_reads(*key, accesses);
    }
    graph.add_real_time();
    loop {
        if let Some(violation) = cycle::find(history, &graph.edges) {
            return Err(violation);
        }
        // The second rule only once the first one gives nothing: it takes for granted that R saw
        // the newest version, and would call a stale read a cycle of overwritings.
        let closure = Closure::of(history.transactions.len(), &graph.edges);
        let new = graph.infer_rw(&accesses, &closure) || graph.infer_ww(&accesses, &closure);
        if !new {
            return Ok(());
        }
    }
}

fn accesses(
    history: &History,
    writes: &Writes,
    observations: &[Observation],
) -> Result<BTreeMap<Key, Accesses>, Violation> {
    let mut of_keys: BTreeMap<Key, Accesses> = BTreeMap::new();
    let mut seen_writers = HashSet::new();
    for Observation { tx, key, seen } in observations {
        let accesses = of_keys.entry(*key).or_default();
        let newest = match seen {
            None => None,
            Some(Value::Register(value)) => Some(*value),
            Some(Value::List(values)) => {
                accesses.see_list(history, *tx, *key, values)?;
                values.last().copied()
            }
        };
        let version = newest.and_then(|value| Some((writes.writer(value)?.tx, value)));
        seen_writers.extend(version.map(|(writer, _)| writer));
        accesses.reads.push((*tx, version));
    }
    for (index, tx) in history.transactions.iter().enumerate() {
        let effective = match tx.outcome {
            Outcome::Committed => true,
            Outcome::Aborted => continue,
            Outcome::Unknown => seen_writers.contains(&index),
        };
        for op in &tx.ops {
            let Some(key) = op.written() else { continue };
            let accesses = of_keys.entry(key).or_default();
            accesses.removed |= op.new_value().is_none();
            if effective {
                accesses.writers.insert(index);
            }
        }
    }
    Ok(of_keys)
}

impl Accesses {
    fn see_list(
        &mut self,
        history: &History,
        tx: usize,
        key: Key,
        seen: &[u64],
    ) -> Result<(), Violation> {
        if seen.len() > self.longest.len() {
            let before = std::mem::replace(&mut self.longest, seen.to_vec());
            return self.see_list(history, tx, key, &before);
        }
        if self.longest.starts_with(seen) {
            return Ok(());
        }
        Err(Violation::new(
            Anomaly::IncompatibleOrder,
            format!(
                "{key} was seen both as {seen:?} and as {:?}\n  T{tx} {}",
                self.longest, history.transactions[tx]
            ),
        ))
    }

    /// Reads of which one knows the version.
    fn certain_reads(&self) -> impl Iterator<Item = (usize, Version)> {
        let reads = self.reads.iter().copied();
        reads.filter(|(_, version)| version.is_some() || !self.removed)
    }
}

struct Graph<'h> {
    history: &'h History,
    edges: Vec<Edge>,
    known: HashSet<(usize, usize, Dependency)>,
}

impl<'h> Graph<'h> {
    fn new(history: &'h History) -> Self {
        Self {
            history,
            edges: Vec::new(),
            known: HashSet::new(),
        }
    }

    fn add(&mut self, from: usize, to: usize, reason: Reason) {
        if from != to && self.known.insert((from, to, reason.dependency())) {
            self.edges.push(Edge { from, to, reason });
        }
    }

    /// The order of lists' elements.
    fn add_lists(&mut self, key: Key, accesses: &Accesses, writes: &Writes) {
        if accesses.removed {
            return;
        }
        let seen = accesses.longest.iter().copied();
        let seen = seen.filter_map(|value| Some((writes.writer(value)?.tx, value)));
        let seen: Vec<_> = seen.collect();
        for &[(older, value), (newer, _)] in seen.array_windows() {
            self.add(older, newer, Reason::Replaced(key, value));
        }
        if let Some(&(last, value)) = seen.last() {
            for &writer in &accesses.writers {
                if seen.iter().all(|&(tx, _)| tx != writer) {
                    self.add(last, writer, Reason::Unseen(key, value));
                }
            }
        }
    }

    /// What reads say by themselves, and with the writes of the same transaction.
    fn add_reads(&mut self, key: Key, accesses: &Accesses) {
        let mut replaced_by: BTreeMap<Version, Vec<usize>> = BTreeMap::new();
        for (reader, version) in accesses.certain_reads() {
            if let Some((writer, value)) = version {
                self.add(writer, reader, Reason::Saw(key, value));
            }
            if accesses.writers.contains(&reader) {
                replaced_by.entry(version).or_default().push(reader);
                if let Some((writer, value)) = version {
                    self.add(writer, reader, Reason::Replaced(key, value));
                }
            }
        }
        for (reader, version) in accesses.certain_reads() {
            let seen = version.map(|(_, value)| value);
            for &next in replaced_by.get(&version).into_iter().flatten() {
                self.add(reader, next, Reason::SawReplaced(key, seen));
            }
            if version.is_none() {
                for &writer in &accesses.writers {
                    self.add(reader, writer, Reason::SawReplaced(key, None));
                }
            }
        }
    }

    fn add_real_time(&mut self) {
        let transactions = &self.history.transactions;
        for (from, first) in transactions.iter().enumerate() {
            for (to, second) in transactions.iter().enumerate() {
                if first.ended_before(second) {
                    self.add(from, to, Reason::RealTime);
                }
            }
        }
    }

    /// Applies the first rule once; whether that gave anything new.
    fn infer_rw(&mut self, of_keys: &BTreeMap<Key, Accesses>, before: &Closure) -> bool {
        self.infer(of_keys, |key, (reader, seen, value), other| {
            let new = before.has(seen, other) && !before.has(reader, other);
            new.then_some((reader, other, Reason::SawOlder(key, value, seen)))
        })
    }

    /// Applies the second rule once; whether that gave anything new.
    fn infer_ww(&mut self, of_keys: &BTreeMap<Key, Accesses>, before: &Closure) -> bool {
        self.infer(of_keys, |key, (reader, seen, value), other| {
            let new = before.has(other, reader) && !before.has(other, seen);
            new.then_some((other, seen, Reason::SeenLater(key, value, reader)))
        })
    }

    /// Applies a rule to each read, which is given by reader, writer and value, and each other
    /// writer of the key.
    fn infer(
        &mut self,
        of_keys: &BTreeMap<Key, Accesses>,
        rule: impl Fn(Key, (usize, usize, u64), usize) -> Option<(usize, usize, Reason)>,
    ) -> bool {
        let count = self.edges.len();
        for (&key, accesses) in of_keys {
            for (reader, version) in accesses.certain_reads() {
                let Some((seen, value)) = version else {
                    continue;
                };
                let others = accesses.writers.iter();
                for &other in others.filter(|&&other| other != seen && other != reader) {
                    if let Some((from, to, reason)) = rule(key, (reader, seen, value), other) {
                        self.add(from, to, reason);
                    }
                }
            }
        }
        self.edges.len() > count
    }
}

/// Who is before whom, also by way of others: a row of bits for each transaction.
struct Closure {
    rows: Vec<Vec<u64>>,
}

impl Closure {
    fn of(nodes: usize, edges: &[Edge]) -> Self {
        let mut rows = vec![vec![0; nodes.div_ceil(64)]; nodes];
        for edge in edges {
            rows[edge.from][edge.to / 64] |= 1 << (edge.to % 64);
        }
        let mut closure = Self { rows };
        for middle in 0..nodes {
            let through = closure.rows[middle].clone();
            for from in 0..nodes {
                if closure.has(from, middle) {
                    let row = closure.rows[from].iter_mut();
                    row.zip(&through).for_each(|(to, more)| *to |= more);
                }
            }
        }
        closure
    }

    fn has(&self, from: usize, to: usize) -> bool {
        self.rows[from][to / 64] & 1 << (to % 64) != 0
    }
}
