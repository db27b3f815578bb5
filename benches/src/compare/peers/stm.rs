//! `stm`: software transactional memory.

use super::{About, Action, Need, Op, Peer, Value};
use std::cell::Cell;
use std::collections::HashMap;
use stm::{TVar, atomically};

/// A map that is fixed once it is loaded, of transactional variables.
pub(super) struct Stm(HashMap<u64, TVar<Value>, foldhash::fast::RandomState>);

impl Peer for Stm {
    const ABOUT: About = About {
        name: "stm",
        version: env!("VERSION_OF_stm"),
        isolation: "serializability",
        how: "variables in a fixed hash map; `read_atomic` for single reads, else `atomically`, where attempts that fail may see inconsistent states",
    };
    const LACKS: &'static [(Need, &'static str)] = &[
        (Need::Order, "variables have no order"),
        (Need::Inserts, "its set of variables is fixed"),
        (Need::Snapshots, "it has no snapshots"),
    ];
    type Ordered = Self;

    fn new() -> Self {
        Self::load(&[])
    }

    fn load(keys: &[u64]) -> Self {
        let variable = |&key| (key, TVar::new(Op::insert(key).value()));
        Self(keys.iter().map(variable).collect())
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        if let [op] = ops {
            return see(op.key, &self.0[&op.key].read_atomic());
        }
        self.write(ops, see);
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        let attempts = Cell::new(0);
        atomically(|tx| {
            attempts.set(attempts.get() + 1);
            for op in ops {
                let variable = &self.0[&op.key];
                match op.action {
                    Action::Read => see(op.key, &variable.read(tx)?),
                    Action::Update | Action::Insert => variable.write(tx, op.value())?,
                }
            }
            Ok(())
        });
        attempts.get() - 1
    }
}
