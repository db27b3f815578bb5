//! Memory that is used again, keys that leave while snapshots live, and snapshots that are given
//! up.

use super::{Numbers, World, add, check_clean, numbers, pair, remove, tasks, write};
use mvcc_shuttle::{Database, LimitedSnapshot};
use shuttle::sync::Arc;
use shuttle::thread;
use std::time::Duration;

/// Versions between a snapshot and now are unlinked, and their memory is used for new versions,
/// while the snapshot's reads pass by.
pub(super) fn versions_in_the_middle(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let old = Arc::new(db.snapshot());
    let (a, b) = ((db.clone(), table.clone()), (old.clone(), table.clone()));
    tasks!(
        move || {
            for i in 1..8 {
                write(&a.0, &a.1, &[(0, i), (1, i)]);
            }
            a.0.collect();
            write(&a.0, &a.1, &[(0, 8), (1, 8)]);
        },
        move || {
            for _ in 0..4 {
                assert_eq!(pair(&*b.0, &b.1), (0, 0), "a snapshot that moved");
            }
        },
    );
    drop(old);
    check_clean(&db, 2);
}

/// A key that a snapshot sees is removed, and one that it does not see comes and goes: only the
/// first one's tuple waits for the snapshot.
pub(super) fn removal_under_a_snapshot(world: World) {
    let (db, table) = numbers(world, &[(0, 0), (1, 0)]);
    let old = Arc::new(db.snapshot());
    let (a, b, c) = (
        (db.clone(), table.clone()),
        (old.clone(), table.clone()),
        (db.clone(), table.clone()),
    );
    tasks!(
        move || {
            remove(&a.0, &a.1, 0);
            add(&a.0, &a.1, 2, 1);
            remove(&a.0, &a.1, 2);
            a.0.collect();
            a.0.collect();
        },
        move || {
            for _ in 0..2 {
                assert_eq!(pair(&*b.0, &b.1), (0, 0), "a snapshot that moved");
                assert_eq!(b.0.get(&b.1, &2), None, "a snapshot that moved");
            }
        },
        move || {
            add(&c.0, &c.1, 1, 1);
            c.0.collect();
        },
    );
    db.collect();
    let stats = db.stats();
    assert_eq!(stats.live_tuples, 2, "more than the snapshot sees");
    assert_eq!(pair(&*old, &table), (0, 0), "a snapshot that moved");
    drop(old);
    check_clean(&db, 1);
}

/// A key is removed whose first version a snapshot sees, and its second one is unlinked, so that
/// its tombstone stands above the first. If the snapshot ends then, a collection frees that one
/// without unlinking it, provided that it looked at the coarse clock before the removal: had it
/// done so later, the tombstone too would be below its watermark.
pub(super) fn removal_above_a_freed_version(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let old = db.snapshot();
    write(&db, &table, &[(0, 1)]);
    let (a, b) = (db.clone(), (db.clone(), table));
    tasks!(
        move || a.collect(),
        move || {
            remove(&b.0, &b.1, 0);
            b.0.collect();
        },
        move || drop(old),
    );
    check_clean(&db, 0);
}

/// A key is removed, comes back and is removed again, by two tasks, while snapshots come and go.
pub(super) fn removed_again_and_again(world: World) {
    let (db, table) = numbers(world, &[(0, 0)]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    tasks!(
        move || {
            let snapshot = a.0.snapshot();
            remove(&a.0, &a.1, 0);
            add(&a.0, &a.1, 0, 1);
            a.0.collect();
            remove(&a.0, &a.1, 0);
            drop(snapshot);
            a.0.collect();
        },
        move || {
            remove(&b.0, &b.1, 0);
            add(&b.0, &b.1, 0, 1);
            remove(&b.0, &b.1, 0);
        },
    );
    check_clean(&db, 0);
}

/// Two transactions insert the same key and give up, while what is left of that is collected.
pub(super) fn given_up_side_by_side(world: World) {
    let (db, table) = numbers(world, &[]);
    let (a, b) = ((db.clone(), table.clone()), (db.clone(), table.clone()));
    let give_up = |(db, table): &(Database, Numbers)| {
        let tx = db.begin();
        tx.insert(table, 0, 1);
        tx.abort();
    };
    tasks!(move || (0..3).for_each(|_| give_up(&a)), move || {
        for _ in 0..2 {
            give_up(&b);
            b.0.collect();
        }
    });
    check_clean(&db, 0);
}

/// A database whose limited snapshots expire as soon as somebody collects.
fn expiring(world: World) -> (Database, Numbers) {
    let built = world.builder().snapshot_limit(Duration::ZERO).build();
    let db = built.expect("all clocks exist in the scheduler's world");
    let table = db.table("numbers").expect("new");
    write(&db, &table, &[(0, 0), (1, 0)]);
    (db, table)
}

/// Reads the two rows of a limited snapshot twice, and checks that they stay as they are. False if
/// it has expired.
fn read_twice(limited: &LimitedSnapshot, table: &Numbers, expected: (u64, u64)) -> bool {
    let read = limited.read(|snapshot| {
        let first = snapshot.get(table, &0).expect("it stays");
        assert_eq!(pair(snapshot, table), expected, "a snapshot that moved");
        thread::yield_now();
        assert_eq!(*first, expected.0, "a reference that changed");
        assert_eq!(pair(snapshot, table), expected, "a snapshot that moved");
    });
    read.is_ok()
}

/// A limited snapshot expires while it is read from.
pub(super) fn limited_snapshot_expires(world: World) {
    let (db, table) = expiring(world);
    let limited = Arc::new(db.limited_snapshot());
    let read = || {
        let (limited, table) = (limited.clone(), table.clone());
        move || {
            let alive = read_twice(&limited, &table, (0, 0));
            let still_alive = read_twice(&limited, &table, (0, 0));
            assert!(alive || !still_alive, "an expired snapshot is read");
        }
    };
    let a = (db.clone(), table.clone());
    tasks!(read(), read(), move || {
        for i in 1..4 {
            write(&a.0, &a.1, &[(0, i), (1, i)]);
        }
        a.0.collect();
    });
    // Nobody is reading now.
    db.collect();
    assert!(limited.is_expired(), "{:?}", db.stats());
    assert!(!read_twice(&limited, &table, (0, 0)));
    assert_eq!(db.stats().expired_snapshots, 1);
    check_clean(&db, 2);
    drop(limited);
    check_clean(&db, 2);
}

/// A limited snapshot is dropped while somebody would let it expire, and its slot becomes another
/// snapshot's.
pub(super) fn limited_snapshot_is_dropped(world: World) {
    let (db, table) = expiring(world);
    let limited = db.limited_snapshot();
    let (a, b, c) = (
        (db.clone(), table.clone()),
        db.clone(),
        (db.clone(), table.clone()),
    );
    tasks!(
        move || {
            drop(limited);
            let snapshot = a.0.snapshot();
            let seen = pair(&snapshot, &a.1);
            a.0.collect();
            assert_eq!(pair(&snapshot, &a.1), seen, "a snapshot that moved");
        },
        move || b.collect(),
        move || {
            for i in 1..4 {
                write(&c.0, &c.1, &[(0, i), (1, i)]);
            }
            c.0.collect();
        },
    );
    assert!(db.stats().expired_snapshots <= 1);
    check_clean(&db, 2);
}
