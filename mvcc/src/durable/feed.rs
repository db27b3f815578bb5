//! The commits of a store as a stream that survives the process.
//!
//! It is read from the log, behind what is durable. So what it delivers no crash takes back, and a
//! position in it, the number of commits before, stays right for as long as the log does.

use super::position::FeedPosition;
use super::schema::{Declared, Shape, TypedRows};
use super::store::Store;
use crate::api::read::AnyTable;
use crate::api::snapshot::Snapshot;
use crate::commit::log::logger::Logger;
use crate::commit::log::record;
use crate::sync::Arc;
use journal::codec::{Decode, DecodeError, from_bytes};
use journal::{Next, ReadError, Reader};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

/// Why a feed delivers nothing more.
#[derive(Debug)]
#[non_exhaustive]
pub enum FeedError {
    /// The commits after this position are no longer in the log: a checkpoint has taken their
    /// place.
    Pruned {
        /// The position that was asked for.
        position: FeedPosition,
        /// The first one from which there are commits.
        oldest: FeedPosition,
    },
    /// There were fewer commits than that: it is a position of another store.
    Beyond {
        /// The position that was asked for.
        position: FeedPosition,
        /// That of the newest durable commit.
        newest: FeedPosition,
    },
    /// The store is closed, or its log has stopped. All that was durable was delivered where it has
    /// stopped; where it was closed, go on from the last position when it is open again.
    Ended,
    /// The log cannot be read.
    Read(ReadError),
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pruned { position, oldest } => write!(
                f,
                "the commits after position {position} were pruned by a checkpoint; the log begins at {oldest}: take a snapshot with `Store::on_commit`, and go on from there"
            ),
            Self::Beyond { position, newest } => write!(
                f,
                "the store has no position {position}, its newest is {newest}: was it stored for another store?"
            ),
            Self::Ended => f.write_str(
                "the store is closed or its log has stopped: open it again, and go on from the last position",
            ),
            Self::Read(error) => write!(f, "cannot read the log: {error}"),
        }
    }
}

impl std::error::Error for FeedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(error) => error.source(),
            _ => None,
        }
    }
}

/// The commits of a [`Store`], one after the other, each once it is durable: from
/// [`Store::on_commit`] or [`Store::on_commit_from`].
///
/// It holds nothing back, and takes memory for one group of commits: who is slow enough that a
/// checkpoint removes what is to come next gets [`FeedError::Pruned`].
#[must_use = "it delivers nothing by itself"]
pub struct DurableFeed {
    logger: Arc<Logger>,
    tables: Arc<[Declared]>,
    shapes: Arc<BTreeMap<u32, Shape>>,
    reader: Reader,
    /// What was delivered, or skipped.
    position: u64,
    /// What was read and is to be delivered.
    commits: VecDeque<(u64, Box<[u8]>)>,
    payload: Vec<u8>,
}

/// A transaction that is durable, as a [`DurableFeed`] delivers it.
pub struct DurableCommit {
    position: FeedPosition,
    record: Box<[u8]>,
    tables: Arc<[Declared]>,
    shapes: Arc<BTreeMap<u32, Shape>>,
}

/// A row that a transaction has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DurableChange<K, V> {
    /// The row's key.
    pub key: K,
    /// Its value after the transaction; `None` if it was removed.
    pub after: Option<V>,
}

/// The rows of a table that a transaction has changed.
pub type DurableChanges<T> = Vec<DurableChange<<T as AnyTable>::Key, <T as AnyTable>::Value>>;

