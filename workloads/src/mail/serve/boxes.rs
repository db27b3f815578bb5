//! The mailboxes of a server, in a store.

use crate::mail::boxes::{ARRIVALS, MAIL};
use mvcc::{OrderedTable, Store, StoreError, Table};
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A message in a mailbox.
#[derive(Clone)]
pub(super) struct Mail {
    /// Its place in the order of arrival: no other message of the user ever has it.
    pub(super) arrival: u64,
    pub(super) message: Arc<[u8]>,
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The log has no room now. Nothing has happened.
    Full,
    /// It is more than the log takes at once. Nothing has happened.
    TooLarge,
    /// The log has stopped: it may be there when the store is opened again, or not.
    Stopped,
}

/// What the sessions need of mailboxes.
pub(super) trait Boxes: Sync {
    /// The user of this name.
    fn user(&self, name: &[u8]) -> Option<u32>;

    /// Puts a message into the mailboxes of all users, or of none; once it returns, it survives.
    fn deliver(&self, users: &[u32], message: &Arc<[u8]>) -> Result<(), Refusal>;

    /// Locks the mailbox of a user for a session. `false`: another session has it.
    fn lock(&self, user: u32) -> bool;

    /// Ends that.
    fn unlock(&self, user: u32);

    /// What is in a mailbox, in the order of arrival. It survives, and so does what led to it.
    fn read(&self, user: u32) -> Result<Vec<Mail>, Refusal>;

    /// Deletes messages, all or none; once it returns, they do not come back.
    fn delete(&self, user: u32, arrivals: &[u64]) -> Result<(), Refusal>;
}

/// Mailboxes in a store, of the users `user0`, `user1` and so on.
pub(super) struct Stored {
    store: Store,
    users: u32,
    /// By user and arrival.
    mail: OrderedTable<(u32, u64), Arc<[u8]>>,
    /// How much has ever arrived, by user.
    arrivals: Table<u32, u64>,
    locked: Mutex<HashSet<u32>>,
}

impl Stored {
    /// The mailboxes of so many users in a store that has their tables.
    pub(super) fn new(store: Store, users: u32) -> Result<Self, String> {
        let failed = |error: mvcc::TableError| error.to_string();
        let database = store.database();
        Ok(Self {
            mail: database.ordered_table(MAIL).map_err(failed)?,
            arrivals: database.table(ARRIVALS).map_err(failed)?,
            store,
            users,
            locked: Mutex::default(),
        })
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            StoreError::TooLarge { .. } => Self::TooLarge,
            _ => Self::Stopped,
        }
    }
}

impl Boxes for Stored {
    fn user(&self, name: &[u8]) -> Option<u32> {
        let name = str::from_utf8(name).ok()?.to_ascii_lowercase();
        let digits = name.strip_prefix("user")?;
        let user: u32 = digits.parse().ok()?;
        // One name for each: neither user+1 nor user01.
        (user < self.users && digits == user.to_string()).then_some(user)
    }

    fn deliver(&self, users: &[u32], message: &Arc<[u8]>) -> Result<(), Refusal> {
        Ok(self.store.run(|tx| {
            for &user in users {
                let arrivals = tx.get(&self.arrivals, &user).copied().unwrap_or(0);
                tx.insert(&self.arrivals, user, arrivals + 1);
                tx.insert(&self.mail, (user, arrivals), message.clone());
            }
            Ok::<_, Infallible>(())
        })?)
    }

    fn lock(&self, user: u32) -> bool {
        self.locked().insert(user)
    }

    fn unlock(&self, user: u32) {
        self.locked().remove(&user);
    }

    fn read(&self, user: u32) -> Result<Vec<Mail>, Refusal> {
        Ok(self.store.view_durable(|view| {
            let all = view.range(&self.mail, (user, 0)..=(user, u64::MAX));
            all.map(|((_, arrival), message)| Mail {
                arrival: *arrival,
                message: message.clone(),
            })
            .collect()
        })?)
    }

    fn delete(&self, user: u32, arrivals: &[u64]) -> Result<(), Refusal> {
        Ok(self.store.run(|tx| {
            for &arrival in arrivals {
                tx.remove(&self.mail, &(user, arrival));
            }
            Ok::<_, Infallible>(())
        })?)
    }
}

#[cfg(test)]
mod tests;
