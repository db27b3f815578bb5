//! `mvcc` on a directory: the same transactions, which survive.

use super::{Engine, Key, Read, Row, Write, mvcc_readers};
use crate::InputError;
use crate::measure::counted;
use clap::ValueEnum;
use mvcc::{OpenError, Schema, Store, StoreError, Table, Ticket};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Which commits wait for the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sync {
    /// Each, before the next one of its thread.
    #[default]
    Wait,
    /// Each, but a thread goes on until 64 of its commits are not durable yet.
    Ticket,
    /// None.
    None,
}

/// Commits of a thread that may be waited for at once, with tickets.
const TICKETS: usize = 64;

thread_local! {
    static TICKETS_OF_THREAD: RefCell<VecDeque<Ticket>> = const { RefCell::new(VecDeque::new()) };
}

/// A store, its tables declared. Cloning it gives another handle.
#[derive(Clone)]
pub struct Durable(Arc<Inner>);

struct Inner {
    store: Store,
    /// What the tables are loaded with, once they are.
    holds: Table<(), String>,
    wanted: String,
    sync: Sync,
    directory: String,
    is_loaded: bool,
    open_seconds: f64,
    /// When measuring began, and the counters then.
    begun: Mutex<Begun>,
    /// Ends the process: the log has stopped or is full, and nothing more can be measured.
    fail: fn(&str) -> !,
}

#[derive(Clone, Copy)]
struct Begun {
    at: Instant,
    commits: u64,
    groups: u64,
    bytes: u64,
    checkpoints: u64,
}

/// Why a directory cannot be used.
pub enum Unusable {
    /// It is not what was asked for; nothing was changed.
    Input(InputError),
    /// The system has failed, or has no room.
    Failed(String),
}

/// What durability has cost.
#[derive(Clone, Debug, Serialize)]
pub struct Durability {
    /// The directory.
    pub directory: String,
    /// Which commits have waited.
    pub sync: String,
    /// Commits of a thread that were waited for at once, if they were by tickets.
    pub tickets: Option<usize>,
    /// Whether the rows were there already.
    pub continued: bool,
    /// How long it took to open the directory.
    pub open_seconds: f64,
    /// Commits that were written to the log while measuring.
    pub logged_commits: u64,
    /// The syncs of the disk that these have shared.
    pub syncs: u64,
    /// Commits of a sync.
    pub commits_per_sync: f64,
    /// Bytes written of a commit.
    pub bytes_per_commit: f64,
    /// Megabytes (10^6 bytes) written a second.
    pub megabytes_per_second: f64,
    /// Commits that were visible and not durable when the last transaction had ended.
    pub pending_commits: u64,
    /// How long the sync took that made them durable: a part of the time that was measured.
    pub last_sync_seconds: f64,
    /// The log's size at the end, in bytes.
    pub log_bytes: u64,
    /// Checkpoints that were written while measuring.
    pub checkpoints: u64,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = if self.continued {
            "with the rows that it held"
        } else {
            "and loaded"
        };
        write!(f, "\n\ndurable in {} (--sync {}", self.directory, self.sync)?;
        if let Some(tickets) = self.tickets {
            write!(f, ", {tickets} of a thread at once")?;
        }
        write!(f, ")")?;
        write!(
            f,
            "\n{:<14}in {:.3} s, {found}",
            "opened", self.open_seconds
        )?;
        write!(
            f,
            "\n{:<14}{}, {:.0} bytes each, {:.1} MB/s, {} bytes at the end",
            "log",
            counted(self.logged_commits, "commit"),
            self.bytes_per_commit,
            self.megabytes_per_second,
            self.log_bytes
        )?;
        write!(
            f,
            "\n{:<14}{}, {:.1} commits each",
            "syncs", self.syncs, self.commits_per_sync
        )?;
        write!(
            f,
            "\n{:<14}{:.1} ms for {}",
            "last sync",
            self.last_sync_seconds * 1e3,
            counted(self.pending_commits, "pending commit")
        )?;
        write!(f, "\n{:<14}{}", "checkpoints", self.checkpoints)
    }
}

