//! One lock: who holds it, who waits for it, and what wait-die answers to a request.
//!
//! Plain data; the latch around it and the sleeping are in `locks.rs`.
//!
//! # Invariant
//!
//! A request that waits is older than every holder and every request ahead of it that it conflicts
//! with. So whoever waits, waits for the younger, and there is no cycle:
//! - a new request dies unless it is older than all that it conflicts with, be they holders or
//!   waiting;
//! - the queue is served strictly from its front, so nobody gets between a waiting request and its
//!   turn. In particular, readers that keep coming do not overtake a writer that waits;
//! - an upgrade goes to the front. It may wait only if it is older than all the other holders, and
//!   those who wait already are older than it is: a waiting exclusive request conflicts with the
//!   shared lock that is upgraded, and a shared one waits behind such a request only if it is older
//!   than that.

use crate::age::Age;
use crate::sync::bug;

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Shared,
    Exclusive,
}

impl Mode {
    fn conflicts(self, other: Self) -> bool {
        self == Self::Exclusive || other == Self::Exclusive
    }
}

/// What a transaction has, after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// It held nothing before.
    pub(crate) new: bool,
    /// It holds the lock exclusively, by this request or an earlier one.
    pub(crate) exclusive: bool,
}

/// What a request leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Granted(Grant),
    /// It is in the queue now.
    Wait,
    /// This one is older and in the way.
    Die(Age),
}

#[derive(Clone, Copy, Debug)]
struct Request {
    age: Age,
    mode: Mode,
}

/// A lock with its queue. Small, for there are two of them in each tuple.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    /// A holder. There is one if there are any.
    holder: Option<Age>,
    /// There is no other holder, and this one excludes all others.
    exclusive: bool,
    crowd: Option<Box<Crowd>>,
}

/// What a lock needs once it was contended. Kept, since that is likely to happen again.
#[derive(Debug, Default)]
struct Crowd {
    /// All but the first one.
    holders: Vec<Age>,
    queue: Vec<Request>,
}

impl Lock {
    /// A lock that is held exclusively.
    pub(crate) fn exclusive(age: Age) -> Self {
        Self {
            holder: Some(age),
            exclusive: true,
            crowd: None,
        }
    }

    /// A lock that is held by one reader.
    pub(crate) fn shared(age: Age) -> Self {
        Self {
            exclusive: false,
            ..Self::exclusive(age)
        }
    }

    /// Nobody holds it, so nobody waits for it either.
    pub(crate) fn is_free(&self) -> bool {
        self.holder.is_none()
    }

    pub(crate) fn is_held_by(&self, age: Age) -> bool {
        self.holders().any(|holder| holder == age)
    }

    pub(crate) fn holders(&self) -> impl Iterator<Item = Age> {
        let others = self.crowd.as_ref().map_or(&[][..], |crowd| &crowd.holders);
        self.holder.into_iter().chain(others.iter().copied())
    }

    /// Takes the lock, or raises a shared lock to an exclusive one, or waits in the queue, or says
    /// who is in the way.
    pub(crate) fn request(&mut self, age: Age, mode: Mode) -> Answer {
        let held = self.is_held_by(age);
        if held && (self.exclusive || mode == Mode::Shared) {
            return Answer::Granted(Grant {
                new: false,
                exclusive: self.exclusive,
            });
        }
        let mut blocked = false;
        if mode.conflicts(self.mode()) {
            let others = self.holders().filter(|&holder| holder != age);
            for holder in others.filter(|_| !(held && bug!("upgrade-beside-readers"))) {
                if holder < age && !bug!("younger-waits") {
                    return Answer::Die(holder);
                }
                blocked = true;
            }
        }
        // Whoever waits already waits for the holder that wants to upgrade, who need not wait for
        // them.
        let ahead = if held { &[][..] } else { self.queue() };
        for request in ahead.iter().filter(|ahead| mode.conflicts(ahead.mode)) {
            if request.age < age {
                return Answer::Die(request.age);
            }
            blocked = true;
        }
        if blocked {
            let to_front = held && !bug!("upgrade-behind-those-who-wait");
            let place = if to_front { 0 } else { self.queue().len() };
            let crowd = self.crowd.get_or_insert_default();
            crowd.queue.insert(place, Request { age, mode });
            return Answer::Wait;
        }
        self.grant(age, mode);
        Answer::Granted(Grant {
            new: !held,
            exclusive: self.exclusive,
        })
    }

    /// Whether a request that had to wait has been granted.
    pub(crate) fn is_granted(&self, age: Age, mode: Mode) -> bool {
        self.is_held_by(age) && (self.exclusive || mode == Mode::Shared)
    }

    /// Whether this transaction holds the lock or waits for it.
    pub(crate) fn involves(&self, age: Age) -> bool {
        self.is_held_by(age) || self.queue().iter().any(|request| request.age == age)
    }

