//! Several threads against invariants.

mod invariants;

use invariants::{deadline, join};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// What [`invariants`] needs.
mod library {
    use mvcc::ClockChoice;
    pub(crate) use mvcc::{Database, Read, Table};

    pub(crate) fn databases() -> impl Iterator<Item = Database> {
        [ClockChoice::Auto, ClockChoice::Counter]
            .into_iter()
            .map(|clock| {
                let built = Database::builder().clock(clock).build();
                built.expect("both exist on every machine")
            })
    }

    /// A transaction is not committed: it must see a consistent state even if it is going to fail.
    macro_rules! each_reader {
        ($db:expr, |$read:ident| $check:expr) => {{
            $db.view(|$read| $check);
            let $read = &$db.snapshot();
            $check;
            let $read = &$db.begin();
            $check;
        }};
    }
    pub(crate) use each_reader;

    pub(crate) fn assert_clean(db: &Database, rows: u64) {
        db.collect();
        let stats = db.stats();
        assert_eq!(stats.live_tuples, rows, "{stats:?}");
        assert_eq!(stats.live_versions, rows, "{stats:?}");
        assert_eq!((stats.retired, stats.live_snapshots), (0, 0), "{stats:?}");
    }
}

use library::{assert_clean, databases};

/// Snapshots of all ages, taken and dropped all the time, each see one state for good while
/// versions between them are unlinked.
#[test]
fn old_snapshots_stay_as_they_were() {
    for db in databases() {
        let table = db.table::<u64, (u64, String)>("t").expect("new");
        let put = |round: u64| {
            db.run(|tx| {
                for key in 0..8 {
                    if (round + key).is_multiple_of(5) {
                        tx.remove(&table, &key);
                    } else {
                        tx.insert(&table, key, (round, round.to_string()));
                    }
                }
                Ok::<_, ()>(())
            })
            .expect("no error");
        };
        put(1);
        let (stop, round) = (AtomicBool::new(false), AtomicU64::new(2));
        let end = deadline();
        std::thread::scope(|scope| {
            let write = || {
                while !stop.load(Relaxed) {
                    put(round.fetch_add(1, Relaxed));
                }
            };
            let writers = vec![scope.spawn(write), scope.spawn(write)];
            let check = || {
                let mut random = fastrand::Rng::new();
                let mut snapshots = Vec::new();
                while Instant::now() < end {
                    let snapshot = db.snapshot();
                    let (_, seen) = snapshot.iter(&table).next().expect("most keys have values");
                    snapshots.push((seen.0, snapshot));
                    if snapshots.len() > 12 {
                        snapshots.swap_remove(random.usize(..snapshots.len()));
                    }
                    for (round, snapshot) in &snapshots {
                        for key in 0..8 {
                            let expected =
                                ((round + key) % 5 != 0).then(|| (*round, round.to_string()));
                            assert_eq!(snapshot.get(&table, &key), expected.as_ref());
                        }
                    }
                }
            };
            let checkers = [scope.spawn(check), scope.spawn(check)];
            let checked = checkers.map(std::thread::ScopedJoinHandle::join);
            stop.store(true, Relaxed);
            assert!(checked.iter().all(Result::is_ok), "a snapshot changed");
            join(writers);
        });
        let rows = db.snapshot().iter(&table).count() as u64;
        assert_clean(&db, rows);
    }
}

/// The index of an ordered table is emptied and grows again, all the way up and down, beside those
/// who use it.
#[test]
fn an_ordered_table_is_emptied_again_and_again() {
    const STAYS: u64 = 500;
    for db in databases() {
        let table = db.ordered_table::<u64, String>("t").expect("new");
        db.run(|tx| Ok::<_, ()>(tx.insert(&table, STAYS, STAYS.to_string())))
            .expect("no error");
        let end = deadline();
        let come_and_go = |keys: std::ops::Range<u64>| {
            let keys: Vec<_> = keys.collect();
            while Instant::now() < end {
                for keys in keys.chunks(8) {
                    db.run(|tx| {
                        let put = |&key: &u64| tx.insert(&table, key, key.to_string());
                        Ok::<_, ()>(keys.iter().for_each(put))
                    })
                    .expect("no error");
                }
                for keys in keys.chunks(8) {
                    db.run(|tx| Ok::<_, ()>(keys.iter().for_each(|key| tx.remove(&table, key))))
                        .expect("no error");
                }
            }
        };
        std::thread::scope(|scope| {
            let writers = [0..STAYS, STAYS + 1..2 * STAYS];
            let writers = writers.map(|keys| scope.spawn(|| come_and_go(keys)));
            while Instant::now() < end {
                let snapshot = db.snapshot();
                assert_eq!(snapshot.get(&table, &STAYS), Some(&STAYS.to_string()));
                let up: Vec<_> = snapshot.iter(&table).collect();
                assert!(up.is_sorted() && up.iter().any(|(key, _)| **key == STAYS));
                assert!(up.iter().all(|(key, value)| key.to_string() == **value));
                assert!(snapshot.range(&table, ..).rev().eq(up.into_iter().rev()));
            }
            join(writers.into());
        });
        assert_clean(&db, 1);
    }
}