impl Durable {
    /// Opens a directory for a workload. `wanted` says what a load puts into the tables that
    /// `declare` names: what is there already must be that. `fail` ends the process with a message.
    ///
    /// # Errors
    /// If the directory cannot be used.
    pub fn open(
        directory: &Path,
        sync: Sync,
        clock: mvcc::ClockChoice,
        wanted: String,
        declare: impl FnOnce(&mut Schema),
        fail: fn(&str) -> !,
    ) -> Result<Self, Unusable> {
        let start = Instant::now();
        let options = Store::options().database(mvcc::Database::builder().clock(clock));
        let (store, holds) = options
            .open(directory, |tables| {
                declare(tables);
                tables.table("what the tables hold")
            })
            .map_err(|error| unusable(directory, &error))?;
        let held: Option<String> = store.view(|view| view.get(&holds, &()).cloned());
        let name = directory.display();
        let refuse = |found: &str| {
            Unusable::Input(InputError::new(format!(
                "cannot run on {name}: it holds {found}, not {wanted}; ask for the same, or name another directory"
            )))
        };
        let is_loaded = match held {
            Some(held) if held == wanted => true,
            Some(held) => return Err(refuse(&held)),
            None if store.database().stats().live_tuples > 0 => {
                return Err(refuse("a part of a load that was ended early"));
            }
            None => match &store.undeclared()[..] {
                [] => false,
                others => return Err(refuse(&format!("the tables {others:?}"))),
            },
        };
        Ok(Self(Arc::new(Inner {
            begun: Mutex::new(Begun::now(&store)),
            store,
            holds,
            sync,
            directory: name.to_string(),
            wanted,
            is_loaded,
            open_seconds: start.elapsed().as_secs_f64(),
            fail,
        })))
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Closes it.
    ///
    /// # Errors
    /// If it is not known whether all that has committed is durable.
    pub fn close(&self) -> Result<(), String> {
        let closed = self.0.store.clone().close();
        closed.map_err(|_| self.reason("it is not known whether all commits are durable"))
    }

    fn reason(&self, what: &str) -> String {
        let directory = &self.0.directory;
        match self.0.store.stopped() {
            Some(stopped) => format!("{directory}: {what}: {stopped}"),
            None => format!("{directory}: {what}"),
        }
    }

    /// What to do after a transaction that the log has refused or lost.
    fn fail(&self, error: &StoreError<Infallible>) -> ! {
        (self.0.fail)(&self.reason(&error.to_string()))
    }

    fn put_by(&self, ticket: Ticket) {
        TICKETS_OF_THREAD.with_borrow_mut(|tickets| {
            tickets.push_back(ticket);
            if tickets.len() > TICKETS
                && let Some(first) = tickets.pop_front()
                && let Err(error) = first.wait()
            {
                self.fail(&error);
            }
        });
    }
}

impl Begun {
    fn now(store: &Store) -> Self {
        let stats = store.stats();
        Self {
            at: Instant::now(),
            commits: stats.logged_commits,
            groups: stats.groups,
            bytes: stats.written_bytes,
            checkpoints: stats.checkpoints,
        }
    }
}

/// Whose fault it is that a store could not be opened.
pub fn unusable(directory: &Path, error: &OpenError) -> Unusable {
    let message = match error {
        OpenError::Directory { .. } => error.to_string(),
        _ => format!("{}: {error}", directory.display()),
    };
    match error {
        OpenError::Thread(_)
        | OpenError::Journal(
            journal::OpenError::Full(_) | journal::OpenError::Read(journal::ReadError::Disk(_)),
        ) => Unusable::Failed(message),
        _ => Unusable::Input(InputError::new(message)),
    }
}

impl Engine for Durable {
    const NAME: &'static str = "mvcc";
    type Table<K: Key, V: Row> = mvcc::Table<K, V>;
    type OrderedTable<K: Key, V: Row> = mvcc::OrderedTable<K, V>;
    type Transaction<'t> = mvcc::Transaction<'t>;
    type View<'v> = mvcc::View<'v>;
    type Snapshot = mvcc::Snapshot;

