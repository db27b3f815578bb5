//! Read-write transactions.

use crate::api::database::{Database, Inner};
use crate::api::duplicate::Duplicate;
use crate::api::read::{AnyTable, Lookup, RangeReader, RowReader};
use crate::api::reader;
use crate::clock::timestamp::Timestamp;
use crate::collect;
use crate::collect::local::Local;
use crate::commit::announcement::Announcement;
use crate::commit::conflict::{Conflict, Lost};
use crate::commit::evidence::RangeRead;
#[cfg(feature = "durable")]
use crate::commit::log::logging::Logged;
use crate::commit::reads::{Seen, read_at};
use crate::commit::writes::{Mark, Moment, NewVersion, Write, Writes};
use crate::commit::{Footprint, RangeInUse, ScanRead, Unwatched, Watch, reservations};
use crate::memory::Worker;
use crate::memory::slots::SlotRef;
use crate::rows::cause::ConflictCause;
use crate::rows::core::TableCore;
use crate::rows::hash::WARM;
use crate::rows::protected::{Internal, Protected};
use crate::rows::ranges::{Ranges, Row, Rows};
use crate::rows::tree::{Direction, TreeKey, last_key, walk};
use crate::rows::tuple::{Removed, Tuple, key_of};
use crate::rows::version::{OwnedVersion, Version, value_of};
use crate::sync::{bug, counter};
use crate::trace;
use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Bound;
use std::ptr::NonNull;
use std::rc::Rc;

/// A read-write transaction.
///
/// It reads from one consistent state, sees its own writes, and buffers them until it commits.
/// References that it hands out stay valid as long as it lives, also when the same key is written
/// again. Reads and buffered writes never fail: a conflict surfaces in [`commit`](Self::commit),
/// and never from [`Database::run`](crate::Database::run). Dropping it aborts it.
///
/// Meant for short work: while it lives, nothing that is overwritten is freed, since what it has
/// read must stay where it is until the commit has looked at it again. For long reads take a
/// [`Snapshot`](crate::Snapshot). Transactions on one thread are independent of each other, also
/// when nested.
///
/// ```
/// let db = mvcc::Database::new();
/// let accounts = db.table::<&str, i64>("accounts")?;
/// let tx = db.begin();
/// tx.insert(&accounts, "ann", 100);
/// tx.insert(&accounts, "bob", *tx.get(&accounts, "ann").unwrap() / 2);
/// tx.commit()?;
/// assert_eq!(db.view(|view| view.get(&accounts, "bob").copied()), Some(50));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It belongs to its thread, so it cannot be sent to another one. The database can:
///
/// ```
/// # let db = mvcc::Database::new();
/// # let table = db.table::<u64, u64>("t").unwrap();
/// std::thread::spawn(move || {
///     let tx = db.begin();
///     tx.insert(&table, 1, 1);
///     tx.commit().unwrap();
/// });
/// ```
/// ```compile_fail,E0277
/// # let db = mvcc::Database::new();
/// # let table = db.table::<u64, u64>("t").unwrap();
/// std::thread::scope(|scope| {
///     let tx = db.begin();
///     scope.spawn(move || {
///         tx.insert(&table, 1, 1);
///         tx.commit().unwrap();
///     });
/// });
/// ```
///
/// Nor can it be held across an `.await` in a future that may move to another thread:
///
/// ```
/// # fn spawn(_task: impl Future<Output = ()> + Send) {}
/// # async fn fetch() -> u64 { 7 }
/// # let db = mvcc::Database::new();
/// # let table = db.table::<u64, u64>("t").unwrap();
/// spawn(async move {
///     let value = fetch().await;
///     let tx = db.begin();
///     tx.insert(&table, 1, value);
///     tx.commit().unwrap();
/// });
/// ```
/// ```compile_fail
/// # fn spawn(_task: impl Future<Output = ()> + Send) {}
/// # async fn fetch() -> u64 { 7 }
/// # let db = mvcc::Database::new();
/// # let table = db.table::<u64, u64>("t").unwrap();
/// spawn(async move {
///     let tx = db.begin();
///     let value = fetch().await;
///     tx.insert(&table, 1, value);
///     tx.commit().unwrap();
/// });
/// ```
pub struct Transaction<'db> {
    database: &'db Inner,
    /// Dropping the transaction hands it on.
    footprint: ManuallyDrop<Box<RefCell<Footprint>>>,
    /// Set when what was read cannot all be current at one instant any more: a commit with writes
    /// will fail.
    doomed: Cell<bool>,
    attempt: u32,
    slot: SlotRef,
    pub(crate) local: Rc<Local>,
}

