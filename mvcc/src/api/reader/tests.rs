//! Reading at a timestamp.

use super::*;
use crate::rows::version::ValueVersion;
use crate::{Database, Read, Snapshot, Table};

/// A key with a value, another one and a tombstone, and snapshots before, between and after.
fn history() -> (Database, Table<u64, &'static str>, Vec<Snapshot>) {
    let db = Database::new();
    let table = db.table("t").expect("a new database");
    let mut snapshots = vec![db.snapshot()];
    for value in [Some("one"), Some("two"), None] {
        db.run(|tx| {
            Ok::<_, ()>(match value {
                Some(value) => tx.insert(&table, 1, value),
                None => tx.remove(&table, &1),
            })
        })
        .expect("it commits");
        snapshots.push(db.snapshot());
    }
    (db, table, snapshots)
}

#[test]
fn each_timestamp_has_its_version() {
    let (db, table, snapshots) = history();
    let local = db.inner().local();
    let guard = local.pin();
    let expected = [None, Some(&"one"), Some(&"two"), None];
    for (snapshot, expected) in snapshots.iter().zip(expected) {
        let (timestamp, protected) = (snapshot.timestamp().ticks(), Protected::pinned(&guard));
        // SAFETY: the snapshot's slot protects its timestamp.
        let value = unsafe { get_at(&table, &1, timestamp, protected) };
        assert_eq!(value, expected);
        let rows: Vec<_> = (0..table.core.index.hash().shards())
            // SAFETY: as above, and the table's types.
            .flat_map(|shard| unsafe {
                shard_at::<u64, &str>(&table.core, shard, timestamp, protected)
            })
            .collect();
        assert_eq!(
            rows,
            expected
                .map(|value| (&1, value))
                .into_iter()
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn no_version_and_a_tombstone_have_no_value() {
    let tombstone = ValueVersion::<u64>::boxed(None);
    let version = ValueVersion::boxed(Some(7_u64));
    // SAFETY: ours, and of this type.
    unsafe {
        assert_eq!(value_of::<u64>(std::ptr::null_mut()), None);
        assert_eq!(value_of::<u64>(tombstone.as_ptr()), None);
        assert_eq!(value_of(version.as_ptr()), Some(&7_u64));
        let types = crate::rows::version::VersionType::of::<u64>();
        (types.free)(tombstone);
        (types.free)(version);
    }
}

#[test]
fn all_readers_read_the_same_through_the_trait() {
    fn all(read: &impl Read, table: &Table<u64, &'static str>) -> Vec<(u64, &'static str)> {
        assert_eq!(read.contains_key(table, &1), read.get(table, &1).is_some());
        read.iter(table)
            .map(|(key, value)| (*key, *value))
            .collect()
    }
    let (db, table, snapshots) = history();
    db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "three")))
        .expect("it commits");
    let expected = [(1, "three")];
    assert_eq!(all(&db.begin(), &table), expected);
    assert_eq!(db.view(|view| all(view, &table)), expected);
    assert_eq!(all(&db.snapshot(), &table), expected);
    assert_eq!(all(&snapshots[2], &table), [(1, "two")]);
}
