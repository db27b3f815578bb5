//! The bank with a store: transfers that are on the disk when they are reported. Run it again, or
//! kill it and run it again: it goes on with the money that is there. The directory can be given.

use mvcc::{Store, StoreError, Table};
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

const ACCOUNTS: u64 = 100;
const OPENING: i64 = 1_000;
const TOTAL: i64 = 100 * OPENING;
const TRANSFERS: u64 = 250;

/// Why a transfer is not made.
#[derive(Debug, PartialEq)]
struct BalanceTooLow;

impl fmt::Display for BalanceTooLow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the balance is too low")
    }
}

impl Error for BalanceTooLow {}

fn transfer(
    store: &Store,
    balances: &Table<u64, i64>,
    from: u64,
    to: u64,
    amount: i64,
) -> Result<(), StoreError<BalanceTooLow>> {
    store.run(|tx| {
        let balance = *tx.get(balances, &from).expect("accounts are never closed");
        if balance < amount {
            return Err(BalanceTooLow);
        }
        tx.insert(balances, from, balance - amount);
        tx.update(balances, &to, |balance| balance + amount);
        Ok(())
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args_os().nth(1);
    let directory =
        argument.map_or_else(|| std::env::temp_dir().join("mvcc-ledger"), PathBuf::from);
    let (store, balances): (Store, Table<u64, i64>) =
        Store::open(&directory, |tables| tables.table("balances"))?;
    store.run(|tx| {
        if tx.get(&balances, &0).is_none() {
            (0..ACCOUNTS).for_each(|account| tx.insert(&balances, account, OPENING));
        }
        Ok::<_, BalanceTooLow>(())
    })?;

    std::thread::scope(|scope| {
        let tellers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..TRANSFERS {
                        let (from, to) = (fastrand::u64(..ACCOUNTS), fastrand::u64(..ACCOUNTS));
                        match transfer(&store, &balances, from, to, fastrand::i64(1..OPENING)) {
                            Ok(()) | Err(StoreError::Closure(BalanceTooLow)) => {}
                            Err(error) => return Err(error),
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        let finished = tellers
            .into_iter()
            .map(|teller| teller.join().expect("a teller failed"));
        finished.collect::<Result<Vec<()>, _>>()
    })?;

    let total: i64 = store.view(|view| view.iter(&balances).map(|(_, balance)| balance).sum());
    assert_eq!(total, TOTAL, "money was made or lost");
    println!(
        "{} holds {total} in {ACCOUNTS} accounts",
        directory.display()
    );
    store.close()?;
    Ok(())
}
