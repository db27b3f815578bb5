//! What all kinds of transaction have in common: the locks they hold, the writes they buffer, and how both end.

use crate::age::Age;
use crate::conflict::Conflict;
use crate::lock::{Grant, Mode};
use crate::locks::{Locks, Part, Refusal};
use crate::table::{AnyTable, Lookup};
use crate::tuple::{Home, Locked, Pending, Tuple};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// A transaction, under whatever name.
pub struct Core {
    database: u64,
    age: Age,
    footprint: RefCell<Footprint>,
}

#[derive(Default)]
struct Footprint {
    /// Grows only, until all locks are given up at the end: what is locked once stays locked and allocated.
    held: SmallVec<[Held; 8]>,
    writes: SmallVec<[Write; 4]>,
    /// Writes that were overwritten by the same transaction. Kept, for it may have references to them.
    superseded: Vec<Pending>,
    /// The transaction must die, and gets no more locks.
    doomed: Option<Conflict>,
}

struct Held {
    tuple: Arc<dyn Locked>,
    part: Part,
}

/// The write to a key that is held exclusively; nothing is written yet if there is no value.
struct Write {
    tuple: Arc<dyn Locked>,
    value: Option<Pending>,
}

/// A tuple whose key this transaction holds, as long as `'c` lasts.
pub struct Key<'c, K, V> {
    pub(crate) tuple: &'c Tuple<K, V>,
    exclusive: bool,
}

impl<K, V> Clone for Key<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Key<'_, K, V> {}

/// Why a lock was not taken.
pub(crate) enum Failure {
    /// The tuple has left its index. Look the key up again.
    Dead,
    Conflict(Conflict),
}

impl Core {
    pub(crate) fn new(database: u64, age: Age) -> Self {
        Self {
            database,
            age,
            footprint: RefCell::default(),
        }
    }

    pub(crate) fn age(&self) -> Age {
        self.age
    }

    /// Why the transaction must die, if it must.
    pub(crate) fn doomed(&self) -> Option<Conflict> {
        self.footprint.borrow().doomed.clone()
    }

