//! A key with its value, and its locks.

use crate::age::Age;
use crate::locks::{Locks, Part};
use std::any::Any;
use std::cell::UnsafeCell;
use std::fmt;
use std::sync::Weak;

/// A key and its value.
pub type Row<'c, K, V> = (&'c K, &'c V);

/// A write that waits for the commit: an `Option<V>`, of which `None` deletes.
pub(crate) type Pending = std::rc::Rc<dyn Any>;

/// What a transaction can lock, with its types forgotten.
pub(crate) trait Locked: Send + Sync {
    fn locks(&self) -> &Locks;

    /// Gives up a lock. True: `evict` is to be called, once the caller has given up all its locks.
    fn release(&self, age: Age, part: Part) -> bool {
        self.locks().release(age, part)
    }

    /// Takes a dead tuple out of its index. It may run user code, which may panic.
    fn evict(&self) {}

    /// Exchanges the value for what was written.
    ///
    /// # Safety
    /// The calling transaction holds the key exclusively and is at its end: no reference to the
    /// value is left.
    unsafe fn install(&self, _write: &mut Pending) {}
}

/// An index, to the tuples in it.
pub(crate) trait Home<K, V>: Send + Sync {
    /// Takes this very tuple out.
    fn evict(&self, tuple: &Tuple<K, V>);
}

/// A key with its value. Without a value it is there for its locks, and leaves the index with the
/// last of them.
pub(crate) struct Tuple<K, V> {
    locks: Locks,
    pub(crate) key: K,
    /// Read by those who hold the key, written by those who hold it exclusively, once, in their
    /// commit.
    value: UnsafeCell<Option<V>>,
    home: Weak<dyn Home<K, V>>,
}

// SAFETY: beside the value all is `Sync`. References to the value go to several threads
// (`V: Sync`), and it is written and dropped on any (`V: Send`); `value` and `install` say why no
// write meets a reader.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for Tuple<K, V> {}

impl<K, V> Tuple<K, V> {
    pub(crate) fn new(key: K, locks: Locks, home: Weak<dyn Home<K, V>>) -> Self {
        Self {
            locks,
            key,
            value: UnsafeCell::new(None),
            home,
        }
    }

    pub(crate) fn locks(&self) -> &Locks {
        &self.locks
    }

    /// The committed value.
    ///
    /// # Safety
    /// The calling transaction holds the key, shared or exclusively, as long as the reference
    /// lives.
    pub(crate) unsafe fn value(&self) -> Option<&V> {
        // SAFETY: only `install` writes. Its caller holds the key exclusively: no other transaction
        // then, and for the same one the reference is gone. The latch, under which one lock was
        // released and the next one granted, orders the accesses.
        unsafe { &*self.value.get() }.as_ref()
    }
}

impl<K: Send + Sync + 'static, V: Send + Sync + 'static> Locked for Tuple<K, V> {
    fn locks(&self) -> &Locks {
        &self.locks
    }

    fn evict(&self) {
        if let Some(home) = self.home.upgrade() {
            home.evict(self);
        }
    }

    unsafe fn install(&self, write: &mut Pending) {
        let write = std::rc::Rc::get_mut(write).and_then(|write| write.downcast_mut());
        let write: &mut Option<V> = write.expect("only the transaction has its writes");
        self.locks.set_present(write.is_some());
        // SAFETY: nobody else holds the key, and the caller has no reference left. See `value`.
        std::mem::swap(unsafe { &mut *self.value.get() }, write);
    }
}

impl<K, V> fmt::Debug for Tuple<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tuple")
            .field("locks", &self.locks)
            .finish_non_exhaustive()
    }
}

/// The gap behind the last key of an ordered table.
pub(crate) struct End(Locks);

impl End {
    pub(crate) fn new() -> Self {
        Self(Locks::permanent())
    }
}

impl Locked for End {
    fn locks(&self) -> &Locks {
        &self.0
    }
}
