//! Random histories, right ones and corrupted ones: what the checkers say, against each other and
//! against trying all orders.

use fastrand::Rng;
use proptest::prelude::*;
use shuttle_tests::blackbox::{self, Search};
use shuttle_tests::exact;
use shuttle_tests::history::{History, Kind, Outcome, Transaction};
use shuttle_tests::operation::{Key, LISTS, ORDERED, Op, POINTS, Scan, Value};
use shuttle_tests::replay::{State, replay};
use shuttle_tests::report::Report;

/// How far apart two transactions are in the serial execution.
const STEP: u64 = 100;

/// A serial execution, each transaction of which begins some time before its turn and ends some
/// time after it.
fn serial(rng: &mut Rng, count: usize, keys: u32, tables: &[u8]) -> History {
    let mut state = State::new();
    let mut history = History::default();
    for index in 0..count {
        let turn = (index as u64 + 1) * STEP;
        let kind = match rng.u8(..6) {
            0 => Kind::View,
            1 => Kind::Snapshot,
            _ => Kind::Begin,
        };
        let aborted = kind == Kind::Begin && rng.u8(..5) == 0;
        let mut after = state.clone();
        let mut ops = Vec::new();
        for step in 0..rng.u64(1..=4) {
            let value = (index as u64 + 1) * 10 + step;
            let op = operation(rng, &after, kind, keys, tables, value);
            replay(std::slice::from_ref(&op), &mut after).expect("made from this state");
            ops.push(op);
        }
        history.transactions.push(Transaction {
            thread: index,
            kind,
            begin: turn.saturating_sub(rng.u64(..3 * STEP)),
            end: turn + rng.u64(..3 * STEP),
            ops,
            outcome: if aborted {
                Outcome::Aborted
            } else {
                Outcome::Committed
            },
            timestamp: Some(turn).filter(|_| !aborted && kind != Kind::View),
        });
        if !aborted {
            state = after;
        }
    }
    history
}

fn operation(rng: &mut Rng, state: &State, kind: Kind, keys: u32, tables: &[u8], value: u64) -> Op {
    let table = tables[rng.usize(..tables.len())];
    let key = Key {
        table,
        key: rng.u32(..keys),
    };
    let read = Op::Read {
        key,
        value: state.get(&key).cloned(),
    };
    match rng.u8(..10) {
        0..4 if table == LISTS && kind == Kind::Begin => Op::Append { key, value },
        _ if table == LISTS => read,
        0..3 if kind == Kind::Begin => Op::Write {
            key,
            value: Some(value),
        },
        3 if kind == Kind::Begin => Op::Write { key, value: None },
        4..8 => read,
        _ => Op::Scan(scan(rng, state, table, keys)),
    }
}

fn scan(rng: &mut Rng, state: &State, table: u8, keys: u32) -> Scan {
    let from = rng.u32(..keys);
    let (to, reverse) = (rng.u32(from..=keys), rng.bool());
    let rows = state.iter().filter_map(|(key, value)| match value {
        Value::Register(value) if key.table == table => Some((key.key, *value)),
        _ => None,
    });
    let mut rows: Vec<_> = rows.filter(|row| (from..to).contains(&row.0)).collect();
    if reverse {
        rows.reverse();
    }
    let exhausted = rng.bool() || rows.is_empty();
    if !exhausted {
        rows.truncate(rng.usize(1..=rows.len()));
    }
    Scan {
        table,
        from,
        to,
        reverse,
        exhausted,
        rows,
    }
}

/// Changes one thing. It may leave the history serializable.
fn corrupt(rng: &mut Rng, history: &mut History) {
    let before = history.clone();
    // Bounded, for a history may have nothing that can be changed.
    for _ in 0..100 {
        try_to_corrupt(rng, history);
        if *history != before {
            return;
        }
    }
}

