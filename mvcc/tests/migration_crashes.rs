//! Every image that a crash may leave of a store that is being migrated: the old program finds the
//! old rows, or is told that the new one has them; the new program finds all of them, each once
//! migrated, however often it is opened, and after a crash in that as well.

#![cfg(feature = "durable")]

use journal::sim::{Image, Lie, SimDisk};
use mvcc::{OpenError, Schema, Store, Table};
use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const PEOPLE: u64 = 5;

fn open<V: 'static>(
    disk: &SimDisk,
    declare: impl FnOnce(&mut Schema) -> Table<u64, V>,
) -> Result<(Store, Table<u64, V>), OpenError> {
    let options = Store::options()
        .segment_bytes(2 << 10)
        .checkpoint_bytes(1 << 40);
    options.open_on(Arc::new(disk.clone()), declare)
}

fn open_old(disk: &SimDisk) -> Result<(Store, Table<u64, u64>), OpenError> {
    open(disk, |tables| tables.table("people"))
}

/// The migration is not one that can be done twice unnoticed.
fn open_new(disk: &SimDisk) -> Result<(Store, Table<u64, String>), OpenError> {
    open(disk, |tables| {
        tables
            .version(2)
            .from(1, |old: u64| format!("was {old}"))
            .table("people")
    })
}

/// A store of the old program, with a table that the new one does not declare.
fn old(has_checkpoint: bool) -> Image {
    let disk = SimDisk::new();
    let opened = Store::options()
        .segment_bytes(2 << 10)
        .checkpoint_bytes(1 << 40)
        .open_on(Arc::new(disk.clone()), |tables| {
            (tables.table("people"), tables.table("rest"))
        });
    let (store, (people, rest)) = opened.expect("it is new");
    for number in 0..PEOPLE {
        let add = |tx: &mvcc::Transaction<'_>| {
            tx.insert(&people, number, number * 10);
            Ok::<_, Infallible>(tx.insert(&rest, number, "rest".to_owned()))
        };
        store.run(add).expect("it is durable");
        if has_checkpoint && number == PEOPLE / 2 {
            store.checkpoint().expect("there is room");
        }
    }
    store.close().expect("nothing has failed");
    disk.image()
}

fn migrated() -> BTreeMap<u64, String> {
    (0..PEOPLE)
        .map(|number| (number, format!("was {}", number * 10)))
        .collect()
}

/// Opens it with the new program, which finds all.
fn check_new(disk: &SimDisk) {
    let (store, people) = open_new(disk).expect("a crash leaves what the new program opens");
    let view = store.snapshot();
    let found: BTreeMap<_, _> = view.iter(&people).map(|(k, v)| (*k, v.clone())).collect();
    assert_eq!(found, migrated());
    assert_eq!(store.undeclared(), ["rest"]);
    drop(view);
    store.close().expect("nothing fails");
}

#[derive(Debug, Default)]
struct Count {
    operations: u64,
    built: u64,
    images: u64,
    recoveries: u64,
    nested: u64,
    old: u64,
    new: u64,
}

/// The images that a crash may leave of what the disk has recorded.
fn images(disk: &SimDisk, count: &mut Count) -> Vec<Image> {
    let (mut seen, mut images) = (HashSet::new(), Vec::new());
    for moment in disk.moments() {
        count.operations += 1;
        let coverage = moment.images(&mut seen, moment.operations, |image| images.push(image));
        count.built += coverage.built;
    }
    count.images += images.len() as u64;
    images
}

/// Migrates, and opens whatever a crash in it leaves. Every 64th of the recoveries crashes again.
fn crash(image: &Image, lie: Option<Lie>) -> Count {
    let mut count = Count::default();
    let disk = SimDisk::after(image);
    disk.lie(lie);
    disk.record();
    check_new(&disk);
    for (number, image) in images(&disk, &mut count).into_iter().enumerate() {
        match open_old(&SimDisk::after(&image)) {
            Ok((store, people)) => {
                let view = store.snapshot();
                let found: BTreeMap<_, _> = view.iter(&people).map(|(k, v)| (*k, *v)).collect();
                assert_eq!(
                    found,
                    (0..PEOPLE).map(|number| (number, number * 10)).collect()
                );
                count.old += 1;
            }
            Err(OpenError::Types { version: 2, .. }) => count.new += 1,
            Err(error) => panic!("the old program: {error}"),
        }
        let again = SimDisk::after(&image);
        let is_deep = number % 64 == 0;
        if is_deep {
            again.record();
        }
        for _ in 0..2 {
            check_new(&again);
            count.recoveries += 1;
        }
        if is_deep {
            let mut inner = Count::default();
            for image in images(&again, &mut inner) {
                check_new(&SimDisk::after(&image));
                count.nested += 1;
            }
        }
    }
    count
}

#[test]
fn every_crash_in_a_migration_leaves_the_old_or_the_new_and_it_goes_on() {
    for has_checkpoint in [false, true] {
        let count = crash(&old(has_checkpoint), None);
        println!("migration, with a checkpoint before: {has_checkpoint}, {count:?}");
        assert!(count.old > 0 && count.new > 0, "{count:?}");
        assert!(count.images > 30 && count.nested > 100, "{count:?}");
    }
}

#[test]
fn a_disk_that_does_not_sync_is_caught_by_a_migration() {
    let old = old(true);
    for lie in [Lie::SyncData, Lie::SyncDir] {
        let crashed = catch_unwind(AssertUnwindSafe(|| crash(&old, Some(lie))));
        assert!(crashed.is_err(), "{lie:?} was not noticed");
    }
}