impl Database {
    /// Begins a read-write transaction to be committed by hand. [`Database::run`] is simpler, and
    /// retries.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// let tx = db.begin();
    /// tx.insert(&table, 1, "one");
    /// assert_eq!(tx.get(&table, &1), Some(&"one"));
    /// assert_eq!(db.view(|view| view.get(&table, &1).copied()), None);
    /// tx.commit()?;
    /// assert_eq!(db.view(|view| view.get(&table, &1).copied()), Some("one"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn begin(&self) -> Transaction<'_> {
        Transaction::new(self.inner(), 1)
    }
}

/// Where a buffered write goes.
#[derive(Clone, Copy)]
enum Place {
    /// The tuple was written to before.
    Entry(usize),
    /// It was not; whether it took a hold.
    New { held: bool },
}

/// What a transaction sees of a tuple.
struct SeenVersion {
    /// Null if there is none.
    version: *mut Version,
    /// Whether it was read at the timestamp and is to be recorded; not if it is our own, or
    /// recorded already.
    at_timestamp: bool,
}

impl<'db> Transaction<'db> {
    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn new(database: &'db Inner, attempt: u32) -> Self {
        let local = database.local();
        if local.is_due() && !local.is_inside() {
            collect::collect_left(&local);
        }
        let slot = local.begin();
        let mut footprint = local.take_footprint();
        footprint.get_mut().schema = database.shared.schema();
        Self {
            database,
            footprint: ManuallyDrop::new(footprint),
            doomed: Cell::new(false),
            attempt,
            slot,
            local,
        }
    }

