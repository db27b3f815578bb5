//! What every adapter must do, and may claim not to.

use super::super::rows::VALUE;
use super::*;
use std::cell::RefCell;

/// Keys in no order.
const KEYS: [u64; 6] = [50, 10, 60, 30, 20, 40];

/// What an operation has seen: keys and the first bytes of their values.
#[derive(Default)]
struct Seen(RefCell<Vec<(u64, u8)>>);

impl Seen {
    fn see(&self) -> impl Fn(u64, &[u8]) {
        |key, value| {
            assert_eq!(value.len(), VALUE);
            assert!(value.iter().all(|byte| *byte == value[0]));
            self.0.borrow_mut().push((key, value[0]));
        }
    }
}

fn read<P: Peer>(peer: &P, keys: &[u64]) -> Vec<(u64, u8)> {
    let ops: Vec<Op> = keys.iter().map(|&key| Op::read(key)).collect();
    let seen = Seen::default();
    peer.read(&ops, seen.see());
    seen.0.into_inner()
}

fn lacks<P: Peer>(need: Need) -> bool {
    Entry::of::<P>().lacks(need).is_some()
}

fn check<P: Peer>() {
    let peer = P::load(&KEYS);
    let initial = |key| (key, Op::insert(key).value()[0]);
    assert_eq!(read(&peer, &KEYS), KEYS.map(initial));
    assert_eq!(read(&peer, &[30]), [initial(30)]);

    // One operation, and a transaction that reads what it does not write.
    assert_eq!(peer.write(&[Op::update(30, 7)], |_, _| ()), 0);
    assert_eq!(read(&peer, &[30]), [(30, 7)]);
    let seen = Seen::default();
    let ops = [Op::read(10), Op::update(20, 8), Op::update(40, 9)];
    assert_eq!(peer.write(&ops, seen.see()), 0);
    assert_eq!(seen.0.into_inner(), [initial(10)]);
    assert_eq!(read(&peer, &[20, 40]), [(20, 8), (40, 9)]);

    if !lacks::<P>(Need::Inserts) {
        peer.write(&[Op::insert(35)], |_, _| ());
        assert_eq!(read(&peer, &[35, 30]), [initial(35), (30, 7)]);
    }
    if !lacks::<P>(Need::Snapshots) {
        let seen = Seen::default();
        let write = || peer.write(&[Op::update(50, 3)], |_, _| ());
        assert_eq!(peer.hold(50, write, seen.see()), 0);
        assert_eq!(seen.0.into_inner(), [initial(50)]);
    }
    peer.tidy();
    assert_eq!(read(&peer, &[60]), [initial(60)]);

    if !lacks::<P>(Need::Order) {
        let peer = P::Ordered::load(&KEYS);
        peer.write(&[Op::update(30, 7)], |_, _| ());
        let seen = Seen::default();
        peer.scan(20..=45, seen.see());
        assert_eq!(seen.0.into_inner(), [initial(20), (30, 7), initial(40)]);
    }
}

#[test]
fn mvcc_does() {
    check::<mvcc::Mvcc>();
    check::<mvcc::Ordered>();
}

#[test]
fn tplock_does() {
    check::<tplock::TpLock>();
    check::<tplock::Ordered>();
}

#[test]
fn locked_maps_do() {
    check::<rwlock::HashMap>();
    check::<rwlock::FoldHashMap>();
    check::<rwlock::BTreeMap>();
}

#[test]
fn dashmap_does() {
    check::<dashmap::DashMap>();
}

#[cfg(feature = "peers")]
#[test]
fn mvcc_core_does() {
    check::<mvcc_core::Snapshot>();
    check::<mvcc_core::Serializable>();
}

#[cfg(feature = "peers")]
#[test]
fn surrealmx_does() {
    check::<surrealmx::SurrealMx>();
}

#[cfg(feature = "peers")]
#[test]
fn skipdb_does() {
    check::<skipdb::SkipDb>();
}

#[cfg(feature = "peers")]
#[test]
fn redb_does() {
    check::<redb::Redb>();
}

#[cfg(feature = "peers")]
#[test]
fn stm_does() {
    check::<stm::Stm>();
}

#[test]
fn names_differ() {
    let mut names: Vec<&str> = all().iter().map(|entry| entry.about.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
