//! What a store says about its log.

#![cfg(feature = "durable")]

use journal::sim::{Fault, SimDisk};
use mvcc::durable::StoreStats;
use mvcc::{Store, Table};
use std::convert::Infallible;
use std::sync::Arc;

#[test]
fn the_statistics_of_a_store_follow_its_log() {
    let disk = Arc::new(SimDisk::new());
    let (store, numbers): (Store, Table<u64, u64>) = Store::options()
        .segment_bytes(16 << 10)
        .checkpoint_bytes(1 << 40)
        .open_on(disk.clone(), |tables| tables.table("numbers"))
        .expect("it opens");
    let put = |key| store.run(|tx| Ok::<_, Infallible>(tx.insert(&numbers, key, key)));
    let idle = |stats: &StoreStats| {
        assert_eq!(stats.pending_commits, 0);
        assert!(stats.held_back_by.is_none(), "nobody commits");
    };
    let new = store.stats();
    idle(&new);
    assert_eq!((new.logged_commits, new.checkpoints), (0, 0));
    assert!(new.checkpoint.is_none() && !new.is_stopped);

    // One thread that waits: a group for each, of at least the bytes of its key and value.
    (0..1000).for_each(|key| put(key).expect("it is durable"));
    let full = store.stats();
    idle(&full);
    assert_eq!((full.logged_commits, full.groups), (1000, 1000));
    assert!(full.written_bytes >= 16 * 1000 && full.log_bytes > full.written_bytes);

    store.checkpoint().expect("there is room");
    let pruned = store.stats();
    assert_eq!((pruned.logged_commits, pruned.checkpoints), (1000, 1));
    let checkpoint = pruned.checkpoint.expect("it was written");
    assert!(checkpoint.rows == 1000 && checkpoint.bytes >= 16 * 1000);
    assert!(pruned.log_bytes < full.log_bytes, "the old log is gone");

    disk.fail(disk.operations(), Fault::Forever);
    put(1000).expect_err("the disk fails");
    let stopped = store.stats();
    assert!(stopped.is_stopped && stopped.logged_commits == 1000);
}