    /// How often this has been tried, this time included: 1 in the first run of a closure, and in
    /// what was begun by hand.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, u64>("t")?;
    /// let attempts = db.run(|tx| {
    ///     tx.update(&table, &1, |value| value + 1);
    ///     Ok::<_, ()>(tx.attempt())
    /// });
    /// assert_eq!(attempts, Ok(1));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The value of a key, as this transaction sees it: its own write if there is one.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// let tx = db.begin();
    /// tx.insert(&table, 1, "one");
    /// let one = tx.get(&table, &1);
    /// tx.insert(&table, 1, "another");
    /// // What was read stays valid as long as the transaction.
    /// assert_eq!((one, tx.get(&table, &1)), (Some(&"one"), Some(&"another")));
    /// assert_eq!(tx.get(&table, &2), None);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    #[inline]
    pub fn get<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) -> Option<&T::Value> {
        self.get_tuple(table, key).map(|(_, value)| value)
    }

    reader::inherent_reads!();

    /// Gives a key a value, whether or not it has one (an upsert).
    ///
    /// # Panics
    /// If the table belongs to another database, or if another row has the same key of a unique
    /// index; see [`try_insert`](Self::try_insert) and [`insert_unique`](Self::insert_unique).
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// db.run(|tx| {
    ///     tx.insert(&table, 1, "one");
    ///     Ok::<_, ()>(tx.insert(&table, 1, "another"))
    /// }).unwrap();
    /// assert_eq!(db.view(|view| view.get(&table, &1).copied()), Some("another"));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn insert<T: AnyTable>(&self, table: &T, key: T::Key, value: T::Value) {
        if self.core(table).is_indexed() {
            return self.insert_indexed(table, key, value);
        }
        self.put(table, key, value);
    }

    /// Gives many keys values, in the order of the rows: [`insert`](Self::insert) for each.
    ///
    /// In a [`Table`](crate::Table), the lookups of several keys wait for memory at the same time,
    /// as in [`get_many`](Self::get_many).
    ///
    /// # Panics
    /// As [`insert`](Self::insert); the rows before the one that it is about are inserted.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let squares = db.table::<u64, u64>("squares")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert_many(&squares, (0..100).map(|n| (n, n * n))))).unwrap();
    /// assert_eq!(db.view(|view| view.get(&squares, &12).copied()), Some(144));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn insert_many<T: Lookup<K, Key = K>, K>(
        &self,
        table: &T,
        rows: impl IntoIterator<Item = (K, T::Value)>,
    ) {
        self.check(table.core());
        let mut rows = rows.into_iter();
        let mut some = Vec::new();
        loop {
            some.extend(rows.by_ref().take(WARM));
            if some.is_empty() {
                return;
            }
            self.warm(table, some.iter().map(|(key, _)| key));
            for (key, value) in some.drain(..) {
                self.insert(table, key, value);
            }
        }
    }

    /// Buffers a row.
    #[inline]
    pub(crate) fn put<T: AnyTable>(&self, table: &T, key: T::Key, value: T::Value) {
        let core = table.core();
        let mut version = Some(self.version(table, Some(value)));
        let mut write = |tuple, place| {
            let version = version.take().expect("a row is buffered once");
            self.write(core, tuple, version, place);
        };
        let (mut key, mut removed) = (key, Removed::default());
        loop {
            let vacancy = match table.locate(&key, self.protected()) {
                Ok(tuple) => {
                    if let Some(place) = self.place_of(tuple) {
                        return write(tuple, place);
                    }
                    removed.note(tuple);
                    continue;
                }
                Err(vacancy) => vacancy,
            };
            let unlinked = |unlinked| collect::unlinked(&self.local, unlinked);
            let added = |tuple| {
                self.local.worker().count_tuples(1, core.tuple_bytes);
                write(tuple, Place::New { held: true });
            };
            match table.add(vacancy, key, self.protected(), unlinked, added) {
                Ok(()) => return,
                Err(back) => key = back,
            }
        }
    }

    /// Removes a key, whether or not it has a value.
    ///
    /// # Panics
    /// If the table belongs to another database.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// db.run(|tx| Ok::<_, ()>(tx.insert(&table, 1, "one"))).unwrap();
    /// db.run(|tx| Ok::<_, ()>(tx.remove(&table, &1))).unwrap();
    /// assert!(!db.view(|view| view.contains_key(&table, &1)));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn remove<T: Lookup<Q>, Q: ?Sized>(&self, table: &T, key: &Q) {
        let core = self.core(table);
        if core.is_indexed() {
            return self.remove_indexed(table, key);
        }
        let mut removed = Removed::default();
        loop {
            let Some(tuple) = table.find(key, self.protected()) else {
                // Nothing to remove, as long as it stays so until the commit: an absent read.
                if self.get(table, key).is_none() {
                    return;
                }
                continue;
            };
            if let Some(place) = self.place_of(tuple) {
                return self.write(core, tuple, self.version(table, None), place);
            }
            removed.note(tuple);
        }
    }

    /// Replaces a key's value by a function of it; false if it has none. The function may use the
    /// transaction: whatever it writes to the key or rolls back, its result is the key's value in
    /// the end.
    ///
    /// # Panics
    /// If the table belongs to another database, or if another row has the same key of a unique
    /// index; see [`try_update`](Self::try_update).
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let counts = db.table::<&str, u64>("counts")?;
    /// let updated = db.run(|tx| {
    ///     tx.insert(&counts, "a", 1);
    ///     Ok::<_, ()>((tx.update(&counts, "a", |count| count + 1), tx.update(&counts, "b", |count| count + 1)))
    /// });
    /// assert_eq!(updated, Ok((true, false)));
    /// assert_eq!(db.view(|view| view.get(&counts, "a").copied()), Some(2));
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn update<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        update: impl FnOnce(&T::Value) -> T::Value,
    ) -> bool {
        self.try_update(table, key, update)
            .unwrap_or_else(Duplicate::refuse)
    }

    /// Buffers another value for a tuple whose value was read, or its removal.
    #[inline]
    pub(crate) fn overwrite<T: AnyTable>(
        &self,
        table: &T,
        tuple: NonNull<Tuple>,
        value: Option<T::Value>,
    ) {
        let version = self.version(table, value);
        // We have seen a value there. If it was committed, its removal is later than our slot's
        // bound; if it was our own, we hold the tuple, also if that was undone since. So the tuple
        // stays.
        let core = table.core();
        let place = self
            .place_of(tuple)
            .expect("a tuple whose value was read is not removed");
        self.write(core, tuple, version, place);
    }

    pub(crate) fn mark_writes(&self) -> Mark {
        self.footprint.borrow_mut().writes.mark()
    }

    pub(crate) fn forget_mark(&self, mark: Mark) {
        self.footprint.borrow_mut().writes.forget(mark);
    }

    /// Undoes all writes since a savepoint; false if that was undone itself.
    pub(crate) fn undo_writes(&self, mark: Mark) -> bool {
        self.footprint.borrow_mut().writes.undo(mark)
    }

    /// Commits: all writes take effect at one instant, or none does.
    ///
    /// Returns the transaction's place in the serialization order.
    ///
    /// # Errors
    /// [`Conflict`] if a concurrent transaction has changed what this one has read, or is at work
    /// on what this one writes.
    ///
    /// # Panics
    /// If a comparison, a clone or a drop of a user's panics: before the commit, nothing has
    /// happened; when the thread collects garbage after it, the transaction has committed.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// let (first, second) = (db.begin(), db.begin());
    /// first.insert(&table, 1, "first");
    /// second.insert(&table, 2, "second");
    /// assert!(first.commit()? < second.commit()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit(self) -> Result<Timestamp, Conflict> {
        let timestamp = if self.footprint.borrow().writes.is_empty() {
            let timestamp = self.fix_timestamp();
            Worker::count(&self.local.worker().commits);
            timestamp
        } else {
            let committed = self.commit_writes(true);
            // SAFETY: we borrow the database.
            committed.map_err(|lost| unsafe { lost.describe() })?
        };
        Ok(Timestamp::new(timestamp))
    }

    /// Commits for those who need no timestamp, and end the transaction next: if nothing was
    /// written, all that was read was current together already.
    #[inline]
    pub(crate) fn commit_untimed(&self) -> Result<(), Lost> {
        if self.footprint.borrow().writes.is_empty() {
            Worker::count(&self.local.worker().commits);
            return Ok(());
        }
        self.commit_writes(true).map(|_| ())
    }

    /// Commits for those who wait for the log, or have a ticket. The timestamp is `None` if nothing
    /// was written.
    #[cfg(feature = "durable")]
    pub(crate) fn commit_logged(&self) -> Result<Option<u64>, Lost> {
        if self.footprint.borrow().writes.is_empty() {
            Worker::count(&self.local.worker().commits);
            return Ok(None);
        }
        self.commit_writes(false).map(Some)
    }

    /// Aborts: nothing happened. The same as dropping it.
    ///
    /// ```
    /// let db = mvcc::Database::new();
    /// let table = db.table::<u64, &str>("t")?;
    /// let tx = db.begin();
    /// tx.insert(&table, 1, "one");
    /// tx.abort();
    /// assert_eq!(db.view(|view| view.get(&table, &1).copied()), None);
    /// # Ok::<(), mvcc::TableError>(())
    /// ```
    pub fn abort(self) {}

    /// Commits what was written. `wakes`: the log is written soon, though nobody may wait for it.
    #[inline]
    fn commit_writes(&self, wakes: bool) -> Result<u64, Lost> {
        let footprint = self.footprint.borrow_mut();
        if footprint.schema.is_watched() {
            self.commit_watched(footprint, wakes)
        } else {
            self.commit_for(footprint, Unwatched, |_| {})
        }
    }

    /// Commits where there are feeds or a log.
    #[cold]
    #[cfg_attr(
        not(feature = "durable"),
        expect(unused_variables, reason = "there is no log")
    )]
    fn commit_watched(&self, footprint: RefMut<'_, Footprint>, wakes: bool) -> Result<u64, Lost> {
        let (shared, worker) = (&self.database.shared, self.local.worker());
        let has_feeds = footprint.schema.has_feeds();
        let announcement = Announcement::new(shared, worker, has_feeds);
        // Encodes: user code, before anything is locked or announced (I8).
        #[cfg(feature = "durable")]
        let announcement = match shared.log.get().filter(|_| footprint.schema.has_log()) {
            Some(log) => announcement.logged(
                Logged::of(&footprint.writes, log, &self.local.logging)
                    .inspect_err(|lost| self.count_conflict(lost))?,
            ),
            None => announcement,
        };
        let committed = self.commit_for(footprint, announcement, |timestamp| {
            // It may wait for somebody who waits for these.
            self.local.give_back_reserved(self.slot);
            if has_feeds && !self.local.is_inside() {
                shared.feeds.wait_for_room(timestamp);
            }
        });
        #[cfg(feature = "durable")]
        if let Some(log) = shared.log.get().filter(|_| wakes && committed.is_ok()) {
            log.wake_soon();
        }
        committed
    }

    /// Commits, lets `wait` wait where there is too much to tell, and collects.
    #[inline]
    fn commit_for(
        &self,
        mut footprint: RefMut<'_, Footprint>,
        mut watch: impl Watch,
        wait: impl FnOnce(u64),
    ) -> Result<u64, Lost> {
        let (shared, worker) = (&self.database.shared, self.local.worker());
        let inside = self.local.is_inside();
        let committed = footprint.commit(shared, worker, inside, &mut watch, self.protected());
        let committed = committed.inspect_err(|lost| self.count_conflict(lost))?;
        drop(footprint);
        wait(committed.timestamp);
        // Last: it runs the drops of values, which may wait for who waits for any of that.
        if committed.is_due {
            self.collect();
        }
        Ok(committed.timestamp)
    }

    /// Collects garbage, unless others wait for this transaction: then the next one that nobody
    /// waits for does.
    fn collect(&self) {
        if self.local.is_inside() {
            self.local.set_due(true);
        } else {
            collect::collect_some(&self.local);
        }
    }

    #[cold]
    fn count_conflict(&self, lost: &Lost) {
        Worker::count(&self.local.worker().conflicts);
        // SAFETY: the database keeps its tables.
        let table = unsafe { lost.table.as_ref() };
        table.conflicts.add(lost.cause);
        trace::debug!(
            target: "mvcc",
            table = table.name(),
            cause = lost.cause.name(),
            attempt = self.attempt,
            "conflict"
        );
    }

    /// Counts what happens to this transaction.
    pub(crate) fn count(&self, counter: impl FnOnce(&Worker) -> &counter::AtomicU64) {
        Worker::count(counter(self.local.worker()));
    }

    /// Reserves a place until the transaction ends. False: another thread's transaction has it.
    pub(crate) fn reserve_place(&self, place: reservations::Place) -> bool {
        self.local.reserve(self.slot, place)
    }

    /// Lets go of the tuples of writes that are not to be installed. Those that were added for
    /// nothing are collected later, not here: that can compare keys, and we may be unwinding.
    #[inline]
    fn give_up(&self, writes: &[Write]) {
        if writes.iter().any(|write| write.held) {
            self.give_up_held(writes);
        }
    }

    #[cold]
    fn give_up_held(&self, writes: &[Write]) {
        let now = self.database.shared.memory.clock.now();
        let mut garbage = self.local.worker().garbage.lock();
        for removal in writes.iter().filter_map(|write| write.give_up(now)) {
            garbage.retire(removal);
        }
        self.local.set_due(garbage.is_due());
    }

    /// Runs something that follows pointers into an index.
    fn protected_for<R>(&self, search: impl FnOnce(Protected<'_>) -> R) -> R {
        search(self.protected())
    }

    #[inline]
    #[expect(clippy::unused_self, reason = "it keeps the slot open")]
    pub(crate) fn protected(&self) -> Protected<'_> {
        // SAFETY: the slot is open as long as the transaction lives.
        unsafe { Protected::open() }
    }

    /// The table's core, checked to be of this database.
    pub(crate) fn core<'t, T: AnyTable>(&self, table: &'t T) -> &'t TableCore {
        self.check(table.core());
        table.core()
    }

    #[inline]
    pub(crate) fn check(&self, table: &TableCore) {
        self.database.check(table);
    }

    #[inline]
    fn version<T: AnyTable>(&self, table: &T, value: Option<T::Value>) -> NewVersion {
        let core = table.core();
        let is_tombstone = value.is_none();
        let version = self.local.new_version(core.id, value);
        // SAFETY: new, and of the table's type.
        let version = unsafe { OwnedVersion::new(version, core.versions) };
        NewVersion::new(version, is_tombstone)
    }

    /// Where a write to a tuple goes, which from now on stays in its index until this transaction
    /// ends. `None`: it is removed already.
    ///
    /// A tuple with a value needs no hold: what removes the value from now on is later than our
    /// slot's bound, so the tuple stays (I6).
    #[inline]
    fn place_of(&self, tuple: NonNull<Tuple>) -> Option<Place> {
        if let Some(entry) = self.footprint.borrow().writes.find(tuple) {
            return Some(Place::Entry(entry));
        }
        // SAFETY: we are protected since we found it.
        let head = unsafe { tuple.as_ref() };
        if head.unlocked_word().live().is_some() {
            return Some(Place::New { held: false });
        }
        head.hold().then_some(Place::New { held: true })
    }

    /// Buffers a write.
    #[inline]
    fn write(&self, core: &TableCore, tuple: NonNull<Tuple>, version: NewVersion, place: Place) {
        let writes = &mut self.footprint.borrow_mut().writes;
        match place {
            Place::Entry(entry) => writes.replace(entry, version),
            Place::New { held } => writes.push(NonNull::from(core), tuple, version, held),
        }
    }

    /// A key's tuple and its value, as this transaction sees it.
    #[inline]
    pub(crate) fn get_tuple<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
    ) -> Option<(NonNull<Tuple>, &T::Value)> {
        self.look_up(table, key, Writes::get)
    }

    /// The same with these of its own writes.
    #[inline]
    fn look_up<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        own: impl Fn(&Writes, NonNull<Tuple>) -> Option<NonNull<Version>> + Copy,
    ) -> Option<(NonNull<Tuple>, &T::Value)> {
        let core = self.core(table);
        let mut removed = Removed::default();
        loop {
            let timestamp = self.footprint.borrow().reads.timestamp();
            let found = table.find(key, self.protected());
            let mut footprint = self.footprint.borrow_mut();
            if let Some(tuple) = found {
                let seen;
                (footprint, seen) = self.read(footprint, core, tuple, own);
                let Some(seen) = seen else {
                    removed.note(tuple);
                    continue;
                };
                // SAFETY: it is buffered by us or protected by our slot, as long as `self` lives.
                if let Some(value) = unsafe { value_of(seen.version) } {
                    if seen.at_timestamp {
                        footprint.record(core, tuple, seen.version);
                    }
                    return Some((tuple, value));
                }
                if !seen.at_timestamp {
                    return None;
                }
            } else if timestamp.is_none() {
                // A key is absent only if it is looked up after the timestamp was taken.
                footprint
                    .reads
                    .take_timestamp(&self.database.shared.memory.clock);
                continue;
            }
            drop(footprint);
            // Looks the key up once more, after the timestamp, and compares keys.
            let absence = table.absence(key, found, self.protected());
            if bug!("tombstone-is-no-absence") && found.is_some() {
                return None;
            }
            // SAFETY: protected since it was found.
            if let Some(tuple) = found.filter(|tuple| unsafe { tuple.as_ref() }.word().is_dead()) {
                // It may have a successor.
                removed.note(tuple);
            } else if let Some(absence) = absence {
                self.footprint.borrow_mut().record_absence(core, absence);
                return None;
            }
        }
    }

    /// The version that this transaction is going to install in a tuple.
    #[inline]
    pub(crate) fn own_write(&self, tuple: NonNull<Tuple>) -> Option<NonNull<Version>> {
        self.footprint.borrow().writes.get(tuple)
    }

    /// The same as it was at a moment.
    #[inline]
    pub(crate) fn own_write_as_of(
        &self,
        tuple: NonNull<Tuple>,
        moment: Moment,
    ) -> Option<NonNull<Version>> {
        self.footprint.borrow().writes.get_as_of(tuple, moment)
    }

    /// The timestamp, taken now if there is none yet.
    pub(crate) fn fix_timestamp(&self) -> u64 {
        let clock = &self.database.shared.memory.clock;
        self.footprint.borrow_mut().reads.take_timestamp(clock)
    }

    /// The version of a tuple that this transaction sees, with these of its own writes. `None`: the
    /// tuple is removed.
    ///
    /// It gives the footprint back, which is not borrowed while it compares keys: that is user
    /// code, which may use the transaction.
    #[inline]
    fn read<'t>(
        &'t self,
        mut footprint: RefMut<'t, Footprint>,
        table: &TableCore,
        tuple: NonNull<Tuple>,
        own: impl Fn(&Writes, NonNull<Tuple>) -> Option<NonNull<Version>> + Copy,
    ) -> (RefMut<'t, Footprint>, Option<SeenVersion>) {
        let untimed = |version| SeenVersion {
            version,
            at_timestamp: false,
        };
        if !bug!("own-write-unseen")
            && let Some(version) = own(&footprint.writes, tuple)
        {
            return (footprint, Some(untimed(version.as_ptr())));
        }
        let clock = &self.database.shared.memory.clock;
        // SAFETY: we are protected since the tuple was found in a table of this type; our slot is
        // open.
        if let Some(version) = unsafe { footprint.reads.read_untimed(NonNull::from(table), tuple) }
        {
            return (footprint, Some(untimed(version.as_ptr())));
        }
        loop {
            let timestamp = footprint.reads.take_timestamp(clock);
            // SAFETY: as above; the open slot protects every timestamp since it began.
            let (version, newest) = match unsafe { read_at(tuple, timestamp) } {
                Seen::Version(version, newest) => (version, newest),
                Seen::Dead => return (footprint, None),
            };
            if newest || self.doomed.get() {
                let seen = SeenVersion {
                    version,
                    at_timestamp: true,
                };
                return (footprint, Some(seen));
            }
            // Overwritten since: a commit would fail, unless we can move on to now.
            drop(footprint);
            let extended = Footprint::extend(&self.footprint, clock, self.protected());
            self.doomed.set(!extended);
            footprint = self.footprint.borrow_mut();
        }
    }
}

