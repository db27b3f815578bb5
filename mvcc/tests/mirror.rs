//! A store whose files are in two directories.

#![cfg(feature = "durable")]

use journal::sim::{Fault, SimDisk};
use journal::{Disk, Mirror};
use mvcc::{OpenError, Store, StoreOptions, Table};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

type Opened = Result<(Store, Table<u64, u64>), OpenError>;

fn small() -> StoreOptions {
    Store::options()
        .segment_bytes(1 << 16)
        .checkpoint_bytes(1 << 17)
}

fn open(options: StoreOptions, directory: &Path) -> Opened {
    options.open(directory, |tables| tables.table("rows"))
}

fn put(store: &Store, table: &Table<u64, u64>, keys: std::ops::Range<u64>) {
    for key in keys {
        store
            .run(|tx| Ok::<_, Infallible>(tx.insert(table, key, key * 2)))
            .unwrap();
    }
}

fn check(store: &Store, table: &Table<u64, u64>, count: u64) {
    let rows = store.view(|view| {
        view.iter(table)
            .map(|(key, value)| (*key, *value))
            .collect()
    });
    let rows: BTreeMap<u64, u64> = rows;
    assert_eq!(rows, (0..count).map(|key| (key, key * 2)).collect());
}

/// All files but the lock's and the note: their lengths, and what stands for their bytes.
fn files(directory: &Path) -> BTreeMap<String, (usize, u64)> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names
        .filter(|name| name != "lock" && name != "mirror")
        .map(|name| {
            let bytes = fs::read(directory.join(&name)).unwrap();
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            (name, (bytes.len(), hasher.finish()))
        })
        .collect()
}

#[test]
fn both_directories_have_all_and_either_may_go() {
    let place = tempfile::tempdir().unwrap();
    let sides = [place.path().join("a"), place.path().join("b")];
    let mut count = 0;
    for round in 0..4 {
        let (store, table) = open(small().mirror(&sides[1]), &sides[0]).unwrap();
        check(&store, &table, count);
        put(&store, &table, count..count + 50);
        count += 50;
        if round == 1 {
            store.checkpoint().unwrap();
        }
        assert!(store.stats().lost_side.is_none());
        store.close().unwrap();
        drop(table);
        assert_eq!(files(&sides[0]), files(&sides[1]));
        fs::remove_dir_all(&sides[round % 2]).unwrap();
    }
    let (store, table) = open(small().mirror(&sides[1]), &sides[0]).unwrap();
    check(&store, &table, count);
}

#[test]
fn a_store_becomes_a_mirror_and_goes_on_without() {
    let place = tempfile::tempdir().unwrap();
    let sides = [place.path().join("a"), place.path().join("b")];
    let (store, table) = open(small(), &sides[0]).unwrap();
    put(&store, &table, 0..10);
    store.close().unwrap();
    let (store, table) = open(small().mirror(&sides[1]), &sides[0]).unwrap();
    put(&store, &table, 10..20);
    store.close().unwrap();
    drop(table);
    // Not by itself, unless that is asked for.
    let refused = open(small(), &sides[1]).err().unwrap().to_string();
    for part in ["side of a mirror", "without_mirror", "b"] {
        assert!(refused.contains(part), "{refused}");
    }
    let (store, table) = open(small().without_mirror(), &sides[1]).unwrap();
    check(&store, &table, 20);
    put(&store, &table, 20..30);
    store.close().unwrap();
    drop(table);
    let refused = open(small().mirror(&sides[1]), &sides[0]).err().unwrap();
    let refused = refused.to_string();
    assert!(refused.contains("no mirror of each other"), "{refused}");
    fs::remove_dir_all(&sides[0]).unwrap();
    let (store, table) = open(small().mirror(&sides[1]), &sides[0]).unwrap();
    check(&store, &table, 30);
    // A copy of it is a store of its own.
    let copy = place.path().join("copy");
    store.backup(&copy).unwrap();
    let (copied, rows) = open(small(), &copy).unwrap();
    check(&copied, &rows, 30);
}

#[test]
fn bad_directories_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let side = place.path().join("a");
    let refused = |mirror: &Path| {
        let opened = open(small().mirror(mirror), &side);
        opened.err().unwrap().to_string()
    };
    let error = refused(&side);
    assert!(error.contains("is in use"), "{error}");
    let file = place.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = refused(&file);
    assert!(error.contains("not a directory"), "{error}");
    let other = place.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("thesis.txt"), "x").unwrap();
    let error = refused(&other);
    assert!(error.contains("thesis.txt"), "{error}");
    assert!(files(&other).contains_key("thesis.txt"));
}

#[test]
fn a_side_that_fails_is_told_and_the_store_goes_on() {
    let sides = [SimDisk::new(), SimDisk::new()];
    let open = || {
        let [first, second] = sides.clone().map(|side| Arc::new(side) as Arc<dyn Disk>);
        let mirror = Arc::new(Mirror::open(first, second).unwrap());
        let (store, table) = small()
            .open_on(mirror.clone(), |tables| tables.table("rows"))
            .unwrap();
        (store, table, mirror)
    };
    let (store, table, mirror): (Store, Table<u64, u64>, _) = open();
    put(&store, &table, 0..5);
    sides[0].fail(sides[0].operations() + 3, Fault::Forever);
    put(&store, &table, 5..20);
    let lost = mirror.lost().unwrap();
    assert!(!lost.is_second, "{lost}");
    // With checkpoints and new segments.
    store.checkpoint().unwrap();
    put(&store, &table, 20..30);
    store.close().unwrap();
    drop((table, mirror));
    sides[0].mend();
    let (store, table, mirror) = open();
    check(&store, &table, 30);
    assert!(mirror.lost().is_none());
}
