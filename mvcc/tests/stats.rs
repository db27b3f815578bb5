//! What a database tells about itself.

use mvcc::{ClockChoice, ConflictCause, Database, RetryPolicy, RunError, Table};
use std::collections::BTreeSet;
use std::time::Duration;

fn numbers(db: &Database, name: &str) -> Table<u64, u64> {
    let table = db.table(name).expect("new");
    db.run(|tx| {
        (0..4).for_each(|key| tx.insert(&table, key, 0));
        Ok::<_, ()>(())
    })
    .expect("no error");
    table
}

/// Overwrites a row behind the back of whoever has read it.
fn overwrite(db: &Database, table: &Table<u64, u64>, key: u64) {
    db.run(|tx| Ok::<_, ()>(tx.insert(table, key, 1)))
        .expect("no error");
}

#[test]
fn the_oldest_snapshot_is_told_with_its_age_and_where_it_was_opened() {
    let db = Database::builder()
        .clock(ClockChoice::Auto)
        .build()
        .expect("every machine has one");
    numbers(&db, "t");
    assert_eq!(db.stats().oldest_snapshot, None);
    let (first, line) = (db.snapshot(), line!());
    std::thread::sleep(Duration::from_millis(20));
    let second = db.snapshot();
    let stats = db.stats();
    assert_eq!(stats.live_snapshots, 2);
    let oldest = stats.oldest_snapshot.expect("there are two");
    assert_eq!(oldest.timestamp, first.timestamp());
    assert!(oldest.age.ticks > 0);
    if let Some(age) = oldest.age.duration {
        assert!(age >= Duration::from_millis(10), "{age:?}");
        assert!(age < Duration::from_mins(1), "{age:?}");
    }
    let opened_at = oldest.opened_at.map(|at| (at.file(), at.line()));
    let here = cfg!(debug_assertions).then_some((file!(), line));
    assert_eq!(opened_at, here);
    drop(first);
    let next = db.stats().oldest_snapshot.expect("there is one");
    assert_eq!(next.timestamp, second.timestamp());
    drop(second);
    assert_eq!(db.stats().oldest_snapshot, None);
}

#[test]
fn a_transaction_that_is_alive_is_told_by_its_caller_too() {
    let db = Database::new();
    let opened_here = |stats: mvcc::Stats| {
        let oldest = stats.oldest_snapshot.expect("it is alive");
        oldest.opened_at.is_none_or(|at| at.file() == file!())
    };
    assert!(db.view(|_| opened_here(db.stats())));
    let inside = db.run(|_| Ok::<_, ()>(opened_here(db.stats())));
    assert_eq!(inside, Ok(true));
    let tx = db.begin();
    assert!(opened_here(db.stats()));
    drop(tx);
}

#[test]
fn a_counting_clock_tells_ages_in_ticks_only() {
    let built = Database::builder().clock(ClockChoice::Counter).build();
    let db = built.expect("every machine has this one");
    let _snapshot = db.snapshot();
    numbers(&db, "t");
    let oldest = db.stats().oldest_snapshot.expect("it is alive");
    assert!(oldest.age.ticks > 0 && oldest.age.duration.is_none());
}

#[test]
fn conflicts_are_told_by_table_and_cause() {
    let db = Database::new();
    let (left, right) = (numbers(&db, "left"), numbers(&db, "right"));
    let lose = |read: &dyn Fn(&mvcc::Transaction<'_>) -> bool, table, key| {
        let tx = db.begin();
        read(&tx);
        tx.insert(&left, 3, 3);
        overwrite(&db, table, key);
        tx.commit().expect_err("what it has read is overwritten")
    };
    for _ in 0..3 {
        lose(&|tx| tx.contains_key(&left, &1), &left, 1);
    }
    lose(&|tx| tx.contains_key(&right, &1), &right, 1);
    lose(&|tx| tx.contains_key(&right, &9), &right, 9);
    let told: BTreeSet<_> = db
        .conflicts()
        .into_iter()
        .map(|one| (one.table.to_string(), one.cause.name(), one.count))
        .collect();
    let overwritten = ConflictCause::ReadOverwritten.name();
    let appeared = ConflictCause::AbsentKeyAppeared.name();
    let expected = [
        ("left", overwritten, 3),
        ("right", overwritten, 1),
        ("right", appeared, 1),
    ];
    let expected = expected.map(|(table, cause, count)| (table.to_owned(), cause, count));
    assert_eq!(told, BTreeSet::from(expected));
    assert_eq!(db.stats().conflicts, 5);
}

#[test]
fn retries_exclusive_runs_and_aborts_are_counted() {
    let db = Database::new();
    let table = numbers(&db, "t");
    let lose_until = |attempts: u32, policy: &RetryPolicy| {
        db.run_with(policy, |tx| {
            tx.get(&table, &1);
            if tx.attempt() < attempts {
                overwrite(&db, &table, 1);
            }
            Ok::<_, ()>(tx.insert(&table, 2, 2))
        })
    };
    let endless = RetryPolicy::new().exclusive_after(u32::MAX);
    lose_until(3, &endless).expect("the third time");
    let stats = db.stats();
    assert_eq!((stats.retries, stats.exclusive_runs), (2, 0));
    lose_until(2, &RetryPolicy::new().exclusive_after(1)).expect("alone");
    let stats = db.stats();
    assert_eq!((stats.retries, stats.exclusive_runs), (3, 1));
    let once = RetryPolicy::new().attempts(1);
    assert!(matches!(lose_until(2, &once), Err(RunError::Exhausted(_))));
    db.run(|_| Err::<(), _>("no")).expect_err("it says so");
    let stats = db.stats();
    assert_eq!((stats.retries, stats.aborts, stats.conflicts), (3, 1, 4));
}

#[test]
fn bytes_follow_keys_and_versions() {
    let db = Database::new();
    let small: Table<u64, u64> = db.table("small").expect("new");
    let large = db.ordered_table::<u64, [u8; 1_000]>("large").expect("new");
    assert_eq!(db.stats().live_bytes, 0);
    overwrite(&db, &small, 1);
    let row = db.stats().live_bytes;
    assert!((24..200).contains(&row), "{row}");
    for _ in 0..100 {
        overwrite(&db, &small, 1);
    }
    db.collect();
    assert_eq!(db.stats().live_bytes, row);
    let put = |keys: std::ops::Range<u64>| {
        db.run(|tx| {
            keys.clone()
                .for_each(|key| tx.insert(&large, key, [0; 1_000]));
            Ok::<_, ()>(())
        })
        .expect("no error");
    };
    put(0..10);
    let rows = db.stats().live_bytes - row;
    assert!((10_000..12_000).contains(&rows), "{rows}");
    let snapshot = db.snapshot();
    put(0..10);
    db.collect();
    let held = db.stats().live_bytes - row;
    assert!((20_000..23_000).contains(&held), "{held}");
    drop(snapshot);
    db.run(|tx| {
        (0..10).for_each(|key| tx.remove(&large, &key));
        Ok::<_, ()>(())
    })
    .expect("no error");
    db.collect();
    assert_eq!(db.stats().live_bytes, row);
}