reader::impl_read!(Transaction<'_>);

impl RowReader for Transaction<'_> {
    fn has_unindexed_writes(&self, table: &TableCore, _: Internal) -> bool {
        let footprint = self.footprint.borrow();
        let begun = footprint.schema;
        // Whoever has an index comes after the change of the schema version.
        self.database.shared.schema() != begun
            && table.is_indexed_since(begun)
            && (footprint.writes.entries().iter()).any(|write| write.table == NonNull::from(table))
    }

    #[inline]
    fn get_as_of<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        moment: Moment,
        _: Internal,
    ) -> Option<&T::Value> {
        let own = |writes: &Writes, tuple| writes.get_as_of(tuple, moment);
        self.look_up(table, key, own).map(|(_, value)| value)
    }

    /// From here on, the shard is protected against changes.
    unsafe fn read_shard<'r, K, V>(
        &'r self,
        table: &TableCore,
        moment: Moment,
        shard: usize,
    ) -> Vec<(&'r K, &'r V)> {
        let mut footprint = self.footprint.borrow_mut();
        footprint
            .reads
            .take_timestamp(&self.database.shared.memory.clock);
        let (inserts, tuples) = table.index.hash().walk(shard, self.protected());
        footprint.scans.push(ScanRead {
            table: NonNull::from(table),
            shard,
            inserts,
        });
        drop(footprint);
        let own = |writes: &Writes, tuple| writes.get_as_of(tuple, moment);
        let row = |tuple| {
            let footprint = self.footprint.borrow_mut();
            let (mut footprint, seen) = self.read(footprint, table, tuple, own);
            let seen = seen?;
            if seen.at_timestamp {
                footprint.record(table, tuple, seen.version);
            }
            // SAFETY: the version as in `look_up`; the tuple stays allocated while we are
            // protected.
            unsafe { value_of(seen.version).map(|value| (key_of(tuple), value)) }
        };
        tuples.filter_map(row).collect()
    }
}