impl Store {
    /// Starts a feed of all commits to durable tables from now on, and takes a snapshot of what was
    /// committed before: none is in both, and none in neither. Other commits wait meanwhile, for
    /// one sync of the disk.
    ///
    /// # Errors
    /// If the log has stopped or cannot be read.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("mvcc-doc-feed-{}", std::process::id()));
    /// # let _ = std::fs::remove_dir_all(&path);
    /// use mvcc::{Store, Table};
    /// use std::convert::Infallible;
    ///
    /// let open = || Store::open(&path, |tables| tables.table("stock"));
    /// let (store, stock): (Store, Table<String, u32>) = open()?;
    /// let (before, mut feed) = store.on_commit()?;
    /// assert_eq!(before.iter(&stock).count(), 0);
    /// let mut position = feed.position();
    /// store.run(|tx| Ok::<_, Infallible>(tx.insert(&stock, "bolts".into(), 10)))?;
    /// store.run(|tx| Ok::<_, Infallible>(tx.insert(&stock, "nuts".into(), 20)))?;
    /// let commit = feed.recv()?;
    /// assert_eq!(commit.changes(&stock)?[0].after, Some(10));
    /// position = commit.position();
    /// drop((before, feed));
    /// store.close()?;
    ///
    /// // Another process, some time later.
    /// let (store, stock) = open()?;
    /// let mut feed = store.on_commit_from(position)?;
    /// assert_eq!(feed.recv()?.changes(&stock)?[0].key, "nuts");
    /// assert!(feed.try_recv()?.is_none());
    /// # drop((feed, store));
    /// # std::fs::remove_dir_all(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_commit(&self) -> Result<(Snapshot, DurableFeed), FeedError> {
        let inner = self.database().inner();
        let local = inner.local();
        // Nobody commits from here on, so what is written now is what was committed before.
        let inside = local.enter();
        self.sync().map_err(|_| FeedError::Ended)?;
        let position = FeedPosition::new(self.logger().logged());
        let snapshot = self.snapshot();
        drop(inside);
        Ok((snapshot, self.on_commit_from(position)?))
    }

    /// A feed of the commits to durable tables after a position, from an earlier run of the program
    /// as well.
    ///
    /// # Errors
    /// [`FeedError::Pruned`] if the log does not reach back to there, [`FeedError::Beyond`] if
    /// there is no such position; if the log cannot be read.
    pub fn on_commit_from(&self, position: FeedPosition) -> Result<DurableFeed, FeedError> {
        let logger = self.logger().clone();
        let reader = logger.log.reader().map_err(FeedError::Read)?;
        let (oldest, newest) = (reader.begins_at(), logger.log.durable());
        if position.number() < oldest {
            let oldest = FeedPosition::new(oldest);
            return Err(FeedError::Pruned { position, oldest });
        }
        if position.number() > newest {
            let newest = FeedPosition::new(newest);
            return Err(FeedError::Beyond { position, newest });
        }
        Ok(DurableFeed {
            logger,
            tables: self.declared(),
            shapes: self.shapes(),
            reader,
            position: position.number(),
            commits: VecDeque::new(),
            payload: Vec::new(),
        })
    }
}

impl DurableFeed {
    /// After the last commit that was delivered: what is not delivered yet comes after it.
    pub fn position(&self) -> FeedPosition {
        FeedPosition::new(self.position)
    }

    /// The next commit. Waits until there is one.
    ///
    /// # Errors
    /// If there is none any more.
    pub fn recv(&mut self) -> Result<DurableCommit, FeedError> {
        loop {
            // Without a deadline, the first turn finds one.
            if let Some(commit) = self.recv_until(None)? {
                return Ok(commit);
            }
        }
    }

    /// The next commit, if there is one that is durable.
    ///
    /// # Errors
    /// If there is none any more.
    pub fn try_recv(&mut self) -> Result<Option<DurableCommit>, FeedError> {
        self.recv_until(Some(Instant::now()))
    }

