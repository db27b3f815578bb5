//! Stores: what survives, what is refused, and what is told.

#![cfg(feature = "durable")]

use journal::sim::{Fault, SimDisk};
use mvcc::{
    ConflictCause, Index, OpenError, OrderedTable, RunError, Store, StoreError, StoreOptions,
    Table, UniqueIndex,
};
use std::convert::Infallible;
use std::sync::Arc;
use std::thread;

type Accounts = Table<String, i64>;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn small() -> StoreOptions {
    Store::options()
        .segment_bytes(64 << 10)
        .checkpoint_bytes(1 << 40)
}

fn on(disk: &Arc<SimDisk>) -> (Store, Accounts) {
    small()
        .open_on(disk.clone(), |tables| tables.table("accounts"))
        .expect("it opens")
}

fn put(store: &Store, accounts: &Accounts, name: &str, balance: i64) -> Result<(), StoreError> {
    let put = |tx: &mvcc::Transaction<'_>| Ok(tx.insert(accounts, name.to_owned(), balance));
    store.run(put)
}

fn all(store: &Store, accounts: &Accounts) -> Vec<(String, i64)> {
    let snapshot = store.snapshot();
    let mut rows: Vec<_> = snapshot
        .iter(accounts)
        .map(|(k, v)| (k.clone(), *v))
        .collect();
    rows.sort();
    rows
}

#[test]
fn what_was_committed_is_there_again() {
    let directory = directory();
    let open = || Store::open(directory.path(), |tables| tables.table("accounts"));
    let (store, accounts): (Store, Accounts) = open().expect("a new directory");
    put(&store, &accounts, "ann", 1).expect("it is durable");
    put(&store, &accounts, "bob", 2).expect("it is durable");
    put(&store, &accounts, "ann", 3).expect("it is durable");
    let remove = |tx: &mvcc::Transaction<'_>| Ok::<_, Infallible>(tx.remove(&accounts, "bob"));
    store.run(remove).expect("it is durable");
    store.close().expect("nothing failed");
    for _ in 0..2 {
        let (store, accounts) = open().expect("it is closed");
        assert_eq!(all(&store, &accounts), [("ann".to_owned(), 3)]);
    }
}

#[test]
fn all_ways_to_commit_are_durable_after_a_sync() {
    let directory = directory();
    let open = || Store::open(directory.path(), |tables| tables.table("accounts"));
    let (store, accounts): (Store, Accounts) = open().expect("a new directory");
    let insert = |name: &str| {
        let name = name.to_owned();
        move |tx: &mvcc::Transaction<'_>, accounts: &Accounts| tx.insert(accounts, name.clone(), 1)
    };
    let (a, b, c) = (insert("a"), insert("b"), insert("c"));
    let db = store.database();
    db.run(|tx| Ok::<_, Infallible>(a(tx, &accounts)))
        .expect("no error");
    let tx = db.begin();
    b(&tx, &accounts);
    tx.commit().expect("nobody else is there");
    let (attempt, ticket) = store
        .submit(|tx| {
            c(tx, &accounts);
            Ok::<_, Infallible>(tx.attempt())
        })
        .expect("it is visible");
    assert_eq!(attempt, 1);
    store.sync().expect("nothing failed");
    assert!(ticket.is_durable());
    ticket.wait().expect("it is durable");
    let seen = store.view_durable(|view| view.get(&accounts, "a").copied());
    assert_eq!(seen, Ok(Some(1)));
    assert_eq!(store.stats().pending_commits, 0);
    drop(store);
    let (store, accounts) = open().expect("it is closed");
    assert_eq!(all(&store, &accounts).len(), 3);
}

#[test]
fn a_closures_error_aborts_and_is_returned() {
    let (store, accounts) = on(&Arc::new(SimDisk::new()));
    let refused = store.run(|tx| {
        tx.insert(&accounts, "ann".into(), 1);
        Err::<(), _>("no")
    });
    assert_eq!(refused, Err(StoreError::Closure("no")));
    assert_eq!(all(&store, &accounts), []);
}

