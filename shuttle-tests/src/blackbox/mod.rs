//! The black-box checker: it trusts nothing but what transactions saw, and when.
//!
//! Three steps, each of which rejects only what is wrong:
//! 1. `observe`: every read is attributed to a write, which must exist, be committed, and be its
//!    transaction's last one there; no transaction contradicts itself.
//! 2. `graph`: the order that reads, read-modify-writes, lists and real time force upon the
//!    transactions has no cycle.
//! 3. `search`: there is an order that explains everything. With this step the answer is exact. It
//!    is taken for histories of up to [`SEARCHED`] transactions, within a budget; beyond, an
//!    acceptance means that no cycle was found.

mod cycle;
mod edge;
mod graph;
mod observe;
mod search;

use crate::history::History;
use crate::verdict::{Anomaly, Verdict, Violation};
pub use search::Search;

/// The size of history up to which all orders are searched.
///
/// What is exponential is only the number of transactions that write and overlap in time.
pub const SEARCHED: usize = 64;

/// Checks a history without its timestamps.
///
/// It cannot tell if a value is written twice, since reads cannot be attributed then.
pub fn check(history: &History) -> Verdict {
    let writes = match observe::Writes::of(history) {
        Ok(writes) => writes,
        Err(reason) => return Verdict::Undecided(reason),
    };
    let observations = match observe::observe(history, &writes) {
        Ok(observations) => observations,
        Err(violation) => return Verdict::Rejected(violation),
    };
    if let Err(violation) = graph::check(history, &writes, &observations) {
        return Verdict::Rejected(violation);
    }
    if history.transactions.len() > SEARCHED {
        return Verdict::Accepted;
    }
    match search::search(history) {
        Search::Found(_) | Search::GaveUp => Verdict::Accepted,
        Search::None { explained } => Verdict::Rejected(Violation::new(
            Anomaly::NoOrder,
            format!(
                "no order of the transactions explains all that was read; at best {}\n{history}",
                show(&explained)
            ),
        )),
    }
}

/// Searches for an order that explains a history. `None` if the history is larger than
/// [`SEARCHED`].
pub fn serialize(history: &History) -> Option<Search> {
    (history.transactions.len() <= SEARCHED).then(|| search::search(history))
}

fn show(order: &[usize]) -> String {
    let names: Vec<_> = order.iter().map(|index| format!("T{index}")).collect();
    if names.is_empty() {
        return "nothing is explained".to_owned();
    }
    format!("these are: {}", names.join(", "))
}
