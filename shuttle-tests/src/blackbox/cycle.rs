//! Finding the smallest cycle.

use super::edge::{Dependency, Edge};
use crate::history::History;
use crate::verdict::{Anomaly, Violation};
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeSet, VecDeque};

/// The smallest cycle among `nodes` transactions, of the worst kind that there is: of overwritings
/// alone if possible, with real time only if it must be.
pub(super) fn find(history: &History, edges: &[Edge]) -> Option<Violation> {
    use Dependency::{RealTime, Rw, Wr, Ww};
    let kinds: [&[Dependency]; 4] = [&[Ww], &[Ww, Wr], &[Ww, Wr, Rw], &[Ww, Wr, Rw, RealTime]];
    let nodes = history.transactions.len();
    let cycle = kinds.iter().find_map(|kinds| {
        let edges = edges
            .iter()
            .filter(|edge| kinds.contains(&edge.reason.dependency()));
        shortest(nodes, &edges.collect::<Vec<_>>())
    })?;
    Some(Violation::new(classify(&cycle), explain(history, &cycle)))
}

fn shortest<'e>(nodes: usize, edges: &[&'e Edge]) -> Option<Vec<&'e Edge>> {
    let mut graph = DiGraph::<(), usize>::with_capacity(nodes, edges.len());
    for _ in 0..nodes {
        graph.add_node(());
    }
    for (index, edge) in edges.iter().enumerate() {
        graph.add_edge(NodeIndex::new(edge.from), NodeIndex::new(edge.to), index);
    }
    let components = petgraph::algo::tarjan_scc(&graph).into_iter();
    let cycles = components
        .filter(|component| component.len() > 1)
        .filter_map(|component| {
            let component: BTreeSet<_> = component.into_iter().map(NodeIndex::index).collect();
            let mut leaving = vec![Vec::new(); nodes];
            for edge in edges {
                if component.contains(&edge.from) && component.contains(&edge.to) {
                    leaving[edge.from].push(*edge);
                }
            }
            let shortest = component
                .iter()
                .filter_map(|&start| shortest_from(start, &leaving));
            shortest.min_by_key(Vec::len)
        });
    cycles.min_by_key(Vec::len)
}

/// The shortest cycle through one node, breadth first.
fn shortest_from<'e>(start: usize, leaving: &[Vec<&'e Edge>]) -> Option<Vec<&'e Edge>> {
    let mut reached_by: Vec<Option<&Edge>> = vec![None; leaving.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &edge in &leaving[node] {
            if edge.to == start {
                let mut cycle = vec![edge];
                let mut node = edge.from;
                while node != start {
                    let edge = reached_by[node]?;
                    cycle.push(edge);
                    node = edge.from;
                }
                cycle.reverse();
                return Some(cycle);
            }
            if reached_by[edge.to].is_none() {
                reached_by[edge.to] = Some(edge);
                queue.push_back(edge.to);
            }
        }
    }
    None
}

fn classify(cycle: &[&Edge]) -> Anomaly {
    let count = |dependency| {
        let same = cycle
            .iter()
            .filter(|edge| edge.reason.dependency() == dependency);
        same.count()
    };
    if count(Dependency::RealTime) > 0 {
        return Anomaly::RealTimeCycle;
    }
    match count(Dependency::Rw) {
        0 if count(Dependency::Wr) == 0 => Anomaly::WriteCycle,
        0 => Anomaly::CircularInformationFlow,
        1 => Anomaly::GSingle,
        2 if cycle.len() == 2 && cycle[0].reason == cycle[1].reason => Anomaly::LostUpdate,
        _ => Anomaly::G2,
    }
}

fn explain(history: &History, cycle: &[&Edge]) -> String {
    let mut text = String::new();
    for edge in cycle {
        text += &format!("T{} -> ", edge.from);
    }
    text += &format!("T{}", cycle[0].from);
    for edge in cycle {
        text += &format!("\n  {edge}");
    }
    let members: BTreeSet<_> = cycle.iter().map(|edge| edge.from).collect();
    for index in members {
        text += &format!("\n  T{index} {}", history.transactions[index]);
    }
    text
}
