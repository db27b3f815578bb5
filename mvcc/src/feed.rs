//! Commits as a stream: whole transactions, in serialization order, with the rows that they have
//! changed.
//!
//! Commits are recorded after they have happened, and not in the order of their timestamps. A feed
//! hands one out only when nothing earlier can follow. For that, a thread *announces* a commit
//! before it reads the clock for it, with a lower bound of the timestamp to come, and takes the
//! announcement back after the commit is recorded. Whoever receives reads the clock, then looks at
//! all announcements, and takes what is below all of these. That is right:
//!
//! - A commit whose announcement was seen has a timestamp that is not below it.
//! - One whose announcement was not seen yet reads its clock after the announcement, which is after
//!   we looked, which is after our own reading of the clock: its timestamp is larger (I1).
//! - One whose announcement was not seen any more is recorded.
//!
//! The order of timestamps is a serialization order (I3). Commits of the same timestamp have
//! neither read nor written what the other one has written, or their clocks would differ (I1), so
//! any order of these is right.
//!
//! A feed begins with a snapshot at `s`, and delivers exactly the commits from `s` on: what the
//! snapshot does not see. Before `s` is read, the schema version changes. A commit looks at the
//! schema version after it has read its clock; one that finds the old schema version is therefore
//! earlier than `s` (I1), and one that finds the new schema version but does not announce itself,
//! since it began before, fails.
//!
//! A record points to tuples and versions. They stay because the feed has a slot that is open from
//! the earliest commit on that it has not let go of.

use crate::api::database::Database;
use crate::api::read::AnyTable;
use crate::api::snapshot::Snapshot;
use crate::clock::timestamp::Timestamp;
use crate::commit::feeds::{FeedCore, Overflow, Record};
use crate::rows::tuple::key_of;
use crate::rows::version::value_of;
use crate::sync::Arc;
use std::fmt;
use std::time::{Duration, Instant};

/// The commits of a database, one after the other, from [`Database::on_commit`].
///
/// It may be sent to another thread. It keeps the database alive, and it keeps in memory what the
/// commits have changed that it still has to deliver, or that are being looked at: receive them
/// soon. Dropping it ends the feed.
#[must_use = "the commits that nobody receives fill its queue"]
pub struct Feed {
    database: Database,
    core: Arc<FeedCore>,
}

/// A transaction that was committed, as a [`Feed`] delivers it.
///
/// While it is held, nothing that is overwritten is freed: copy out what is to be kept.
pub struct Committed<'f> {
    feed: &'f Feed,
    record: Record,
    missed: u64,
}

/// A row that a transaction has changed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Change<'c, K, V> {
    /// The row's key.
    pub key: &'c K,
    /// Its value before the transaction; `None` if there was none.
    pub before: Option<&'c V>,
    /// Its value after the transaction; `None` if it was removed.
    pub after: Option<&'c V>,
}

impl<K, V> Clone for Change<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Change<'_, K, V> {}

impl Database {
    /// Starts a feed of all commits from now on, and takes a snapshot of what was committed before:
    /// applying the commits to the snapshot's rows, one after the other, goes through every state
    /// that the database is in.
    ///
    /// The feed has a queue of `capacity` commits. When it is full, `overflow` says what happens:
    /// commits wait, or the oldest ones are dropped. Commits of read-only transactions are not
    /// delivered.
    ///
    /// A database without feeds pays nothing for them. With feeds, commits are recorded one at a
    /// time, at some hundred nanoseconds each. Transactions that have begun before the first feed
    /// starts, and write, run into a [`Conflict`](crate::Conflict).
    ///
    /// # Panics
    /// If `capacity` is 0.
    ///
    /// ```
    /// use mvcc::Overflow;
    ///
    /// let db = mvcc::Database::new();
    /// let accounts = db.table::<&str, i64>("accounts")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&accounts, "ann", 100))).unwrap();
    ///
    /// let (snapshot, mut feed) = db.on_commit(1024, Overflow::Wait);
    /// let mut total: i64 = snapshot.iter(&accounts).map(|(_, balance)| balance).sum();
    /// db.run(|tx| {
    ///     tx.insert(&accounts, "ann", 70);
    ///     Ok::<_, ()>(tx.insert(&accounts, "bob", 35))
    /// }).unwrap();
    /// let commit = feed.try_recv().unwrap();
    /// for change in commit.changes(&accounts) {
    ///     total += change.after.unwrap_or(&0) - change.before.unwrap_or(&0);
    /// }
    /// assert_eq!(total, 105);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn on_commit(&self, capacity: usize, overflow: Overflow) -> (Snapshot, Feed) {
        assert!(capacity > 0, "a feed needs room for one commit at least");
        let shared = &self.inner().shared;
        let core = FeedCore::start(&shared.memory, capacity, overflow);
        {
            // For the changes of the schema version, one at a time.
            let local = self.inner().local();
            let _inside = local.enter();
            shared.feeds.add(core.clone());
            shared.set_feeds(true);
        }
        let snapshot = self.snapshot();
        core.start_at(snapshot.timestamp().ticks());
        let database = self.clone();
        (snapshot, Feed { database, core })
    }
}

