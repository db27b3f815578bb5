//! The store: a database whose declared tables are in a directory.

use super::checkpoint::{Checkpointer, Pace};
use super::error::{OpenError, StoreError, open_error};
use super::schema::{Declared, Shape};
use super::ticket::Ticket;
use crate::api::database::Database;
use crate::api::retry::{Failed, RetryPolicy};
use crate::api::room::{WhenFull, wait_for_room};
use crate::api::snapshot::Snapshot;
use crate::api::transaction::Transaction;
use crate::api::view::View;
use crate::clock::timestamp::Age;
use crate::commit::feeds::oldest_announced;
use crate::commit::log::logger::Logger;
use crate::sync::{Arc, Mutex};
use journal::{CopyError, Directory, LogError, LostSide, Mirror, Stopped};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A [`Database`] with tables that survive the process, in a directory.
///
/// The tables that are declared when it is opened are durable. Tables that are opened with
/// [`database()`](Self::database) are volatile. Both stand side by side in one transaction, under
/// the same guarantee.
///
/// A commit is *visible* once it has happened, and *durable* once it is on the disk with all before
/// it. [`run`](Self::run) returns when it is durable; [`submit`](Self::submit) when it is visible,
/// with a [`Ticket`] for the rest. What is recovered is the state after some prefix of the commits,
/// in their serialization order, with all that was reported durable.
///
/// It is a cheap handle: clone it for other threads. When the last one goes, the log is drained and
/// closed; [`close`](Self::close) does the same and says whether it went well.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("mvcc-doc-store-{}", std::process::id()));
/// # let _ = std::fs::remove_dir_all(&path);
/// use mvcc::{Store, Table};
/// use std::convert::Infallible;
///
/// let open = || Store::open(&path, |tables| tables.table("accounts"));
/// let (store, accounts): (Store, Table<String, i64>) = open()?;
/// store.run(|tx| Ok::<_, Infallible>(tx.insert(&accounts, "ann".into(), 100)))?; // it survives
/// drop(store);
///
/// let (store, accounts) = open()?;
/// assert_eq!(store.view(|view| view.get(&accounts, "ann").copied()), Some(100));
/// # drop(store);
/// # std::fs::remove_dir_all(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    logger: Arc<Logger>,
    checkpointer: Arc<Checkpointer>,
    /// The tables that the log knows, by number.
    shapes: Arc<BTreeMap<u32, Shape>>,
    when_full: WhenFull,
    mirror: Option<Arc<Mirror>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How a store is, from [`Store::stats`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreStats {
    /// Commits that are visible and not durable yet.
    pub pending_commits: u64,
    /// How far what is durable is behind now: as old as this a commit may be and not be durable.
    /// Large while nobody commits, for then nobody looks.
    pub lag: Age,
    /// The oldest commit under way: it holds back what can be made durable, of all threads, until
    /// it has happened or failed. It is at most as old as this. Commits take microseconds, so one
    /// that stays is of a thread that the system does not run. `None` if none is under way.
    pub held_back_by: Option<Age>,
    /// Commits to durable tables that were written to the log since it was opened.
    pub logged_commits: u64,
    /// The groups that they were written in: one write and one sync each.
    pub groups: u64,
    /// The bytes of these groups, without what frames add.
    pub written_bytes: u64,
    /// The bytes of the log's segments, without checkpoints.
    pub log_bytes: u64,
    /// Checkpoints that this process has written.
    pub checkpoints: u64,
    /// The last checkpoint of this process.
    pub checkpoint: Option<CheckpointStats>,
    /// The side of its mirror that has failed since the store was opened: it goes on with the
    /// other. Mend it, and open the store again.
    pub lost_side: Option<LostSide>,
    /// Whether the log has stopped.
    pub is_stopped: bool,
}

/// The last checkpoint of a store.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CheckpointStats {
    /// How long ago it was finished.
    pub age: Duration,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

impl Store {
    pub(super) fn new(
        database: Database,
        logger: Arc<Logger>,
        checkpointer: Checkpointer,
        shapes: BTreeMap<u32, Shape>,
        when_full: WhenFull,
        mirror: Option<Arc<Mirror>>,
    ) -> Self {
        let inner = Inner {
            database,
            logger,
            checkpointer: Arc::new(checkpointer),
            shapes: Arc::new(shapes),
            when_full,
            mirror,
            threads: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(super) fn logger(&self) -> &Arc<Logger> {
        &self.inner.logger
    }

    pub(super) fn declared(&self) -> Arc<[Declared]> {
        self.inner.checkpointer.tables.clone()
    }

    pub(super) fn shapes(&self) -> Arc<BTreeMap<u32, Shape>> {
        self.inner.shapes.clone()
    }

    /// Starts its threads.
    pub(super) fn start(&self, writes_checkpoint: bool) -> Result<(), OpenError> {
        let Inner {
            database,
            logger,
            checkpointer,
            threads,
            ..
        } = &*self.inner;
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.into()).spawn(work);
            thread
                .map(|thread| threads.lock().push(thread))
                .map_err(OpenError::Thread)
        };
        let (shared, log) = (database.inner().shared.clone(), logger.clone());
        spawn("mvcc-log", Box::new(move || log.run(&shared.memory)))?;
        if writes_checkpoint {
            let written = checkpointer.write(database, logger, Pace::Fast);
            written.map_err(open_error)?;
        }
        let (database, log, checkpointer) =
            (database.clone(), logger.clone(), checkpointer.clone());
        spawn(
            "mvcc-checkpoint",
            Box::new(move || checkpointer.run(&database, &log)),
        )
    }

    /// Runs a transaction until it commits, as [`Database::run`], and waits until that is durable.
    /// What it has read is durable then too.
    ///
    /// The wait is for one write and one sync of the disk, which commits of other threads share.
    /// Nothing is held meanwhile: what was committed is visible to all.
    ///
    /// # Errors
    /// [`StoreError::Closure`] if the closure refuses; [`StoreError::Stopped`],
    /// [`StoreError::Full`] and [`StoreError::TooLarge`], after which nothing has happened;
    /// [`StoreError::Unknown`] if the log stops before it is known to be durable.
    pub fn run<T, E>(
        &self,
        transaction: impl FnMut(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, StoreError<E>> {
        let (value, timestamp) = self.commit(transaction)?;
        let now = || self.database().inner().shared.memory.clock.now();
        let waited = self.wait(timestamp.unwrap_or_else(now));
        waited.map_err(|_| match timestamp {
            Some(_) => StoreError::Unknown,
            None => StoreError::Stopped,
        })?;
        Ok(value)
    }

    /// Runs a transaction until it commits, as [`Database::run`], and returns with a ticket to wait
    /// with until it is durable.
    ///
    /// # Errors
    /// As [`run`](Self::run), but for [`StoreError::Unknown`]: that is for the ticket to say.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("mvcc-doc-submit-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&path);
    /// # use mvcc::{Store, Table};
    /// # let (store, hits): (Store, Table<u32, u64>) = Store::open(&path, |tables| tables.table("hits"))?;
    /// let mut tickets = Vec::new();
    /// for page in 0..100 {
    ///     let count = |tx: &mvcc::Transaction<'_>| Ok::<_, std::convert::Infallible>(tx.insert(&hits, page, 1));
    ///     let ((), ticket) = store.submit(count)?;
    ///     tickets.push(ticket);
    /// }
    /// for ticket in tickets {
    ///     ticket.wait()?;
    /// }
    /// # drop(store);
    /// # std::fs::remove_dir_all(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit<T, E>(
        &self,
        transaction: impl FnMut(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Ticket), StoreError<E>> {
        let (value, timestamp) = self.commit(transaction)?;
        let shared = &self.database().inner().shared;
        let timestamp = timestamp.unwrap_or_else(|| shared.memory.clock.now());
        self.inner.logger.wake_soon();
        Ok((value, Ticket::new(shared.clone(), timestamp)))
    }

    fn commit<T, E>(
        &self,
        transaction: impl FnMut(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<(T, Option<u64>), StoreError<E>> {
        let commit = |tx: &Transaction<'_>| tx.commit_logged();
        let committed = self.database().run_committing(
            const { &RetryPolicy::new() },
            transaction,
            commit,
            |local, lost| wait_for_room(local, lost, self.inner.when_full),
        );
        committed.map_err(|failed| match failed {
            Failed::Aborted(error) => StoreError::Closure(error),
            Failed::Exhausted(_) => unreachable!("this policy has no limits"),
            Failed::Refused(_, error) => log_error(&error),
        })
    }

    fn wait(&self, timestamp: u64) -> Result<(), Stopped> {
        self.inner
            .logger
            .wait(&self.database().inner().shared.memory, timestamp)
    }

    /// Waits until all that is visible now is durable.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if the log stops, or had.
    pub fn sync(&self) -> Result<(), StoreError> {
        let now = self.database().inner().shared.memory.clock.now();
        self.wait(now).map_err(|_| StoreError::Unknown)
    }

    /// Reads what is visible, as [`Database::view`]. It may not be durable yet.
    pub fn view<T>(&self, read: impl FnOnce(&View<'_>) -> T) -> T {
        self.database().view(read)
    }

    /// Reads, and waits until all that was seen is durable.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if the log stops, or had.
    pub fn view_durable<T>(&self, read: impl FnOnce(&View<'_>) -> T) -> Result<T, StoreError> {
        let value = self.view(read);
        self.sync()?;
        Ok(value)
    }

    /// A snapshot of what is visible, as [`Database::snapshot`].
    pub fn snapshot(&self) -> Snapshot {
        self.database().snapshot()
    }

    /// The database. Its volatile tables are opened with it, and everything else is done with it
    /// that a database can do.
    ///
    /// A commit that writes to durable tables by another way than the store's is durable soon, not
    /// when it returns. Once the log has stopped or has no room, it is refused:
    /// [`Transaction::commit`] returns a conflict whose cause is
    /// [`LogStopped`](crate::ConflictCause::LogStopped) or
    /// [`NoRoom`](crate::ConflictCause::NoRoom), [`Database::run_with`] gives up with it, and
    /// [`Database::run`] panics where the log has stopped and waits where it has no room.
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Writes a checkpoint: all rows, in one file. Then the log before it is removed, and opening
    /// need not read it. It is also done without being asked for, see
    /// [`StoreOptions::checkpoint_bytes`](crate::StoreOptions::checkpoint_bytes).
    ///
    /// # Errors
    /// [`StoreError::Full`] if the disk has no room for it, which changes nothing;
    /// [`StoreError::Stopped`].
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let Inner {
            checkpointer,
            database,
            logger,
            ..
        } = &*self.inner;
        checkpointer
            .write(database, logger, Pace::Fast)
            .map_err(|error| log_error(&error))
    }

    /// Copies the store as it is now to another directory, which is created and must be empty.
    /// Commits go on meanwhile. The copy can be opened as any store, and holds all that was durable
    /// when this was called.
    ///
    /// # Errors
    /// If the directory is not empty or cannot be written, or the store is closed.
    pub fn backup(&self, directory: impl AsRef<Path>) -> Result<(), CopyError> {
        let to = directory.as_ref();
        let created = Directory::create(to);
        let disk = created.map_err(|source| {
            CopyError::Write(journal::Fault {
                operation: "create",
                file: to.display().to_string(),
                source,
            })
        })?;
        self.inner.logger.log.backup(Arc::new(disk))
    }

    /// Waits until all that was committed is durable, and closes the log, for all handles. Later
    /// commits to durable tables are refused with [`StoreError::Stopped`]; reads go on.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if the log stops before all is durable, or had stopped.
    pub fn close(self) -> Result<(), StoreError> {
        self.inner.close().map_err(|_| StoreError::Unknown)
    }

    /// Why the log has stopped or is closed, if it is.
    pub fn stopped(&self) -> Option<&Stopped> {
        self.inner.logger.check()
    }

    /// The names of the tables that are stored and not declared.
    pub fn undeclared(&self) -> Vec<&str> {
        let carried = self.inner.checkpointer.carried.values();
        carried.map(|(shape, _)| shape.name.as_str()).collect()
    }

    /// How the log is. For the tables, see [`Database::stats`].
    pub fn stats(&self) -> StoreStats {
        let Inner {
            logger,
            checkpointer,
            ..
        } = &*self.inner;
        let memory = &self.database().inner().shared.memory;
        let pending_commits = logger.pending();
        let (last, checkpoints) = checkpointer.last();
        let written = logger.written();
        // Before the clock: no commit is younger than the reading.
        let oldest = oldest_announced(memory);
        let now = memory.clock.now();
        StoreStats {
            pending_commits,
            held_back_by: oldest.map(|oldest| memory.age(oldest, now)),
            logged_commits: written.commits,
            groups: written.groups,
            written_bytes: written.bytes,
            checkpoints,
            lag: memory.age(logger.durable(), now),
            log_bytes: logger.log.bytes(),
            checkpoint: last.map(|last| CheckpointStats {
                age: last.at.elapsed(),
                rows: last.rows,
                bytes: last.bytes,
            }),
            lost_side: self.inner.mirror.as_ref().and_then(|mirror| mirror.lost()),
            is_stopped: logger.check().is_some(),
        }
    }
}

fn log_error<E>(error: &LogError) -> StoreError<E> {
    match *error {
        LogError::Full(_) => StoreError::Full,
        LogError::TooLarge { bytes, limit } => StoreError::TooLarge { bytes, limit },
        _ => StoreError::Stopped,
    }
}

impl Inner {
    fn close(&self) -> Result<(), Stopped> {
        let closed = self.logger.close(&self.database.inner().shared.memory);
        let threads = std::mem::take(&mut *self.threads.lock());
        // Wakers and encoders run on these threads too, and may drop the last handle there.
        let others = threads
            .into_iter()
            .filter(|its| its.thread().id() != thread::current().id());
        for thread in others {
            // They run no user code that they do not catch.
            let _ = thread.join();
        }
        closed
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _ = self.close();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("database", self.database())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