fn try_to_corrupt(rng: &mut Rng, history: &mut History) {
    let values: Vec<u64> = history
        .transactions
        .iter()
        .flat_map(|tx| &tx.ops)
        .filter_map(Op::new_value)
        .collect();
    let count = history.transactions.len();
    let tx = rng.usize(..count);
    if rng.u8(..4) == 0 {
        let other = rng.usize(..count);
        let timestamp = history.transactions[other].timestamp;
        history.transactions[other].timestamp = history.transactions[tx].timestamp;
        history.transactions[tx].timestamp = timestamp;
        return;
    }
    let ops = &mut history.transactions[tx].ops;
    if ops.is_empty() {
        return;
    }
    let op = rng.usize(..ops.len());
    match &mut ops[op] {
        Op::Read {
            value: Some(Value::List(values)),
            ..
        } => match rng.u8(..3) {
            0 => drop(values.pop()),
            1 => drop(values.remove(0)),
            _ => values.reverse(),
        },
        Op::Read { key, value } if key.table != LISTS && !values.is_empty() => {
            *value = rng
                .bool()
                .then(|| Value::Register(values[rng.usize(..values.len())]));
        }
        Op::Scan(scan) if !scan.rows.is_empty() => {
            scan.rows.remove(rng.usize(..scan.rows.len()));
        }
        Op::Write { .. } | Op::Append { .. } => drop(ops.remove(op)),
        Op::Read { .. } | Op::Scan(_) => {}
    }
    // An empty list is an absent one.
    for op in ops {
        if let Op::Read { value, .. } = op
            && *value == Some(Value::List(Vec::new()))
        {
            *value = None;
        }
    }
}

/// Whether one of all orders explains everything.
fn any_order_explains(history: &History, placed: &mut Vec<usize>, state: &State) -> bool {
    let transactions = &history.transactions;
    if placed.len() == transactions.len() {
        return true;
    }
    (0..transactions.len()).any(|next| {
        let tx = &transactions[next];
        let too_early = |other: &Transaction| other.ended_before(tx);
        let mut others = transactions.iter().enumerate();
        if placed.contains(&next)
            || others.any(|(index, other)| !placed.contains(&index) && too_early(other))
        {
            return false;
        }
        let mut after = state.clone();
        if replay(&tx.ops, &mut after).is_err() {
            return false;
        }
        placed.push(next);
        let after = if tx.outcome == Outcome::Committed {
            &after
        } else {
            state
        };
        let explained = any_order_explains(history, placed, after);
        placed.pop();
        explained
    })
}

/// The history with timestamps that follow an order.
fn restamped(history: &History, order: &[usize]) -> History {
    let mut history = history.clone();
    for (place, &index) in order.iter().enumerate() {
        let tx = &mut history.transactions[index];
        tx.timestamp = Some(place as u64).filter(|_| tx.outcome == Outcome::Committed);
    }
    history
}

fn consistent(history: &History) -> Result<bool, TestCaseError> {
    let report = Report::of(history);
    prop_assert!(!report.is_contradictory(), "{history}{report}");
    let blackbox = report.blackbox.is_accepted();
    match blackbox::serialize(history).expect("it is small") {
        Search::Found(order) => {
            prop_assert!(blackbox, "{history}{report}");
            let exact = exact::check(&restamped(history, &order));
            prop_assert!(exact.is_accepted(), "{history}{order:?}: {exact}");
        }
        Search::None { .. } => prop_assert!(!blackbox, "{history}{report}"),
        Search::GaveUp => return Err(TestCaseError::fail("it is small")),
    }
    Ok(report.is_rejected())
}

