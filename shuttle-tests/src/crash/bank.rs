//! The bank that is killed. Each transfer moves money, counts its thread's transfers, notes what it
//! has seen of another thread's count, and writes down what it did. So a part of one is seen, and
//! so is one without another that it has seen.

use super::sides;
use mvcc::{OrderedTable, Store, StoreOptions, Table};
use std::convert::Infallible;
use std::io::Write;
use std::path::PathBuf;
use std::thread;

const ACCOUNTS: u64 = 20;
const FIRST_BALANCE: i64 = 1_000;
const THREADS: usize = 4;
/// Transfers that are kept of a thread.
const KEPT: u64 = 50;

/// How often each thread has transferred.
#[derive(Clone, Copy)]
struct Count {
    transfers: u64,
    /// What it has seen of the next thread's count.
    seen: u64,
}

mvcc::codec::fields!(Count { transfers, seen });

/// A transfer: the thread's number of it, and what it has moved.
#[derive(Clone, Copy)]
struct Transfer {
    number: u64,
    from: u64,
    to: u64,
    amount: i64,
}

mvcc::codec::fields!(Transfer {
    number,
    from,
    to,
    amount
});

pub(super) struct Bank {
    store: Store,
    accounts: Table<u64, i64>,
    counts: Table<u64, Count>,
    /// By thread and number, the latter modulo [`KEPT`].
    transfers: OrderedTable<(u64, u64), Transfer>,
}

/// The transfers that children have said to be durable, by thread.
#[derive(Default)]
pub(super) struct Acknowledged([u64; THREADS]);

/// What a child says of each: the thread, and the number.
const SAID: usize = 9;

impl Acknowledged {
    /// Adds what a child has said. Returns how many transfers that were.
    pub(super) fn add(&mut self, said: &[u8]) -> Result<u64, String> {
        let mut count = 0;
        // The last one may be cut off.
        for bytes in said.chunks_exact(SAID) {
            let number = u64::from_le_bytes(bytes[1..].try_into().expect("8 bytes"));
            let last = self
                .0
                .get_mut(usize::from(bytes[0]))
                .ok_or("a child has said something else")?;
            *last = number.max(*last);
            count += 1;
        }
        Ok(count)
    }
}

/// Where a bank is.
pub(super) enum Place {
    One(PathBuf),
    /// The directory that both sides are in.
    Mirror(PathBuf),
}

impl Place {
    /// The directory that a store is opened in.
    pub(super) fn first(&self) -> PathBuf {
        match self {
            Self::One(directory) => directory.clone(),
            Self::Mirror(directory) => sides::of(directory)[0].clone(),
        }
    }
}

impl Bank {
    pub(super) fn open(place: &Place) -> Result<Self, mvcc::OpenError> {
        // Small, so that much happens: segments, checkpoints.
        let mut options: StoreOptions = Store::options()
            .segment_bytes(64 << 10)
            .checkpoint_bytes(128 << 10);
        if let Place::Mirror(directory) = place {
            // Whoever comes first.
            let _ = std::fs::create_dir_all(directory);
            options = options.mirror(&sides::of(directory)[1]);
        }
        let (store, (accounts, counts, transfers)) = options.open(place.first(), |tables| {
            (
                tables.table("accounts"),
                tables.table("counts"),
                tables.ordered_table("transfers"),
            )
        })?;
        Ok(Self {
            store,
            accounts,
            counts,
            transfers,
        })
    }

