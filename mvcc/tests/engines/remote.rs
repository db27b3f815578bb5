//! An engine that stands for one behind a network: what it reads it decodes anew, and any of its
//! messages may get lost.

use mvcc::codec::{Decode, Encode, from_bytes, to_bytes};
use mvcc::engine::{Declare, Engine, Failure, Key, Outcome, Read, Value, Write};
use mvcc::{Database, OrderedTable, Snapshot, Table, TableError, Transaction};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, RangeBounds};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The network, which loses one message.
#[derive(Clone)]
pub(crate) struct Net(Arc<AtomicUsize>);

impl Net {
    fn reliable() -> Self {
        Self(Arc::new(AtomicUsize::new(usize::MAX)))
    }

    /// After so many messages from now on, the next one is lost.
    pub(crate) fn lose(&self, after: usize) {
        self.0.store(after, Ordering::SeqCst);
    }

    /// Whether the next message is lost.
    fn loses(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// A read.
    Read,
    /// The request to commit, or the reply to it. The commit has this number.
    Commit(u64),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("no answer to a read"),
            Self::Commit(number) => write!(f, "no answer to commit {number}"),
        }
    }
}

impl std::error::Error for Lost {}

impl Failure for Lost {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Read => Outcome::Aborted,
            Self::Commit(_) => Outcome::Unknown,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Remote {
    pub(crate) net: Net,
    database: Database,
    /// Which commits were requested, and whether they have happened.
    commits: Arc<Mutex<BTreeMap<u64, bool>>>,
}

impl Remote {
    pub(crate) fn new() -> Self {
        Self {
            net: Net::reliable(),
            database: Database::new(),
            commits: Arc::default(),
        }
    }
}

/// A transaction, which does not commit after a read that has failed.
pub(crate) struct Remembering<'t> {
    inner: Transaction<'t>,
    net: Net,
    has_failed: Cell<bool>,
}

/// A state.
pub(crate) struct Kept {
    inner: Snapshot,
    net: Net,
}

impl Remembering<'_> {
    fn message(&self) -> Result<(), Lost> {
        if self.net.loses() {
            self.has_failed.set(true);
            return Err(Lost::Read);
        }
        Ok(())
    }
}

impl Kept {
    fn message(&self) -> Result<(), Lost> {
        if self.net.loses() {
            return Err(Lost::Read);
        }
        Ok(())
    }
}

/// What was read: it is nowhere else.
pub(crate) struct Received<T>(T);

impl<T> Deref for Received<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

fn received<T: Encode + Decode>(sent: &T) -> Received<T> {
    Received(from_bytes(&to_bytes(sent)).expect("what was encoded can be decoded"))
}

macro_rules! reads {
    ($reader:ty) => {
        impl Read<Remote> for $reader {
            fn get<K: Key, V: Value>(
                &self,
                table: &Table<K, V>,
                key: &K,
            ) -> Result<Option<Received<V>>, Lost> {
                self.message()?;
                Ok(mvcc::Read::get(&self.inner, table, key).map(received))
            }

            /// One message for all.
            fn get_many<'r, K: Key, V: Value>(
                &'r self,
                table: &'r Table<K, V>,
                keys: &'r [K],
            ) -> impl Iterator<Item = Result<Option<Received<V>>, Lost>> {
                let sent = self.message();
                let found = mvcc::Read::get_many(&self.inner, table, keys);
                let found = found.map(|value| Ok(value.map(received)));
                let lost = sent.err().map(Err);
                let found = if lost.is_some() { None } else { Some(found) };
                lost.into_iter().chain(found.into_iter().flatten())
            }

            fn get_ordered<K: Key, V: Value>(
                &self,
                table: &OrderedTable<K, V>,
                key: &K,
            ) -> Result<Option<Received<V>>, Lost> {
                self.message()?;
                Ok(mvcc::Read::get(&self.inner, table, key).map(received))
            }

            fn range<'r, K: Key, V: Value>(
                &'r self,
                table: &'r OrderedTable<K, V>,
                range: impl RangeBounds<K>,
            ) -> impl DoubleEndedIterator<Item = Result<(Received<K>, Received<V>), Lost>> {
                let rows = mvcc::Read::range(&self.inner, table, range);
                rows.map(|(key, value)| {
                    self.message()?;
                    Ok((received(key), received(value)))
                })
            }
        }
    };
}

reads!(Remembering<'_>);
reads!(Kept);

impl Write<Remote> for Remembering<'_> {
    fn insert<K: Key, V: Value>(&self, table: &Table<K, V>, key: K, value: V) {
        self.inner.insert(table, key, value);
    }

    fn remove<K: Key, V: Value>(&self, table: &Table<K, V>, key: &K) {
        self.inner.remove(table, key);
    }

    fn insert_ordered<K: Key, V: Value>(&self, table: &OrderedTable<K, V>, key: K, value: V) {
        self.inner.insert(table, key, value);
    }

    fn remove_ordered<K: Key, V: Value>(&self, table: &OrderedTable<K, V>, key: &K) {
        self.inner.remove(table, key);
    }
}

impl Engine for Remote {
    type Error = Lost;
    type Table<K: Key, V: Value> = Table<K, V>;
    type OrderedTable<K: Key, V: Value> = OrderedTable<K, V>;
    type Ref<'r, T: Send + Sync + 'static> = Received<T>;
    type Transaction<'t> = Remembering<'t>;
    type View<'v> = Kept;
    type Snapshot = Kept;

    fn run<T, E: From<Lost>>(
        &self,
        mut transaction: impl FnMut(&Remembering<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        loop {
            let reader = Remembering {
                inner: self.database.begin(),
                net: self.net.clone(),
                has_failed: Cell::new(false),
            };
            let value = transaction(&reader)?;
            if reader.has_failed.get() {
                return Err(Lost::Read.into());
            }
            let mut commits = self.commits.lock().unwrap();
            let number = commits.len() as u64;
            commits.insert(number, false);
            if self.net.loses() {
                return Err(Lost::Commit(number).into());
            }
            let committed = reader.inner.commit().is_ok();
            commits.insert(number, committed);
            if self.net.loses() {
                return Err(Lost::Commit(number).into());
            }
            if committed {
                return Ok(value);
            }
        }
    }

    fn view<T, E: From<Lost>>(&self, mut read: impl FnMut(&Kept) -> Result<T, E>) -> Result<T, E> {
        read(&self.snapshot()?)
    }

    fn snapshot(&self) -> Result<Kept, Lost> {
        Ok(Kept {
            inner: self.database.snapshot(),
            net: self.net.clone(),
        })
    }

    fn resolve(&self, error: &Lost) -> Result<Outcome, Lost> {
        let Lost::Commit(number) = error else {
            return Ok(error.outcome());
        };
        if self.net.loses() {
            return Err(*error);
        }
        let has_happened = self.commits.lock().unwrap()[number];
        Ok(if has_happened {
            Outcome::Committed
        } else {
            Outcome::Aborted
        })
    }
}

impl Declare<Remote> for Remote {
    type Error = TableError;

    fn table<K: Key, V: Value>(&mut self, name: &str) -> Result<Table<K, V>, TableError> {
        self.database.table(name)
    }

    fn ordered_table<K: Key, V: Value>(
        &mut self,
        name: &str,
    ) -> Result<OrderedTable<K, V>, TableError> {
        self.database.ordered_table(name)
    }
}