#[test]
fn volatile_tables_stand_beside_durable_ones_and_are_gone_after() {
    let disk = Arc::new(SimDisk::new());
    let (store, accounts) = on(&disk);
    let cache: Table<u64, u64> = store.database().table("cache").expect("a new table");
    store
        .run(|tx| {
            tx.insert(&accounts, "ann".into(), 1);
            tx.insert(&cache, 1, 1);
            Ok::<_, Infallible>(())
        })
        .expect("it is durable");
    assert_eq!(store.view(|view| view.get(&cache, &1).copied()), Some(1));
    store.close().expect("nothing failed");
    let (store, accounts) = on(&disk);
    let cache: Table<u64, u64> = store.database().table("cache").expect("a new table");
    assert_eq!(store.view(|view| view.get(&cache, &1).copied()), None);
    assert_eq!(all(&store, &accounts).len(), 1);
}

#[test]
fn a_checkpoint_takes_the_place_of_the_log() {
    let directory = directory();
    let open = || small().open(directory.path(), |tables| tables.table("accounts"));
    let (store, accounts): (Store, Accounts) = open().expect("a new directory");
    for i in 0..2_000 {
        let name = format!("{:0>200}", i % 50);
        drop(store.submit(|tx| Ok::<_, Infallible>(tx.insert(&accounts, name.clone(), i))));
    }
    store.sync().expect("nothing failed");
    let before = store.stats().log_bytes;
    store.checkpoint().expect("there is room");
    let stats = store.stats();
    assert!(stats.log_bytes < before, "{before} {stats:?}");
    assert_eq!(stats.checkpoint.expect("there is one").rows, 50);
    put(&store, &accounts, "new", -1).expect("it is durable");
    let expected = all(&store, &accounts);
    drop(store);
    let (store, accounts) = open().expect("it is closed");
    assert_eq!(all(&store, &accounts), expected);
}

#[test]
fn checkpoints_come_by_themselves_and_bound_the_log() {
    let disk = Arc::new(SimDisk::new());
    let options = Store::options()
        .segment_bytes(16 << 10)
        .checkpoint_bytes(32 << 10);
    let opened = options
        .log_bytes(256 << 10)
        .when_full(mvcc::WhenFull::Wait)
        .open_on(disk.clone(), |tables| tables.table("accounts"));
    let (store, accounts): (Store, Accounts) = opened.expect("it opens");
    for i in 0..20_000 {
        let name = format!("{}", i % 10);
        drop(store.submit(|tx| Ok::<_, Infallible>(tx.insert(&accounts, name.clone(), i))));
    }
    store.sync().expect("nothing failed");
    assert!(store.stats().log_bytes <= 256 << 10);
    let expected = all(&store, &accounts);
    drop(store);
    let (store, accounts) = on(&disk);
    assert_eq!(all(&store, &accounts), expected);
}

#[test]
fn indexes_are_rebuilt() {
    type Kept = (
        Table<u64, (String, u32)>,
        Index<u32, Table<u64, (String, u32)>>,
        UniqueIndex<String, Table<u64, (String, u32)>>,
    );
    let disk = Arc::new(SimDisk::new());
    let open = || {
        small().open_on(disk.clone(), |tables| -> Kept {
            let people = tables.table("people");
            let by_age = tables.index(&people, "age", |_, (_, age): &(String, u32)| [*age]);
            let by_name = tables.unique_index(&people, "name", |_, (name, _): &(String, u32)| {
                [name.clone()]
            });
            (people, by_age, by_name)
        })
    };
    let (store, (people, by_age, by_name)) = open().expect("a new disk");
    for id in 0..100u64 {
        let person = (format!("p{id}"), u32::try_from(id % 7).expect("small"));
        let add = |tx: &mvcc::Transaction<'_>| {
            Ok::<_, Infallible>(tx.insert(&people, id, person.clone()))
        };
        drop(store.submit(add));
    }
    // Two rows exchange their keys of the unique index: no state between the two would do.
    let swap = |tx: &mvcc::Transaction<'_>| {
        tx.remove(&people, &1);
        tx.insert(&people, 2, ("p1".into(), 2));
        tx.insert(&people, 1, ("p2".into(), 1));
        Ok::<_, Infallible>(())
    };
    store.run(swap).expect("it is durable");
    let expected = store.view(|view| by_age.rows(view, &3).count());
    drop((store, by_age, by_name));
    let (store, (people, by_age, by_name)) = open().expect("it is closed");
    store.view(|view| {
        assert_eq!(by_age.rows(view, &3).count(), expected);
        assert_eq!(by_name.get(view, "p1").map(|(id, _)| *id), Some(2));
    });
    let duplicate = store.run(|tx| match by_name.get(tx, "p5") {
        Some(_) => tx.try_insert(&people, 1_000, ("p5".into(), 1)),
        None => Ok(()),
    });
    assert!(
        matches!(duplicate, Err(StoreError::Closure(_))),
        "{duplicate:?}"
    );
}