impl Feed {
    /// The next commit. Waits until there is one.
    ///
    /// The thread that receives may commit as well, to the same database too: after its first call
    /// of this or another `recv` method, its own commits never wait for room in this feed.
    ///
    /// ```
    /// use mvcc::Overflow;
    ///
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, u64>("t")?;
    /// let (_, mut feed) = db.on_commit(16, Overflow::Wait);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| (0..100).for_each(|i| db.run(|tx| Ok::<_, ()>(tx.insert(&table, i, i))).unwrap()));
    ///     let mut before = None;
    ///     for _ in 0..100 {
    ///         let commit = feed.recv();
    ///         assert!(Some(commit.timestamp()) > before);
    ///         before = Some(commit.timestamp());
    ///     }
    /// });
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn recv(&mut self) -> Committed<'_> {
        loop {
            // Without a deadline, the first turn finds one.
            if let Some((record, missed)) = self.core.receive(&self.shared().memory, None) {
                return self.deliver(record, missed);
            }
        }
    }

    /// The next commit, if there is one already. One that is under way may hold back others that
    /// have happened already.
    ///
    /// ```
    /// use mvcc::Overflow;
    ///
    /// let (_, mut feed) = mvcc::Database::new().on_commit(16, Overflow::Wait);
    /// assert!(feed.try_recv().is_none());
    /// ```
    pub fn try_recv(&mut self) -> Option<Committed<'_>> {
        self.recv_until(Some(Instant::now()))
    }

    /// The next commit, if there is one within this time. A time without an end, such as
    /// [`Duration::MAX`], is one: it waits as [`recv`](Self::recv) does.
    ///
    /// ```
    /// use mvcc::Overflow;
    /// use std::time::Duration;
    ///
    /// let (_, mut feed) = mvcc::Database::new().on_commit(16, Overflow::DropOldest);
    /// assert!(feed.recv_timeout(Duration::from_millis(1)).is_none());
    /// ```
    pub fn recv_timeout(&mut self, timeout: Duration) -> Option<Committed<'_>> {
        self.recv_until(Instant::now().checked_add(timeout))
    }

    /// `None`: without a limit.
    fn recv_until(&mut self, deadline: Option<Instant>) -> Option<Committed<'_>> {
        let (record, missed) = self.core.receive(&self.shared().memory, deadline)?;
        Some(self.deliver(record, missed))
    }

    fn deliver(&self, record: Record, missed: u64) -> Committed<'_> {
        Committed {
            feed: self,
            record,
            missed,
        }
    }

    fn shared(&self) -> &crate::commit::shared::Shared {
        &self.database.inner().shared
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let local = self.database.inner().local();
        let _inside = local.enter();
        let shared = self.shared();
        let is_last = shared.feeds.remove(&self.core);
        shared.set_feeds(!is_last);
        self.core.close(&shared.memory);
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("queued", &self.core.len())
            .finish_non_exhaustive()
    }
}

impl Committed<'_> {
    /// The transaction's place in the serialization order: what
    /// [`Transaction::commit`](crate::Transaction::commit) has returned. Two that have nothing to
    /// do with each other may have the same.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::new(self.record.timestamp())
    }

    /// How many commits were dropped since the one that was delivered before this, because the
    /// queue was full. Always 0 with [`Overflow::Wait`].
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The rows of a table that the transaction has changed, each once, in no particular order.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// use mvcc::Overflow;
    ///
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// let (_, mut feed) = db.on_commit(16, Overflow::Wait);
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "one"))).unwrap();
    /// db.run(|tx| Ok::<_, ()>(tx.remove(&table, &1))).unwrap();
    /// drop(feed.recv());
    /// let removal = feed.recv();
    /// let change = removal.changes(&table).next().unwrap();
    /// assert_eq!((change.key, change.before, change.after), (&1, Some(&"one"), None));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn changes<'c, T: AnyTable>(
        &'c self,
        table: &T,
    ) -> impl Iterator<Item = Change<'c, T::Key, T::Value>> + use<'c, T> {
        let core = table.core();
        self.feed.database.inner().check(core);
        let of = core.id;
        let rows = self.record.rows().filter(move |row| row.table() == of);
        let changes = rows.map(|row| {
            // SAFETY: of a table with these types; the feed's slot is open from before the commit
            // as long as this is held.
            unsafe {
                Change {
                    key: key_of(row.tuple),
                    before: value_of(row.before),
                    after: value_of(row.after.as_ptr()),
                }
            }
        });
        // Some were only removed that were not there.
        changes.filter(|change| change.before.is_some() || change.after.is_some())
    }
}

impl Drop for Committed<'_> {
    fn drop(&mut self) {
        self.feed.core.let_go();
    }
}

impl fmt::Debug for Committed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committed")
            .field("timestamp", &self.timestamp())
            .field("rows", &self.record.rows().count())
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}
