//! The search for a serialization.

use crate::history::{History, Outcome};
use crate::replay::{State, replay};
use std::collections::HashSet;

/// The states that a search visits before it gives up.
const BUDGET: usize = 100_000;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// An order that explains everything. Aborted transactions are in it where they see what they
    /// read.
    Found(Vec<usize>),
    /// There is none; the longest beginning of one.
    None {
        /// The transactions that it explains.
        explained: Vec<usize>,
    },
    /// It would have taken too long.
    GaveUp,
}

/// A depth-first search over sets of transactions that have their place.
struct Orders<'h> {
    history: &'h History,
    /// For each transaction, those that ended before it began, as a set.
    before: Vec<u64>,
    order: Vec<usize>,
    longest: Vec<usize>,
    /// What was found to lead nowhere: who is placed, and the state.
    dead_ends: HashSet<(u64, State)>,
}

pub(super) fn search(history: &History) -> Search {
    let transactions = &history.transactions;
    let before = transactions.iter().map(|tx| {
        let ended = transactions.iter().enumerate();
        let ended = ended.filter(|(_, other)| other.ended_before(tx));
        ended.fold(0, |set, (index, _)| set | 1 << index)
    });
    let mut orders = Orders {
        history,
        before: before.collect(),
        order: Vec::new(),
        longest: Vec::new(),
        dead_ends: HashSet::new(),
    };
    match orders.extend(0, State::new()) {
        Some(true) => Search::Found(orders.order),
        Some(false) => Search::None {
            explained: orders.longest,
        },
        None => Search::GaveUp,
    }
}

impl Orders<'_> {
    /// Whether the order so far can be completed, and then it is. `None`: out of budget.
    fn extend(&mut self, mut placed: u64, state: State) -> Option<bool> {
        let length = self.order.len();
        self.place_readers(&mut placed, &state);
        if self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
        }
        if self.order.len() == self.history.transactions.len() {
            return Some(true);
        }
        if !self.dead_ends.contains(&(placed, state.clone())) {
            for index in self.candidates(placed) {
                if !self.takes_effect(index) {
                    continue;
                }
                let mut after = state.clone();
                if replay(&self.history.transactions[index].ops, &mut after).is_ok() {
                    self.order.push(index);
                    if self.extend(placed | 1 << index, after)? {
                        return Some(true);
                    }
                    self.order.pop();
                }
            }
            if self.place_unknown(placed, &state)? {
                return Some(true);
            }
            self.dead_ends.insert((placed, state));
        }
        self.order.truncate(length);
        (self.dead_ends.len() < BUDGET).then_some(false)
    }

    /// Places all that have no effect and can be placed: that is never a mistake, since it changes
    /// no state and only frees those that come later in real time.
    fn place_readers(&mut self, placed: &mut u64, state: &State) {
        loop {
            let candidates = self.candidates(*placed);
            let readers = candidates.into_iter().filter(|&index| {
                let tx = &self.history.transactions[index];
                tx.outcome == Outcome::Aborted || !tx.writes()
            });
            let fitting: Vec<_> = readers
                .filter(|&index| self.explains(index, state))
                .collect();
            if fitting.is_empty() {
                return;
            }
            for index in fitting {
                *placed |= 1 << index;
                self.order.push(index);
            }
        }
    }

    /// Tries to go on with one of unknown outcome that is taken to have aborted.
    fn place_unknown(&mut self, placed: u64, state: &State) -> Option<bool> {
        for index in self.candidates(placed) {
            let tx = &self.history.transactions[index];
            if tx.outcome == Outcome::Unknown && tx.writes() && self.explains(index, state) {
                self.order.push(index);
                if self.extend(placed | 1 << index, state.clone())? {
                    return Some(true);
                }
                self.order.pop();
            }
        }
        Some(false)
    }

    fn explains(&self, index: usize, state: &State) -> bool {
        replay(&self.history.transactions[index].ops, &mut state.clone()).is_ok()
    }

    fn takes_effect(&self, index: usize) -> bool {
        let tx = &self.history.transactions[index];
        tx.outcome != Outcome::Aborted && tx.writes()
    }

    /// Those whose turn it may be, by real time.
    fn candidates(&self, placed: u64) -> Vec<usize> {
        let all = 0..self.history.transactions.len();
        all.filter(|&index| placed & 1 << index == 0 && self.before[index] & !placed == 0)
            .collect()
    }
}