    /// Says what is wrong, if anything is.
    pub(super) fn check(&self, acknowledged: &Acknowledged) -> Result<(), String> {
        let snapshot = self.store.snapshot();
        let accounts: Vec<_> = snapshot.iter(&self.accounts).collect();
        let sum: i64 = accounts.iter().map(|(_, balance)| **balance).sum();
        let all = (accounts.len() as u64, sum);
        if all != (0, 0) && all != (ACCOUNTS, FIRST_BALANCE * ACCOUNTS.cast_signed()) {
            return Err(format!("{} accounts have {sum} together", accounts.len()));
        }
        let count = |thread: u64| {
            let count = snapshot.get(&self.counts, &thread).copied();
            count.unwrap_or(Count {
                transfers: 0,
                seen: 0,
            })
        };
        for (thread, last) in (0..).zip(acknowledged.0) {
            let Count { transfers, seen } = count(thread);
            if transfers < last {
                return Err(format!(
                    "thread {thread} has {transfers} transfers, and {last} were acknowledged"
                ));
            }
            let other = count((thread + 1) % THREADS as u64).transfers;
            if seen > other {
                return Err(format!(
                    "thread {thread} has seen {seen} transfers of the next one, which has {other}"
                ));
            }
            let kept = snapshot.range(&self.transfers, (thread, 0)..(thread + 1, 0));
            let mut kept: Vec<u64> = kept.map(|(_, transfer)| transfer.number).collect();
            kept.sort_unstable();
            let expected = (transfers.saturating_sub(KEPT) + 1..=transfers).collect::<Vec<_>>();
            if kept != expected {
                return Err(format!(
                    "of {transfers} transfers of thread {thread} these are kept: {kept:?}"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn close(self) -> Result<(), String> {
        let closed = self.store.close();
        closed.map_err(|error| format!("it cannot be closed: {error}"))
    }

    /// One transfer, and its thread's number of it.
    fn transfer(&self, thread: u64, random: &mut fastrand::Rng) -> (u64, mvcc::Ticket) {
        let (from, to) = (random.u64(..ACCOUNTS), random.u64(..ACCOUNTS));
        let amount = random.i64(1..100);
        let transfer = |tx: &mvcc::Transaction<'_>| {
            let balance = |account| tx.get(&self.accounts, &account).copied().unwrap_or(0);
            tx.insert(&self.accounts, from, balance(from) - amount);
            tx.insert(&self.accounts, to, balance(to) + amount);
            let count = |thread| {
                let count = tx.get(&self.counts, &thread);
                count.map_or(0, |count| count.transfers)
            };
            let number = count(thread) + 1;
            let seen = count((thread + 1) % THREADS as u64);
            let counted = Count {
                transfers: number,
                seen,
            };
            tx.insert(&self.counts, thread, counted);
            let done = Transfer {
                number,
                from,
                to,
                amount,
            };
            tx.insert(&self.transfers, (thread, number % KEPT), done);
            Ok::<_, Infallible>(number)
        };
        self.store.submit(transfer).expect("the disk works")
    }
}

/// Transfers until the process is killed, and says which transfers are durable.
pub(super) fn run(place: &Place, seed: u64) -> Result<(), String> {
    let bank = Bank::open(place).map_err(|error| error.to_string())?;
    let begin = |tx: &mvcc::Transaction<'_>| {
        if tx.get(&bank.accounts, &0).is_none() {
            for account in 0..ACCOUNTS {
                tx.insert(&bank.accounts, account, FIRST_BALANCE);
            }
        }
        Ok::<_, Infallible>(())
    };
    bank.store.run(begin).map_err(|error| error.to_string())?;
    let say = |thread: u64, number: u64| {
        let mut bytes = [thread.to_le_bytes()[0]; SAID];
        bytes[1..].copy_from_slice(&number.to_le_bytes());
        // One write, which the pipe takes whole.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&bytes).and_then(|()| out.flush());
    };
    thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            let (bank, say) = (&bank, &say);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed ^ thread);
                loop {
                    // Some wait for each, some for several at once.
                    let at_once = random.u64(1..=1 + 3 * thread);
                    let transfers: Vec<_> = (0..at_once)
                        .map(|_| bank.transfer(thread, &mut random))
                        .collect();
                    for (number, ticket) in transfers {
                        ticket.wait().expect("the disk works");
                        say(thread, number);
                    }
                    // Otherwise few children would live until there is one.
                    if thread == 0 && random.u8(..) == 0 {
                        let _ = bank.store.checkpoint();
                    }
                }
            });
        }
    });
    Ok(())
}