impl RangeReader for Transaction<'_> {
    type Moment = Moment;

    fn moment(&self, _: Internal) -> Moment {
        self.footprint.borrow_mut().writes.moment()
    }

    fn with_ranges<R>(&self, _: Internal, see: impl FnOnce(&Ranges) -> R) -> R {
        see(&self.local.ranges)
    }

    /// From here on, what was read of the range is protected against changes.
    unsafe fn read_range<K: TreeKey, V>(
        &self,
        table: &TableCore,
        moment: Moment,
        (start, end): (&Bound<K>, &Bound<K>),
        direction: Direction,
        limit: usize,
        room: Vec<Row>,
    ) -> Rows<K> {
        self.fix_timestamp();
        // SAFETY: the caller's promise.
        let tree = unsafe { table.index.tree::<K>() };
        let walked = walk(tree, (start, end), direction, limit, self.protected());
        let last = last_key::<K>(&walked);
        let stop = last.clone().map(Bound::Included);
        let bounds = match direction {
            Direction::Up => (start.clone(), stop.unwrap_or_else(|| end.clone())),
            Direction::Down => (stop.unwrap_or_else(|| start.clone()), end.clone()),
        };
        let nodes = walked.nodes.clone();
        let read = RangeRead::new(table, direction, nodes, bounds, ConflictCause::RangeChanged);
        let mut footprint = self.footprint.borrow_mut();
        let number = footprint.ranges.len();
        // Before its rows are read: that may move the timestamp on, if what was read so far is
        // unchanged.
        footprint.ranges.push(read);
        drop(footprint);
        let own = |writes: &Writes, tuple| writes.get_as_of(tuple, moment);
        Rows::new(&walked, room, last, Some(number), |tuple| {
            let footprint = self.footprint.borrow_mut();
            let seen = self.read(footprint, table, tuple, own).1?;
            // SAFETY: as in `look_up`.
            unsafe { value_of::<V>(seen.version) }
        })
    }

    unsafe fn stop_range<K: TreeKey>(
        &self,
        read: usize,
        direction: Direction,
        last: NonNull<Tuple>,
    ) {
        if let Some(range) = RangeInUse::new(&self.footprint, read) {
            range.stop(direction, last);
        }
        // It may have been for what is forgotten now.
        self.doomed.set(false);
    }
}

impl Drop for Transaction<'_> {
    /// Gives everything back before any user code (the drop of buffered values) runs.
    fn drop(&mut self) {
        if bug!("slot-kept-on-panic") && std::thread::panicking() {
            return;
        }
        if bug!("abort-commits") {
            let _ = self.commit_writes(true);
        }
        // SAFETY: it is not used after this.
        let mut footprint = unsafe { ManuallyDrop::take(&mut self.footprint) };
        let writes = &footprint.get_mut().writes;
        self.give_up(writes.entries());
        self.give_up(writes.unwritten());
        self.local.give_back_reserved(self.slot);
        if bug!("values-dropped-first") {
            footprint.get_mut().clear();
        }
        self.local.end(self.slot);
        if footprint.get_mut().clear() {
            self.local.return_footprint(footprint);
        }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let footprint = self.footprint.borrow();
        f.debug_struct("Transaction")
            .field("timestamp", &footprint.reads.timestamp())
            .field(
                "reads",
                &(footprint.reads.entries.len() + footprint.timed.len()),
            )
            .field("writes", &footprint.writes.entries().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
