//! Openings that are refused: each with a clear line, and the directory as it was.

#![cfg(feature = "durable")]

use mvcc::{OpenError, Schema, Store, StoreOptions, Table, UniqueIndex};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The files of a directory, without that of the lock.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("it is there");
    let files = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        (name, fs::read(&path).expect("a file"))
    });
    files.filter(|(name, _)| name != "lock").collect()
}

fn options() -> StoreOptions {
    Store::options()
        .segment_bytes(64 << 10)
        .checkpoint_bytes(1 << 40)
}

type People = Table<u64, String>;

fn declare(tables: &mut Schema) -> People {
    tables.table("people")
}

/// A store that was left in the middle of its work: two people of the same name, and a torn tail.
fn left_behind() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (store, people) = options()
        .open(directory.path(), declare)
        .expect("it is new");
    for number in 0..2 {
        let add = |tx: &mvcc::Transaction<'_>| {
            Ok::<_, Infallible>(tx.insert(&people, number, "ann".to_owned()))
        };
        store.run(add).expect("it is durable");
    }
    let copy = tempfile::tempdir().expect("a temporary directory");
    for (name, bytes) in files(directory.path()) {
        fs::write(copy.path().join(name), bytes).expect("it can be written");
    }
    copy
}

/// Tries an opening, which fails, and checks that it has changed nothing.
#[track_caller]
fn refused<T>(directory: &Path, open: impl FnOnce() -> Result<T, OpenError>) -> OpenError {
    let before = files(directory);
    let error = open().map(drop).expect_err("it is refused");
    assert_eq!(files(directory), before, "{error}");
    let (store, people) = options().open(directory, declare).expect("it is whole");
    assert_eq!(store.snapshot().iter(&people).count(), 2);
    error
}

#[test]
fn a_unique_index_that_is_refused_changes_nothing() {
    let directory = left_behind();
    let error = refused(directory.path(), || {
        options().open(directory.path(), |tables| -> UniqueIndex<String, People> {
            let people = declare(tables);
            let _new: Table<u64, u64> = tables.table("new");
            tables.unique_index(&people, "name", |_, name| [name.clone()])
        })
    });
    let text = error.to_string();
    assert!(
        text.contains("\"people\"") && text.contains("\"name\""),
        "{text}"
    );
}

#[test]
fn other_types_that_are_refused_change_nothing() {
    let directory = left_behind();
    let error = refused(directory.path(), || {
        options().open(directory.path(), |tables| -> Table<u64, u64> {
            tables.table("people")
        })
    });
    assert!(matches!(error, OpenError::Types { .. }), "{error}");
}

#[test]
fn a_migration_that_panics_changes_nothing() {
    let directory = left_behind();
    let before = files(directory.path());
    let open = || {
        options().open(directory.path(), |tables| -> Table<u64, String> {
            let panics = |_: String| -> String { panic!("a name that it does not know") };
            let migrated = tables.version(2).from(1, panics);
            migrated.table("people")
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(open)).is_err());
    assert_eq!(files(directory.path()), before);
    let (store, people) = options()
        .open(directory.path(), declare)
        .expect("it is whole");
    assert_eq!(store.snapshot().iter(&people).count(), 2);
}

#[test]
fn progress_that_panics_changes_nothing() {
    let directory = left_behind();
    let before = files(directory.path());
    let open = || {
        let watched = options().progress(|_| panic!("it does not want to know"));
        watched.open(directory.path(), declare)
    };
    assert!(catch_unwind(AssertUnwindSafe(open)).is_err());
    assert_eq!(files(directory.path()), before);
    let (store, people) = options()
        .open(directory.path(), declare)
        .expect("it is whole");
    assert_eq!(store.snapshot().iter(&people).count(), 2);
}

#[test]
fn what_is_no_directory_of_a_store_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("file");
    fs::write(&file, "a file").expect("it can be written");
    let open = |path: &Path| {
        Store::open(path, declare)
            .map(drop)
            .expect_err("it is no store")
    };
    let text = open(&file).to_string();
    assert!(text.contains(&*file.to_string_lossy()), "{text}");
    let text = open(directory.path()).to_string();
    assert!(
        text.contains(&*directory.path().to_string_lossy()),
        "{text}"
    );
    assert_eq!(fs::read(&file).expect("it is there"), b"a file");
    assert_eq!(open(Path::new("")).to_string().lines().count(), 1);
}
