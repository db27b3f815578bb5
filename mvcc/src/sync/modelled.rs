//! The primitives of the model checker, which tries what the orderings allow. Its threads all run
//! on one thread of the operating system.

pub(crate) use foldhash::fast::FixedState as HashState;
pub(crate) use loom::hint::spin_loop;
pub(crate) use loom::sync::MutexGuard;
pub(crate) use loom::thread::{ThreadId, current, yield_now};

use super::Ordering;
use loom::sync::atomic;
use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// The checker's macro, which knows no `const` initialisers.
macro_rules! local {
    ($($(#[$meta:meta])* static $name:ident: $type:ty = const $value:block;)+) => {
        loom::thread_local! {
            $($(#[$meta])* static $name: $type = $value;)+
        }
    };
}
pub(crate) use local as thread_local;

std::thread_local! {
    static WEAKENED: Cell<&'static str> = const { Cell::new("") };
}

/// The models run no user code.
pub(crate) mod held {
    pub(crate) fn lock() {}
    pub(crate) fn unlock() {}
    pub(crate) fn set_aside() {}
    pub(crate) fn take_back() {}
    pub(crate) fn nothing() {}
}

/// Names the ordering that is weakened from now on.
pub(crate) fn weaken(name: &'static str) {
    WEAKENED.set(name);
}

pub(crate) fn unless_weakened(ordering: Ordering, name: &str) -> Ordering {
    if WEAKENED.get() == name {
        Ordering::Relaxed
    } else {
        ordering
    }
}

/// A fence; none at all if it was weakened.
pub(crate) fn fence(ordering: Ordering) {
    if ordering != Ordering::Relaxed {
        atomic::fence(ordering);
    }
}

/// The checker takes a sequentially consistent access for an acquire or release one, but knows such
/// fences. An access with one before it is what compilers make of it where the processor has no
/// better.
fn before(ordering: Ordering) {
    if ordering == Ordering::SeqCst {
        atomic::fence(ordering);
    }
}

/// An atomic whose operations wait for whatever must come before them.
macro_rules! atomic {
    ($name:ident $(<$t:ident>)? of $value:ty, $default:expr; $($operation:ident),*) => {
        #[derive(Debug)]
        pub(crate) struct $name $(<$t>)? (atomic::$name $(<$t>)?);

        #[allow(dead_code, reason = "not every type is used in every way")]
        impl $(<$t>)? $name $(<$t>)? {
            pub(crate) fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                before(ordering);
                self.0.load(ordering)
            }

            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                before(ordering);
                self.0.store(value, ordering);
            }

            pub(crate) fn swap(&self, value: $value, ordering: Ordering) -> $value {
                before(ordering);
                self.0.swap(value, ordering)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                before(success);
                self.0.compare_exchange(current, new, success, failure)
            }

            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                before(success);
                self.0.fetch_update(success, failure, update)
            }

            $(pub(crate) fn $operation(&self, value: $value, ordering: Ordering) -> $value {
                before(ordering);
                self.0.$operation(value, ordering)
            })*
        }

        impl $(<$t>)? Default for $name $(<$t>)? {
            fn default() -> Self {
                Self::new($default)
            }
        }
    };
}

atomic!(AtomicBool of bool, false;);
atomic!(AtomicPtr<T> of *mut T, std::ptr::null_mut(););
atomic!(AtomicUsize of usize, 0; fetch_sub);
atomic!(AtomicU32 of u32, 0; fetch_add, fetch_sub, fetch_or, fetch_and);
atomic!(AtomicU64 of u64, 0; fetch_add, fetch_max);

macro_rules! exclusive {
    ($name:ident $(<$t:ident>)? of $value:ty) => {
        impl $(<$t>)? $name $(<$t>)? {
            pub(crate) fn get_mut(&mut self) -> Exclusive<'_, $value> {
                Exclusive {
                    value: self.0.with_mut(|value| *value),
                    write: Box::new(|new| self.0.with_mut(|value| *value = new)),
                }
            }
        }
    };
}

exclusive!(AtomicPtr<T> of *mut T);
exclusive!(AtomicUsize of usize);

/// The value of an atomic that is not shared. It is written back when this is dropped.
pub(crate) struct Exclusive<'a, T: Copy> {
    value: T,
    write: Box<dyn FnMut(T) + 'a>,
}

