//! What all kinds of transaction have in common: the locks they hold, the writes they buffer, and
//! how both end.

use crate::age::Age;
use crate::conflict::Conflict;
use crate::lock::{Grant, Mode};
use crate::locks::{Locks, Part, Refusal};
use crate::sync::bug;
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
    /// Grows only, until all locks are given up at the end: what is locked once stays locked and
    /// allocated.
    held: SmallVec<[Held; 8]>,
    writes: SmallVec<[Write; 4]>,
    /// Writes that were overwritten by the same transaction. Kept, for it may have references to
    /// them.
    superseded: Vec<Pending>,
    /// The transaction must die, and gets no more locks.
    doom: Option<Doom>,
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

/// Who was in the way of a transaction that must die, and where.
struct Doom {
    elder: Age,
    at: Arc<dyn Locked>,
    part: Part,
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

    pub(crate) fn is_doomed(&self) -> bool {
        self.footprint.borrow().doom.is_some()
    }

    pub(crate) fn database(&self) -> u64 {
        self.database
    }

    /// Gives up all locks and waits until the transaction that it had to die for, if it had to, is
    /// out of the way. Returns the age to begin again with: its own, so that in the end nobody is
    /// older.
    pub(crate) fn step_aside(mut self) -> Age {
        let age = self.age;
        let doom = self.footprint.get_mut().doom.take();
        drop(self);
        if let Some(Doom { elder, at, part }) = doom {
            // It cannot be part of a deadlock, for who holds no lock is in nobody's way.
            at.locks().wait_for_end_of(elder, part);
        }
        if bug!("new-age-after-death") {
            Age::next()
        } else {
            age
        }
    }

    /// Locks a tuple's key until the transaction ends. `None`: the tuple was dead and has left its
    /// index now; look the key up again.
    #[inline]
    pub(crate) fn lock_key<K, V>(
        &self,
        tuple: Arc<Tuple<K, V>>,
        mode: Mode,
    ) -> Result<Option<Key<'_, K, V>>, Conflict>
    where
        Tuple<K, V>: Locked + 'static,
    {
        let at = Arc::as_ptr(&tuple);
        let to_write = (mode == Mode::Exclusive).then(|| tuple.clone());
        let Some(grant) = self.acquire(tuple, Part::Key, mode)? else {
            return Ok(None);
        };
        if let Some(tuple) = to_write.filter(|tuple| tuple.locks().write().is_none()) {
            self.prepare_write(tuple);
        }
        Ok(Some(Key {
            // SAFETY: `held` has it since the lock was first granted, until `self` is dropped or
            // consumed.
            tuple: unsafe { &*at },
            exclusive: grant.exclusive,
        }))
    }

    /// Shares a gap until the transaction ends; whether it is shared for the first time. `None`:
    /// its tuple was dead and has left its index now.
    pub(crate) fn share_gap<T>(&self, at: Arc<T>) -> Result<Option<bool>, Conflict>
    where
        T: Locked + 'static,
    {
        let grant = self.acquire(at, Part::Gap, Mode::Shared)?;
        Ok(grant.map(|grant| grant.new))
    }

    /// Excludes everyone else from a gap, for as long as it takes to insert a key into it. `None`
    /// as for [`Core::share_gap`].
    pub(crate) fn enter_gap<T>(&self, at: Arc<T>) -> Result<Option<Entered<'_>>, Conflict>
    where
        T: Locked + 'static,
    {
        let grant = self.request(&at, Part::Gap, Mode::Exclusive)?;
        Ok(grant.map(|grant| Entered {
            core: self,
            at,
            shared_before: !grant.new,
        }))
    }

    #[inline]
    fn acquire<T>(&self, tuple: Arc<T>, part: Part, mode: Mode) -> Result<Option<Grant>, Conflict>
    where
        T: Locked + 'static,
    {
        let grant = self.request(&tuple, part, mode)?;
        if grant.is_some_and(|grant| grant.new) {
            self.hold(tuple, part);
        }
        Ok(grant)
    }

    #[inline]
    fn request<T>(&self, tuple: &Arc<T>, part: Part, mode: Mode) -> Result<Option<Grant>, Conflict>
    where
        T: Locked + 'static,
    {
        if self.is_doomed() {
            return Err(Conflict(()));
        }
        match tuple.locks().acquire(self.age, part, mode) {
            Ok(grant) => Ok(Some(grant)),
            Err(Refusal::Dead) => {
                evict(&**tuple);
                Ok(None)
            }
            Err(Refusal::Die(elder)) => Err(self.die(elder, tuple.clone(), part)),
        }
    }

    #[cold]
    fn die(&self, elder: Age, at: Arc<dyn Locked>, part: Part) -> Conflict {
        self.footprint.borrow_mut().doom = Some(Doom { elder, at, part });
        Conflict(())
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

    /// The value as this transaction sees it: its own write if there is one.
    #[inline]
    pub(crate) fn value<'c, K, V: 'static>(&'c self, key: Key<'c, K, V>) -> Option<&'c V> {
        if key.exclusive
            && !bug!("own-write-not-seen")
            && let Some(place) = key.tuple.locks().write()
            && let Some(write) = &self.footprint.borrow().writes[place].value
        {
            let write = write.downcast_ref::<Option<V>>();
            let write: *const Option<V> = write.expect("a write has its tuple's type");
            // SAFETY: a write is kept, here or among the superseded ones, and not changed, until
            // `self` is dropped or consumed.
            return unsafe { &*write }.as_ref();
        }
        // SAFETY: this transaction holds the key, as `Key` says, until `self` is dropped or
        // consumed.
        unsafe { key.tuple.value() }
    }

    /// Buffers a write to a key that is held exclusively.
    #[inline]
    pub(crate) fn write<K, V: 'static>(&self, key: Key<'_, K, V>, value: Option<V>) {
        let place = key.tuple.locks().write().expect("it is prepared");
        let mut footprint = self.footprint.borrow_mut();
        let old = footprint.writes[place].value.replace(Rc::new(value));
        footprint.superseded.extend(old);
    }

    /// Makes a tuple that is to be inserted into an ordered table, locked by this transaction.
    /// `shared` says that its gap is shared as well.
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
        if bug!("locks-given-up-before-install") {
            self.give_up_locks();
        }
        for Write { tuple, value } in &mut self.footprint.get_mut().writes {
            let Some(value) = value else { continue };
            // SAFETY: what is written to is held exclusively; `self` is consumed, so no reference
            // into it is left.
            unsafe { tuple.install(value) };
        }
    }

    fn give_up_locks(&mut self) {
        let footprint = self.footprint.get_mut();
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

impl Drop for Core {
    /// Gives up all locks before any user code runs, be it a comparison of keys or the drop of a
    /// value.
    fn drop(&mut self) {
        if bug!("locks-kept-after-a-panic") && std::thread::panicking() {
            return;
        }
        self.give_up_locks();
    }
}

/// Takes a dead tuple out of its index. If that panics the tuple stays: those who meet it there try
/// again.
fn evict(tuple: &dyn Locked) {
    // A panicking comparison must not end a transaction that has committed already, nor keep the
    // other tuples from being removed.
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
        } else if self.at.locks().release(self.core.age, Part::Gap) {
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
