//! Why transactions lose, and when they are given up.

use mvcc::{ConflictCause, Database, Exhausted, OrderedTable, RetryPolicy, RunError, Table};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

fn put(db: &Database, table: &Table<u64, u64>, key: u64) {
    db.run(|tx| Ok::<_, Infallible>(tx.insert(table, key, 1)))
        .unwrap_or_else(|never| match never {});
}

/// A transaction that loses each time against one that it runs itself.
fn lose(db: &Database, table: &Table<u64, u64>, policy: &RetryPolicy) -> (u32, Exhausted) {
    let mut attempts = 0;
    let given_up = db.run_with(policy, |tx| {
        attempts += 1;
        assert_eq!(tx.attempt(), attempts);
        let value = tx.get(table, &1).copied().unwrap_or(0);
        put(db, table, 1);
        Ok::<_, Infallible>(tx.insert(table, 2, value))
    });
    match given_up {
        Err(RunError::Exhausted(exhausted)) => (attempts, exhausted),
        other => panic!("it cannot win, but {other:?}"),
    }
}

#[test]
fn a_conflict_says_which_table_and_why() {
    let db = Database::new();
    let hashed: Table<u64, u64> = db.table("hashed").expect("new");
    let ordered: OrderedTable<u64, u64> = db.ordered_table("ordered").expect("new");
    let result: Table<u64, u64> = db.table("result").expect("new");
    put(&db, &hashed, 1);
    for step in 0..6 {
        let tx = db.begin();
        let (table, cause) = match step {
            0 => {
                tx.get(&hashed, &1);
                put(&db, &hashed, 1);
                ("hashed", ConflictCause::ReadOverwritten)
            }
            1 => {
                tx.get(&hashed, &100);
                put(&db, &hashed, 100);
                ("hashed", ConflictCause::AbsentKeyAppeared)
            }
            2 => {
                tx.iter(&hashed).count();
                put(&db, &hashed, 200);
                ("hashed", ConflictCause::RangeChanged)
            }
            3 => {
                tx.get(&ordered, &7);
                db.run(|tx| Ok::<_, ()>(tx.insert(&ordered, 7, 7)))
                    .expect("no error");
                ("ordered", ConflictCause::AbsentKeyAppeared)
            }
            4 => {
                assert_eq!(tx.range(&ordered, 5..10).count(), 1);
                db.run(|tx| Ok::<_, ()>(tx.insert(&ordered, 8, 8)))
                    .expect("no error");
                ("ordered", ConflictCause::RangeChanged)
            }
            _ => {
                assert!(tx.update(&hashed, &1, |value| value + 1));
                put(&db, &hashed, 1);
                ("hashed", ConflictCause::ReadOverwritten)
            }
        };
        tx.insert(&result, step, 0);
        let conflict = tx.commit().expect_err("it has lost");
        assert_eq!((&*conflict.table, conflict.cause), (table, cause), "{step}");
        assert!(conflict.to_string().contains(table), "{conflict}");
    }
}

#[test]
fn a_policy_limits_the_attempts() {
    let db = Database::new();
    let table = db.table("numbers").expect("new");
    let policy = RetryPolicy::new().attempts(5).exclusive_after(u32::MAX);
    let (attempts, exhausted) = lose(&db, &table, &policy);
    assert_eq!((attempts, exhausted.attempts), (5, 5));
    assert_eq!(&*exhausted.conflict.table, "numbers");
    let message = exhausted.to_string();
    assert!(message.contains("5 attempts") && message.contains("\"numbers\""));
    assert_eq!(db.stats().live_snapshots, 0);
}

#[test]
fn a_policy_limits_the_time() {
    let db = Database::new();
    let table = db.table("numbers").expect("new");
    let (wait, longest) = (Duration::from_millis(1), Duration::from_millis(2));
    let policy = RetryPolicy::new()
        .deadline(Duration::from_millis(40))
        .backoff(wait, longest)
        .exclusive_after(u32::MAX);
    let started = Instant::now();
    let (attempts, _) = lose(&db, &table, &policy);
    assert!(started.elapsed() >= Duration::from_millis(40));
    assert!(attempts > 1, "{attempts} attempts");
}

#[test]
fn an_error_of_the_closure_is_told_from_exhaustion() {
    let db = Database::new();
    let table: Table<u64, u64> = db.table("numbers").expect("new");
    let refused = db.run_with(&RetryPolicy::new(), |tx| {
        tx.insert(&table, 1, 1);
        Err::<(), _>("no")
    });
    assert_eq!(refused, Err(RunError::Aborted("no")));
    assert_eq!(db.view(|view| view.get(&table, &1).copied()), None);
    let done = db.run_with(&RetryPolicy::new().attempts(1), |tx| {
        Ok::<_, ()>(tx.insert(&table, 1, 1))
    });
    assert_eq!(done, Ok(()));
}

#[test]
fn inside_the_gate_others_commits_wait() {
    let db = Database::new();
    let table: Table<u64, u64> = db.table("numbers").expect("new");
    put(&db, &table, 1);
    let policy = RetryPolicy::new().exclusive_after(1);
    let stop = AtomicBool::new(false);
    let attempts = std::thread::scope(|scope| {
        let (db, table, stop) = (&db, &table, &stop);
        let writer = scope.spawn(move || {
            while !stop.load(Relaxed) {
                put(db, table, 1);
            }
        });
        let mut attempts = 0;
        let done = db.run_with(&policy, |tx| {
            attempts = tx.attempt();
            let value = tx.get(table, &1).copied();
            // Long enough to lose against the writer if it may commit.
            std::thread::sleep(Duration::from_millis(5));
            Ok::<_, Infallible>(tx.insert(table, 2, value.unwrap_or(0)))
        });
        stop.store(true, Relaxed);
        writer.join().expect("it only writes");
        assert!(done.is_ok());
        attempts
    });
    assert!(attempts <= 2, "{attempts} attempts");
}

#[test]
fn the_largest_and_the_smallest_limits_will_do() {
    let db = mvcc::Database::new();
    for (count, time) in [
        (0, Duration::ZERO),
        (1, Duration::from_nanos(1)),
        (u32::MAX, Duration::MAX),
    ] {
        let policy = RetryPolicy::new()
            .attempts(count.max(1))
            .exclusive_after(count)
            .deadline(time)
            .backoff(time, Duration::ZERO)
            .backoff(Duration::ZERO, time);
        assert_eq!(db.run_with(&policy, |_| Ok::<_, ()>(7)), Ok(7));
    }
    for limit in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let db = mvcc::Database::builder()
            .snapshot_limit(limit)
            .build()
            .expect("it has a clock");
        let snapshot = db.limited_snapshot();
        db.collect();
        assert_eq!(snapshot.is_expired(), limit != Duration::MAX);
    }
}
