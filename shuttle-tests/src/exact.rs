//! The exact checker: it trusts commit timestamps, and checks everything else.
//!
//! The transactions that wrote are replayed in timestamp order. A transaction that only read has
//! its place before the first commit whose timestamp is not smaller than its own. Every transaction
//! must have seen the state at its place; aborted ones and those whose timestamp is not known must
//! have *some* place in the order at which they do (opacity). Places must agree with real time.

use crate::history::{History, Outcome, Transaction};
use crate::operation::{Key, Op};
use crate::replay::{Mismatch, State, apply, replay};
use crate::verdict::{Anomaly, Verdict, Violation};

/// Checks a history against its timestamps.
///
/// It cannot tell if a transaction that wrote has committed without a timestamp, or if its outcome
/// is unknown.
pub fn check(history: &History) -> Verdict {
    match order(history) {
        Ok(order) => order.check().into(),
        Err(verdict) => verdict,
    }
}

/// A transaction's index, and its place: `2 i` between the commits `i - 1` and `i`, `2 i + 1` for
/// commit `i` itself.
type Placed = (usize, usize);

struct Order<'h> {
    transactions: &'h [Transaction],
    /// The commits that changed something, in timestamp order.
    commits: Vec<usize>,
    /// Commits and timed readers, by place.
    timed: Vec<Placed>,
    /// Everything else, in order of begin.
    untimed: Vec<usize>,
}

/// A transaction that is to be given a place.
struct Search {
    tx: usize,
    /// The first and the last state that real time allows.
    states: (usize, usize),
    /// What it saw otherwise in the states that were tried: in the one that explained most of it.
    best: Option<(usize, Mismatch)>,
}

fn order(history: &History) -> Result<Order<'_>, Verdict> {
    let transactions = &history.transactions;
    let mut commits = Vec::new();
    for (index, tx) in transactions.iter().enumerate() {
        match (tx.outcome, tx.timestamp) {
            _ if !tx.writes() => {}
            (Outcome::Committed, Some(timestamp)) => commits.push((timestamp, index)),
            (Outcome::Committed, None) => {
                let reason = format!("T{index} wrote and committed without telling its timestamp");
                return Err(Verdict::Undecided(reason));
            }
            (Outcome::Unknown, _) => {
                let reason = format!("T{index} wrote and its outcome is unknown");
                return Err(Verdict::Undecided(reason));
            }
            (Outcome::Aborted, _) => {}
        }
    }
    commits.sort_unstable();
    let commits = effective(transactions, &commits).map_err(Verdict::Rejected)?;
    let (mut timed, mut untimed) = (Vec::new(), Vec::new());
    for (index, tx) in transactions.iter().enumerate() {
        match tx.timestamp {
            Some(timestamp) if tx.outcome != Outcome::Aborted => {
                let before = commits.partition_point(|commit| commit.0 < timestamp);
                let is_commit = commits.get(before) == Some(&(timestamp, index));
                timed.push((index, 2 * before + usize::from(is_commit)));
            }
            _ => untimed.push(index),
        }
    }
    timed.sort_unstable_by_key(|&(_, place)| place);
    untimed.sort_unstable_by_key(|&index| transactions[index].begin);
    Ok(Order {
        transactions,
        commits: commits.into_iter().map(|(_, index)| index).collect(),
        timed,
        untimed,
    })
}

/// A commit, and what is not the same after it.
struct Change<'h> {
    index: usize,
    transaction: &'h Transaction,
    keys: Vec<Key>,
}

/// Those of the commits, which are sorted by timestamp, that change something. What only removes
/// keys that are absent has written nothing, so it may share its timestamp with another, as a
/// reader may.
fn effective(
    transactions: &[Transaction],
    commits: &[(u64, usize)],
) -> Result<Vec<(u64, usize)>, Violation> {
    let mut state = State::new();
    let mut effective = Vec::new();
    for same_time in commits.chunk_by(|a, b| a.0 == b.0) {
        let mut after = state.clone();
        let mut changes: Vec<Change<'_>> = Vec::new();
        for &(timestamp, index) in same_time {
            let change = Change::of(index, &transactions[index], &state);
            if !change.keys.is_empty() {
                for other in &changes {
                    change.check_tie(other, timestamp)?;
                }
                apply(&change.transaction.ops, &mut after);
                effective.push((timestamp, index));
                changes.push(change);
            }
        }
        state = after;
    }
    Ok(effective)
}

impl<'h> Change<'h> {
    fn of(index: usize, transaction: &'h Transaction, state: &State) -> Self {
        let mut after = state.clone();
        apply(&transaction.ops, &mut after);
        let written = transaction.ops.iter().filter_map(Op::written);
        let keys = written.filter(|key| state.get(key) != after.get(key));
        Self {
            index,
            transaction,
            keys: keys.collect(),
        }
    }

    fn concerns(&self, other: &Transaction) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|&key| other.ops.iter().any(|op| op.touches(key)))
    }

    /// Two may have one timestamp if their order makes no difference to anyone: neither touches
    /// what the other changes, and they overlap in time.
    fn check_tie(&self, other: &Self, timestamp: u64) -> Result<(), Violation> {
        let (a, b) = (self.transaction, other.transaction);
        let anomaly = if self.concerns(b) || other.concerns(a) {
            Anomaly::SharedTimestamp
        } else if a.ended_before(b) || b.ended_before(a) {
            Anomaly::TimestampAgainstRealTime
        } else {
            return Ok(());
        };
        let (first, second) = (other.index, self.index);
        Err(Violation::new(
            anomaly,
            format!(
                "T{first} and T{second} both wrote and committed at {timestamp}\n  T{first} {b}\n  T{second} {a}"
            ),
        ))
    }
}

