//! `dashmap`: what a concurrent map does without transactions.

use super::{About, Action, FOUND, Need, Op, Peer, Value};

/// A map that locks one of its parts for each operation.
pub(super) struct DashMap(dashmap::DashMap<u64, Value, foldhash::fast::RandomState>);

impl Peer for DashMap {
    const ABOUT: About = About {
        name: "dashmap",
        version: env!("VERSION_OF_dashmap"),
        isolation: "none: no transactions",
        how: "no transactions, each operation is for itself; `get` and `insert`; values are overwritten in place",
    };
    const LACKS: &'static [(Need, &'static str)] = &[
        (Need::Order, "a hash map has no order"),
        (Need::Snapshots, "it has no snapshots"),
    ];
    type Ordered = Self;

    fn new() -> Self {
        Self(dashmap::DashMap::default())
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        for op in ops {
            see(op.key, &self.0.get(&op.key).expect(FOUND)[..]);
        }
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        for op in ops {
            match op.action {
                Action::Read => see(op.key, &self.0.get(&op.key).expect(FOUND)[..]),
                Action::Update | Action::Insert => {
                    self.0.insert(op.key, op.value());
                }
            }
        }
        0
    }
}