const TABLES: &[&[u8]] = &[&[POINTS], &[POINTS, ORDERED], &[LISTS], &[POINTS, LISTS]];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn serial_histories_are_accepted(seed: u64, count in 1..20_usize, keys in 1..4_u32, tables in 0..TABLES.len()) {
        let history = serial(&mut Rng::with_seed(seed), count, keys, TABLES[tables]);
        prop_assert!(!consistent(&history)?, "{history}{}", Report::of(&history));
    }

    #[test]
    fn long_serial_histories_are_accepted(seed: u64, keys in 1..4_u32, tables in 0..TABLES.len()) {
        let history = serial(&mut Rng::with_seed(seed), blackbox::SEARCHED + 20, keys, TABLES[tables]);
        let report = Report::of(&history);
        prop_assert!(report.exact.is_accepted() && report.blackbox.is_accepted(), "{history}{report}");
    }

    #[test]
    fn corrupted_histories_are_judged_alike(seed: u64, count in 2..7_usize, keys in 1..4_u32, tables in 0..TABLES.len()) {
        let mut rng = Rng::with_seed(seed);
        let mut history = serial(&mut rng, count, keys, TABLES[tables]);
        for _ in 0..rng.u8(1..3) {
            corrupt(&mut rng, &mut history);
        }
        consistent(&history)?;
        let explained = any_order_explains(&history, &mut Vec::new(), &State::new());
        let blackbox = blackbox::check(&history);
        prop_assert_eq!(explained, blackbox.is_accepted(), "{}{}", history, blackbox);
    }

    #[test]
    fn larger_corrupted_histories_are_judged_alike(seed: u64, count in 7..20_usize, keys in 1..4_u32, tables in 0..TABLES.len()) {
        let mut rng = Rng::with_seed(seed);
        let mut history = serial(&mut rng, count, keys, TABLES[tables]);
        corrupt(&mut rng, &mut history);
        consistent(&history)?;
    }

    #[test]
    fn long_corrupted_histories_are_judged_alike(seed: u64, keys in 1..4_u32) {
        let mut rng = Rng::with_seed(seed);
        let mut history = serial(&mut rng, blackbox::SEARCHED + 20, keys, &[LISTS]);
        corrupt(&mut rng, &mut history);
        let report = Report::of(&history);
        prop_assert!(!report.is_contradictory(), "{history}{report}");
    }

    /// Where the place of a transaction is certain, every change of what it saw is an error.
    #[test]
    fn a_changed_read_is_rejected(seed: u64, count in 2..12_usize, keys in 1..4_u32) {
        let mut rng = Rng::with_seed(seed);
        let mut history = serial(&mut rng, count, keys, &[POINTS, ORDERED]);
        let timed = history.transactions.iter_mut().filter(|tx| tx.timestamp.is_some());
        let mut reads: Vec<_> = timed.flat_map(|tx| &mut tx.ops).filter(|op| match op {
            Op::Read { .. } => true,
            Op::Scan(scan) => !scan.rows.is_empty(),
            _ => false,
        }).collect();
        prop_assume!(!reads.is_empty());
        let chosen = rng.usize(..reads.len());
        // Nobody writes this. Or a row less; of a scan that was stopped, not the last one, or it
        // would only have been stopped earlier.
        let mut by_both = true;
        match &mut *reads[chosen] {
            Op::Read { value, .. } => *value = Some(Value::Register(7)),
            Op::Scan(scan) if scan.exhausted || scan.rows.len() > 1 => {
                scan.rows.remove(0);
                by_both = false;
            }
            Op::Scan(scan) => scan.rows[0].1 = 7,
            _ => unreachable!("only reads are chosen"),
        }
        let report = Report::of(&history);
        prop_assert!(report.exact.is_rejected(), "{history}{report}");
        prop_assert!(report.blackbox.is_rejected() || !by_both, "{history}{report}");
    }

    /// Two that follow each other in real time, or by what they saw, cannot change places.
    #[test]
    fn swapped_timestamps_are_rejected(seed: u64, count in 2..12_usize, keys in 1..3_u32) {
        let mut rng = Rng::with_seed(seed);
        let mut history = serial(&mut rng, count, keys, &[POINTS]);
        let transactions = &mut history.transactions;
        let writes = |tx: &Transaction| tx.timestamp.is_some() && matches!(tx.ops.last(), Some(Op::Write { value: Some(_), .. }));
        let Some(first) = transactions.iter().position(writes) else { return Ok(()) };
        let follows = |tx: &Transaction| tx.timestamp.is_some() && transactions[first].ended_before(tx);
        let Some(second) = transactions.iter().position(follows) else { return Ok(()) };
        let timestamp = transactions[first].timestamp;
        transactions[first].timestamp = transactions[second].timestamp;
        transactions[second].timestamp = timestamp;
        let report = Report::of(&history);
        prop_assert!(report.exact.is_rejected(), "{history}{report}");
        prop_assert!(report.blackbox.is_accepted(), "{history}{report}");
    }
}

/// The corruptions above would be worth little if most of them did no harm.
#[test]
fn most_corruptions_are_rejected() {
    let mut rng = Rng::with_seed(1);
    let mut rejected = (0, 0);
    for round in 0..1000 {
        let mut history = serial(&mut rng, 6, 2, TABLES[round % TABLES.len()]);
        corrupt(&mut rng, &mut history);
        let report = Report::of(&history);
        rejected.0 += usize::from(report.exact.is_rejected());
        rejected.1 += usize::from(report.blackbox.is_rejected());
    }
    assert!(rejected.0 > 500 && rejected.1 > 250, "{rejected:?}");
}
