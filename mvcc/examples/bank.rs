//! Transfers between accounts from several threads, while snapshots check all the time that no
//! money is made or lost.

use mvcc::{Database, Table};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

const ACCOUNTS: u64 = 100;
const OPENING: i64 = 1_000;
const TOTAL: i64 = 100 * OPENING;
const TRANSFERS: u64 = 20_000;

/// Why a transfer is not made.
#[derive(Debug, PartialEq)]
struct BalanceTooLow;

fn transfer(
    db: &Database,
    balances: &Table<u64, i64>,
    from: u64,
    to: u64,
    amount: i64,
) -> Result<(), BalanceTooLow> {
    db.run(|tx| {
        let balance = *tx.get(balances, &from).expect("accounts are never closed");
        if balance < amount {
            return Err(BalanceTooLow);
        }
        tx.insert(balances, from, balance - amount);
        tx.update(balances, &to, |balance| balance + amount);
        Ok(())
    })
}

fn main() {
    let db = Database::new();
    let balances = db.table("balances").expect("a new table");
    let tx = db.begin();
    for account in 0..ACCOUNTS {
        tx.insert(&balances, account, OPENING);
    }
    tx.commit().expect("nobody else is there yet");

    let (done, refused, checks) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                let snapshot = db.snapshot();
                let total: i64 = snapshot.iter(&balances).map(|(_, balance)| balance).sum();
                assert_eq!(total, TOTAL, "money was made or lost");
                checks.fetch_add(1, Relaxed);
            }
        });
        let tellers: Vec<_> = (0..3)
            .map(|teller| {
                let (db, balances, refused) = (&db, &balances, &refused);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(teller);
                    for _ in 0..TRANSFERS {
                        let (from, to) = (random.u64(..ACCOUNTS), random.u64(..ACCOUNTS));
                        let amount = random.i64(1..OPENING);
                        if transfer(db, balances, from, to, amount).is_err() {
                            refused.fetch_add(1, Relaxed);
                        }
                    }
                })
            })
            .collect();
        let finished: Vec<_> = tellers
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect();
        done.store(true, Relaxed);
        assert!(finished.iter().all(Result::is_ok), "a teller failed");
    });

    let lowest = db.view(|view| view.iter(&balances).map(|(_, &balance)| balance).min());
    assert!(lowest >= Some(0), "an account was overdrawn");
    let stats = db.stats();
    println!(
        "{} commits, {} conflicts retried, {} transfers refused, {} checks of the total",
        stats.commits,
        stats.conflicts,
        refused.into_inner(),
        checks.into_inner()
    );
}