    #[inline]
    pub(crate) fn get<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
    ) -> Result<Option<&T::Value>, Conflict> {
        self.check(table);
        let key = table.lock(self, key, Mode::Shared)?;
        Ok(key.and_then(|key| self.value(key)))
    }

    #[inline]
    pub(crate) fn insert<T: AnyTable>(
        &self,
        table: &T,
        key: T::Key,
        value: T::Value,
    ) -> Result<(), Conflict> {
        self.check(table);
        let key = table.lock_to_insert(self, key)?;
        Ok(self.write(key, Some(value)))
    }

    pub(crate) fn remove<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
    ) -> Result<(), Conflict> {
        self.check(table);
        if let Some(key) = table.lock(self, key, Mode::Exclusive)? {
            self.write(key, None);
        }
        Ok(())
    }

    pub(crate) fn update<T: Lookup<Q>, Q: ?Sized>(
        &self,
        table: &T,
        key: &Q,
        update: impl FnOnce(&T::Value) -> T::Value,
    ) -> Result<bool, Conflict> {
        self.check(table);
        let Some(key) = table.lock(self, key, Mode::Exclusive)? else {
            return Ok(false);
        };
        let Some(value) = self.value(key) else {
            return Ok(false);
        };
        self.write(key, Some(update(value)));
        Ok(true)
    }

    /// Panics if the table belongs to another database.
    #[inline]
    pub(crate) fn check<T: AnyTable>(&self, table: &T) {
        assert!(
            table.database() == self.database,
            "table {:?} belongs to another database than the transaction that uses it; open it with Database::table of the same database",
            table.label()
        );
    }

    /// Locks a tuple's key until the transaction ends.
    #[inline]
    pub(crate) fn lock_key<'c, K, V>(
        &'c self,
        tuple: &Arc<Tuple<K, V>>,
        mode: Mode,
    ) -> Result<Key<'c, K, V>, Failure>
    where
        Tuple<K, V>: Locked + 'static,
    {
        let forget_types = || tuple.clone() as Arc<dyn Locked>;
        let grant = self.acquire(tuple.locks(), Part::Key, mode, forget_types)?;
        if mode == Mode::Exclusive && tuple.locks().write().is_none() {
            self.prepare_write(tuple.clone());
        }
        // SAFETY: `held` has it since the lock was first granted, until `self` is dropped.
        let tuple = unsafe { &*Arc::as_ptr(tuple) };
        Ok(Key {
            tuple,
            exclusive: grant.exclusive,
        })
    }

    /// Shares a gap until the transaction ends.
    pub(crate) fn share_gap(&self, before: &Arc<dyn Locked>) -> Result<(), Failure> {
        let forget_types = || before.clone();
        self.acquire(before.locks(), Part::Gap, Mode::Shared, forget_types)?;
        Ok(())
    }

    /// Locks a table as a whole until the transaction ends. True: it was not locked before.
    pub(crate) fn lock_table(&self, table: &Arc<dyn Locked>, mode: Mode) -> Result<bool, Conflict> {
        match self.acquire(table.locks(), Part::Key, mode, || table.clone()) {
            Ok(grant) => Ok(grant.new),
            Err(Failure::Conflict(conflict)) => Err(conflict),
            Err(Failure::Dead) => unreachable!("a table is never removed"),
        }
    }

    #[inline]
    fn acquire(
        &self,
        locks: &Locks,
        part: Part,
        mode: Mode,
        tuple: impl Fn() -> Arc<dyn Locked>,
    ) -> Result<Grant, Failure> {
        let grant = self.request(locks, part, mode, &tuple)?;
        if grant.new {
            self.hold(tuple(), part);
        }
        Ok(grant)
    }

    #[inline]
    fn request(
        &self,
        locks: &Locks,
        part: Part,
        mode: Mode,
        tuple: &impl Fn() -> Arc<dyn Locked>,
    ) -> Result<Grant, Failure> {
        if let Some(conflict) = &self.footprint.borrow().doomed {
            return Err(Failure::Conflict(conflict.clone()));
        }
        locks
            .acquire(self.age, part, mode)
            .map_err(|refusal| match refusal {
                Refusal::Dead => Failure::Dead,
                Refusal::Die(elder) => Failure::Conflict(self.die(elder, tuple(), part)),
            })
    }

    #[cold]
    fn die(&self, elder: Age, at: Arc<dyn Locked>, part: Part) -> Conflict {
        let conflict = Conflict::new(self.age, elder, at, part);
        self.footprint.borrow_mut().doomed = Some(conflict.clone());
        conflict
    }

    fn hold(&self, tuple: Arc<dyn Locked>, part: Part) {
        let mut footprint = self.footprint.borrow_mut();
        footprint.held.push(Held { tuple, part });
    }

    /// Makes room for the write of a key that is held exclusively.
    fn prepare_write(&self, tuple: Arc<dyn Locked>) {
        let mut footprint = self.footprint.borrow_mut();
        tuple.locks().set_write(Some(footprint.writes.len()));
        footprint.writes.push(Write { tuple, value: None });
    }

    /// Excludes everyone else from a gap, for as long as it takes to insert a key into it.
    pub(crate) fn enter_gap(&self, at: &Arc<dyn Locked>) -> Result<Entered<'_>, Failure> {
        let forget_types = || at.clone();
        let grant = self.request(at.locks(), Part::Gap, Mode::Exclusive, &forget_types)?;
        Ok(Entered {
            core: self,
            at: at.clone(),
            shared_before: !grant.new,
        })
    }

    /// The value as this transaction sees it: its own write if there is one.
    #[inline]
    pub(crate) fn value<'c, K, V: 'static>(&'c self, key: Key<'c, K, V>) -> Option<&'c V> {
        if key.exclusive
            && let Some(place) = key.tuple.locks().write()
            && let Some(write) = &self.footprint.borrow().writes[place].value
        {
            let write = write.downcast_ref::<Option<V>>();
            let write: *const Option<V> = write.expect("a write has its tuple's type");
            // SAFETY: a write is kept, here or among the superseded ones, and not changed, until `self` is dropped or consumed.
            return unsafe { &*write }.as_ref();
        }
        // SAFETY: this transaction holds the key, as `Key` says, until `self` is dropped or consumed.
        unsafe { key.tuple.value() }
    }

    /// Buffers a write to a key that is held exclusively.
    #[inline]
    fn write<K, V: 'static>(&self, key: Key<'_, K, V>, value: Option<V>) {
        let place = key.tuple.locks().write().expect("it is prepared");
        let mut footprint = self.footprint.borrow_mut();
        let old = footprint.writes[place].value.replace(Rc::new(value));
        footprint.superseded.extend(old);
    }

    /// Makes a tuple that is to be inserted into an ordered table, locked by this transaction. `shared` says that its gap is shared as well.
    pub(crate) fn new_tuple<K, V>(
        &self,
        key: K,
        home: Weak<dyn Home<K, V>>,
        shared: bool,
    ) -> (Arc<Tuple<K, V>>, Key<'_, K, V>)
    where
        Tuple<K, V>: Locked + 'static,
    {
        let tuple = Arc::new(Tuple::new(key, Locks::inserted(self.age, shared), home));
        self.hold(tuple.clone(), Part::Key);
        if shared {
            self.hold(tuple.clone(), Part::Gap);
        }
        self.prepare_write(tuple.clone());
        let key = Key {
            // SAFETY: `held` has it until `self` is dropped.
            tuple: unsafe { &*Arc::as_ptr(&tuple) },
            exclusive: true,
        };
        (tuple, key)
    }

    /// Makes all writes visible and gives up all locks.
    pub(crate) fn commit(mut self) {
        let writes = &mut self.footprint.get_mut().writes;
        for Write { tuple, value } in writes {
            let Some(value) = value else { continue };
            // SAFETY: what is written to is held exclusively; `self` is consumed, so no reference into it is left.
            unsafe { tuple.install(value) };
        }
    }
}