    fn table<K: Key, V: Row>(&self, name: &str) -> Result<mvcc::Table<K, V>, String> {
        Engine::table(self.0.store.database(), name)
    }

    fn ordered_table<K: Key, V: Row>(
        &self,
        name: &str,
    ) -> Result<mvcc::OrderedTable<K, V>, String> {
        Engine::ordered_table(self.0.store.database(), name)
    }

    fn run<T, E>(&self, body: impl FnMut(&mvcc::Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        let store = &self.0.store;
        let ran = if self.0.sync == Sync::Wait {
            store.run(body)
        } else {
            store.submit(body).map(|(value, ticket)| {
                if self.0.sync == Sync::Ticket {
                    self.put_by(ticket);
                }
                value
            })
        };
        ran.or_else(|error| match error {
            StoreError::Closure(error) => Err(error),
            StoreError::Full => self.fail(&StoreError::Full),
            StoreError::TooLarge { bytes, limit } => {
                self.fail(&StoreError::TooLarge { bytes, limit })
            }
            StoreError::Unknown => self.fail(&StoreError::Unknown),
            _ => self.fail(&StoreError::Stopped),
        })
    }

    fn run_timestamped<T>(&self, body: impl FnMut(&mvcc::Transaction<'_>) -> T) -> T {
        self.0.store.database().run_timestamped(body)
    }

    fn view<T>(&self, body: impl FnOnce(&mvcc::View<'_>) -> T) -> T {
        self.0.store.view(body)
    }

    fn snapshot<T>(&self, body: impl FnOnce(&mvcc::Snapshot) -> T) -> T {
        body(&self.0.store.snapshot())
    }

    fn clock(&self) -> String {
        Engine::clock(self.0.store.database())
    }

    fn live_versions(&self) -> Option<u64> {
        self.0.store.database().live_versions()
    }

    fn is_loaded(&self) -> bool {
        self.0.is_loaded
    }

    fn loaded(&self) {
        let Inner {
            store,
            holds,
            wanted,
            ..
        } = &*self.0;
        let noted = store.run(|tx| Ok::<_, Infallible>(tx.insert(holds, (), wanted.clone())));
        noted.unwrap_or_else(|error| self.fail(&error));
    }

    fn begin(&self) {
        let begun = Begun::now(&self.0.store);
        *self.0.begun.lock().unwrap_or_else(PoisonError::into_inner) = begun;
    }

    fn end(&self) -> Option<Durability> {
        let Inner { store, .. } = &*self.0;
        let pending_commits = store.stats().pending_commits;
        let start = Instant::now();
        store.sync().unwrap_or_else(|error| self.fail(&error));
        let last_sync_seconds = start.elapsed().as_secs_f64();
        let begun = *self.0.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Begun::now(store);
        let commits = now.commits - begun.commits;
        let (syncs, bytes) = (now.groups - begun.groups, now.bytes - begun.bytes);
        let sync = self.0.sync.to_possible_value();
        Some(Durability {
            directory: self.0.directory.clone(),
            sync: sync.map_or_else(String::new, |value| value.get_name().to_owned()),
            tickets: (self.0.sync == Sync::Ticket).then_some(TICKETS),
            continued: self.0.is_loaded,
            open_seconds: self.0.open_seconds,
            logged_commits: commits,
            syncs,
            commits_per_sync: commits as f64 / syncs.max(1) as f64,
            bytes_per_commit: bytes as f64 / commits.max(1) as f64,
            megabytes_per_second: bytes as f64 / 1e6 / (now.at - begun.at).as_secs_f64(),
            pending_commits,
            last_sync_seconds,
            log_bytes: store.stats().log_bytes,
            checkpoints: now.checkpoints - begun.checkpoints,
        })
    }
}

mvcc_readers!(Durable);