#[test]
fn a_unique_index_that_the_rows_do_not_allow_is_an_error() {
    let disk = Arc::new(SimDisk::new());
    let (store, accounts) = on(&disk);
    put(&store, &accounts, "ann", 1).expect("it is durable");
    put(&store, &accounts, "bob", 1).expect("it is durable");
    drop((store, accounts));
    let opened = small().open_on(disk, |tables| {
        let accounts: Accounts = tables.table("accounts");
        tables.unique_index(&accounts, "balance", |_, balance: &i64| [*balance])
    });
    let error = opened.expect_err("two rows have the same").to_string();
    assert!(
        error.contains("\"accounts\"") && error.contains("\"balance\""),
        "{error}"
    );
}

#[test]
fn undeclared_tables_are_kept_through_checkpoints() {
    let disk = Arc::new(SimDisk::new());
    let (store, accounts) = on(&disk);
    put(&store, &accounts, "ann", 1).expect("it is durable");
    drop((store, accounts));
    let other = || {
        small().open_on(disk.clone(), |tables| {
            tables.ordered_table::<u64, u64>("other")
        })
    };
    let (store, table) = other().expect("it is closed");
    assert_eq!(store.undeclared(), ["accounts"]);
    store
        .run(|tx| Ok::<_, Infallible>(tx.insert(&table, 1, 2)))
        .expect("it is durable");
    store.checkpoint().expect("there is room");
    drop((store, table));
    let (store, accounts) = on(&disk);
    assert_eq!(
        (all(&store, &accounts), store.undeclared()),
        (vec![("ann".into(), 1)], vec!["other"])
    );
    drop((store, accounts));
    let (store, table) = other().expect("it is closed");
    assert_eq!(store.view(|view| view.get(&table, &1).copied()), Some(2));
}