impl Order<'_> {
    fn check(&self) -> Result<(), Violation> {
        let real_time = RealTime::new(self.transactions, &self.timed);
        self.check_real_time(&real_time)?;
        let mut searches = self.searches(&real_time);
        let mut timed = self.timed.iter().peekable();
        let mut state = State::new();
        for place in 0..=self.commits.len() {
            self.search_in(place, &state, &mut searches);
            while let Some(&(index, _)) = timed.next_if(|timed| timed.1 == 2 * place) {
                self.replay_timed(index, &mut state.clone())?;
            }
            if let Some(&commit) = self.commits.get(place) {
                timed.next();
                self.replay_timed(commit, &mut state)?;
            }
        }
        match searches.first() {
            Some(search) => Err(self.no_consistent_state(search)),
            None => Ok(()),
        }
    }

    fn replay_timed(&self, index: usize, state: &mut State) -> Result<(), Violation> {
        let tx = &self.transactions[index];
        replay(&tx.ops, state).map_err(|Mismatch { op, expected }| {
            Violation::new(
                Anomaly::WrongRead,
                format!(
                    "at its timestamp, T{index} should have seen {expected} in `{}`\n  T{index} {tx}",
                    tx.ops[op]
                ),
            )
        })
    }

    fn check_real_time(&self, real_time: &RealTime) -> Result<(), Violation> {
        for &(index, place) in &self.timed {
            let tx = &self.transactions[index];
            if let Some((other, late)) = real_time.before(tx)
                && late > place
            {
                return Err(Violation::new(
                    Anomaly::TimestampAgainstRealTime,
                    format!(
                        "T{other} ended before T{index} began, but its timestamp puts it after\n  T{other} {}\n  T{index} {tx}",
                        self.transactions[other]
                    ),
                ));
            }
        }
        Ok(())
    }

    fn searches(&self, real_time: &RealTime) -> Vec<Search> {
        let search = |&tx: &usize| {
            let transaction = &self.transactions[tx];
            let first = real_time.before(transaction).map_or(0, |(_, place)| place);
            let last = real_time.after(transaction).map(|(_, place)| place / 2);
            Search {
                tx,
                states: (first.div_ceil(2), last.unwrap_or(self.commits.len())),
                best: None,
            }
        };
        self.untimed.iter().map(search).collect()
    }

    /// Gives this place to whatever is without one and may have it: the earliest place leaves most
    /// room to those that follow in real time.
    fn search_in(&self, place: usize, state: &State, searches: &mut Vec<Search>) {
        // Among them, real time is kept too: what ended before this one began must have its place
        // already.
        let mut earliest_end = u64::MAX;
        searches.retain_mut(|search| {
            let tx = &self.transactions[search.tx];
            let (first, last) = search.states;
            if (first..=last).contains(&place) && tx.begin <= earliest_end {
                match replay(&tx.ops, &mut state.clone()) {
                    Ok(()) => return false,
                    Err(mismatch) => {
                        let best = search.best.as_ref().map_or(0, |(_, best)| best.op);
                        if search.best.is_none() || mismatch.op > best {
                            search.best = Some((place, mismatch));
                        }
                    }
                }
            }
            earliest_end = earliest_end.min(tx.end);
            true
        });
    }

    fn no_consistent_state(&self, search: &Search) -> Violation {
        let Search { tx, states, best } = search;
        let transaction = &self.transactions[*tx];
        let mut text = format!(
            "no state between commit {} and commit {} in timestamp order has all that T{tx} read",
            states.0, states.1
        );
        if let Some((place, Mismatch { op, expected })) = best {
            let operation = &transaction.ops[*op];
            text +=
                &format!("; after commit {place} it should have seen {expected} in `{operation}`");
        }
        text += &format!("\n  T{tx} {transaction}");
        Violation::new(Anomaly::NoConsistentState, text)
    }
}

/// The places that real time demands.
struct RealTime {
    /// By end: the latest place of all that have ended by then.
    ended: Vec<(u64, Placed)>,
    /// By begin: the earliest place of all that begin from then on.
    begun: Vec<(u64, Placed)>,
}

impl RealTime {
    fn new(transactions: &[Transaction], timed: &[Placed]) -> Self {
        let with_tick = |tick: fn(&Transaction) -> u64| {
            let with_tick = timed
                .iter()
                .map(|timed| (tick(&transactions[timed.0]), *timed));
            let mut with_tick: Vec<_> = with_tick.collect();
            with_tick.sort_unstable_by_key(|&(tick, _)| tick);
            with_tick
        };
        let mut ended = with_tick(|tx| tx.end);
        for index in 1..ended.len() {
            if ended[index - 1].1.1 > ended[index].1.1 {
                ended[index].1 = ended[index - 1].1;
            }
        }
        let mut begun = with_tick(|tx| tx.begin);
        for index in (1..begun.len()).rev() {
            if begun[index].1.1 < begun[index - 1].1.1 {
                begun[index - 1].1 = begun[index].1;
            }
        }
        Self { ended, begun }
    }

    /// The latest of those that ended before this one began.
    fn before(&self, tx: &Transaction) -> Option<Placed> {
        let count = self.ended.partition_point(|&(end, _)| end < tx.begin);
        Some(self.ended[count.checked_sub(1)?].1)
    }

    /// The earliest of those that began after this one ended.
    fn after(&self, tx: &Transaction) -> Option<Placed> {
        let count = self.begun.partition_point(|&(begin, _)| begin <= tx.end);
        Some(self.begun.get(count)?.1)
    }
}