impl Drop for Core {
    /// Gives up all locks before any user code runs, be it a comparison of keys or the drop of a value.
    fn drop(&mut self) {
        let footprint = std::mem::take(self.footprint.get_mut());
        for write in &footprint.writes {
            write.tuple.locks().set_write(None);
        }
        let mut dead = Vec::new();
        for Held { tuple, part } in &footprint.held {
            if tuple.release(self.age, *part) {
                dead.push(tuple);
            }
        }
        for tuple in dead {
            evict(&**tuple);
        }
    }
}

/// Takes a dead tuple out of its index. If that panics the tuple stays: those who meet it there try again.
pub(crate) fn evict(tuple: &dyn Locked) {
    // A panicking comparison must not end a transaction that has committed already, nor keep the other tuples from being removed.
    let _ = catch_unwind(AssertUnwindSafe(|| tuple.evict()));
}

/// The right to insert into a gap.
pub(crate) struct Entered<'c> {
    core: &'c Core,
    at: Arc<dyn Locked>,
    /// The transaction shares the gap until its end; so it must share both halves.
    pub(crate) shared_before: bool,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.shared_before {
            self.at.locks().downgrade(Part::Gap);
        } else if self.at.release(self.core.age, Part::Gap) {
            evict(&*self.at);
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let footprint = self.footprint.borrow();
        f.debug_struct("Core")
            .field("age", &self.age)
            .field("locks", &footprint.held.len())
            .field("writes", &footprint.writes.len())
            .finish_non_exhaustive()
    }
}