#[test]
fn a_table_of_other_types_says_how_to_migrate_and_a_migration_does() {
    let disk = Arc::new(SimDisk::new());
    let (store, accounts) = on(&disk);
    put(&store, &accounts, "ann", 7).expect("it is durable");
    drop((store, accounts));
    let opened = small().open_on(disk.clone(), |tables| {
        tables.table::<String, String>("accounts")
    });
    let error = opened.expect_err("the values are numbers");
    assert!(
        matches!(error, OpenError::Types { version: 1, .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains("accounts") && text.contains("i64") && text.contains("from(1,"),
        "{text}"
    );
    for _ in 0..2 {
        let migrated = small().open_on(disk.clone(), |tables| {
            tables
                .version(2)
                .from(1, |old: i64| old.to_string())
                .table::<String>("accounts")
        });
        let (store, accounts) = migrated.expect("it is migrated");
        assert_eq!(
            store.view(|view| view.get(&accounts, "ann").cloned()),
            Some("7".to_owned())
        );
    }
    // The migration is not needed any more.
    let opened = small().open_on(disk, |tables| {
        tables.version::<String>(2).table::<String>("accounts")
    });
    assert!(opened.is_ok(), "{:?}", opened.err());
}

#[test]
fn a_table_declared_with_two_types_is_an_error() {
    let disk = Arc::new(SimDisk::new());
    let opened = small().open_on(disk, |tables| {
        (
            tables.table::<u64, u64>("t"),
            tables.table::<u64, String>("t"),
        )
    });
    assert!(matches!(opened, Err(OpenError::Table(_))), "{opened:?}");
}

#[test]
fn a_directory_is_opened_once() {
    let directory = directory();
    let open = || Store::open(directory.path(), |tables| tables.table::<u64, u64>("t"));
    let store = open().expect("a new directory");
    let error = open().expect_err("it is open").to_string();
    assert!(
        error.contains(&directory.path().display().to_string()),
        "{error}"
    );
    drop(store);
    open().expect("it is closed");
}

#[test]
fn a_log_that_stops_leaves_each_outcome_told() {
    let disk = Arc::new(SimDisk::new());
    let (store, accounts) = on(&disk);
    put(&store, &accounts, "ann", 1).expect("it is durable");
    // The next frame's sync fails.
    disk.fail(disk.operations() + 1, Fault::Forever);
    let unknown = put(&store, &accounts, "bob", 2);
    assert_eq!(unknown, Err(StoreError::Unknown));
    assert!(
        store
            .stopped()
            .is_some_and(|stopped| stopped.fault.is_some())
    );
    // It is visible; nothing new is.
    assert_eq!(all(&store, &accounts).len(), 2);
    assert_eq!(put(&store, &accounts, "cat", 3), Err(StoreError::Stopped));
    assert_eq!(store.sync(), Err(StoreError::Unknown));
    let db = store.database();
    let tx = db.begin();
    tx.insert(&accounts, "dan".into(), 4);
    let conflict = tx.commit().expect_err("the log has stopped");
    assert_eq!(conflict.cause, ConflictCause::LogStopped);
    let policy = mvcc::RetryPolicy::new();
    let exhausted = db.run_with(&policy, |tx| {
        Ok::<_, ()>(tx.insert(&accounts, "eve".into(), 5))
    });
    assert!(
        matches!(exhausted, Err(RunError::Exhausted(_))),
        "{exhausted:?}"
    );
    assert_eq!(all(&store, &accounts).len(), 2);
    // Volatile tables go on.
    let cache: Table<u64, u64> = db.table("cache").expect("a new table");
    db.run(|tx| Ok::<_, ()>(tx.insert(&cache, 1, 1)))
        .expect("it is in memory");
    assert_eq!(store.close(), Err(StoreError::Unknown));
    disk.mend();
    let (store, accounts) = on(&disk);
    assert_eq!(all(&store, &accounts)[0], ("ann".to_owned(), 1));
}

#[test]
fn a_closed_store_refuses_writes_and_goes_on_to_be_read() {
    let (store, accounts) = on(&Arc::new(SimDisk::new()));
    put(&store, &accounts, "ann", 1).expect("it is durable");
    let other = store.clone();
    store.close().expect("nothing failed");
    assert_eq!(put(&other, &accounts, "bob", 2), Err(StoreError::Stopped));
    assert_eq!(all(&other, &accounts).len(), 1);
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let disk = Arc::new(SimDisk::new());
    let (store, accounts) = on(&disk);
    disk.set_quota(Some(200 << 10));
    let mut names = (0..).map(|i| format!("{i:0>1000}"));
    let full = loop {
        let name = names.next().expect("there is no end");
        if let Err(error) = put(&store, &accounts, &name, 1) {
            break error;
        }
    };
    assert_eq!(full, StoreError::Full);
    let before = all(&store, &accounts);
    disk.set_quota(None);
    put(&store, &accounts, "more", 1).expect("there is room");
    drop((store, accounts));
    let (store, accounts) = on(&disk);
    assert_eq!(all(&store, &accounts).len(), before.len() + 1);
}

#[test]
fn a_transaction_that_is_too_large_is_refused() {
    let (store, accounts) = on(&Arc::new(SimDisk::new()));
    let refused = put(&store, &accounts, &"x".repeat(100 << 10), 1);
    assert!(
        matches!(refused, Err(StoreError::TooLarge { limit, .. }) if limit < 64 << 10),
        "{refused:?}"
    );
    put(&store, &accounts, &"x".repeat(40 << 10), 1).expect("it fits");
    put(&store, &accounts, &"y".repeat(40 << 10), 1).expect("it fits into the next one");
}

#[test]
fn a_ticket_is_a_future() {
    let (store, accounts) = on(&Arc::new(SimDisk::new()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("threads");
    runtime.block_on(async {
        let tasks = (0..100).map(|i| {
            let (store, accounts) = (store.clone(), accounts.clone());
            tokio::spawn(async move {
                let put = |tx: &mvcc::Transaction<'_>| {
                    Ok::<_, Infallible>(tx.insert(&accounts, format!("{i}"), i))
                };
                let ((), ticket) = store.submit(put).expect("it is visible");
                ticket.await.expect("it is durable");
            })
        });
        let tasks: Vec<_> = tasks.collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    assert_eq!(store.stats().pending_commits, 0);
    assert_eq!(all(&store, &accounts).len(), 100);
}

#[test]
fn many_threads_wait_and_each_has_its_own() {
    let disk = Arc::new(SimDisk::new());
    let (store, accounts) = on(&disk);
    thread::scope(|scope| {
        for t in 0..16 {
            let (store, accounts) = (&store, &accounts);
            scope.spawn(move || {
                for i in 0..50 {
                    put(store, accounts, &format!("{t}"), i).expect("it is durable");
                }
            });
        }
    });
    drop((store, accounts));
    let (store, accounts) = on(&disk);
    let rows = all(&store, &accounts);
    assert_eq!(rows.len(), 16);
    assert!(rows.iter().all(|(_, value)| *value == 49));
}

#[test]
fn what_ended_threads_have_committed_is_written() {
    const THREADS: u64 = 64;
    let disk = Arc::new(SimDisk::new());
    let (store, accounts) = on(&disk);
    let commit = |number: u64| {
        let put = |tx: &mvcc::Transaction<'_>| tx.insert(&accounts, number.to_string(), 1);
        let ((), ticket) = store
            .submit(|tx| Ok::<_, Infallible>(put(tx)))
            .expect("it is visible");
        drop(ticket);
    };
    for number in 0..THREADS {
        thread::scope(|scope| scope.spawn(|| commit(number)).join()).expect("it commits");
    }
    store.sync().expect("nothing failed");
    assert_eq!(store.stats().pending_commits, 0);
    store.close().expect("nothing failed");
    let (store, accounts) = on(&disk);
    assert_eq!(all(&store, &accounts).len() as u64, THREADS);
}

#[test]
fn a_backup_is_a_store() {
    let (directory, copies) = (directory(), directory());
    let copy = copies.path().join("copy");
    let open = |path: &std::path::Path| Store::open(path, |tables| tables.table("accounts"));
    let (store, accounts): (Store, Accounts) = open(directory.path()).expect("a new directory");
    put(&store, &accounts, "ann", 1).expect("it is durable");
    store.backup(&copy).expect("there is room");
    put(&store, &accounts, "bob", 2).expect("it is durable");
    let (backup, accounts) = open(&copy).expect("it is a store");
    assert_eq!(all(&backup, &accounts), [("ann".to_owned(), 1)]);
    let error = store
        .backup(&copy)
        .expect_err("it is not empty")
        .to_string();
    assert!(error.contains("copy"), "{error}");
}

#[test]
fn the_progress_of_opening_is_told() {
    let disk = Arc::new(SimDisk::new());
    let (store, accounts) = on(&disk);
    for i in 0..20 {
        put(&store, &accounts, &format!("{i}"), i).expect("it is durable");
    }
    drop((store, accounts));
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tell = told.clone();
    let options = small().progress(move |progress| tell.lock().expect("no panic").push(progress));
    let opened = options.open_on(disk, |tables| tables.table::<String, i64>("accounts"));
    opened.expect("it opens");
    let told = told.lock().expect("no panic");
    assert!(told.len() >= 20 && told.windows(2).all(|pair| pair[0].read <= pair[1].read));
    assert!(told.iter().all(|progress| progress.read <= progress.total));
}

#[test]
fn an_ordered_table_is_in_order_again() {
    let disk = Arc::new(SimDisk::new());
    let open = || small().open_on(disk.clone(), |tables| tables.ordered_table("orders"));
    let (store, orders): (Store, OrderedTable<(u32, u64), String>) = open().expect("a new disk");
    for i in 0..500u64 {
        let key = (u32::try_from(i % 5).expect("small"), i);
        drop(store.submit(|tx| Ok::<_, Infallible>(tx.insert(&orders, key, format!("{i}")))));
    }
    drop(store);
    let (store, orders) = open().expect("it is closed");
    let keys: Vec<_> = store
        .snapshot()
        .range(&orders, (2, 0)..(3, 0))
        .map(|(key, _)| *key)
        .collect();
    assert_eq!(keys.len(), 100);
    assert!(keys.is_sorted());
}