    /// Gives up what a transaction holds, and grants what can be granted now.
    pub(crate) fn release(&mut self, age: Age) {
        let mut others = self.crowd.as_mut().map(|crowd| &mut crowd.holders);
        if self.holder == Some(age) {
            self.holder = others.and_then(Vec::pop);
        } else if let Some(others) = &mut others {
            others.retain(|&holder| holder != age);
        }
        self.exclusive = false;
        self.serve_queue();
    }

    /// Makes an exclusive lock a shared one again.
    pub(crate) fn downgrade(&mut self) {
        self.exclusive = false;
        self.serve_queue();
    }

    fn mode(&self) -> Mode {
        if self.exclusive {
            Mode::Exclusive
        } else {
            Mode::Shared
        }
    }

    fn queue(&self) -> &[Request] {
        self.crowd.as_ref().map_or(&[], |crowd| &crowd.queue)
    }

    fn serve_queue(&mut self) {
        while let Some(&Request { age, mode }) = self.queue().first() {
            let alone = self.holders().all(|holder| holder == age);
            if !alone && mode.conflicts(self.mode()) {
                return;
            }
            let crowd = self.crowd.as_mut().expect("it has the queue");
            crowd.queue.remove(0);
            self.grant(age, mode);
        }
    }

    fn grant(&mut self, age: Age, mode: Mode) {
        if self.holder.is_none() {
            self.holder = Some(age);
        } else if !self.is_held_by(age) {
            self.crowd.get_or_insert_default().holders.push(age);
        }
        self.exclusive = mode == Mode::Exclusive;
    }
}

#[cfg(test)]
mod tests {
    use super::Mode::{Exclusive, Shared};
    use super::*;

    /// Ages from the oldest to the youngest.
    fn ages<const N: usize>() -> [Age; N] {
        std::array::from_fn(|_| Age::next())
    }

    fn granted(answer: &Answer) -> bool {
        matches!(answer, Answer::Granted(_))
    }

    #[test]
    fn readers_share_and_a_writer_excludes() {
        let [a, b, c] = ages();
        let mut lock = Lock::default();
        assert!(granted(&lock.request(b, Shared)));
        assert!(granted(&lock.request(c, Shared)));
        assert_eq!(lock.request(a, Exclusive), Answer::Wait);
        lock.release(b);
        assert!(!lock.is_granted(a, Exclusive));
        lock.release(c);
        assert!(lock.is_granted(a, Exclusive));
        assert_eq!(lock.request(b, Shared), Answer::Die(a));
        lock.release(a);
        assert!(lock.is_free());
    }

    #[test]
    fn the_younger_dies_before_a_waiting_writer_too() {
        let [old, writer, young, reader] = ages();
        let mut lock = Lock::default();
        assert!(granted(&lock.request(reader, Shared)));
        assert_eq!(lock.request(writer, Exclusive), Answer::Wait);
        // It could share with the reader, but then the writer might wait for ever.
        assert_eq!(lock.request(young, Shared), Answer::Die(writer));
        assert_eq!(lock.request(old, Shared), Answer::Wait);
        lock.release(reader);
        assert!(lock.is_granted(writer, Exclusive) && !lock.is_granted(old, Shared));
        lock.release(writer);
        assert!(lock.is_granted(old, Shared));
    }

    #[test]
    fn the_oldest_upgrades_before_those_who_wait() {
        let [oldest, old, young] = ages();
        let mut lock = Lock::default();
        assert!(granted(&lock.request(old, Shared)));
        assert!(granted(&lock.request(young, Shared)));
        assert_eq!(lock.request(oldest, Exclusive), Answer::Wait);
        assert_eq!(lock.request(young, Exclusive), Answer::Die(old));
        assert_eq!(lock.request(old, Exclusive), Answer::Wait);
        lock.release(young);
        assert!(lock.is_granted(old, Exclusive) && !lock.is_granted(oldest, Exclusive));
        lock.release(old);
        assert!(lock.is_granted(oldest, Exclusive));
    }

    #[test]
    fn a_sole_reader_upgrades_at_once_and_back() {
        let [old, young] = ages();
        let mut lock = Lock::default();
        assert!(granted(&lock.request(young, Shared)));
        let grant = Grant {
            new: false,
            exclusive: true,
        };
        assert_eq!(lock.request(young, Exclusive), Answer::Granted(grant));
        assert_eq!(lock.request(young, Shared), Answer::Granted(grant));
        assert_eq!(lock.request(old, Shared), Answer::Wait);
        lock.downgrade();
        assert!(lock.is_granted(old, Shared) && lock.is_granted(young, Shared));
        assert!(lock.involves(old));
    }

    #[test]
    fn readers_that_wait_are_granted_together() {
        let [a, b, writer] = ages();
        let mut lock = Lock::default();
        assert!(granted(&lock.request(writer, Exclusive)));
        assert_eq!(lock.request(b, Shared), Answer::Wait);
        assert_eq!(lock.request(a, Shared), Answer::Wait);
        lock.release(writer);
        assert!(lock.is_granted(a, Shared) && lock.is_granted(b, Shared));
        assert_eq!(lock.holders().count(), 2);
    }
}
