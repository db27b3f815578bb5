//! `surrealmx`.

use super::{About, Action, FOUND, Op, Peer};
use std::ops::RangeInclusive;
use surrealmx::{Database, Error};

/// A database in memory, with its background threads.
pub(super) struct SurrealMx(Database);

const READS: &str = "reads do not fail";

impl Peer for SurrealMx {
    const ABOUT: About = About {
        name: "surrealmx",
        version: env!("VERSION_OF_surrealmx"),
        isolation: "strict serializability, reads snapshot isolation",
        how: "`with_value` and `set` for single operations, else transactions; what `set` retries inside is not counted",
    };
    type Ordered = Self;

    fn new() -> Self {
        Self(Database::new())
    }

    fn read(&self, ops: &[Op], see: impl Fn(u64, &[u8])) {
        if let [op] = ops {
            let read = self.0.with_value(op.key.to_be_bytes(), |v| see(op.key, v));
            return read.expect(READS).expect(FOUND);
        }
        let mut tx = self.0.transaction(false);
        for op in ops {
            let read = tx.with_value(op.key.to_be_bytes(), |v| see(op.key, v));
            read.expect(READS).expect(FOUND);
        }
        tx.cancel().expect("an open transaction");
    }

    fn write(&self, ops: &[Op], see: impl Fn(u64, &[u8])) -> u64 {
        const WRITES: &str = "buffered writes do not fail";
        if let [op] = ops {
            let written = self.0.set(op.key.to_be_bytes(), op.value());
            written.expect(WRITES);
            return 0;
        }
        let mut retries = 0;
        loop {
            let mut tx = self.0.transaction(true);
            for op in ops {
                let key = op.key.to_be_bytes();
                match op.action {
                    Action::Read => {
                        let read = tx.with_value(key, |v| see(op.key, v));
                        read.expect(READS).expect(FOUND);
                    }
                    Action::Update | Action::Insert => tx.set(key, op.value()).expect(WRITES),
                }
            }
            match tx.commit() {
                Ok(()) => return retries,
                Err(Error::KeyReadConflict | Error::KeyWriteConflict) => retries += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn scan(&self, range: RangeInclusive<u64>, see: impl Fn(u64, &[u8])) {
        // The end is excluded; the largest key of all is never drawn.
        let range = range.start().to_be_bytes()..(range.end() + 1).to_be_bytes();
        let scanned = self.0.scan_with(range, None, None, |key, value| {
            let key = key.as_ref().try_into().expect("8 bytes");
            see(u64::from_be_bytes(key), value);
            true
        });
        scanned.expect(READS);
    }

    fn hold<R>(&self, key: u64, meanwhile: impl FnOnce() -> R, see: impl Fn(u64, &[u8])) -> R {
        let tx = self.0.transaction(false);
        let result = meanwhile();
        let read = tx.with_value(key.to_be_bytes(), |value| see(key, value));
        read.expect(READS).expect(FOUND);
        result
    }
}