    /// The next commit. Waits until there is one, but not for longer than this.
    ///
    /// # Errors
    /// If there is none any more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<DurableCommit>, FeedError> {
        self.recv_until(Instant::now().checked_add(timeout))
    }

    fn recv_until(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<Option<DurableCommit>, FeedError> {
        loop {
            if let Some((number, record)) = self.commits.pop_front() {
                self.position = number;
                return Ok(Some(DurableCommit {
                    position: FeedPosition::new(number),
                    record,
                    tables: self.tables.clone(),
                    shapes: self.shapes.clone(),
                }));
            }
            // Before it is looked at what there is: what is written after that is waited for.
            let groups = self.logger.written().groups;
            let has_stopped = self.logger.stopped().is_some();
            match self
                .reader
                .next(&mut self.payload)
                .map_err(FeedError::Read)?
            {
                Next::Frame { .. } => self.take_frame()?,
                Next::Removed => self.begin_again()?,
                Next::Closed => return Err(FeedError::Ended),
                Next::End if has_stopped => return Err(FeedError::Ended),
                Next::End => {
                    if !self.logger.wait_for_group(groups, deadline) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Goes on from the newest checkpoint, if that has nothing that is to be delivered yet.
    fn begin_again(&mut self) -> Result<(), FeedError> {
        self.reader = self.logger.log.reader().map_err(FeedError::Read)?;
        if self.reader.begins_at() <= self.position {
            return Ok(());
        }
        Err(FeedError::Pruned {
            position: self.position(),
            oldest: FeedPosition::new(self.reader.begins_at()),
        })
    }

    /// Takes the commits of a frame that come after the position.
    fn take_frame(&mut self) -> Result<(), FeedError> {
        let corrupt = |error: record::Corrupt| FeedError::Read(ReadError::Refused(error.into()));
        let mut payload = &self.payload[..];
        let mut number = record::take_start(&mut payload).map_err(corrupt)?;
        while let Some((kind, record)) = record::take_record(&mut payload).map_err(corrupt)? {
            match kind {
                record::TABLE => {
                    let (number, shape) = Shape::decode(record).map_err(corrupt)?;
                    Arc::make_mut(&mut self.shapes).insert(number, shape);
                }
                record::TRANSACTION => {
                    number += 1;
                    if number > self.position {
                        let mut rows = record;
                        while record::take_change(&mut rows).map_err(corrupt)?.is_some() {}
                        self.commits.push_back((number, record.into()));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DurableFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableFeed")
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl DurableCommit {
    /// After this commit: a feed from here delivers the next one first.
    pub fn position(&self) -> FeedPosition {
        self.position
    }

    /// The rows of a table that it has changed, each once.
    ///
    /// # Errors
    /// If a row cannot be decoded, or is of a version that the table's declaration does not name.
    ///
    /// # Panics
    /// If the table was not declared when the store was opened.
    pub fn changes<T>(&self, table: &T) -> Result<DurableChanges<T>, DecodeError>
    where
        T: AnyTable<Key: Decode, Value: Decode> + 'static,
    {
        let name = table.core().name();
        let declared = self.tables.iter().find(|table| table.shape.name == name);
        let rows = declared.and_then(|declared| {
            let rows = declared.rows.as_any().downcast_ref::<TypedRows<T>>();
            rows.map(|rows| (declared, rows))
        });
        let Some((declared, rows)) = rows else {
            panic!("table {name:?} was not declared when the store was opened: it is not durable");
        };
        let mut changes = Vec::new();
        for (shape, change) in self.rows() {
            if let Some(shape) = shape.filter(|shape| shape.name == name) {
                let reading = declared.reading(shape).map_err(|_| DecodeError {
                    expected: "rows of a version that the table is declared to read",
                })?;
                let value = change.value.map(|value| rows.decode(reading, value));
                changes.push(DurableChange {
                    key: from_bytes(change.key)?,
                    after: value.transpose()?,
                });
            }
        }
        Ok(changes)
    }

    /// The names of the tables that it has written to, declared or not.
    pub fn tables(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .rows()
            .filter_map(|(shape, _)| shape.map(|shape| &*shape.name))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn rows(&self) -> impl Iterator<Item = (Option<&Shape>, record::RowChange<'_>)> {
        let mut rest = &self.record[..];
        std::iter::from_fn(move || {
            // `take_frame` has read it to its end.
            let change = record::take_change(&mut rest).ok().flatten()?;
            Some((self.shapes.get(&change.table), change))
        })
    }
}

impl fmt::Debug for DurableCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableCommit")
            .field("position", &self.position)
            .field("tables", &self.tables())
            .finish_non_exhaustive()
    }
}
