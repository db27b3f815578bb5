//! Atomics. All are sequentially consistent, whatever order is asked for: one task runs at a time.

use crate::{Access, announce, place};
use std::sync::atomic::{self, Ordering};

/// An atomic with the operations that every type has.
macro_rules! atomic {
    ($(#[$meta:meta])* $name:ident $(<$t:ident>)?: $value:ty) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name$(<$t>)?(atomic::$name$(<$t>)?);

        impl$(<$t>)? $name$(<$t>)? {
            /// With this value.
            pub const fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            fn read(&self) -> &atomic::$name$(<$t>)? {
                announce(Access::Read(place(self)));
                &self.0
            }

            fn written(&self) -> &atomic::$name$(<$t>)? {
                announce(Access::Write(place(self)));
                &self.0
            }

            /// The value.
            pub fn load(&self, order: Ordering) -> $value {
                self.read().load(order)
            }

            /// Replaces the value.
            pub fn store(&self, value: $value, order: Ordering) {
                self.written().store(value, order);
            }

            /// Replaces the value and returns what it was.
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.written().swap(value, order)
            }

            /// Replaces the value if it is `current`.
            ///
            /// # Errors
            /// If it is not: with what it is.
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.written().compare_exchange(current, new, success, failure)
            }

            /// Replaces the value by a function of it, unless that is `None`.
            ///
            /// # Errors
            /// If it is: with the value.
            pub fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut old = self.load(failure);
                while let Some(new) = update(old) {
                    match self.compare_exchange(old, new, success, failure) {
                        Ok(old) => return Ok(old),
                        Err(now) => old = now,
                    }
                }
                Err(old)
            }

            /// The value, of what is nobody else's.
            pub fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            /// The value.
            pub fn into_inner(self) -> $value {
                self.0.into_inner()
            }
        }
    };
}

/// The operations that numbers have as well.
macro_rules! number {
    ($name:ident: $value:ty) => {
        impl $name {
            /// Adds to the value and returns what it was.
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.written().fetch_add(value, order)
            }

            /// Subtracts from the value and returns what it was.
            pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.written().fetch_sub(value, order)
            }

            /// Sets bits of the value and returns what it was.
            pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                self.written().fetch_or(value, order)
            }

            /// Clears the other bits of the value and returns what it was.
            pub fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                self.written().fetch_and(value, order)
            }

            /// Raises the value and returns what it was.
            pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                self.written().fetch_max(value, order)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0)
            }
        }
    };
}

atomic!(
    /// A truth value.
    AtomicBool: bool
);
atomic!(
    /// A number of 32 bits.
    AtomicU32: u32
);
atomic!(
    /// A number of 64 bits.
    AtomicU64: u64
);
atomic!(
    /// A size.
    AtomicUsize: usize
);
atomic!(
    /// A pointer.
    AtomicPtr<T>: *mut T
);
number!(AtomicU32: u32);
number!(AtomicU64: u64);
number!(AtomicUsize: usize);

impl Default for AtomicBool {
    fn default() -> Self {
        Self::new(false)
    }
}

impl<T> Default for AtomicPtr<T> {
    fn default() -> Self {
        Self::new(std::ptr::null_mut())
    }
}