impl<T: Copy> Deref for Exclusive<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Copy> DerefMut for Exclusive<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Copy> Drop for Exclusive<'_, T> {
    fn drop(&mut self) {
        (self.write)(self.value);
    }
}

/// A mutex without poisoning, as `parking_lot`'s.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a model ends with its first panic")
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// Waiting for what happens under a mutex: counts the notifications.
#[derive(Default)]
pub(crate) struct Condvar(AtomicU64);

impl Condvar {
    /// Waits until it is notified; deadlines are always past.
    pub(crate) fn wait<'m, T>(
        &self,
        mutex: &'m Mutex<T>,
        guard: MutexGuard<'m, T>,
        deadline: Option<std::time::Instant>,
    ) -> (MutexGuard<'m, T>, bool) {
        if deadline.is_some() {
            return (guard, false);
        }
        let seen = self.0.load(Ordering::SeqCst);
        drop(guard);
        let mut wait = super::Wait::new();
        while self.0.load(Ordering::SeqCst) == seen {
            wait.turn();
        }
        (mutex.lock(), true)
    }

    pub(crate) fn notify_all(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A place for a value that is set once, by one at a time.
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: AtomicBool,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: std::sync::OnceLock::new(),
            is_set: AtomicBool::new(false),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.value
            .get()
            .filter(|_| self.is_set.load(Ordering::Acquire))
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let value = self.value.get_or_init(make);
        self.is_set.swap(true, Ordering::AcqRel);
        value
    }
}

pub(crate) fn wait(_turn: u32) {
    yield_now();
}

pub(crate) fn threshold<T>(_real: T, small: T) -> T {
    small
}

/// No choice that the checker does not know of.
pub(crate) fn random(_limit: u32) -> u32 {
    1
}

/// The same.
pub(crate) fn pause(_longest: std::time::Duration) {
    yield_now();
}

/// Memory that is not atomic: whether whoever uses it can know that it was written, and not yet
/// freed. Memory is never really freed.
pub(crate) mod freed {
    use loom::cell::UnsafeCell;
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::ptr::NonNull;
    use std::rc::Rc;

    type Free = Box<dyn FnOnce()>;

    /// What is known of some memory: who has used it, and how it is freed if it is.
    #[derive(Default)]
    struct Memory {
        uses: Rc<UnsafeCell<()>>,
        freed: Option<Free>,
    }

    std::thread_local! {
        static MEMORY: RefCell<HashMap<usize, Memory>> = RefCell::default();
    }

    /// Memory is written for the first time, by this thread.
    pub(crate) fn made<T>(at: NonNull<T>) {
        let uses = Rc::<UnsafeCell<()>>::default();
        uses.with_mut(|_| ());
        let memory = Memory { uses, freed: None };
        MEMORY.with_borrow_mut(|all| all.insert(at.as_ptr().addr(), memory));
    }

    /// Memory is read, if it was made.
    pub(crate) fn check<T>(at: NonNull<T>) {
        let uses = MEMORY.with_borrow(|all| {
            let memory = all.get(&at.as_ptr().addr())?;
            assert!(memory.freed.is_none(), "used after it was freed");
            Some(memory.uses.clone())
        });
        if let Some(uses) = uses {
            uses.with(|_| ());
        }
    }

    pub(crate) fn free<T>(at: NonNull<T>, free: impl FnOnce() + 'static) {
        set_free(at, true);
        MEMORY.with_borrow_mut(|all| {
            let memory = all.get_mut(&at.as_ptr().addr());
            memory.expect("just seen").freed = Some(Box::new(free));
        });
    }

    /// Marks memory that is kept for another use.
    pub(crate) fn set_free<T>(at: NonNull<T>, is_free: bool) {
        if !is_free {
            return made(at);
        }
        let uses = MEMORY.with_borrow_mut(|all| {
            let memory = all.entry(at.as_ptr().addr()).or_default();
            assert!(memory.freed.is_none(), "freed twice");
            memory.freed = Some(Box::new(|| ()));
            memory.uses.clone()
        });
        uses.with_mut(|_| ());
    }

    /// What was freed is left where it is, for its parts belong to a run of the model that is over.
    pub(crate) fn forget() {
        std::mem::forget(MEMORY.take());
    }
}
