//! The durable store: reads do not fail, but the log may refuse a commit, or stop before it is
//! durable.

use super::memory::reads_and_writes;
use super::{Declare, Engine, Failure, Key, Outcome, Read, Value, Write};
use crate::api::snapshot::Snapshot;
use crate::api::table::{OrderedTable, Table};
use crate::api::transaction::Transaction;
use crate::api::view::View;
use crate::durable::{Schema, Store, StoreError};
use std::convert::Infallible;
use std::ops::RangeBounds;

impl Engine for Store {
    type Error = StoreError;
    type Table<K: Key, V: Value> = Table<K, V>;
    type OrderedTable<K: Key, V: Value> = OrderedTable<K, V>;
    type Ref<'r, T: Send + Sync + 'static> = &'r T;
    type Transaction<'t> = Transaction<'t>;
    type View<'v> = View<'v>;
    type Snapshot = Snapshot;

    fn run<T, E: From<StoreError>>(
        &self,
        transaction: impl FnMut(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        Self::run(self, transaction).map_err(|error| match error {
            StoreError::Closure(error) => error,
            StoreError::Stopped => StoreError::Stopped.into(),
            StoreError::Full => StoreError::Full.into(),
            StoreError::TooLarge { bytes, limit } => StoreError::TooLarge { bytes, limit }.into(),
            StoreError::Unknown => StoreError::Unknown.into(),
        })
    }

    /// What was seen is durable when it returns.
    fn view<T, E: From<StoreError>>(
        &self,
        read: impl FnMut(&View<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.view_durable(read)?
    }

    /// What it sees is durable when it returns.
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let snapshot = Self::snapshot(self);
        self.sync()?;
        Ok(snapshot)
    }
}

reads_and_writes!(Store);

impl Failure for StoreError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Closure(never) => match *never {},
            Self::Stopped | Self::Full | Self::TooLarge { .. } => Outcome::Aborted,
            Self::Unknown => Outcome::Unknown,
        }
    }
}

impl Declare<Store> for Schema {
    /// Opening the store reports what is wrong.
    type Error = Infallible;

    fn table<K: Key, V: Value>(&mut self, name: &str) -> Result<Table<K, V>, Infallible> {
        Ok(Self::table(self, name))
    }

    fn ordered_table<K: Key, V: Value>(
        &mut self,
        name: &str,
    ) -> Result<OrderedTable<K, V>, Infallible> {
        Ok(Self::ordered_table(self, name))
    }
}
