//! Reading without a timestamp for as long as possible, and at one.

use super::*;
use crate::api::read::{AnyTable, Lookup};
use crate::rows::core::TableCore;
use crate::rows::protected::Protected;
use crate::{Database, Table};

struct Subject {
    db: Database,
    table: Table<u64, u64>,
}

impl Subject {
    /// Keys 0 to 19, each with itself as its value.
    fn new() -> Self {
        let db = Database::new();
        let table = db.table("t").expect("a new database");
        let subject = Self { db, table };
        (0..20).for_each(|key| subject.put(key, key));
        subject
    }

    fn put(&self, key: u64, value: u64) {
        self.db
            .run(|tx| Ok::<_, ()>(tx.insert(&self.table, key, value)))
            .expect("it commits");
    }

    fn clock(&self) -> &Clock {
        &self.db.inner().shared.memory.clock
    }

    /// Only while a transaction is open.
    fn tuple(&self, key: u64) -> NonNull<Tuple> {
        // SAFETY: the test's transaction has an open slot.
        let found = self.table.find(&key, unsafe { Protected::open() });
        found.expect("the key is there")
    }

    /// The value that is read, if no timestamp is needed.
    fn read(&self, reads: &mut Reads<NonNull<TableCore>>, key: u64) -> Option<u64> {
        let (tuple, table) = (self.tuple(key), NonNull::from(self.table.core()));
        // SAFETY: of this table, and the test's transaction has an open slot.
        let version = unsafe { reads.read_untimed(table, tuple) }?;
        // SAFETY: as above.
        unsafe { crate::rows::version::value_of(version.as_ptr()) }.copied()
    }
}

#[test]
fn the_newest_versions_are_read_until_there_are_too_many_to_check() {
    let subject = Subject::new();
    let _open = subject.db.begin();
    let mut reads = Reads::default();
    for key in 0..UNTIMED as u64 {
        assert_eq!(subject.read(&mut reads, key), Some(key));
        assert_eq!(reads.timestamp(), None);
    }
    assert_eq!(subject.read(&mut reads, 19), None);
    let timestamp = reads.take_timestamp(subject.clock());
    assert!(timestamp > 0 && reads.timestamp() == Some(timestamp));
    assert_eq!(subject.read(&mut reads, 0), None, "it has a timestamp");
}

#[test]
fn an_overwritten_read_fixes_the_timestamp_at_the_first_overwriter() {
    let subject = Subject::new();
    let _open = subject.db.begin();
    let mut reads = Reads::default();
    assert_eq!(subject.read(&mut reads, 1), Some(1));
    assert_eq!(subject.read(&mut reads, 2), Some(2));
    assert!(reads.entries.iter().all(Read::is_current));
    let before = subject.clock().now();
    subject.put(2, 20);
    let between = subject.clock().now();
    subject.put(2, 21);
    subject.put(1, 10);
    assert!(!reads.entries.iter().any(Read::is_current));
    assert_eq!(subject.read(&mut reads, 3), None);
    let timestamp = reads.timestamp().expect("taken");
    assert!(before < timestamp && timestamp < between);
    for value in [1_u64, 2, 3] {
        // SAFETY: the open slot protects what is newer than the transaction.
        let Seen::Version(version, _) = (unsafe { read_at(subject.tuple(value), timestamp) })
        else {
            panic!("nothing was removed")
        };
        // SAFETY: as above.
        assert_eq!(
            // SAFETY: as above.
            unsafe { value_of(version) },
            Some(&value)
        );
    }
}

#[test]
fn a_removed_key_is_read_at_a_timestamp() {
    let subject = Subject::new();
    let _open = subject.db.begin();
    let removed = subject
        .db
        .run(|tx| Ok::<_, ()>(tx.remove(&subject.table, &1)));
    removed.expect("it commits");
    let mut reads = Reads::default();
    assert_eq!(subject.read(&mut reads, 1), None);
    let timestamp = reads.take_timestamp(subject.clock());
    // SAFETY: as above.
    let seen = unsafe { read_at(subject.tuple(1), timestamp) };
    // SAFETY: as above.
    let is_tombstone =
        |version| unsafe { crate::rows::version::value_of::<u64>(version) }.is_none();
    assert!(matches!(seen, Seen::Version(version, true) if is_tombstone(version)));
}
