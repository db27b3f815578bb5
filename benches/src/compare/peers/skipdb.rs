//! `skipdb`.

use super::{About, Action, FOUND, Op, Peer, Value};
use skipdb::serializable::SerializableDb;
use std::ops::RangeInclusive;

/// A serializable database.
pub(super) struct SkipDb(SerializableDb<u64, Value>);

impl Peer for SkipDb {
    const ABOUT: About = About {
        name: "skipdb",
        version: env!("VERSION_OF_skipdb"),
        isolation: "serializable snapshot isolation",
        how: "`read` and `serializable_write`; old versions stay until `compact`, which is called between samples",
    };
    type Ordered = Self;

    fn new() -> Self {
        Self(SerializableDb::new())
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        let tx = self.0.read();
        for op in ops {
            see(op.key, &tx.get(&op.key).expect(FOUND).value()[..]);
        }
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        const OPEN: &str = "an open transaction";
        let mut retries = 0;
        loop {
            let mut tx = self.0.serializable_write();
            for op in ops {
                match op.action {
                    Action::Read => {
                        let entry = tx.get(&op.key).expect(OPEN).expect(FOUND);
                        see(op.key, &entry.value()[..]);
                    }
                    Action::Update | Action::Insert => {
                        tx.insert(op.key, op.value()).expect(OPEN);
                    }
                }
            }
            let Err(error) = tx.commit() else {
                return retries;
            };
            // The type of the error is of a crate that `skipdb` does not re-export.
            let error = error.to_string();
            assert!(error.contains("conflict"), "{error}");
            retries += 1;
        }
    }

    fn scan(&self, range: RangeInclusive<u64>, see: impl Fn(u64, &[u8])) {
        for entry in self.0.read().range(range) {
            see(*entry.key(), &entry.value()[..]);
        }
    }

    fn hold<R>(&self, key: u64, meanwhile: impl FnOnce() -> R, see: impl Fn(u64, &[u8])) -> R {
        let tx = self.0.read();
        let result = meanwhile();
        see(key, &tx.get(&key).expect(FOUND).value()[..]);
        result
    }

    fn tidy(&self) {
        self.0.compact();
    }
}
